//! Unreadable parts of a file as values: pages translate them, the API and the command line use English.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use platform::text_enum;

/// A part of the file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadPart {
    pub what: UnreadWhat,
    /// From 1, if it belongs to a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Its name in the file; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A number, a kind, or the message of a decoder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

text_enum! {
    /// The kind of the unreadable part.
    pub enum UnreadWhat {
        /// A page of a PDF file.
        Page = "page",
        /// A page's stream that could not be decompressed.
        PackedStream = "packed_stream",
        /// A page's stream that could not be parsed.
        Stream = "stream",
        /// A stream or page whose content exceeds the limit.
        MuchContent = "much_content",
        /// A page with more characters than the limit.
        ManyCharacters = "many_characters",
        /// A page with more annotations (`detail`) than were read (`name`).
        ManyAnnotations = "many_annotations",
        /// A page's content ends inside a text object.
        BrokenText = "broken_text",
        /// A page refers to an object that is missing from the file.
        MissingObject = "missing_object",
        /// An XFA form beside the ordinary pages.
        Xfa = "xfa",
        /// The end of the file is missing.
        MissingEnd = "missing_end",
        /// Text that appears to be drawn as shapes.
        DrawnText = "drawn_text",
        /// A damaged part of a DOCX file.
        DamagedPart = "damaged_part",
        /// An inserted file that is missing from the document.
        MissingInsert = "missing_insert",
        /// An inserted file that cannot be read.
        Insert = "insert",
        InsertedRtf = "inserted_rtf",
        /// An inserted web archive without a page.
        InsertedArchive = "inserted_archive",
        /// A document nested too deeply.
        NestedDocument = "nested_document",
        EmbeddedObject = "embedded_object",
        ActiveX = "active_x",
        /// A chart or a diagram.
        Chart = "chart",
        SubDocument = "sub_document",
        /// A part of a message that cannot be decoded.
        MailPart = "mail_part",
        /// An attached message.
        AttachedMessage = "attached_message",
        /// An attachment that is not text.
        Attachment = "attachment",
        /// Nested alternatives of a message's body.
        NestedForms = "nested_forms",
        /// Content that may be incomplete: it is damaged, and only what could be unpacked was read.
        DamagedContent = "damaged_content",
        /// Embedded files, by name.
        AttachedFiles = "attached_files",
        /// A file attached to a page.
        AttachedFile = "attached_file",
        /// Number of further parts that are not listed.
        More = "more",
        /// Text only: `detail`.
        Other = "other",
    }
}

impl UnreadWhat {
    /// A part of this kind with a name in the file.
    pub(super) fn named(self, name: &str) -> UnreadPart {
        UnreadPart { name: name.to_owned(), ..self.into() }
    }

    /// A part of this kind with a detail.
    pub(super) fn with(self, detail: impl fmt::Display) -> UnreadPart {
        UnreadPart { detail: detail.to_string(), ..self.into() }
    }
}

impl From<UnreadWhat> for UnreadPart {
    fn from(what: UnreadWhat) -> Self {
        Self { what, page: None, name: String::new(), detail: String::new() }
    }
}

impl From<String> for UnreadPart {
    fn from(words: String) -> Self {
        UnreadWhat::Other.with(words)
    }
}

impl UnreadPart {
    pub(super) fn on_page(self, page: u32) -> Self {
        Self { page: Some(page), ..self }
    }

    pub(super) fn because(self, detail: impl fmt::Display) -> Self {
        Self { detail: detail.to_string(), ..self }
    }

    /// Whether none of it is in the text, so that a document without other text counts as unreadable.
    pub(super) fn is_unreadable(&self) -> bool {
        matches!(self.what, UnreadWhat::Page | UnreadWhat::PackedStream | UnreadWhat::Stream)
    }
}

