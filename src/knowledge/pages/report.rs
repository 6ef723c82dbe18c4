//! What a document's page says of its reading report.

use crate::{
    console::Shell,
    knowledge::{
        Document, DocumentStatus, KnowledgeBase,
        extract::{Doubt, Report, UnreadPages, UnreadReason},
        jobs::recognise::{TOO_MUCH_MEMORY, TOOK_TOO_LONG},
        model::ReadingMode,
    },
};

/// Ranges of pages that are named; a book of scans has one range, a book with a scan here and there has many.
const MOST_RANGES: usize = 12;

/// `1, 3-5, 9`: pages in ascending order, neighbours taken together.
pub(in crate::knowledge) fn ranges(pages: &[u32]) -> String {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match found.last_mut() {
            Some((_, end)) if *end + 1 == page => *end = page,
            _ => found.push((page, page)),
        }
    }
    let more = if found.len() > MOST_RANGES { ", …" } else { "" };
    let named = found
        .iter()
        .take(MOST_RANGES)
        .map(|(start, end)| if start == end { start.to_string() } else { format!("{start}–{end}") });
    format!("{}{more}", named.collect::<Vec<_>>().join(", "))
}

/// A share of 0 to 1 in percent; never 100 where something is missing.
pub(super) fn percent(share: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
    let percent = (share.clamp(0.0, 1.0) * 100.0).floor() as u8;
    percent
}

/// What is added to the reason why pages stayed unread, in the reader's language; names of programs and languages, and what a
/// provider says, stay as they are.
pub(super) fn unread_detail(shell: &Shell, unread: &UnreadPages) -> String {
    let detail = unread.detail.as_str();
    let (number, unit) = detail.split_once(' ').unwrap_or((detail, ""));
    let (key, number) = match (unread.reason, unit) {
        (UnreadReason::Unclear, _) => ("knowledge-unread-certainty", number),
        (UnreadReason::OverBudget, "pages of one document") => ("knowledge-unread-pages-limit", number),
        (UnreadReason::OverBudget, "tokens a day") => ("knowledge-unread-tokens-limit", number),
        (UnreadReason::OcrFailed, _) if detail == TOOK_TOO_LONG => ("knowledge-unread-too-long", ""),
        (UnreadReason::OcrFailed, _) if detail == TOO_MUCH_MEMORY => ("knowledge-unread-too-much-memory", ""),
        _ => return detail.to_owned(),
    };
    shell.t(key).with("n", number).to_string()
}

/// Whether reading the document again with OCR may help where the base reads text only.
pub(super) fn ocr_may_help(base: &KnowledgeBase, document: &Document) -> bool {
    let told = [Doubt::PagesWithoutText, Doubt::UnreadableFonts, Doubt::ImplausibleText];
    base.reading == ReadingMode::Text
        && document.kind == "pdf"
        && document.doubts.iter().any(|doubt| told.iter().any(|told| told.as_str() == doubt))
}

/// Whether the document has been read, and no report of it was kept.
pub(super) fn is_from_before(document: &Document) -> bool {
    document.report.is_none() && document.status == DocumentStatus::Ready
}

/// Whether the figures say anything beside characters and words.
pub(super) fn left_out_characters(report: &Report) -> u64 {
    report.left_out.iter().map(|left_out| left_out.characters).sum()
}
