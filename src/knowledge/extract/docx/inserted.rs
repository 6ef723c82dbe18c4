//! Embedded files (`w:altChunk`), which Word merges in when it opens the document.

use super::super::{ExtractError, Limits, UnreadWhat, decode::decode, html, mail};
use super::{
    package::Package,
    read,
    reader::{Piece, Reader},
    xml::Element,
};

/// Maximum nesting of documents.
const MAX_NESTED: usize = 3;

impl Reader<'_, '_> {
    pub(super) fn inserted(&mut self, element: &Element, out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        let id = element.relation("id");
        let target = self.relations.iter().find(|relation| Some(relation.id.as_str()) == id).map(|r| r.target.clone());
        let Some(target) = target else {
            self.found.unread.push(UnreadWhat::MissingInsert.into());
            return Ok(());
        };
        let Some(bytes) = self.package.bytes(&target)? else {
            self.found.unread.push(UnreadWhat::Insert.named(&target).because("its part is missing or damaged"));
            return Ok(());
        };
        let ending = target.rsplit('.').next().unwrap_or_default();
        if bytes.starts_with(b"PK\x03\x04") {
            return self.inserted_document(&target, &bytes, out);
        }
        let text = decode(&bytes, html::declared_charset(&bytes));
        let start = text.trim_start().get(..300).unwrap_or(text.trim_start()).to_ascii_lowercase();
        if start.starts_with("{\\rtf") {
            self.found.unread.push(UnreadWhat::InsertedRtf.named(&target));
        } else if mail::is_message(&bytes) {
            match mail::page(&bytes) {
                Some(page) => out.push(Piece::Html(page)),
                None => self.found.unread.push(UnreadWhat::InsertedArchive.named(&target)),
            }
        } else if matches!(ending, "htm" | "html" | "xhtml" | "xht") || start.starts_with('<') {
            out.push(Piece::Html(text.into_owned()));
        } else {
            let text = text.replace("\r\n", "\n");
            out.extend(text.split("\n\n").map(|paragraph| Piece::Paragraph(paragraph.to_owned())));
        }
        Ok(())
    }

    fn inserted_document(&mut self, target: &str, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), ExtractError> {
        if self.depth >= MAX_NESTED {
            self.found.unread.push(UnreadWhat::NestedDocument.named(target));
            return Ok(());
        }
        let limits = Limits { unpacked_bytes: self.package.left(), ..self.limits.clone() };
        let inner = Package::open(bytes, &limits).and_then(|mut package| {
            let inner = read(&mut package, &limits, self.depth + 1)?;
            self.package.spend(package.left());
            self.package.damaged.append(&mut package.damaged);
            Ok(inner)
        });
        match inner {
            Ok((mut pieces, found)) => {
                out.append(&mut pieces);
                self.found.images_without_text += found.images_without_text;
                self.found.form_fields += found.form_fields;
                self.found.comments += found.comments;
                self.found.left_out.extend(found.left_out);
                self.found.unread.extend(found.unread);
                Ok(())
            }
            Err(error @ (ExtractError::TooLargeOutput { .. } | ExtractError::OutOfMemory)) => Err(error),
            Err(error) => {
                self.found.unread.push(UnreadWhat::Insert.named(target).because(error));
                Ok(())
            }
        }
    }
}
