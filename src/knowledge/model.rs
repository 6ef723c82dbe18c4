//! Bases, documents, passages and answers of a search.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    extract::{Doubt, Kind, Report},
    index::Weights,
};
use crate::{
    id_type,
    platform::{ids::OrgId, names::tidy},
};

id_type!(KnowledgeBaseId, "A knowledge base.");
id_type!(DocumentId, "A document in a knowledge base.");
id_type!(ChunkId, "A passage of a document.");

/// A collection of documents that agents and searches answer from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnowledgeBase {
    pub id: KnowledgeBaseId,
    #[schema(example = "Team handbook")]
    pub name: String,
    pub description: String,
    /// Which model made the vectors; empty before the first document.
    pub embedding_model: String,
    /// Grows when the index is rebuilt for another model.
    pub index_generation: i64,
    /// Documents of every status.
    pub documents: i64,
    pub documents_ready: i64,
    pub documents_failed: i64,
    /// Ready documents that somebody should look at: their reading report has doubts.
    pub documents_doubted: i64,
    /// Ready documents that are found by their words alone, because the embedding model was missing.
    pub documents_words_only: i64,
    /// Passages of all documents.
    pub chunks: i64,
    /// Size of the originals, bytes.
    pub size: i64,
    /// What the self-test found about the two arms of the search, by language; null before the first one.
    #[schema(value_type = Option<Object>)]
    pub weights: Option<sqlx::types::Json<Weights>>,
    /// How pages without usable text are read.
    pub reading: ReadingMode,
    /// Languages of the OCR, as tesseract calls them; empty for English and Russian, as far as they are installed.
    #[schema(example = json!(["eng", "rus"]))]
    pub ocr_languages: Vec<String>,
    /// The model that reads pages from their pictures where OCR cannot; empty for none.
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

/// How pages without usable text (scans, fonts that do not tell their characters) are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum ReadingMode {
    /// Not at all: only what the file holds as text is read.
    Text,
    /// From their pictures, where OCR is installed. The default: a page that is missing without a word costs more than
    /// the processor time, which is limited, and where OCR is not installed the report says so.
    #[default]
    Ocr,
}

impl ReadingMode {
    pub const ALL: [Self; 2] = [Self::Ocr, Self::Text];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Ocr => "ocr",
        }
    }
}

/// What of a base can be changed; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct BaseChanges {
    pub name: Option<String>,
    pub description: Option<String>,
    pub reading: Option<ReadingMode>,
    pub ocr_languages: Option<Vec<String>>,
    pub vision_model: Option<String>,
}

/// How far a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum DocumentStatus {
    /// Stored; waits to be read.
    Queued,
    /// Being read in a process of its own.
    Extracting,
    /// Cut into passages, which get their vectors and go into the index.
    Embedding,
    /// Found by searches.
    Ready,
    /// See `failure_code` and `failure_reason`; can be retried.
    Failed,
}

impl DocumentStatus {
    pub const ALL: [Self; 5] = [Self::Queued, Self::Extracting, Self::Embedding, Self::Ready, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Extracting => "extracting",
            Self::Embedding => "embedding",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more happens by itself.
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
    /// What the document calls itself, once it has been read.
    pub title: Option<String>,
    /// `pdf`, `docx`, `html`, `markdown` or `text`: by content, whatever the name says.
    #[schema(example = "pdf")]
    pub kind: String,
    /// Bytes.
    pub size: i64,
    /// Of the original, 64 hexadecimal digits.
    pub sha256: String,
    pub status: DocumentStatus,
    /// Why it failed, stable: `encrypted`, `malformed`, `no_text`, `timeout`, ...
    pub failure_code: Option<String>,
    /// Why it failed, for people.
    pub failure_reason: Option<String>,
    /// Percent of the present stage.
    pub progress: i16,
    /// Where the format has pages.
    pub pages: Option<i32>,
    /// Passages.
    pub chunks: i32,
    /// How often reading it was begun.
    pub attempts: i32,
    /// Why somebody should look at it; empty where nothing is doubted.
    #[schema(value_type = Vec<Doubt>)]
    pub doubts: Vec<String>,
    /// Found by its words alone, because the embedding model was missing; it gets its vectors when the model is there.
    pub words_only: bool,
    /// What reading it gave, left out and doubts. Only where one document is asked for; absent when it was not read yet,
    /// or was read before reports were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Report>)]
    pub report: Option<sqlx::types::Json<Report>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub ready_at: Option<DateTime<Utc>>,
}

impl Document {
    /// Ready, and somebody should look at it.
    pub fn is_doubted(&self) -> bool {
        self.status == DocumentStatus::Ready && !self.doubts.is_empty()
    }

