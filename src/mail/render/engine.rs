//! `MiniJinja`, set up for templates that people of an organisation write.

use std::sync::LazyLock;

use console::Lang;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, Template, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{Serde, merge_maps},
};
use serde_json::Map;

use super::{Fault, MOST_BYTES, Part, filters, guard, markup, subject};

/// Work that one part may cost: about one for each instruction, and for each 64 bytes that it makes. The largest built-in mail needs some
/// thousands; so much is done in a few milliseconds, and makes at most 6 MB.
const FUEL: u64 = 100_000;
/// What keeps the text of a mail out of the line that mail programs show beside the subject.
const PREHEADER_END: &str = "&#8199;&#847; ";
/// Statements of Jinja that do not exist here. The features of `MiniJinja` that have them are not compiled in.
const NO_STATEMENTS: [&str; 7] = ["include", "import", "from", "extends", "block", "macro", "call"];

/// A rendered part.
pub struct Piece {
    pub output: String,
    /// What the template has set as `preheader`.
    pub preheader: Option<Value>,
}

/// Renders one part of a template, and checks what came out of it.
pub fn render(lang: Lang, part: Part, source: &str, context: &Map<String, serde_json::Value>) -> Result<Piece, Fault> {
    let mut piece = run(lang, part, source, Value::from(Serde(context)))?;
    match part {
        Part::Subject => piece.output = subject::one_line(&piece.output),
        Part::Text => piece.output = subject::paragraphs(&piece.output),
        Part::Html => {
            markup::check(&piece.output).map_err(|what| Fault::of(part, what))?;
            // A block of `set` is the template's own HTML, and has no tag around it that would end it.
            if let Some(preheader) = piece.preheader.as_ref().filter(|value| value.is_safe()) {
                markup::check(&preheader.to_string()).map_err(|what| Fault::of(part, format!("preheader: {what}")))?;
            }
        }
    }
    if piece.output.trim().is_empty() {
        return Err(Fault::of(part, "it is empty: write what the recipient shall read"));
    }
    Ok(piece)
}

/// Puts a rendered part into its layout.
pub fn lay_out(
    lang: Lang,
    part: Part,
    layout: &str,
    context: &Map<String, serde_json::Value>,
    body: String,
    preheader: Option<Value>,
) -> Result<String, Fault> {
    let around = Value::from(Serde(context));
    let parts = Value::from_pairs([
        ("content", Value::from_safe_string(body)),
        ("preheader", preheader.unwrap_or_else(|| Value::from(""))),
        ("preheader_end", Value::from_safe_string(PREHEADER_END.repeat(60))),
    ]);
    let output = run(lang, part, layout, merge_maps([around, parts]))?.output;
    Ok(if part == Part::Text { subject::paragraphs(&output) } else { output })
}

/// Every variable of the template exists: `known`, a function, or set by the template itself. Found here also where the example would not
/// come by.
pub fn check_names(lang: Lang, part: Part, source: &str, known: &[&str]) -> Result<(), Fault> {
    let env = environment(lang, part);
    let template = compiled(env, part, source)?;
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()) && env.globals().all(|(global, _)| global != name))
        .collect();
    unknown.sort_unstable();
    let Some(name) = unknown.first() else { return Ok(()) };
    Err(Fault {
        part,
        line: line_with(source, name),
        what: format!("there is no variable `{name}`; this template has {}", known.join(", ")),
    })
}

fn run(lang: Lang, part: Part, source: &str, context: Value) -> Result<Piece, Fault> {
    let template = compiled(environment(lang, part), part, source)?;
    let captured = template.render_captured(context).map_err(|error| fault(part, source, &error))?;
    let preheader = captured.state().lookup("preheader").filter(|value| !value.is_undefined());
    let output = captured.into_output();
    if output.len() > MOST_BYTES {
        return Err(Fault::of(part, format!("it becomes longer than {} KiB: shorten it", MOST_BYTES >> 10)));
    }
    Ok(Piece { output, preheader })
}

fn compiled<'a>(env: &'a Environment<'a>, part: Part, source: &'a str) -> Result<Template<'a, 'a>, Fault> {
    guard::check(source, env.syntax()).map_err(|refused| at_line(part, source, Some(refused.line), refused.what))?;
    env.template_from_named_str(part.as_str(), source).map_err(|error| fault(part, source, &error))
}

