//! Links that open an account. An administrator may write the text of the invitation, but must not get the link: an image with the link in
//! its address would bring it to somebody's server as soon as the mail is opened. So such a template sees [`PLACE`] instead of the link,
//! which comes in when the template has done its work, and only where it stands alone.

use serde_json::Value;

use super::{
    Fault, Part, TemplateInfo,
    engine::{self, Piece},
};
use crate::Kind;

/// What a template sees as `url`.
pub const PLACE: &str = "https://link.invalid/opens-an-account";
const FIELD: &str = "url";
const ALONE: &str = "`url` opens an account: it stands alone, after a space or as href=\"{{ url }}\"";

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
        let after_space = before.chars().next_back().is_none_or(char::is_whitespace);
        match part {
            Part::Subject => false,
            Part::Text => after_space,
            Part::Html => after_space || [">", "href=\"", "href='"].iter().any(|end| before.ends_with(*end)),
        }
    };
    let in_preheader = piece.preheader.as_ref().is_some_and(|text| text.to_string().contains(PLACE));
    if in_preheader || !piece.output.match_indices(PLACE).all(is_place) {
        return Err(Fault::of(part, ALONE));
    }
    Ok(())
}

/// The part with the link in its places.
pub fn put_in(part: Part, output: &str, link: &str) -> String {
    output.replace(PLACE, &if part == Part::Html { engine::escape(link) } else { link.to_owned() })
}

/// Whether an attribute has the link where it does not belong.
pub fn is_misplaced(attribute: &str, value: &str) -> bool {
    value.contains(PLACE) && !(attribute == "href" && value == PLACE)
}
