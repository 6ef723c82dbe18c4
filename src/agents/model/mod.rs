//! Agents, their settings, conversations, messages, citations.

mod talk;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use knowledge::{KnowledgeBaseId, SearchMode};
use platform::{
    error::FieldError,
    id_type,
    names::{tidy, tidy_text, turns_direction},
};

pub use talk::{
    Access, Attachment, AttachmentId, AttachmentKind, ConversationChange, ExportFormat, Exported, Rating, TraceId,
};

id_type!(AgentId, "An agent.");
id_type!(ConversationId, "A conversation with an agent.");
id_type!(MessageId, "A message of a conversation.");

/// Retrieval settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retrieval {
    /// Chunks shown to the model, 1 to 30.
    #[schema(minimum = 1, maximum = 30)]
    pub limit: u32,
    pub mode: SearchMode,
    /// Most tokens of all chunks together, estimated; 200 to 100 000.
    #[schema(minimum = 200, maximum = 100_000)]
    pub max_tokens: u32,
}

impl Default for Retrieval {
    fn default() -> Self {
        Self { limit: 8, mode: SearchMode::Hybrid, max_tokens: 3000 }
    }
}

/// Knowledge bases of an agent.
pub const MOST_BASES: usize = 20;
/// Questions that an agent offers, and characters of one.
const MOST_STARTERS: usize = 6;
const LONGEST_STARTER: usize = 200;

/// An agent's settings. Stored with each version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AgentSettings {
    /// The agent's purpose and tone; the rules about sources are added automatically.
    #[schema(max_length = 50_000)]
    pub instructions: String,
    /// A model or alias of `/v1/models`; empty means the installation's default.
    #[schema(max_length = 200)]
    pub model: String,
    #[schema(max_items = 20)]
    pub knowledge_bases: Vec<KnowledgeBaseId>,
    pub retrieval: Retrieval,
    /// 0 to 2; null means the model's default.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Longest answer, tokens; null means the model's default.
    #[schema(minimum = 1, maximum = 200_000)]
    pub max_output_tokens: Option<u32>,
    /// When the documents do not contain the answer, the model may answer from its own knowledge and says so. Otherwise
    /// it says that they do not contain it.
    pub beyond_documents: bool,
    /// Questions that are offered where a conversation begins; each up to 200 characters.
    #[schema(max_items = 6)]
    pub starters: Vec<String>,
    /// The model takes pictures: they may be given with a question.
    pub pictures: bool,
}

/// An agent with the settings of its current version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Agent {
    pub id: AgentId,
    /// Names the model `agent/<slug>`; unique in the organisation.
    pub slug: String,
    pub name: String,
    pub description: String,
    /// The current version.
    pub version: i32,
    #[serde(flatten)]
    pub settings: AgentSettings,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Agent {
    /// The model's name in the OpenAI API.
    pub fn model_name(&self) -> String {
        format!("agent/{}", self.slug)
    }

    /// Changes with the agent (RFC 9110 section 8.8.3).
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.version, self.updated_at.timestamp_micros())
    }
}

/// A version of an agent's settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Version {
    pub version: i32,
    pub settings: AgentSettings,
    pub note: String,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// A new agent, or all changeable fields of one.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    /// Empty: derived from the name.
    #[schema(pattern = "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$")]
    pub slug: String,
    #[schema(min_length = 1, max_length = 100, pattern = r"\S")]
    pub name: String,
    #[schema(max_length = 1000)]
    pub description: String,
    #[serde(flatten)]
    pub settings: AgentSettings,
    /// Reason for the change, for the list of versions.
    #[schema(max_length = 500)]
    pub note: String,
}

