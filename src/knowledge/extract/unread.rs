//! What of a file could not be read, as values: pages say it in the reader's language, the API and the command line in English.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of the file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadPart {
    pub what: UnreadWhat,
    /// From 1, where it belongs to a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// What it is called in the file; empty where it has no name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A number, a kind, or what a decoder says of it, word for word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What it is that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnreadWhat {
    /// A page of a PDF file.
    Page,
    /// A stream of a page that could not be unpacked.
    PackedStream,
    /// A stream of a page that could not be understood.
    Stream,
    /// A stream, or a page, with more content than is read.
    MuchContent,
    /// A page with more characters than are read.
    ManyCharacters,
    /// A page with more annotations (`detail`) than are read (`name`).
    ManyAnnotations,
    /// The content of a page ends in the middle of a text.
    BrokenText,
    /// An object that a page shows, and that the file does not have.
    MissingObject,
    /// A form in XFA format, beside the ordinary pages.
    Xfa,
    /// The end of the file is missing.
    MissingEnd,
    /// Text that seems to be drawn as shapes.
    DrawnText,
    /// A part of a DOCX file that is damaged.
    DamagedPart,
    /// An inserted file that is not in the document.
    MissingInsert,
    /// An inserted file that cannot be read.
    Insert,
    InsertedRtf,
    /// An inserted web archive without a page.
    InsertedArchive,
    /// A document within documents within documents.
    NestedDocument,
    EmbeddedObject,
    ActiveX,
    /// A chart or a diagram.
    Chart,
    SubDocument,
    /// A part of a message that cannot be decoded.
    MailPart,
    /// An attached message.
    AttachedMessage,
    /// An attachment that is no text.
    Attachment,
    /// A choice between forms of a message's body within others.
    NestedForms,
    /// Content that may not be whole: it is damaged, and what could be unpacked of it was read.
    DamagedContent,
    /// Files within the file, by their names.
    AttachedFiles,
    /// A file that is pinned to a page.
    AttachedFile,
    /// So many more than are named.
    More,
    /// In words only: `detail`.
    Other,
}

impl UnreadWhat {
    pub const ALL: [Self; 30] = [
        Self::Page,
        Self::PackedStream,
        Self::Stream,
        Self::MuchContent,
        Self::ManyCharacters,
        Self::ManyAnnotations,
        Self::BrokenText,
        Self::MissingObject,
        Self::Xfa,
        Self::MissingEnd,
        Self::DrawnText,
        Self::DamagedPart,
        Self::MissingInsert,
        Self::Insert,
        Self::InsertedRtf,
        Self::InsertedArchive,
        Self::NestedDocument,
        Self::EmbeddedObject,
        Self::ActiveX,
        Self::Chart,
        Self::SubDocument,
        Self::MailPart,
        Self::AttachedMessage,
        Self::Attachment,
        Self::NestedForms,
        Self::DamagedContent,
        Self::AttachedFiles,
        Self::AttachedFile,
        Self::More,
        Self::Other,
    ];

