//! The reading report: statistics, omissions and doubts. Shown on the document's page and in the API.
//!
//! A reader may only drop what is provably not content, and records it here, together with everything it could not read
//! or does not trust. Nothing is dropped silently.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Kind,
    unread::{UnreadDetail, UnreadPart, UnreadValue},
};
use platform::text_enum;

/// Maximum examples kept per kind of omission: enough to judge by, for a document of any length.
const MAX_EXAMPLES: usize = 20;
const LONGEST_EXAMPLE: usize = 200;
/// A text with a lower share of plausible words is doubted.
pub(super) const PLAUSIBLE: f32 = 0.6;

/// Result of reading a document: statistics, omissions and doubts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ReadingReport)]
pub struct Report {
    /// Characters of the text (Unicode scalar values).
    pub characters: u64,
    /// Words of the text, separated by white space.
    pub words: u64,
    pub tables: u32,
    /// Images without a caption or alternative text; their content is not searchable.
    pub images_without_text: u32,
    /// Filled form fields whose values are in the text.
    pub form_fields: u32,
    /// Comments and notes that are in the text.
    pub comments: u32,
    /// Pages without any text of their own, from 1.
    pub pages_without_text: Vec<u32>,
    /// Pages, from 1, with some text that are mostly an image, or have words in a font without a character map.
    pub pages_partly_unreadable: Vec<u32>,
    /// Pages recognised by OCR, from 1.
    pub pages_by_ocr: Vec<u32>,
    /// Pages read by a vision model, from 1.
    pub pages_by_model: Vec<u32>,
    /// Fonts without a usable character map.
    pub unreadable_fonts: Vec<String>,
    /// Characters that a viewer would not show (hidden layers, white text, `display: none`); not part of the text.
    pub hidden_characters: u64,
    /// Share of plausible words, 0 to 1; null if there are too few to judge.
    pub plausible_words: Option<f32>,
    /// Encoding guessed by statistics, if the file does not declare it and is not UTF-8.
    pub guessed_encoding: Option<String>,
    /// Characters that could not be decoded, replaced by U+FFFD in the text.
    pub undecodable_characters: u64,
    /// Why the document has no text, if known.
    pub no_text_reason: Option<String>,
    /// Text that was left out, with examples.
    pub left_out: Vec<LeftOut>,
    /// Parts of the file that could not be read.
    pub unread: Vec<UnreadPart>,
    /// `unread` as English text.
    pub unread_parts: Vec<String>,
    /// Pages that stayed without usable text, with reasons.
    pub unread_pages: Vec<UnreadPages>,
    /// Reasons to check the extracted text; empty if there are none.
    pub doubts: Vec<Doubt>,
}

/// Omitted text of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub kind: LeftOutKind,
    /// Number of occurrences.
    pub count: u64,
    /// Total characters.
    pub characters: u64,
    /// The first distinct ones, each cut to 200 characters.
    pub examples: Vec<String>,
}

/// Pages that stayed without usable text for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadPages {
    pub reason: UnreadReason,
    /// From 1.
    pub pages: Vec<u32>,
    /// Details in English; empty if the reason says everything.
    #[serde(default)]
    pub detail: String,
    /// The details as a structured value, if available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<UnreadValue>,
}

text_enum! {
    /// Why a page without usable text was not read from its image.
    pub enum UnreadReason {
        /// The knowledge base reads text only.
        Off = "off",
        /// The OCR programs (tesseract, pdftoppm) are not installed.
        NotInstalled = "not_installed",
        /// No OCR data is installed for the base's languages.
        NoLanguage = "no_language",
        /// The document has more such pages than the limit.
        OverLimit = "over_limit",
        /// The document's OCR time limit was reached.
        OutOfTime = "out_of_time",
        /// OCR failed.
        OcrFailed = "ocr_failed",
        /// Neither OCR nor a model found words.
        NothingFound = "nothing_found",
        /// OCR confidence is too low: a poor scan, handwriting, a drawing.
        Unclear = "unclear",
        /// The daily token budget, or the page limit per document, for the vision model is used up.
        OverBudget = "over_budget",
        /// The model could not be reached, or returned no answer.
        ModelFailed = "model_failed",
    }
}

impl UnreadReason {
    /// What to do about it, in English for the API; pages translate the reason.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Off => "the base reads text only: enable OCR in its settings and read the document again",
            Self::NotInstalled => "OCR is not installed on this server: install tesseract-ocr and poppler-utils",
            Self::NoLanguage => "OCR has no data for the languages of this base: install it, or select other languages",
            Self::OverLimit => "the document has more such pages than knowledge.ocr_pages allows",
            Self::OutOfTime => "the OCR time limit of the document was reached",
            Self::OcrFailed => "OCR failed: read the document again",
            Self::NothingFound => "OCR found no words in the images",
            Self::Unclear => "the images are too poor for OCR: scan the document again in better quality",
            Self::OverBudget => {
                "the daily token budget of the vision model is used up: read the document again tomorrow"
            }
            Self::ModelFailed => "the vision model could not be reached: read the document again",
        }
    }
}

