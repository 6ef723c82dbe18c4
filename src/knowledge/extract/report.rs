//! What reading a document gave, what it left out and what it doubts. Shown on the document's page and in the API.
//!
//! A reader may drop only what it can show to be furniture, and says so here; what it could not read, or read
//! and does not trust, it says here too. Nothing is dropped in silence.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Kind,
    unread::{UnreadDetail, UnreadPart, UnreadValue},
};

/// Examples kept of each kind of what was left out: enough to judge by, whatever the document's length.
const MOST_EXAMPLES: usize = 20;
const LONGEST_EXAMPLE: usize = 200;
/// Below this share of plausible words a text is doubted.
pub(super) const PLAUSIBLE: f32 = 0.6;

/// What reading a document gave, and what it left out or doubts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ReadingReport)]
pub struct Report {
    /// Characters of the text (Unicode scalar values).
    pub characters: u64,
    /// Words of the text, as white space parts them.
    pub words: u64,
    pub tables: u32,
    /// Pictures without a caption or an alternative text: what they show cannot be found.
    pub images_without_text: u32,
    /// Filled fields of a form whose values are in the text.
    pub form_fields: u32,
    /// Comments and notes of readers whose words are in the text.
    pub comments: u32,
    /// Pages without any text of their own, from 1.
    pub pages_without_text: Vec<u32>,
    /// Pages with some text, most of which is a picture, or with words that their font does not tell, from 1.
    pub pages_partly_unreadable: Vec<u32>,
    /// Pages whose text was recognised from their picture (OCR), from 1.
    pub pages_by_ocr: Vec<u32>,
    /// Pages that a vision model has read, from 1.
    pub pages_by_model: Vec<u32>,
    /// Fonts whose characters could not be told.
    pub unreadable_fonts: Vec<String>,
    /// Characters that a viewer would not show (hidden layers, white text, `display: none`); they are not in the text.
    pub hidden_characters: u64,
    /// Share of the words that look like words of a language, 0 to 1; null where there are too few to judge.
    pub plausible_words: Option<f32>,
    /// The encoding that the text was read in, where the file does not say it and it is no UTF-8: a guess by statistics.
    pub guessed_encoding: Option<String>,
    /// Characters that could not be decoded and stand in the text as U+FFFD.
    pub undecodable_characters: u64,
    /// Why the document has no text at all, where it is known.
    pub no_text_reason: Option<String>,
    /// What is not in the text, with examples.
    pub left_out: Vec<LeftOut>,
    /// Parts of the file that could not be read.
    pub unread: Vec<UnreadPart>,
    /// The same in words.
    pub unread_parts: Vec<String>,
    /// Pages without usable text that no other way has read, and why.
    pub unread_pages: Vec<UnreadPages>,
    /// Why somebody should look at the document; empty where nothing is doubted.
    pub doubts: Vec<Doubt>,
}

/// Text of one kind that is in the document and not in what was kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    pub kind: LeftOutKind,
    /// How often.
    pub count: u64,
    /// Characters in all.
    pub characters: u64,
    /// The first different ones, each cut to 200 characters.
    pub examples: Vec<String>,
}

/// Pages that stayed without usable text, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadPages {
    pub reason: UnreadReason,
    /// From 1.
    pub pages: Vec<u32>,
    /// What went wrong, in words; empty where the reason says it all.
    #[serde(default)]
    pub detail: String,
    /// The same as a value, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<UnreadValue>,
}

/// Why a page without usable text was not read from its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnreadReason {
    /// The knowledge base reads text only.
    Off,
    /// The programs for OCR (tesseract, pdftoppm) are not installed.
    NotInstalled,
    /// No language data for OCR is installed for the languages of the base.
    NoLanguage,
    /// More such pages than one document may have.
    OverLimit,
    /// The document's time for OCR was used up.
    OutOfTime,
    /// OCR broke off.
    OcrFailed,
    /// Neither OCR nor a model found words in the picture.
    NothingFound,
    /// OCR is not sure of what it sees: a poor scan, handwriting, a drawing.
    Unclear,
    /// The tokens of the day, or the pages of the document, for reading by a model are used up.
    OverBudget,
    /// The model could not be asked, or gave no answer.
    ModelFailed,
}

impl UnreadReason {
    pub const ALL: [Self; 10] = [
        Self::Off,
        Self::NotInstalled,
        Self::NoLanguage,
        Self::OverLimit,
        Self::OutOfTime,
        Self::OcrFailed,
        Self::NothingFound,
        Self::Unclear,
        Self::OverBudget,
        Self::ModelFailed,
    ];