impl fmt::Display for UnreadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, page, name, detail } = self;
        match (page, what) {
            (Some(page), UnreadWhat::Page) => return write!(f, "page {page} could not be read ({detail})"),
            (Some(page), _) => write!(f, "page {page}: ")?,
            (None, _) => {}
        }
        match what {
            UnreadWhat::Page => write!(f, "a page that could not be read ({detail})"),
            UnreadWhat::PackedStream => write!(f, "a stream that could not be unpacked ({detail})"),
            UnreadWhat::Stream => write!(f, "a stream that could not be parsed ({detail})"),
            UnreadWhat::MuchContent => f.write_str("more content than is read"),
            UnreadWhat::ManyCharacters => f.write_str("more characters than are read"),
            UnreadWhat::ManyAnnotations => write!(f, "{detail} annotations, of which {name} were read"),
            UnreadWhat::BrokenText => f.write_str("its content ends inside a text object: the rest may be damaged"),
            UnreadWhat::MissingObject => f.write_str("an object that is missing from the file"),
            UnreadWhat::Xfa => f.write_str("a form in XFA format, of which only the ordinary pages were read"),
            UnreadWhat::MissingEnd => {
                write!(f, "the end of the file is missing; {detail} references lead to nothing")
            }
            UnreadWhat::DrawnText => write!(f, "pages whose text seems to be drawn as shapes: {detail}"),
            UnreadWhat::DamagedPart => write!(f, "{name}: {detail}"),
            UnreadWhat::MissingInsert => f.write_str("an inserted file that is missing from the document"),
            UnreadWhat::Insert => write!(f, "{name}: an inserted file that cannot be read ({detail})"),
            UnreadWhat::InsertedRtf => write!(f, "{name}: inserted text in the RTF format"),
            UnreadWhat::InsertedArchive => write!(f, "{name}: an inserted web archive (MHT) without a page"),
            UnreadWhat::NestedDocument => write!(f, "{name}: a document nested too deeply"),
            UnreadWhat::EmbeddedObject => write!(f, "an embedded object ({detail})"),
            UnreadWhat::ActiveX => f.write_str("an ActiveX control"),
            UnreadWhat::Chart => write!(f, "{name}: a chart or diagram"),
            UnreadWhat::SubDocument => f.write_str("a sub-document that is missing from the file"),
            UnreadWhat::MailPart => write!(f, "{name}: it cannot be decoded"),
            UnreadWhat::AttachedMessage => write!(f, "message {name}: {detail}"),
            UnreadWhat::Attachment => write!(f, "attachment {name} ({detail})"),
            UnreadWhat::NestedForms => f.write_str("nested alternatives of the message body"),
            UnreadWhat::DamagedContent => write!(f, "its content may be incomplete ({detail})"),
            UnreadWhat::AttachedFiles => write!(f, "embedded files: {detail}"),
            UnreadWhat::AttachedFile => write!(f, "an attached file that was not read ({name})"),
            UnreadWhat::More => write!(f, "and {detail} more"),
            UnreadWhat::Other => f.write_str(detail),
        }
    }
}

/// The structured detail of why a page stayed unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum UnreadValue {
    /// OCR confidence, percent.
    Certainty {
        percent: u32,
    },
    /// Page limit per document for the vision model.
    PagesOfADocument {
        most: u64,
    },
    /// Daily token limit for the vision model.
    TokensADay {
        most: u64,
    },
    TookTooLong,
    TooMuchMemory,
}

impl fmt::Display for UnreadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certainty { percent } => write!(f, "{percent} %"),
            Self::PagesOfADocument { most } => write!(f, "limit of {most} pages per document"),
            Self::TokensADay { most } => write!(f, "limit of {most} tokens per day"),
            Self::TookTooLong => f.write_str("it took too long"),
            Self::TooMuchMemory => f.write_str("it took too much memory"),
        }
    }
}

/// The detail of why a page stayed unread: English text, and a structured value if available.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnreadDetail {
    pub words: String,
    pub value: Option<UnreadValue>,
}

impl From<String> for UnreadDetail {
    fn from(words: String) -> Self {
        Self { words, value: None }
    }
}

impl From<&str> for UnreadDetail {
    fn from(words: &str) -> Self {
        words.to_owned().into()
    }
}

impl From<UnreadValue> for UnreadDetail {
    fn from(value: UnreadValue) -> Self {
        Self { words: value.to_string(), value: Some(value) }
    }
}
