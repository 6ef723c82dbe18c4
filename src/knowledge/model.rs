//! Knowledge bases, documents, chunks and search results.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Doubt, Kind, Report},
    index::Weights,
};
use platform::{id_type, ids::OrgId, names::tidy, text_enum};

id_type!(KnowledgeBaseId, "A knowledge base.");
id_type!(DocumentId, "A document in a knowledge base.");
id_type!(ChunkId, "A chunk of a document.");

/// A collection of documents that agents and searches use.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnowledgeBase {
    pub id: KnowledgeBaseId,
    #[schema(example = "Team handbook")]
    pub name: String,
    pub description: String,
    /// The model that made the vectors; empty before the first document.
    pub embedding_model: String,
    /// Incremented when the index is rebuilt for another model.
    pub index_generation: i64,
    /// Documents of any status.
    pub documents: i64,
    pub documents_ready: i64,
    pub documents_failed: i64,
    /// Ready documents whose reading report has doubts.
    pub documents_doubted: i64,
    /// Ready documents that only the full-text search finds, because the embedding model was unavailable.
    pub documents_words_only: i64,
    /// Chunks of all documents.
    pub chunks: i64,
    /// Total size of the originals, bytes.
    pub size: i64,
    /// Weights of the vector and the text search by language, measured by the self-test; null before the first one.
    #[schema(value_type = Option<Object>)]
    pub weights: Option<sqlx::types::Json<Weights>>,
    /// How pages without usable text are read.
    pub reading: ReadingMode,
    /// OCR languages as tesseract codes; empty for English and Russian where installed.
    #[schema(example = json!(["eng", "rus"]))]
    pub ocr_languages: Vec<String>,
    /// The model that reads images of pages that OCR cannot read; empty for none.
    pub vision_model: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl KnowledgeBase {
    /// Documents on their way to `ready`.
    pub fn documents_pending(&self) -> i64 {
        self.documents - self.documents_ready - self.documents_failed
    }
}

/// What an organisation has.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub bases: i64,
    /// Documents that can be found.
    pub ready: i64,
    pub failed: i64,
    /// Queued or being worked on.
    pub waiting: i64,
}

text_enum! {
    /// How pages without usable text (scans, fonts without a character map) are read.
    #[derive(Default, sqlx::Type)]
    #[sqlx(type_name = "text", rename_all = "lowercase")]
    pub enum ReadingMode {
        /// By OCR of the page image, where OCR is installed. The default: silently missing pages cost more than the
        /// (limited) CPU time, and where OCR is not installed the report says so.
        #[default]
        Ocr = "ocr",
        /// Not at all: only text stored in the file is read.
        Text = "text",
    }
}

/// Changes to a base; `None` leaves a field unchanged.
#[derive(Clone, Debug, Default)]
pub struct BaseChanges {
    pub name: Option<String>,
    pub description: Option<String>,
    pub reading: Option<ReadingMode>,
    pub ocr_languages: Option<Vec<String>>,
    pub vision_model: Option<String>,
}

text_enum! {
    /// Processing status of a document.
    #[derive(sqlx::Type)]
    #[sqlx(type_name = "text", rename_all = "lowercase")]
    pub enum DocumentStatus {
        /// Stored; waits to be read.
        Queued = "queued",
        /// Being read in a child process.
        Extracting = "extracting",
        /// Cut into chunks; they are being embedded and indexed.
        Embedding = "embedding",
        /// Searchable.
        Ready = "ready",
        /// See `failure_code` and `failure_reason`; can be retried.
        Failed = "failed",
    }
}

impl DocumentStatus {
    /// Whether processing has ended; a failed document can still be retried.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failed)
    }
}