    /// The stable name in the API and the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotInstalled => "not_installed",
            Self::NoLanguage => "no_language",
            Self::OverLimit => "over_limit",
            Self::OutOfTime => "out_of_time",
            Self::OcrFailed => "ocr_failed",
            Self::NothingFound => "nothing_found",
            Self::Unclear => "unclear",
            Self::OverBudget => "over_budget",
            Self::ModelFailed => "model_failed",
        }
    }
}

impl UnreadReason {
    /// What to do about it, for the API; pages say it in their language.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Off => "the base reads text only: switch on OCR in its settings and read the document again",
            Self::NotInstalled => "OCR is not installed on this server: install tesseract-ocr and poppler-utils",
            Self::NoLanguage => "OCR has no data for the languages of this base: install it, or choose other languages",
            Self::OverLimit => "it has more such pages than knowledge.ocr_pages allows",
            Self::OutOfTime => "the time for OCR of one document was used up",
            Self::OcrFailed => "OCR broke off: read the document again",
            Self::NothingFound => "OCR found no words in the pictures",
            Self::Unclear => "the pictures are too unclear for OCR: scan the document again in better quality",
            Self::OverBudget => "the budget for reading by a model is used up: read the document again tomorrow",
            Self::ModelFailed => "the model that reads pictures could not be asked: read the document again",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutKind {
    /// The numbers of pages.
    PageNumber,
    /// A header or footer that stands on many pages; kept once.
    RunningLine,
    /// Menus, breadcrumbs and the like of a web page.
    Navigation,
    /// What a viewer does not show.
    Hidden,
    /// Deleted or moved away by a tracked change.
    Revision,
    /// Programs and style sheets.
    Script,
    /// Said twice by the file: a fallback beside what it falls back from.
    Duplicate,
    /// A note of the author in the source, which no reader is shown.
    Comment,
}

impl LeftOutKind {
    pub const ALL: [Self; 8] = [
        Self::PageNumber,
        Self::RunningLine,
        Self::Navigation,
        Self::Hidden,
        Self::Revision,
        Self::Script,
        Self::Duplicate,
        Self::Comment,
    ];

    /// The stable name in the API and the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PageNumber => "page_number",
            Self::RunningLine => "running_line",
            Self::Navigation => "navigation",
            Self::Hidden => "hidden",
            Self::Revision => "revision",
            Self::Script => "script",
            Self::Duplicate => "duplicate",
            Self::Comment => "comment",
        }
    }
}

/// A reason to look at a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Some pages have no text, only pictures.
    PagesWithoutText,
    /// Fonts that do not tell which characters they show.
    UnreadableFonts,
    /// Few of the words look like words.
    ImplausibleText,
    /// Text that a viewer would not show was found.
    HiddenText,
    /// A part of the file could not be read.
    UnreadParts,
    /// Characters that could not be decoded.
    UndecodableCharacters,
    /// More was left out as furniture than is usual.
    MuchLeftOut,
    /// A page's text came in no order that could be followed.
    UncertainOrder,
    /// Read from pictures: by OCR or by a model.
    ReadFromPictures,
}

impl Doubt {
    pub const ALL: [Self; 9] = [
        Self::PagesWithoutText,
        Self::UnreadableFonts,
        Self::ImplausibleText,
        Self::HiddenText,
        Self::UnreadParts,
        Self::UndecodableCharacters,
        Self::MuchLeftOut,
        Self::UncertainOrder,
        Self::ReadFromPictures,
    ];

    /// The stable name in the database, the API and the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PagesWithoutText => "pages_without_text",
            Self::UnreadableFonts => "unreadable_fonts",
            Self::ImplausibleText => "implausible_text",
            Self::HiddenText => "hidden_text",
            Self::UnreadParts => "unread_parts",
            Self::UndecodableCharacters => "undecodable_characters",
            Self::MuchLeftOut => "much_left_out",
            Self::UncertainOrder => "uncertain_order",
            Self::ReadFromPictures => "read_from_pictures",
        }
    }
}

impl Report {
    /// Notes that `text` is not in what is kept. White space alone is nothing.
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
        if entry.examples.len() < MOST_EXAMPLES && !entry.examples.contains(&example) {
            entry.examples.push(example);
        }
    }

    /// Adds a doubt that no figure tells.
    pub fn doubt(&mut self, doubt: Doubt) {
        if !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    /// Notes that a page stays without usable text.
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

    /// Fills in what the text itself tells, and the doubts that follow from the figures.
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
            self.no_text_reason = Some("all of its text is hidden from a reader".to_owned());
        }
        let furniture: u64 =
            self.left_out.iter().filter(|l| l.kind == LeftOutKind::RunningLine).map(|l| l.characters).sum();
        // Every web page has a few hidden parts: templates, menus that open, words for screen readers.
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
