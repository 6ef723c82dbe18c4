//! The reading report on a document's page.

use crate::{Document, DocumentStatus, KnowledgeBase, model::ReadingMode};
use console::Shell;
use extraction::{Doubt, Report, UnreadPages, UnreadPart, UnreadValue, UnreadWhat};

/// Maximum number of page ranges shown.
const MAX_RANGES: usize = 12;

/// Formats ascending page numbers with ranges: `1, 3–5, 9`.
pub(crate) fn ranges(pages: &[u32]) -> String {
    let mut found: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match found.last_mut() {
            Some((_, end)) if *end + 1 == page => *end = page,
            _ => found.push((page, page)),
        }
    }
    let more = if found.len() > MAX_RANGES { ", …" } else { "" };
    let named = found
        .iter()
        .take(MAX_RANGES)
        .map(|(start, end)| if start == end { start.to_string() } else { format!("{start}–{end}") });
    format!("{}{more}", named.collect::<Vec<_>>().join(", "))
}

/// A share of 0 to 1 in percent; rounds to 100 only if it is exactly 1.
pub(super) fn percent(share: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
    let percent = (share.clamp(0.0, 1.0) * 100.0).floor() as u8;
    percent
}

/// The translated detail of why pages stayed unread. Program names, language codes, provider messages and reports of
/// older versions are shown as they are.
pub(super) fn unread_detail(shell: &Shell, unread: &UnreadPages) -> String {
    match unread.value {
        None => unread.detail.clone(),
        Some(UnreadValue::Certainty { percent }) => {
            shell.t("knowledge-unread-certainty").with("n", percent).to_string()
        }
        Some(UnreadValue::PagesOfADocument { most }) => {
            shell.t("knowledge-unread-pages-limit").with("n", shell.number(most)).to_string()
        }
        Some(UnreadValue::TokensADay { most }) => {
            shell.t("knowledge-unread-tokens-limit").with("n", shell.number(most)).to_string()
        }
        Some(UnreadValue::TookTooLong) => shell.t("knowledge-unread-too-long").to_string(),
        Some(UnreadValue::TooMuchMemory) => shell.t("knowledge-unread-too-much-memory").to_string(),
    }
}

/// The translation key of a part that could not be read.
pub(crate) fn part_key(what: UnreadWhat) -> String {
    format!("knowledge-part-{}", what.as_str())
}

/// The unreadable parts of the file, translated; plain-text entries from older reports are shown as they are.
pub(super) fn unread_parts(shell: &Shell, report: &Report) -> Vec<String> {
    let told = |part: &UnreadPart| {
        let words = shell.t(part_key(part.what)).with("name", part.name.as_str()).with("detail", part.detail.as_str());
        match part.page {
            Some(page) => shell.t("knowledge-part-on-page").with("page", page).with("part", words).to_string(),
            None => words.to_string(),
        }
    };
    let known: Vec<String> = report.unread.iter().map(ToString::to_string).collect();
    let others = report.unread_parts.iter().filter(|words| !known.contains(words)).cloned();
    report.unread.iter().map(told).chain(others).collect()
}

/// Whether reading the document again with OCR may help although the base reads text only.
pub(super) fn ocr_may_help(base: &KnowledgeBase, document: &Document) -> bool {
    let told = [Doubt::PagesWithoutText, Doubt::UnreadableFonts, Doubt::ImplausibleText];
    base.reading == ReadingMode::Text
        && document.kind == "pdf"
        && document.doubts.iter().any(|doubt| told.iter().any(|told| told.as_str() == doubt))
}

/// Whether the document was read before reports were stored.
pub(super) fn is_from_before(document: &Document) -> bool {
    document.report.is_none() && document.status == DocumentStatus::Ready
}

/// Total number of characters left out.
pub(super) fn left_out_characters(report: &Report) -> u64 {
    report.left_out.iter().map(|left_out| left_out.characters).sum()
}