/// A file in a knowledge base.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Document {
    pub id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    #[schema(example = "handbook.pdf")]
    pub filename: String,
    /// Title stored in the document; null until it has been read.
    pub title: Option<String>,
    /// `pdf`, `docx`, `html`, `markdown` or `text`: detected from the content, not the file name.
    #[schema(example = "pdf")]
    pub kind: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the original, 64 hexadecimal digits.
    pub sha256: String,
    pub status: DocumentStatus,
    /// Stable failure code: `encrypted`, `malformed`, `no_text`, `timeout`, ...
    pub failure_code: Option<String>,
    /// Human-readable failure reason.
    pub failure_reason: Option<String>,
    /// Progress of the current stage, percent.
    pub progress: i16,
    /// Number of pages, if the format has pages.
    pub pages: Option<i32>,
    /// Number of chunks.
    pub chunks: i32,
    /// How many times reading was started.
    pub attempts: i32,
    /// Reasons to check the extracted text; empty if there are none.
    #[schema(value_type = Vec<Doubt>)]
    pub doubts: Vec<String>,
    /// Only the full-text search finds it, because the embedding model was unavailable; vectors are added when the
    /// model is back.
    pub words_only: bool,
    /// Reading report: statistics, omissions and doubts. Only included when a single document is requested; absent
    /// before the document has been read, or if it was read by a version without reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Report>)]
    pub report: Option<sqlx::types::Json<Report>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub ready_at: Option<DateTime<Utc>>,
}

impl Document {
    /// Ready, but its reading report has doubts.
    pub fn is_doubted(&self) -> bool {
        self.status == DocumentStatus::Ready && !self.doubts.is_empty()
    }

    /// One visible line: the document's own title, or else its file name.
    pub fn display_title(&self) -> String {
        visible_title(self.title.as_deref().unwrap_or_default(), &self.filename)
    }
}

/// Removes control characters and direction marks from a title; an empty result falls back to the file name.
pub fn visible_title(title: &str, filename: &str) -> String {
    let title = tidy(title);
    if title.is_empty() { filename.to_owned() } else { title }
}

/// The media type for serving an original.
pub fn media_type(kind: &str) -> &'static str {
    kind.parse::<Kind>().map_or("application/octet-stream", Kind::media_type)
}

/// A stored chunk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Chunk {
    pub id: ChunkId,
    /// Position in the document, from 0.
    pub ordinal: i32,
    pub text: String,
    /// First character in the document's text, from 0.
    pub start: i32,
    /// One past the last character.
    pub end: i32,
    pub page: Option<i32>,
    /// Headings above the chunk, outermost first.
    pub heading: Vec<String>,
    /// For a chunk cut from the middle of a table: caption and header rows, which are not part of `text`.
    #[schema(example = "Region | Q1 | Q2")]
    pub table_header: Option<String>,
    pub tokens: i32,
}

/// A part of a document's text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TextPart {
    /// First character, from 0.
    pub start: i32,
    /// One past the last character.
    pub end: i32,
    /// Characters of the whole text.
    pub length: i32,
    pub text: String,
}

text_enum! {
    /// Which search arms are used.
    #[derive(Default)]
    pub enum SearchMode {
        /// Both, fused by weighted reciprocal rank.
        #[default]
        Hybrid = "hybrid",
        /// Vector search (by meaning).
        Vector = "vector",
        /// Full-text search (by words).
        Text = "text",
    }
}

/// A search query.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// 1 to 4000 characters.
    #[schema(example = "how many days of vacation are there?", min_length = 1, max_length = 4000, pattern = r"\S")]
    pub query: String,
    /// Number of results, 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    #[serde(default = "default_limit")]
    pub limit: usize,
    #[serde(default)]
    pub mode: SearchMode,
    /// Also say how the hits were found: [`SearchFound::explain`]. Not part of the API.
    #[serde(skip)]
    pub explain: bool,
}

fn default_limit() -> usize {
    10
}

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub struct SearchFound {
    /// Best first; weak matches after all others.
    pub hits: Vec<SearchHit>,
    /// The query could not be compared by meaning everywhere although that was requested (the embedding model is
    /// unavailable, or a base is being re-indexed for another model); there, only words were used.
    pub words_only: bool,
    /// Where that was asked for.
    pub explain: Option<Explain>,
}