fn environment(lang: Lang, part: Part) -> &'static Environment<'static> {
    static EN_TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| set_up(Lang::En, false));
    static EN_HTML: LazyLock<Environment<'static>> = LazyLock::new(|| set_up(Lang::En, true));
    static RU_TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| set_up(Lang::Ru, false));
    static RU_HTML: LazyLock<Environment<'static>> = LazyLock::new(|| set_up(Lang::Ru, true));
    match (lang, part) {
        (Lang::En, Part::Html) => &EN_HTML,
        (Lang::En, _) => &EN_TEXT,
        (Lang::Ru, Part::Html) => &RU_HTML,
        (Lang::Ru, _) => &RU_TEXT,
    }
}

fn set_up(lang: Lang, html: bool) -> Environment<'static> {
    // Without the functions and filters of `MiniJinja`: some build lists, for which `guard` has no limit, or print all data.
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // A line that has only a statement leaves no line.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env.set_auto_escape_callback(move |_| if html { AutoEscape::Html } else { AutoEscape::None });
    // Decides alone whether a value is escaped: `{% autoescape false %}` changes nothing.
    env.set_formatter(move |out, _, value| print(out, html, value));
    filters::add(&mut env, lang);
    if html {
        env.add_function("button", move |label: String, address: String| button(lang, &label, &address));
    }
    env
}

/// `None` is nothing, where `MiniJinja` would print `None`.
fn print(out: &mut Output<'_>, html: bool, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    let text = value.to_string();
    let text = if html && !value.is_safe() { escape(&text) } else { text };
    out.write_str(&text).map_err(Error::from)
}

/// For content and attributes, whichever quotation marks those have.
pub fn escape(text: &str) -> String {
    console::escape(text).replace('\'', "&#39;")
}

/// A button, and below it the address for those whose mail program shows none.
fn button(lang: Lang, label: &str, address: &str) -> Result<Value, Error> {
    if !super::is_link(address) {
        let what = "the address of a button begins with https:// or http://; a field that may be empty needs {% if %}";
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    let hint = match lang {
        Lang::En => "If the button does not work, open this address:",
        Lang::Ru => "Если кнопка не работает, откройте этот адрес:",
    };
    let (label, address) = (escape(label), escape(address));
    Ok(Value::from_safe_string(format!(
        "<table class=\"button\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" role=\"presentation\"><tr><td class=\"button\">\
         <a class=\"button\" href=\"{address}\">{label}</a></td></tr></table>\n\
         <p class=\"small\">{hint}<br><a class=\"address\" href=\"{address}\">{address}</a></p>"
    )))
}

/// An error of `MiniJinja`, with the line that it is about and what to do.
fn fault(part: Part, source: &str, error: &Error) -> Fault {
    let detail = error.detail().unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::SyntaxError => match detail.strip_prefix("unknown statement ") {
            Some(word) if NO_STATEMENTS.contains(&word) => {
                format!("`{{% {word} %}}` does not exist here: a template is one text")
            }
            _ => format!("this cannot be read: {detail}"),
        },
        ErrorKind::UndefinedError => "a variable or a field of it does not exist: see the list of fields".to_owned(),
        ErrorKind::UnknownFilter if detail.contains("filter safe ") => {
            "the filter `safe` does not exist here: values are always escaped".to_owned()
        }
        ErrorKind::OutOfFuel => "this is too much work: shorten the loops".to_owned(),
        kind if detail.is_empty() => kind.to_string(),
        kind => format!("{kind}: {detail}"),
    };
    at_line(part, source, error.line(), what)
}

/// A fault with the line that it is in.
fn at_line(part: Part, source: &str, line: Option<usize>, what: String) -> Fault {
    let quoted = line.and_then(|line| source.lines().nth(line - 1)).map(str::trim).filter(|text| !text.is_empty());
    let what = match quoted {
        Some(text) => format!("{what}: {}", text.chars().take(80).collect::<String>()),
        None => what,
    };
    Fault { part, line, what }
}

/// The first line with this word.
fn line_with(source: &str, word: &str) -> Option<usize> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    source.lines().position(|line| line.split(|c| !in_word(c)).any(|part| part == word)).map(|at| at + 1)
}