    /// One line that can be seen: what the document calls itself, else its file's name.
    pub fn display_title(&self) -> String {
        seen_title(self.title.as_deref().unwrap_or_default(), &self.filename)
    }
}

/// A document may call itself anything: what cannot be seen, or turns the writing direction around, is no title.
pub fn seen_title(title: &str, filename: &str) -> String {
    let title = tidy(title);
    if title.is_empty() { filename.to_owned() } else { title }
}

/// The media type to serve an original with.
pub fn media_type(kind: &str) -> &'static str {
    Kind::ALL.into_iter().find(|known| known.as_str() == kind).map_or("application/octet-stream", Kind::media_type)
}

/// A passage as it is kept.
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
    /// Headings above the passage, outermost first.
    pub heading: Vec<String>,
    /// Where the passage is cut from a table below its header: caption and header rows. They are no part of `text`.
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

/// Which arms of the index answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// Both, fused by weighted reciprocal rank.
    #[default]
    Hybrid,
    /// By meaning.
    Vector,
    /// By words.
    Text,
}

impl SearchMode {
    pub const ALL: [Self; 3] = [Self::Hybrid, Self::Vector, Self::Text];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Vector => "vector",
            Self::Text => "text",
        }
    }
}

/// A question to knowledge bases.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// 1 to 4000 characters.
    #[schema(example = "how many days of vacation are there?", min_length = 1, max_length = 4000, pattern = r"\S")]
    pub query: String,
    /// 1 to 100 passages.
    #[schema(minimum = 1, maximum = 100)]
    #[serde(default = "default_limit")]
    pub limit: usize,
    #[serde(default)]
    pub mode: SearchMode,
}

fn default_limit() -> usize {
    10
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct SearchFound {
    /// Best first, weak matches behind the others.
    pub hits: Vec<SearchHit>,
    /// The question's meaning could not be compared with all passages (the embedding model is not at hand, or a base is being indexed
    /// for another one), although that was asked for: there, words alone found them.
    pub words_only: bool,
}

/// A passage that answers.
#[derive(Clone, Debug)]
pub struct SearchHit {
    pub chunk_id: ChunkId,
    pub document_id: DocumentId,
    pub knowledge_base_id: KnowledgeBaseId,
    pub filename: String,
    /// The document's title, or its file name.
    pub title: String,
    pub text: String,
    /// The nearest there is, but hardly an answer: few of the question's words, and a meaning no nearer than by chance.
    pub weak: bool,
    /// Best first. Hybrid: 0 to 1, 1 led both arms. Vector: cosine similarity. Text: BM25.
    pub score: f64,
    /// Rank in each arm, from 1.
    pub vector_rank: Option<usize>,
    pub text_rank: Option<usize>,
    pub page: Option<i32>,
    pub heading: Vec<String>,
    /// Caption and header rows of the table that the passage is cut from, where it does not hold them itself.
    pub table_header: Option<String>,
    pub start: i32,
    pub end: i32,
}

/// The folder of our objects in the store. Called so since we were the only room that had any; what lies there stays.
pub const OBJECTS: &str = "org";

/// Where a base's objects lie, below [`OBJECTS`].
pub fn base_prefix(org: OrgId, base: KnowledgeBaseId) -> String {
    format!("{org}/kb/{base}")
}

/// Where a document's objects lie.
pub fn document_prefix(org: OrgId, base: KnowledgeBaseId, document: DocumentId) -> String {
    format!("{}/doc/{document}", base_prefix(org, base))
}

/// The key of a document's original.
pub fn original_key(org: OrgId, base: KnowledgeBaseId, document: DocumentId) -> String {
    format!("{}/original", document_prefix(org, base, document))
}

/// What of a passage is embedded and made searchable: the headings above it say what it is about, the header of a table
/// what its columns are, and both stand nowhere in its text. The headings are cut to leave the model's window to the
/// text; the table's header has been counted when the passage was cut.
pub fn searchable_text(heading: &[String], table_header: Option<&str>, text: &str) -> String {
    const HEADING_CHARS: usize = 120;
    let text = with_table_header(table_header, text);
    if heading.is_empty() {
        return text;
    }
    let path = heading.join(" > ");
    // The innermost headings are the most specific.
    let skip = path.chars().count().saturating_sub(HEADING_CHARS);
    let path: String = path.chars().skip(skip).collect();
    format!("{path}\n{text}")
}

/// A passage as somebody reads it who sees nothing around it.
pub fn with_table_header(table_header: Option<&str>, text: &str) -> String {
    match table_header {
        Some(header) => format!("{header}\n{text}"),
        None => text.to_owned(),
    }
}

/// A file name as it is kept: the last part of a path, without control characters, in NFC, at most 255 characters with
/// the extension kept.
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

/// Characters that turn the writing direction around and make `fdp.exe` look like `exe.pdf`.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