impl Draft {
    /// Trims, derives the slug, and reports all errors at once.
    pub fn check(mut self) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &str, code, detail: String| errors.push(FieldError::new(pointer, code, detail));
        self.name = tidy(&self.name);
        for text in [
            &mut self.slug,
            &mut self.description,
            &mut self.settings.instructions,
            &mut self.settings.model,
            &mut self.note,
        ] {
            *text = tidy_text(text);
        }
        // These are shown as they are, among other text.
        for text in [&mut self.description, &mut self.note] {
            text.retain(|c| !turns_direction(c));
        }
        if self.slug.is_empty() {
            self.slug = slug_of(&self.name);
        }
        length(&mut wrong, "/name", &self.name, 1, 100);
        length(&mut wrong, "/description", &self.description, 0, 1000);
        length(&mut wrong, "/instructions", &self.settings.instructions, 0, 50_000);
        length(&mut wrong, "/model", &self.settings.model, 0, 200);
        length(&mut wrong, "/note", &self.note, 0, 500);
        if !is_slug(&self.slug) {
            wrong(
                "/slug",
                "invalid",
                "1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit".into(),
            );
        }
        let retrieval = &self.settings.retrieval;
        if !(1..=30).contains(&retrieval.limit) {
            wrong("/retrieval/limit", "out_of_range", format!("{} is outside 1 to 30", retrieval.limit));
        }
        if !(200..=100_000).contains(&retrieval.max_tokens) {
            wrong(
                "/retrieval/max_tokens",
                "out_of_range",
                format!("{} is outside 200 to 100000", retrieval.max_tokens),
            );
        }
        if let Some(t) = self.settings.temperature.filter(|t| !(0.0..=2.0).contains(t)) {
            wrong("/temperature", "out_of_range", format!("{t} is outside 0 to 2"));
        }
        if let Some(n) = self.settings.max_output_tokens.filter(|n| !(1..=200_000).contains(n)) {
            wrong("/max_output_tokens", "out_of_range", format!("{n} is outside 1 to 200000"));
        }
        self.settings.knowledge_bases.sort_unstable();
        self.settings.knowledge_bases.dedup();
        if self.settings.knowledge_bases.len() > MOST_BASES {
            wrong("/knowledge_bases", "too_many", format!("at most {MOST_BASES} knowledge bases"));
        }
        let starters = self.settings.starters.iter().map(|starter| tidy(starter)).filter(|starter| !starter.is_empty());
        self.settings.starters = starters.collect();
        if self.settings.starters.len() > MOST_STARTERS {
            wrong("/starters", "too_many", format!("at most {MOST_STARTERS} questions"));
        }
        for (n, starter) in self.settings.starters.iter().enumerate() {
            length(&mut wrong, &format!("/starters/{n}"), starter, 0, LONGEST_STARTER);
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }
}

fn length(wrong: &mut impl FnMut(&str, &'static str, String), pointer: &str, text: &str, min: usize, max: usize) {
    match text.chars().count() {
        0 if min > 0 => wrong(pointer, "required", "must not be empty".into()),
        n if n > max => wrong(pointer, "too_long", format!("{n} characters; at most {max}")),
        _ => {}
    }
}

fn is_slug(s: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&s.len()) && s.bytes().all(inner) && !s.starts_with('-') && !s.ends_with('-')
}

/// A slug for a name.
pub fn slug_of(name: &str) -> String {
    let slug = platform::slug::slug_of(name, 60);
    if slug.is_empty() { "agent".into() } else { slug }
}

/// A source given to the model. `mark` is the n of `[n]` in the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Citation {
    pub mark: u32,
    pub knowledge_base_id: Uuid,
    pub document_id: Uuid,
    pub chunk_id: Uuid,
    pub filename: String,
    pub title: String,
    /// Page in the document, from 1, if it has pages.
    pub page: Option<i32>,
    /// Headings above the chunk, outermost first.
    pub heading: Vec<String>,
    /// Caption and header rows of the chunk's table, unless the chunk contains them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_header: Option<String>,
    /// The chunk is `text[start..end]` of the document's text, in characters.
    pub start: i64,
    pub end: i64,
    /// Empty once the document is deleted.
    pub text: String,
    /// Among the nearest for the question, but hardly an answer to it.
    #[serde(default)]
    pub weak: bool,
    /// The document was deleted later, and with it everything here but the mark, the ids and the filename.
    #[serde(default)]
    pub deleted: bool,
}

impl Citation {
    /// The console page that shows the chunk in its document.
    pub fn path(&self) -> String {
        format!("/knowledge/{}/documents/{}?chunk={}#passage", self.knowledge_base_id, self.document_id, self.chunk_id)
    }
}

