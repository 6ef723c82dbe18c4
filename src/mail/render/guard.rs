//! What a template may not contain because the limit for work would come too late. `MiniJinja` counts the work while a template runs; a long
//! chain of operators already ends the whole process when it is compiled (one call for each link, and a stack has an end), and text that is
//! made of a list is counted once it exists: a list that holds itself twice, forty times over, is larger than any memory. So a template has
//! no lists but those of constants, and no tag is long.

use minijinja::{
    machinery::{Token, tokenize},
    syntax::SyntaxConfig,
};

/// Most words and signs in one tag, and most `elif` in one template.
const MOST_TOKENS: usize = 100;
const MOST_ELIFS: usize = 50;
/// Words after which a bracket begins a list or a group, and no call.
const KEYWORDS: [&str; 11] = ["in", "not", "and", "or", "is", "if", "elif", "else", "do", "for", "recursive"];

/// A thing that does not exist in our templates.
pub struct Refused {
    pub line: usize,
    pub what: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Bracket {
    List,
    Item,
    Call,
    Group,
}

/// The tag that is being read.
#[derive(Default)]
struct Tag {
    tokens: usize,
    open: Vec<Bracket>,
    /// The token before is a value: a bracket after it belongs to it.
    after_value: bool,
    recursive: bool,
}

/// Reads the template as `MiniJinja` will. What cannot be read is no fault here: its compiler says it better.
pub fn check(source: &str, syntax: &SyntaxConfig) -> Result<(), Refused> {
    let mut tag = Tag::default();
    let mut elifs = 0;
    for token in tokenize(source, false, syntax.clone()) {
        let Ok((token, span)) = token else { return Ok(()) };
        let refused = |what: String| Refused { line: usize::from(span.start_line), what };
        match &token {
            Token::TemplateData(_) => continue,
            Token::VariableStart | Token::BlockStart => {
                tag = Tag::default();
                continue;
            }
            Token::BlockEnd if tag.recursive => return Err(refused("`recursive` does not exist here".to_owned())),
            Token::Ident("elif") if tag.tokens == 0 => elifs += 1,
            _ => (),
        }
        if elifs > MOST_ELIFS {
            return Err(refused(format!("this template has more than {MOST_ELIFS} `elif`: shorten it")));
        }
        tag.read(&token).map_err(refused)?;
    }
    Ok(())
}

impl Tag {
    fn read(&mut self, token: &Token<'_>) -> Result<(), String> {
        self.tokens += 1;
        if self.tokens > MOST_TOKENS {
            return Err(format!("this tag has more than {MOST_TOKENS} words and signs: shorten it"));
        }
        let inside = self.open.last().copied();
        match token {
            Token::Plus | Token::Mul | Token::Pow => {
                return Err(format!("{token} does not exist here: texts are joined with `~`"));
            }
            Token::BraceOpen => return Err("maps do not exist here".to_owned()),
            Token::BracketOpen if self.after_value => self.open.push(Bracket::Item),
            Token::BracketOpen | Token::Ident(_) | Token::ParenOpen if inside == Some(Bracket::List) => {
                return Err("a list holds constants only, such as [\"a\", \"b\"]".to_owned());
            }
            Token::BracketOpen => self.open.push(Bracket::List),
            Token::ParenOpen => self.open.push(if self.after_value { Bracket::Call } else { Bracket::Group }),
            Token::BracketClose | Token::ParenClose => {
                self.open.pop();
            }
            Token::Comma if !matches!(inside, Some(Bracket::List | Bracket::Call)) => {
                return Err("a comma stands only in a list or between the values for a function".to_owned());
            }
            Token::Assign if !self.open.is_empty() => {
                return Err("the values for a function have no names here".to_owned());
            }
            _ => (),
        }
        self.recursive = matches!(token, Token::Ident("recursive"));
        self.after_value = match token {
            Token::Ident(word) => !KEYWORDS.contains(word),
            Token::Str(_) | Token::String(_) | Token::BracketClose | Token::ParenClose => true,
            _ => false,
        };
        Ok(())
    }
}
