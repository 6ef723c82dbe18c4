//! Metric labels.

use prometheus_client::encoding::EncodeLabelSet;

use crate::model::{DocumentStatus, SearchMode};
use extraction::{Doubt, LeftOutKind, UnreadReason};
use platform::label_enum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StatusLabels {
    pub status: DocumentStatus,
}

label_enum! {
    /// A processing stage of a document.
    pub enum Stage {
        /// Extraction and chunking.
        Extract = "extract",
        /// Embedding and indexing.
        Embed = "embed",
        /// Upload to ready, including queueing.
        Total = "total",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabels {
    pub stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModeLabels {
    pub mode: SearchMode,
}

label_enum! {
    /// A phase of a search.
    pub enum Part {
        /// Reading the bases' rows.
        Bases = "bases",
        /// Embedding the query.
        Embed = "embed",
        /// Vector search in one base.
        Vector = "vector",
        /// Full-text search in one base.
        Text = "text",
        /// Reading the texts of the hits.
        Rows = "rows",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PartLabels {
    pub part: Part,
}

label_enum! {
    /// Kind of index update.
    pub enum Update {
        /// New rows only, right after a write.
        Quick = "quick",
        /// Everything, by maintenance.
        Thorough = "thorough",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UpdateLabels {
    pub update: Update,
}

label_enum! {
    pub enum MaintenanceOutcome { Ok = "ok", Failed = "failed" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct MaintenanceLabels {
    /// One of `MAINTENANCE_STEPS`.
    pub step: &'static str,
    pub outcome: MaintenanceOutcome,
}

label_enum! {
    /// Why a document failed or was rejected at upload.
    pub enum Failure {
        Encrypted = "encrypted",
        Malformed = "malformed",
        NoText = "no_text",
        TooLarge = "too_large",
        Timeout = "timeout",
        OutOfMemory = "out_of_memory",
        Unsupported = "unsupported",
        Embedding = "embedding",
        OriginalMissing = "original_missing",
        Killed = "killed",
        Internal = "internal",
    }
}

impl Failure {
    /// From the stable code used in the database and the API.
    pub fn of(code: &str) -> Self {
        match code {
            "too_large_input" | "too_large_output" => Self::TooLarge,
            code => Self::ALL.iter().copied().find(|failure| failure.as_str() == code).unwrap_or(Self::Internal),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub reason: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DoubtLabels {
    pub doubt: Doubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LeftOutLabels {
    pub kind: LeftOutKind,
}

label_enum! {
    /// How a page was read.
    pub enum ReadBy {
        /// From the text stored in the file.
        Text = "text",
        /// By OCR of its image.
        Ocr = "ocr",
        /// By a vision model.
        Model = "model",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PageLabels {
    pub by: ReadBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UnreadLabels {
    pub reason: UnreadReason,
}
