//! The extracted document. Offsets count characters (Unicode scalar values), never bytes.

use serde::{Deserialize, Serialize};

use super::{ExtractError, Report};
use platform::text_enum;

text_enum! {
    /// Supported kinds of documents.
    #[schema(as = DocumentKind)]
    pub enum Kind {
        Pdf = "pdf",
        Docx = "docx",
        Html = "html",
        Markdown = "markdown",
        /// Delimited text (CSV, TSV).
        Csv = "csv",
        /// Source code, settings, logs: lines are kept as they are.
        Code = "code",
        Text = "text",
    }
}

impl Kind {
    /// The media type for serving the original.
    pub fn media_type(self) -> &'static str {
        match self {
            Kind::Pdf => "application/pdf",
            Kind::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Kind::Html => "text/html",
            Kind::Markdown => "text/markdown",
            Kind::Csv => "text/csv",
            Kind::Code | Kind::Text => "text/plain",
        }
    }
}

/// An extracted document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extracted {
    pub kind: Kind,
    /// The document's title (metadata, `<title>`, front matter, or first top heading); at most 300 characters.
    pub title: Option<String>,
    /// The canonical text of the whole document: NFC, blocks separated by an empty line, no U+0000.
    pub text: String,
    /// In order, without overlap; together they cover every non-space character of `text`.
    pub blocks: Vec<Block>,
    /// Number of pages, if the format has pages.
    pub pages: Option<u32>,
    /// Omissions and doubts.
    pub report: Report,
}

impl Extracted {
    pub fn has_text(&self) -> bool {
        self.text.chars().any(char::is_alphanumeric)
    }

    /// `Err(NoText)` if no block has a letter or a digit.
    pub fn or_no_text(self) -> Result<Self, ExtractError> {
        if self.has_text() { Ok(self) } else { Err(ExtractError::no_text(&self.report)) }
    }
}

/// A paragraph, heading, list, table or piece of code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// First character in `Extracted::text`.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// Page, from 1, if the format has pages.
    pub page: Option<u32>,
    /// Headings above the block, outermost first; a heading includes itself.
    pub heading: Vec<String>,
    pub kind: BlockKind,
    /// For a table, one past the last character of its caption and header rows, which are repeated when the table is
    /// split. `None` for other blocks, and for a table with an unknown header.
    pub header_end: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    Heading,
    Paragraph,
    List,
    Table,
    Code,
}

/// Resource limits of one extraction. The defaults suit a server with 4 GiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Address space of the child beyond its own mappings.
    pub memory_bytes: u64,
    /// CPU time of the child.
    pub cpu_seconds: u64,
    /// Wall-clock time, enforced by the parent.
    pub wall_seconds: u64,
    /// Size of the uploaded file.
    pub input_bytes: u64,
    /// Unpacked size of a compressed file (DOCX).
    pub unpacked_bytes: u64,
    /// Size of the extracted text in UTF-8.
    pub output_bytes: u64,
    /// Nesting of HTML and XML elements: browsers stop at 512.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            cpu_seconds: 120,
            wall_seconds: 180,
            input_bytes: 100_000_000,
            unpacked_bytes: 256 << 20,
            output_bytes: 64 << 20,
            depth: 512,
        }
    }
}
