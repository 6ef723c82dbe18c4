//! Answers as HTML: Markdown, with citations as links.

mod mend;
mod numbering;

use crate::{
    citations::{false_definitions, marks},
    model::Citation,
};
use console::{Html, markdown};
use platform::names::with_directions_shown;

/// An answer that was drawn.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// Its top-level elements, in order.
    pub blocks: Vec<Html>,
    /// Numbers of its sources in the order in which the text first names them.
    pub order: Vec<u32>,
}

/// What stands in a drawn answer in the reader's language.
#[derive(Clone, Debug, Default)]
pub struct Words {}

/// An answer as blocks. `unfinished`: it is still being written, and the last block is mended so that half a construct does not show its marks.
pub fn draw(text: &str, citations: &[Citation], unfinished: bool, _: &Words) -> Drawn {
    let known = |n: u32| citations.iter().any(|c| c.mark == n);
    let shown = if unfinished { mend::mend(text) } else { text.into() };
    Drawn { blocks: vec![answer_html(&shown, citations)], order: numbering::order(text, known) }
}

/// An answer's text as HTML, with each citation as a link to the chunk in its document. Everything else stays as the
/// model wrote it.
pub(crate) fn answer_html(text: &str, citations: &[Citation]) -> Html {
    let known = |n: u32| citations.iter().any(|c| c.mark == n);
    let found = if citations.is_empty() { Vec::new() } else { marks(text, known) };
    // Placeholder for the links: a character that this text does not contain and that means nothing to Markdown. It
    // must be chosen per text, because documents may contain any: icon fonts use this range.
    let Some(place) = ('\u{e000}'..='\u{f8ff}').find(|c| !text.contains(*c)) else {
        return with_directions_shown(&markdown(text));
    };
    let mut edits: Vec<(std::ops::Range<usize>, String)> =
        found.iter().enumerate().map(|(n, mark)| (mark.range.clone(), format!("{place}{n}{place}"))).collect();
    edits.extend(false_definitions(text).into_iter().map(|at| (at..at, "\\".to_owned())));
    edits.sort_by_key(|(range, _)| range.start);
    let (mut source, mut from) = (String::with_capacity(text.len()), 0);
    for (range, with) in edits {
        // In a list of sources such as `[1]: handbook.md`, look for marks only after its own bracket.
        if range.start >= from {
            source.push_str(&text[from..range.start]);
            source.push_str(&with);
            from = range.end;
        }
    }
    source.push_str(&text[from..]);
    // Every second part is a number between two placeholders. Replaced in one pass: an answer may contain thousands.
    let links = |n: &str| -> String {
        let mark = n.parse().ok().and_then(|n: usize| found.get(n));
        let numbers = mark.map_or(&[][..], |mark| &mark.numbers);
        numbers.iter().filter_map(|n| citations.iter().find(|c| c.mark == *n)).map(link).collect()
    };
    let html = markdown(&source);
    let linked = html.split(place).enumerate().map(|(n, part)| if n % 2 == 0 { part.to_owned() } else { links(part) });
    with_directions_shown(&linked.collect::<String>())
}

fn link(citation: &Citation) -> String {
    if citation.deleted {
        format!("<span class=\"citation\">{}</span>", citation.mark)
    } else {
        format!("<a class=\"citation\" href=\"{}\">{}</a>", citation.path(), citation.mark)
    }
}