/// Parts of the search that did not reach the model, or were not searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Shortfall {
    /// Chunks that were found but did not fit into the agent's `retrieval.max_tokens`: the model did not see them.
    pub passages_left_out: u32,
    /// The question was too long to search for: only its first so many characters were used. The model saw all of it.
    #[schema(minimum = 1)]
    pub question_cut_to: Option<u32>,
    /// Searched by words only although the agent also searches by meaning: the embedding model was unavailable.
    pub words_only: bool,
}

/// A conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Conversation {
    pub id: ConversationId,
    pub agent_id: AgentId,
    pub title: String,
    /// First in its owner's list.
    pub pinned: bool,
    /// Readable for the whole organisation by its address.
    pub shared: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Author of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Speaker {
    User,
    Assistant,
}

/// State of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum MessageStatus {
    Complete,
    /// Being written.
    Streaming,
    /// Stopped by its reader; its text so far is kept.
    Stopped,
    /// Failed or interrupted; `error_code` says why.
    Failed,
}

impl MessageStatus {
    /// As stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Streaming => "streaming",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// A message of a conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub role: Speaker,
    pub status: MessageStatus,
    /// The message that it follows, once the conversation has branched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<MessageId>,
    /// The messages that stand for each other here, this one among them, oldest first; absent where there is only this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub siblings: Vec<MessageId>,
    /// Of a question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// One's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Rating>,
    /// The answer's text without its thinking.
    pub content: String,
    /// The model's thinking before the answer, if it shows it. Never sent to a model again.
    pub thinking: String,
    /// The sources cited by the text, by mark.
    pub citations: Vec<Citation>,
    /// Parts of the search that the model did not see.
    pub shortfall: Shortfall,
    pub agent_version: Option<i32>,
    pub model: Option<String>,
    pub error_code: Option<String>,
    /// Why the model stopped: `stop`, `length` (cut off at the limit: can be continued), `content_filter`,
    /// `tool_calls`, or the provider's own word.
    pub finish_reason: Option<String>,
    pub prompt_tokens: Option<i64>,
    pub completion_tokens: Option<i64>,
    /// Time from the question to the first piece of the answer, milliseconds.
    pub first_token_ms: Option<i64>,
    pub duration_ms: Option<i64>,
    pub created_at: DateTime<Utc>,
}

impl Message {
    /// A message created now, without model, usage or timing.
    pub fn new(id: MessageId, role: Speaker, status: MessageStatus, content: String, now: DateTime<Utc>) -> Self {
        Self {
            id,
            role,
            status,
            parent_id: None,
            siblings: Vec::new(),
            attachments: Vec::new(),
            feedback: None,
            content,
            thinking: String::new(),
            citations: Vec::new(),
            shortfall: Shortfall::default(),
            agent_version: None,
            model: None,
            error_code: None,
            finish_reason: None,
            prompt_tokens: None,
            completion_tokens: None,
            first_token_ms: None,
            duration_ms: None,
            created_at: now,
        }
    }

    pub fn is_being_written(&self) -> bool {
        self.status == MessageStatus::Streaming
    }

    /// Whether the answer was cut off at its length limit.
    pub fn is_cut_off(&self) -> bool {
        self.status == MessageStatus::Complete && self.finish_reason.as_deref() == Some("length")
    }

    /// Whether it cites only weak matches.
    pub fn cites_only_weak(&self) -> bool {
        !self.citations.is_empty() && self.citations.iter().all(|c| c.weak && !c.deleted)
    }

    /// Whether the answer is incomplete and the model can continue it.
    pub fn can_continue(&self) -> bool {
        let refused =
            matches!(self.error_code.as_deref(), Some("answer_refused" | "answer_filtered" | "answer_needs_tools"));
        let stops = match self.status {
            MessageStatus::Complete => self.is_cut_off(),
            MessageStatus::Stopped => true,
            MessageStatus::Failed => !refused,
            MessageStatus::Streaming => false,
        };
        self.role == Speaker::Assistant && stops && !self.content.trim().is_empty()
    }
}
