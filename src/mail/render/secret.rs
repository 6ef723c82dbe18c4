//! Links that open an account. An administrator may write the text of the invitation, but must not get the link: an image with the link in
//! its address would bring it to somebody's server as soon as the mail is opened. So such a template sees [`PLACE`] instead of the link,
//! which comes in when the template has done its work, and only where it stands alone.

use serde_json::Value;

use super::{
    Fault, Part, TemplateInfo,
    engine::{self, Piece},
    markup,
};
use crate::Kind;

/// What a template sees as `url`.
pub const PLACE: &str = "https://link.invalid/opens-an-account";
const FIELD: &str = "url";
const ALONE: &str = "`url` opens an account: it stands alone, after a space or as href=\"{{ url }}\"";

const MISSING: &str = "`url` is missing: the mail is sent for this link, and its recipient can do nothing without it";

/// Whether the link of this template is to be kept from it.
pub fn has_link(template: &TemplateInfo) -> bool {
    Kind::named(template.name).is_some_and(Kind::is_secret)
}

/// The data that the template sees, and the link.
pub fn taken_out(template: &TemplateInfo, mut data: Value) -> (Value, Option<String>) {
    let link = match data.get_mut(FIELD) {
        Some(Value::String(url)) if has_link(template) && !url.is_empty() => {
            Some(std::mem::replace(url, PLACE.to_owned()))
        }
        _ => None,
    };
    (data, link)
}

/// What is wrong with the places of the link in a rendered part. Attributes other than `href` are refused by [`super::markup`].
pub fn check(part: Part, piece: &Piece) -> Result<(), Fault> {
    let is_place = |(at, _): (usize, &str)| {
        let before = &piece.output[..at];
        match part {
            Part::Subject => false,
            Part::Text => is_separate(before),
            Part::Html => is_in_tag(before) || is_shown_alone(before),
        }
    };
    let in_preheader = piece.preheader.as_ref().is_some_and(|text| text.to_string().contains(PLACE));
    if in_preheader || !piece.output.match_indices(PLACE).all(is_place) {
        return Err(Fault::of(part, ALONE));
    }
    Ok(())
}

/// Whether whoever reads the part finds the link in it: without one, nobody can come in.
pub fn check_there(part: Part, piece: &Piece) -> Result<(), Fault> {
    if part == Part::Subject || piece.output.contains(PLACE) { Ok(()) } else { Err(Fault::of(part, MISSING)) }
}

/// Whether what follows is no part of a word. A no-break space separates words, too, but not for every program that looks for links.
fn is_separate(before: &str) -> bool {
    before.chars().next_back().is_none_or(|c| c.is_ascii_whitespace())
}

/// Whether what follows is the value of an attribute.
fn is_in_tag(before: &str) -> bool {
    before.rfind('<').is_some_and(|start| markup::tag_end(&before[start + 1..]).is_none())
}

/// Whether no text stands right before it. Elements within a line do not separate: mail programs make a link of what is shown as one word, and
/// `evil.example/?<b>{{ url }}</b>` would bring the link there.
fn is_shown_alone(mut before: &str) -> bool {
    while !is_separate(before) {
        let start = before.rfind('<').unwrap_or(before.len());
        let tag = before.get(start + 1..).unwrap_or_default();
        if markup::tag_end(tag).is_none_or(|end| end + 1 < tag.len()) {
            // A text, up to here.
            return false;
        }
        if !markup::is_within_line(tag) {
            return true;
        }
        before = &before[..start];
    }
    true
}

/// The part with the link in its places.
pub fn put_in(part: Part, output: &str, link: &str) -> String {
    output.replace(PLACE, &if part == Part::Html { engine::escape(link) } else { link.to_owned() })
}

/// Whether an attribute has the link where it does not belong.
pub fn is_misplaced(attribute: &str, value: &str) -> bool {
    value.contains(PLACE) && !(attribute == "href" && value == PLACE)
}