text_enum! {
    pub enum LeftOutKind {
        /// Page numbers.
        PageNumber = "page_number",
        /// A header or footer repeated on many pages; kept once.
        RunningLine = "running_line",
        /// Menus, breadcrumbs and the like of a web page.
        Navigation = "navigation",
        /// Text that a viewer does not show.
        Hidden = "hidden",
        /// Deleted or moved away by a tracked change.
        Revision = "revision",
        /// Scripts and style sheets.
        Script = "script",
        /// Duplicated in the file, such as a fallback beside the original.
        Duplicate = "duplicate",
        /// An author's comment in the source, invisible to readers.
        Comment = "comment",
    }
}

text_enum! {
    /// A reason to check the extracted text.
    #[derive(PartialOrd, Ord)]
    pub enum Doubt {
        /// Some pages have only images and no text.
        PagesWithoutText = "pages_without_text",
        /// Some fonts have no usable character map.
        UnreadableFonts = "unreadable_fonts",
        /// Few of the words look like real words.
        ImplausibleText = "implausible_text",
        /// Text was found that a viewer would not show.
        HiddenText = "hidden_text",
        /// A part of the file could not be read.
        UnreadParts = "unread_parts",
        /// Some characters could not be decoded.
        UndecodableCharacters = "undecodable_characters",
        /// More text than usual was left out as headers, footers or navigation.
        MuchLeftOut = "much_left_out",
        /// The reading order of a page could not be determined.
        UncertainOrder = "uncertain_order",
        /// Read from images: by OCR or by a model.
        ReadFromPictures = "read_from_pictures",
    }
}

impl Report {
    /// Records that `text` was left out; ignores white space.
    pub(super) fn leave_out(&mut self, kind: LeftOutKind, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return;
        }
        let characters = text.chars().count() as u64;
        if kind == LeftOutKind::Hidden {
            self.hidden_characters += characters;
        }
        let entry = match self.left_out.iter_mut().position(|entry| entry.kind == kind) {
            Some(at) => &mut self.left_out[at],
            None => {
                self.left_out.push(LeftOut { kind, count: 0, characters: 0, examples: Vec::new() });
                let last = self.left_out.len() - 1;
                &mut self.left_out[last]
            }
        };
        entry.count += 1;
        entry.characters += characters;
        let example: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_EXAMPLE).collect();
        if entry.examples.len() < MAX_EXAMPLES && !entry.examples.contains(&example) {
            entry.examples.push(example);
        }
    }

    /// Adds a doubt that does not follow from the statistics.
    pub fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// Records that a page stays without usable text.
    pub fn unread_page(&mut self, page: u32, reason: UnreadReason, detail: &UnreadDetail) {
        let same = self.unread_pages.iter_mut().find(|entry| entry.reason == reason && entry.detail == detail.words);
        match same {
            Some(entry) => entry.pages.push(page),
            None => self.unread_pages.push(UnreadPages {
                reason,
                pages: vec![page],
                detail: detail.words.clone(),
                value: detail.value,
            }),
        }
    }

    /// Fills in the statistics of the text, and the doubts that follow from them.
    pub(super) fn conclude(&mut self, kind: Kind, text: &str) {
        self.characters = text.chars().count() as u64;
        self.words = text.split_whitespace().count() as u64;
        self.undecodable_characters = text.chars().filter(|c| *c == '\u{fffd}').count() as u64;
        for part in &self.unread {
            let words = part.to_string();
            if !self.unread_parts.contains(&words) {
                self.unread_parts.push(words);
            }
        }
        self.plausible_words = super::plausible::share(text);
        if self.no_text_reason.is_none() && self.hidden_characters > 0 && !text.chars().any(char::is_alphanumeric) {
            self.no_text_reason = Some("all of its text is hidden".to_owned());
        }
        let furniture: u64 =
            self.left_out.iter().filter(|l| l.kind == LeftOutKind::RunningLine).map(|l| l.characters).sum();
        // Every web page has some hidden parts: templates, closed menus, screen reader text.
        let usual = if kind == Kind::Html { self.characters / 10 } else { 0 };
        for (holds, doubt) in [
            (!self.pages_without_text.is_empty(), Doubt::PagesWithoutText),
            (!self.unreadable_fonts.is_empty(), Doubt::UnreadableFonts),
            (self.plausible_words.is_some_and(|share| share < PLAUSIBLE), Doubt::ImplausibleText),
            (self.hidden_characters > usual, Doubt::HiddenText),
            (!self.unread_parts.is_empty(), Doubt::UnreadParts),
            (self.undecodable_characters > 0, Doubt::UndecodableCharacters),
            (furniture * 4 > self.characters, Doubt::MuchLeftOut),
            (!self.pages_by_ocr.is_empty() || !self.pages_by_model.is_empty(), Doubt::ReadFromPictures),
        ] {
            if holds {
                self.doubt(doubt);
            }
        }
    }
}
