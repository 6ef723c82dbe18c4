//! PDF: `pdf_oxide` reads objects, streams and fonts; text and layout are extracted here.
//!
//! `file` opens and repairs, `content` interprets the content streams into the glyphs of a `scene`, `visible` decides
//! which of them a reader sees, `runs` groups them into parts of lines, `forms` adds annotations, `furniture` removes
//! repeated headers, footers and page numbers, and `layout` and `table` make blocks. The reading order is that of the
//! content stream, as written by Chromium, LibreOffice and LaTeX; for a stream without such an order, `order` derives
//! it from positions.
//!
//! The library's own page text is not used: it loses or misplaces line ends in tagged files, mixes lines of two-column
//! pages, breaks table cells apart, and does not detect invisible text.

mod attached;
mod columns;
mod content;
mod depth;
mod figures;
mod file;
mod font;
mod forms;
mod furniture;
mod geometry;
mod index;
mod layers;
mod layout;
mod lengths;
mod order;
mod page;
mod path;
mod revision5;
mod right_to_left;
mod runs;
mod scene;
mod state;
mod table;
mod unpack;
mod visible;
mod words;

use std::collections::{BTreeMap, HashSet};

use pdf_oxide::object::{Object, ObjectRef};

use super::{BlockKind, Doubt, ExtractError, Extracted, Kind, Limits, UnreadPart, UnreadWhat, builder::Builder};
use file::File;
use layout::{Page, Part};
use page::Reader;

/// Maximum repeated pages in the page tree: the library searches the tree for each.
const MAX_REPEATED_PAGES: usize = 1000;
/// Maximum unread parts listed.
const MAX_UNREAD: usize = 50;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let file = File::open(bytes)?;
    let leaves = leaves(&file)?;
    // `/Count` is unreliable, and the library walks the whole tree for each page it claims.
    let count = file.document.page_count().map_err(file::error)?;
    let count = if leaves > 0 { count.min(leaves) } else { count };
    let mut builder = Builder::new(limits);
    let mut found = Found::default();
    let reader = Reader::new(&file);
    if reader.has_xfa() {
        found.unread.push(UnreadWhat::Xfa.into());
    }
    let attached = attached::names(&file);
    if !attached.is_empty() {
        found.unread.push(UnreadWhat::AttachedFiles.with(attached.join(", ")));
    }
    let mut pages = Vec::with_capacity(count.min(10_000));
    for index in 0..count {
        pages.push(reader.read(index, &mut found, builder.report()));
    }
    if file.cut_off {
        let missing = file.missing.get();
        found.unread.insert(0, UnreadWhat::MissingEnd.with(missing));
    }
    if file.cut_off && found.is_mostly_unmapped() {
        return Err(ExtractError::malformed("the end of the file is missing, and with it the fonts of its text"));
    }
    furniture::remove_furniture(&mut pages, builder.report());
    fill(&mut builder, &pages)?;
    found.report(&mut builder);
    let mut document = builder.finish(Kind::Pdf, u32::try_from(count).ok());
    if !document.has_text() {
        document.report.no_text_reason = found.no_text_reason(file.cut_off)?;
    }
    Ok(document)
}

