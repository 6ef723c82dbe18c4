//! The context of a call, and types that describe models and results.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::wire::Usage;
use platform::{http::Principal, ids::OrgId, label_enum};

/// The caller of a model, and the retrieved chunks.
#[derive(Clone, Debug)]
pub struct CallContext {
    pub org_id: OrgId,
    /// [`Principal::subject`], or `job:<kind>` for work without a person or key.
    pub actor: String,
    /// The agent on whose behalf the call is made: for the usage row, and to prevent agents from calling agents.
    pub agent_id: Option<Uuid>,
    /// The retrieved chunks, in the order of the marks `[1]`, `[2]`, ...; `builtin/extractive` answers from these
    /// alone.
    pub passages: Option<Vec<Passage>>,
    /// The question, if the request's last message contains more (an agent's prompt contains the sources).
    pub question: Option<String>,
}

impl CallContext {
    /// A call by the caller of a request.
    pub fn of(who: &Principal) -> Self {
        Self { org_id: who.org_id, actor: who.subject(), agent_id: None, passages: None, question: None }
    }

    /// A call by a job.
    pub fn job(org_id: OrgId, kind: &str) -> Self {
        Self { org_id, actor: format!("job:{kind}"), agent_id: None, passages: None, question: None }
    }

    /// On behalf of an agent, with its retrieved chunks.
    #[must_use]
    pub fn for_agent(mut self, agent_id: Uuid, question: &str, passages: Vec<Passage>) -> Self {
        self.agent_id = Some(agent_id);
        self.question = Some(question.to_owned());
        self.passages = Some(passages);
        self
    }
}

/// A retrieved chunk that may be quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub text: String,
    /// The document's title or file name.
    pub title: String,
    /// Among the nearest, but hardly an answer.
    pub weak: bool,
}

/// An embedding model: vectors of different ids never share an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmbedModel {
    /// Stable; changes with the weights, the prefixes and the dimensions.
    pub id: String,
    /// Dimensions of a vector.
    pub dims: usize,
    /// The longest text embedded in one piece, in the model's tokens.
    pub max_tokens: usize,
}

/// Vectors in the order of the texts.
#[derive(Clone, Debug, Default)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    /// As counted by the provider, if it did.
    pub usage: Option<Usage>,
}

/// An available model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelInfo {
    /// Its name for clients: `provider/model`, an alias, `agent/<slug>`.
    pub id: String,
    /// The provider; `holdfast` for aliases and built-in models; the organisation for agents.
    pub owned_by: String,
}

label_enum! {
    /// Kind of backend.
    pub enum BackendKind {
        /// An OpenAI-compatible server.
        Openai = "openai",
        /// `builtin/extractive`.
        Builtin = "builtin",
        /// An agent; its model is called separately, and that call has the usage row.
        Agent = "agent",
        /// The in-process embedding model.
        Local = "local",
    }
}

label_enum! {
    /// Kind of call.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Operation { Chat = "chat", Embedding = "embedding" }
}

label_enum! {
    /// How a call ended.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Outcome {
        Ok = "ok",
        /// The caller disconnected first.
        Cancelled = "cancelled",
        /// The request was invalid.
        ClientError = "client_error",
        /// The provider, or a limit here, asked to wait.
        RateLimited = "rate_limited",
        Timeout = "timeout",
        /// The provider failed, refused our key or broke off.
        ProviderError = "provider_error",
        InternalError = "internal_error",
    }
}

/// Estimates tokens from characters, for servers that report no usage and for limits: about four ASCII characters or
/// two others per token (common tokenizers take 3.5 to 4.5 for English, 2 to 3 for Russian).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TokenEstimate {
    ascii: u64,
    other: u64,
}

impl TokenEstimate {
    pub(super) fn add(&mut self, text: &str) {
        let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
        self.ascii += ascii;
        self.other += text.chars().count() as u64 - ascii;
    }

    pub(super) fn tokens(self) -> u64 {
        self.ascii.div_ceil(4) + self.other.div_ceil(2)
    }
}

/// Estimates how many tokens a chat model sees in `text`; within about a third for English and Russian prose.
pub fn estimate_tokens(text: &str) -> u64 {
    let mut estimate = TokenEstimate::default();
    estimate.add(text);
    estimate.tokens()
}
