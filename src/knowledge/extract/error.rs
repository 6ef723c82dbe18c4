//! Extraction errors. Both enums cross the pipe from the child as JSON, so their shape is a protocol.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Report;

/// An unsupported file. The messages are for the user who uploaded it.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "why", content = "what", rename_all = "snake_case")]
pub enum Unsupported {
    #[error("the file is empty")]
    Empty,
    #[error("this is a Word document in the old .doc format: save it as .docx or PDF")]
    LegacyWord,
    #[error("this Office document is protected by a password: save it without one")]
    EncryptedOffice,
    /// What it appears to be: "a PNG image", "an Excel workbook".
    #[error("this looks like {0}; supported are PDF, DOCX, HTML, Markdown, CSV, code and plain text")]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ExtractError {
    #[error("the document is protected by a password: save it without one")]
    Encrypted,
    #[error("the document is damaged: {reason}")]
    Malformed { reason: String },
    #[error("no text found: the document has only images or is empty")]
    NoText,
    /// Like `NoText`, with a known reason.
    #[error("no text found: {reason}")]
    NoTextBecause { reason: String },
    #[error("the file is larger than {limit} bytes")]
    TooLargeInput { limit: u64 },
    #[error("the document unpacks to more than {limit} bytes")]
    TooLargeOutput { limit: u64 },
    #[error("reading the document took too long")]
    Timeout,
    #[error("reading the document took too much memory")]
    OutOfMemory,
    #[error("{reason}")]
    Unsupported { reason: Unsupported },
    /// Not the document's fault: the child could not be started or was killed. Worth a retry.
    #[error("the extraction process failed: {reason}")]
    Process { reason: String },
}

impl ExtractError {
    #[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to map_err")]
    pub(super) fn malformed(reason: impl ToString) -> Self {
        ExtractError::Malformed { reason: short(&reason.to_string()) }
    }

    /// The error for a document without text, with the report's reason.
    pub fn no_text(report: &Report) -> Self {
        match &report.no_text_reason {
            Some(reason) => ExtractError::NoTextBecause { reason: short(reason) },
            None => ExtractError::NoText,
        }
    }

    /// The stable code for the API and the database.
    pub fn code(&self) -> &'static str {
        match self {
            ExtractError::Encrypted => "encrypted",
            ExtractError::Malformed { .. } => "malformed",
            ExtractError::NoText | ExtractError::NoTextBecause { .. } => "no_text",
            ExtractError::TooLargeInput { .. } => "too_large_input",
            ExtractError::TooLargeOutput { .. } => "too_large_output",
            ExtractError::Timeout => "timeout",
            ExtractError::OutOfMemory => "out_of_memory",
            ExtractError::Unsupported { .. } => "unsupported",
            ExtractError::Process { .. } => "process",
        }
    }

    /// Whether a retry with the same bytes may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, ExtractError::Process { .. })
    }
}

/// Truncates and cleans a reason, which may quote the document: PostgreSQL cannot store U+0000.
fn short(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(300).collect()
}

impl From<Unsupported> for ExtractError {
    fn from(reason: Unsupported) -> Self {
        match reason {
            Unsupported::EncryptedOffice => ExtractError::Encrypted,
            reason => ExtractError::Unsupported { reason },
        }
    }
}