fn fill(builder: &mut Builder, pages: &[Page]) -> Result<(), ExtractError> {
    let sizes = layout::HeadingSizes::of(pages);
    let words = words::Words::of(pages);
    for (index, page) in pages.iter().enumerate() {
        builder.page(number(index));
        for part in layout::parts(page, &sizes, &words) {
            match part {
                Part::Heading(level, text) => builder.heading(level, &text)?,
                Part::Paragraph(text) => builder.paragraph(&text)?,
                Part::List(text) => builder.lines(BlockKind::List, &text)?,
                Part::Table(table) => builder.table(&table)?,
            }
        }
    }
    Ok(())
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// Findings besides the text.
#[derive(Debug, Default)]
struct Found {
    unread: Vec<UnreadPart>,
    /// Per font name: characters without a known mapping, and all characters.
    fonts: BTreeMap<String, (u64, u64)>,
    pages_without_text: Vec<u32>,
    /// Those of `pages_without_text` whose text seems to be drawn as shapes.
    outlined: Vec<u32>,
    /// Pages with some text, and with words in an image or in a font without a character map.
    partly_unreadable: Vec<u32>,
    /// Link destinations already written.
    links: HashSet<String>,
    hidden: bool,
    pictures: u32,
    disordered: bool,
}

impl Found {
    /// Fonts with too many unknown characters; single ones are written as U+FFFD.
    fn unreadable_fonts(&self) -> Vec<String> {
        let bad = self.fonts.iter().filter(|(_, (unmapped, all))| *unmapped >= 20 || *unmapped * 5 >= (*all).max(1));
        bad.filter(|(_, (unmapped, _))| *unmapped > 0).map(|(name, _)| name.clone()).collect()
    }

    fn is_mostly_unmapped(&self) -> bool {
        let (unmapped, all) = self.fonts.values().fold((0, 0), |sum, (unmapped, all)| (sum.0 + unmapped, sum.1 + all));
        unmapped * 2 > all
    }

    fn report(&mut self, builder: &mut Builder) {
        let fonts = self.unreadable_fonts();
        let report = builder.report();
        if !self.outlined.is_empty() {
            let pages = list(&self.outlined);
            self.unread.push(UnreadWhat::DrawnText.with(pages));
        }
        report.unreadable_fonts = fonts;
        report.pages_without_text.clone_from(&self.pages_without_text);
        report.pages_partly_unreadable.clone_from(&self.partly_unreadable);
        report.images_without_text = self.pictures;
        report.unread = self.unread.iter().take(MAX_UNREAD).cloned().collect();
        if let Some(more) = self.unread.len().checked_sub(MAX_UNREAD + 1) {
            report.unread.push(UnreadWhat::More.with(more + 1));
        }
        if self.disordered {
            report.doubt(Doubt::UncertainOrder);
        }
    }

    /// Why there is no text, if known. `Err` for an unreadable file; otherwise OCR may still read the pages.
    fn no_text_reason(&self, cut_off: bool) -> Result<Option<String>, ExtractError> {
        let fonts = self.unreadable_fonts();
        if cut_off {
            let reason = "the end of the file is missing, and the rest has no readable text";
            return Err(ExtractError::malformed(reason));
        }
        if let Some(problem) = self.unread.iter().find(|problem| problem.is_unreadable()) {
            return Err(ExtractError::malformed(format!("its pages could not be read: {problem}")));
        }
        Ok(if !fonts.is_empty() {
            Some(format!("its fonts have no usable character map ({})", fonts.join(", ")))
        } else if !self.outlined.is_empty() {
            Some("it seems to be drawn as shapes".to_owned())
        } else if self.hidden {
            Some("all of its text is hidden".to_owned())
        } else if self.pages_without_text.is_empty() {
            let unread = self.unread.iter().find(|problem| problem.page.is_some());
            Some(unread.map_or_else(
                || "its pages are empty".to_owned(),
                |problem| format!("what its pages hold could not be read: {problem}"),
            ))
        } else {
            None
        })
    }
}

fn list(pages: &[u32]) -> String {
    pages.iter().take(20).map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Number of pages reachable from the root of the page tree; 0 if the tree is too irregular, so that only the library
/// can tell. A cyclic tree is rejected: the library would walk it for minutes. An empty node in several places is
/// harmless; programs that delete pages leave it.
fn leaves(file: &File) -> Result<usize, ExtractError> {
    let root = file.document.catalog().ok().and_then(|catalog| catalog.as_dict()?.get("Pages")?.as_reference());
    let (mut seen, mut above) = (HashSet::new(), HashSet::new());
    let mut open: Vec<(ObjectRef, bool)> = root.into_iter().map(|root| (root, false)).collect();
    let (mut leaves, mut again) = (0, 0);
    while let Some((node, is_done)) = open.pop() {
        if is_done {
            above.remove(&node);
            continue;
        }
        if !above.insert(node) {
            return Err(ExtractError::malformed("its page tree is cyclic"));
        }
        open.push((node, true));
        let Ok(object) = file.document.load_object(node) else { continue };
        again += usize::from(!seen.insert(node));
        if again > MAX_REPEATED_PAGES {
            return Err(ExtractError::malformed("its page tree repeats the same pages too often"));
        }
        let Some(kids) = object.as_dict().and_then(|dict| dict.get("Kids")) else {
            leaves += 1;
            continue;
        };
        let kids = file.resolve(kids);
        open.extend(kids.as_array().into_iter().flatten().filter_map(Object::as_reference).map(|kid| (kid, false)));
    }
    Ok(leaves)
}