/// How a search found what it found, for the trace of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explain {
    pub query: String,
    pub mode: SearchMode,
    /// Of the vector and the text arm.
    pub weights: (f64, f64),
    /// The similarity that is no better than chance; `None` where it is not known.
    pub floor: Option<f64>,
    /// The bases that were searched, each with its index generation.
    pub bases: Vec<(KnowledgeBaseId, i64)>,
    /// The best of each arm, best first.
    pub vector: Vec<ArmHit>,
    pub text: Vec<ArmHit>,
    /// What took how long, milliseconds.
    pub parts_ms: Vec<(String, u32)>,
}

/// A hit of one arm.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ArmHit {
    pub chunk_id: ChunkId,
    pub document_id: DocumentId,
    /// Vector arm: cosine similarity. Text arm: BM25.
    pub score: f32,
}

/// A chunk found by a search.
#[derive(Clone, Debug)]
pub struct SearchHit {
    pub chunk_id: ChunkId,
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub filename: String,
    /// The document's title, or its file name.
    pub title: String,
    pub text: String,
    /// A weak match: among the nearest chunks, but it has few of the query's words and its similarity is no better than
    /// chance.
    pub weak: bool,
    /// Hybrid: 0 to 1, where 1 means first in both arms. Vector: cosine similarity. Text: BM25.
    pub score: f64,
    /// Rank in each arm, from 1.
    pub vector_rank: Option<usize>,
    pub text_rank: Option<usize>,
    pub page: Option<i32>,
    pub heading: Vec<String>,
    /// For a chunk cut from the middle of a table: caption and header rows, which are not part of `text`.
    pub table_header: Option<String>,
    pub start: i32,
    pub end: i32,
}

/// Our folder in the object store. The name dates from when knowledge was the only room with objects; renaming it would
/// orphan stored objects.
pub const OBJECTS: &str = "org";

/// Object prefix of a base, below [`OBJECTS`].
pub fn base_prefix(org: OrgId, base: KnowledgeBaseId) -> String {
    format!("{org}/kb/{base}")
}

/// Object prefix of a document.
pub fn document_prefix(org: OrgId, base: KnowledgeBaseId, document: DocumentId) -> String {
    format!("{}/doc/{document}", base_prefix(org, base))
}

/// Object key of a document's original.
pub fn original_key(org: OrgId, base: KnowledgeBaseId, document: DocumentId) -> String {
    format!("{}/original", document_prefix(org, base, document))
}

/// The text of a chunk that is embedded and indexed: headings and table header give context that the chunk's own text
/// lacks. Headings are shortened to leave the model's window to the text; the table header was counted when the chunk
/// was cut.
pub fn searchable_text(heading: &[String], table_header: Option<&str>, text: &str) -> String {
    const HEADING_CHARS: usize = 120;
    let text = with_table_header(table_header, text);
    if heading.is_empty() {
        return text;
    }
    let path = heading.join(" > ");
    // Keep the end: the innermost headings are the most specific.
    let skip = path.chars().count().saturating_sub(HEADING_CHARS);
    let path: String = path.chars().skip(skip).collect();
    format!("{path}\n{text}")
}

/// A chunk's text for display on its own, with the header of its table.
pub fn with_table_header(table_header: Option<&str>, text: &str) -> String {
    match table_header {
        Some(header) => format!("{header}\n{text}"),
        None => text.to_owned(),
    }
}

/// Normalises an uploaded file name: last path component, no control characters, NFC, at most 255 characters with the
/// extension kept.
pub fn clean_filename(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.nfc().filter(|c| !c.is_control() && !is_direction_mark(*c)).collect();
    let clean = clean.trim().trim_end_matches('.').trim();
    if clean.is_empty() {
        return "document".to_owned();
    }
    let length = clean.chars().count();
    if length <= 255 {
        return clean.to_owned();
    }
    let extension = clean.rsplit_once('.').map(|(_, e)| e).filter(|e| e.chars().count() <= 16);
    let suffix = extension.map(|e| format!(".{e}")).unwrap_or_default();
    let kept: String = clean.chars().take(255 - suffix.chars().count()).collect();
    format!("{kept}{suffix}")
}

/// Bidirectional control characters, which can make `fdp.exe` look like `exe.pdf`.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