    /// The stable name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::PackedStream => "packed_stream",
            Self::Stream => "stream",
            Self::MuchContent => "much_content",
            Self::ManyCharacters => "many_characters",
            Self::ManyAnnotations => "many_annotations",
            Self::BrokenText => "broken_text",
            Self::MissingObject => "missing_object",
            Self::Xfa => "xfa",
            Self::MissingEnd => "missing_end",
            Self::DrawnText => "drawn_text",
            Self::DamagedPart => "damaged_part",
            Self::MissingInsert => "missing_insert",
            Self::Insert => "insert",
            Self::InsertedRtf => "inserted_rtf",
            Self::InsertedArchive => "inserted_archive",
            Self::NestedDocument => "nested_document",
            Self::EmbeddedObject => "embedded_object",
            Self::ActiveX => "active_x",
            Self::Chart => "chart",
            Self::SubDocument => "sub_document",
            Self::MailPart => "mail_part",
            Self::AttachedMessage => "attached_message",
            Self::Attachment => "attachment",
            Self::NestedForms => "nested_forms",
            Self::DamagedContent => "damaged_content",
            Self::AttachedFiles => "attached_files",
            Self::AttachedFile => "attached_file",
            Self::More => "more",
            Self::Other => "other",
        }
    }

    /// A part of this kind that has a name in the file.
    pub(super) fn named(self, name: &str) -> UnreadPart {
        UnreadPart { name: name.to_owned(), ..self.into() }
    }

    /// A part of this kind, and what is to be said of it.
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

    /// Whether nothing of it came into the text, so that a document without any other text could not be read.
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
            UnreadWhat::Stream => write!(f, "a stream that could not be understood ({detail})"),
            UnreadWhat::MuchContent => f.write_str("more content than is read"),
            UnreadWhat::ManyCharacters => f.write_str("more characters than are read"),
            UnreadWhat::ManyAnnotations => write!(f, "{detail} annotations, of which {name} were read"),
            UnreadWhat::BrokenText => f.write_str("its content ends in the middle of a text: the rest may be damaged"),
            UnreadWhat::MissingObject => f.write_str("an object that the file does not have"),
            UnreadWhat::Xfa => f.write_str("a form in XFA format, of which only the ordinary pages were read"),
            UnreadWhat::MissingEnd => {
                write!(f, "the end of the file is missing; {detail} references lead to nothing")
            }
            UnreadWhat::DrawnText => write!(f, "pages whose text seems to be drawn as shapes: {detail}"),
            UnreadWhat::DamagedPart => write!(f, "{name}: {detail}"),
            UnreadWhat::MissingInsert => f.write_str("an inserted file that is not in the document"),
            UnreadWhat::Insert => write!(f, "{name}: an inserted file that cannot be read ({detail})"),
            UnreadWhat::InsertedRtf => write!(f, "{name}: inserted text in the RTF format"),
            UnreadWhat::InsertedArchive => write!(f, "{name}: an inserted web archive (MHT) without a page"),
            UnreadWhat::NestedDocument => write!(f, "{name}: a document within documents"),
            UnreadWhat::EmbeddedObject => write!(f, "an embedded object ({detail})"),
            UnreadWhat::ActiveX => f.write_str("an ActiveX control"),
            UnreadWhat::Chart => write!(f, "{name}: a chart or diagram"),
            UnreadWhat::SubDocument => f.write_str("a sub-document that is not in the file"),
            UnreadWhat::MailPart => write!(f, "{name}: it cannot be decoded"),
            UnreadWhat::AttachedMessage => write!(f, "message {name}: {detail}"),
            UnreadWhat::Attachment => write!(f, "attachment {name} ({detail})"),
            UnreadWhat::NestedForms => f.write_str("a choice between forms of the body within others"),
            UnreadWhat::DamagedContent => write!(f, "its content may not be whole ({detail})"),
            UnreadWhat::AttachedFiles => write!(f, "files within the file: {detail}"),
            UnreadWhat::AttachedFile => write!(f, "an attached file that was not read ({name})"),
            UnreadWhat::More => write!(f, "and {detail} more"),
            UnreadWhat::Other => f.write_str(detail),
        }
    }
}

/// What is behind the reason why a page stayed unread, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum UnreadValue {
    /// How sure OCR is of the words that it sees.
    Certainty {
        percent: u32,
    },
    /// How many pages of one document a model reads.
    PagesOfADocument {
        most: u64,
    },
    /// How many tokens reading by a model may use in a day.
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
            Self::PagesOfADocument { most } => write!(f, "{most} pages of one document"),
            Self::TokensADay { most } => write!(f, "{most} tokens a day"),
            Self::TookTooLong => f.write_str("it took too long"),
            Self::TooMuchMemory => f.write_str("it took too much memory"),
        }
    }
}

/// What is added to the reason why a page stayed unread: in English words, and as a value where it is one.
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
