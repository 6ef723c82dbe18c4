//! PDF: `pdf_oxide` reads the objects, streams and fonts; what a page paints is told here.
//!
//! `file` opens and repairs, `content` runs the content streams to the glyphs of a `scene`, `visible` judges which of them a reader
//! sees, `runs` makes pieces of lines of them, `forms` adds what lies on top of the page, `furniture` takes out what
//! is on every page, and `layout` and `table` make blocks. The order of reading is that of the content stream:
//! Chromium, LibreOffice and LaTeX write it so. Where a stream has no such order, `order` goes by place.
//!
//! The library's own page texts are not used: they lose or misplace the ends of lines in tagged files, mix up lines of
//! two-column pages, tear table cells apart, and cannot say what a viewer does not show.

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

/// Pages that a page tree may name more than once: the library looks for each of them anew.
const MOST_AGAIN: usize = 1000;
/// Parts that could not be read, of those that are named.
const MOST_UNREAD: usize = 50;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let file = File::open(bytes)?;
    let leaves = leaves(&file)?;
    // `/Count` is only a claim, and the library walks the whole tree for each page that it promises.
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
    if file.cut_off && found.is_mostly_untold() {
        return Err(ExtractError::malformed("the end of the file is missing, and with it the fonts of its text"));
    }
    furniture::take_out(&mut pages, builder.report());
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

/// What the pages gave besides text.
#[derive(Debug, Default)]
struct Found {
    unread: Vec<UnreadPart>,
    /// By name: characters that a font did not tell, and all that it set.
    fonts: BTreeMap<String, (u64, u64)>,
    pages_without_text: Vec<u32>,
    /// Pages of these whose text seems to be drawn as shapes.
    outlined: Vec<u32>,
    /// Pages with some text, and with words in a picture or in a font that does not tell them.
    partly_unreadable: Vec<u32>,
    /// Destinations of links that have been said.
    links: HashSet<String>,
    hidden: bool,
    pictures: u32,
    disordered: bool,
}

impl Found {
    /// Fonts that told too little; a letter missing here and there stands in the text as U+FFFD.
    fn unreadable_fonts(&self) -> Vec<String> {
        let bad = self.fonts.iter().filter(|(_, (untold, all))| *untold >= 20 || *untold * 5 >= (*all).max(1));
        bad.filter(|(_, (untold, _))| *untold > 0).map(|(name, _)| name.clone()).collect()
    }

    fn is_mostly_untold(&self) -> bool {
        let (untold, all) = self.fonts.values().fold((0, 0), |sum, (untold, all)| (sum.0 + untold, sum.1 + all));
        untold * 2 > all
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
        report.unread = self.unread.iter().take(MOST_UNREAD).cloned().collect();
        if let Some(more) = self.unread.len().checked_sub(MOST_UNREAD + 1) {
            report.unread.push(UnreadWhat::More.with(more + 1));
        }
        if self.disordered {
            report.doubt(Doubt::UncertainOrder);
        }
    }

    /// Why there is no text, where it is known. A file that could not be read is an error; other ways may read the others' pages.
    fn no_text_reason(&self, cut_off: bool) -> Result<Option<String>, ExtractError> {
        let fonts = self.unreadable_fonts();
        if cut_off {
            let reason = "the end of the file is missing, and what is left has no text that could be read";
            return Err(ExtractError::malformed(reason));
        }
        if let Some(problem) = self.unread.iter().find(|problem| problem.is_unreadable()) {
            return Err(ExtractError::malformed(format!("its pages could not be read: {problem}")));
        }
        Ok(if !fonts.is_empty() {
            Some(format!("its fonts do not tell which characters they show ({})", fonts.join(", ")))
        } else if !self.outlined.is_empty() {
            Some("it seems to be drawn as shapes".to_owned())
        } else if self.hidden {
            Some("all of it is hidden from a reader of the pages".to_owned())
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

/// Pages that can be reached from the root of the page tree, 0 where the tree is so odd that only the library can tell.
/// A tree that comes back to itself is refused here: the library would walk it for minutes. Programs that take pages out
/// leave one empty node in many places, which is no harm.
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
            return Err(ExtractError::malformed("its page tree contains itself"));
        }
        open.push((node, true));
        let Ok(object) = file.document.load_object(node) else { continue };
        again += usize::from(!seen.insert(node));
        if again > MOST_AGAIN {
            return Err(ExtractError::malformed("its page tree names the same pages again and again"));
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
