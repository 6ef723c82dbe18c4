//! Code with its words marked for colours: keywords, strings, comments. The stylesheet has the colours (`hl-...`).

use std::sync::LazyLock;

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};
use syntect::util::LinesWithEndings;

use super::format::{Html, escape};

/// Longer code stays plain: its grammar would hold up the page.
const MOST_BYTES: usize = 64 * 1024;

/// Beginnings of scopes (as grammars of Sublime Text name them) and the class of what has them; the first that fits counts.
const CLASSES: [(&str, &str); 16] = [
    ("comment", "comment"),
    ("constant.character.escape", "escape"),
    ("string", "string"),
    ("constant.numeric", "number"),
    ("constant", "constant"),
    ("entity.name.function", "function"),
    ("support.function", "function"),
    ("variable.function", "function"),
    ("entity.name.tag", "tag"),
    ("entity.other.attribute-name", "attribute"),
    ("entity.name", "type"),
    ("support.type", "type"),
    ("storage", "keyword"),
    ("keyword", "keyword"),
    ("markup.inserted", "inserted"),
    ("markup.deleted", "deleted"),
];

static GRAMMARS: LazyLock<SyntaxSet> = LazyLock::new(two_face::syntax::extra_newlines);
static SCOPES: LazyLock<Vec<(Scope, &'static str)>> =
    LazyLock::new(|| CLASSES.into_iter().filter_map(|(scope, class)| Some((Scope::new(scope).ok()?, class))).collect());

/// `code` as HTML. `language` as a code fence names it; an unknown one stays plain.
pub fn highlight(language: &str, code: &str) -> Html {
    let name = language.split([' ', ',', '{']).next().unwrap_or_default();
    if name.is_empty() || code.len() > MOST_BYTES {
        return escape(code);
    }
    let grammar = GRAMMARS.find_syntax_by_token(name);
    grammar.and_then(|grammar| marked(grammar, code)).unwrap_or_else(|| escape(code))
}

/// `None` where the grammar itself is at fault.
fn marked(grammar: &SyntaxReference, code: &str) -> Option<Html> {
    let (mut state, mut scopes) = (ParseState::new(grammar), ScopeStack::new());
    let mut out = Html::with_capacity(code.len() * 2);
    for line in LinesWithEndings::from(code) {
        let mut from = 0;
        for (at, change) in state.parse_line(line, &GRAMMARS).ok()? {
            push(&mut out, line.get(from..at)?, &scopes);
            from = at;
            scopes.apply(&change).ok()?;
        }
        push(&mut out, line.get(from..)?, &scopes);
    }
    Some(out)
}

/// Appends a piece in the class of its innermost scope that has one.
fn push(out: &mut Html, piece: &str, scopes: &ScopeStack) {
    if piece.is_empty() {
        return;
    }
    let class_of = |scope: &Scope| SCOPES.iter().find(|(known, _)| known.is_prefix_of(*scope)).map(|(_, class)| *class);
    match scopes.as_slice().iter().rev().find_map(class_of).filter(|_| !piece.trim().is_empty()) {
        Some(class) => out.extend(["<span class=\"hl-", class, "\">", escape(piece).as_str(), "</span>"]),
        None => out.push_str(&escape(piece)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The HTML without its marks, as a browser shows it.
    fn shown(html: &str) -> String {
        let mut out = String::new();
        for part in html.split('<') {
            out.push_str(
                part.split_once('>').map_or(part, |(tag, text)| if tag.contains("span") { text } else { part }),
            );
        }
        out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }

    #[test]
    fn known_languages_are_marked_and_nothing_is_lost() {
        for (language, code, class) in [
            ("python", "def f(x):\n    return \"<b>\" + x  # why\n", "hl-comment"),
            ("rust", "fn main() { let x = 1; }", "hl-keyword"),
            ("typescript", "const x: string = 'a' // b", "hl-comment"),
            ("toml", "[llm]\na = 1 # b", "hl-comment"),
            ("dockerfile", "FROM debian\nRUN ls", "hl-keyword"),
            ("json", "{\"a\": [1, true, null]}", "hl-string"),
            ("bash", "if true; then echo \"$HOME\"; fi", "hl-keyword"),
        ] {
            let html = highlight(language, code);
            assert!(html.contains(class), "{language}: {html}");
            assert!(!html.contains("<b>"), "{html}");
            assert_eq!(shown(&html), code, "{html}");
        }
    }

    #[test]
    fn other_languages_and_long_code_stay_plain() {
        assert_eq!(highlight("", "a < b"), "a &lt; b");
        assert_eq!(highlight("no-such-language", "a < b"), "a &lt; b");
        let long = "let x = 1;\n".repeat(10_000);
        assert_eq!(highlight("rust", &long), long);
    }
}
