//! What a call carries beside the request, and the small types that describe models and results.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::wire::Usage;
use crate::{
    label_enum,
    platform::{http::Principal, ids::OrgId},
};

/// Who calls a model, for whom, and with which passages.
#[derive(Clone, Debug)]
pub struct CallContext {
    pub org_id: OrgId,
    /// [`Principal::subject`], or `job:<kind>` for work without a person or key behind it.
    pub actor: String,
    /// The agent on whose behalf the call is made: for the usage row, and so that agents do not call agents.
    pub agent_id: Option<Uuid>,
    /// What retrieval found, in the order of the marks `[1]`, `[2]`, ...; `builtin/extractive` answers from these alone.
    pub passages: Option<Vec<Passage>>,
    /// What was asked, where the request's last message holds more than that (an agent's prompt holds the sources).
    pub question: Option<String>,
}

impl CallContext {
    /// A call made by whoever makes the request.
    pub fn of(who: &Principal) -> Self {
        Self { org_id: who.org_id, actor: who.subject(), agent_id: None, passages: None, question: None }
    }

    /// A call made by a job.
    pub fn job(org_id: OrgId, kind: &str) -> Self {
        Self { org_id, actor: format!("job:{kind}"), agent_id: None, passages: None, question: None }
    }

    /// On behalf of an agent, with what was retrieved for it.
    #[must_use]
    pub fn for_agent(mut self, agent_id: Uuid, question: &str, passages: Vec<Passage>) -> Self {
        self.agent_id = Some(agent_id);
        self.question = Some(question.to_owned());
        self.passages = Some(passages);
        self
    }
}

/// A piece of a document that may be quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    pub text: String,
    /// The document's title or file name.
    pub title: String,
    /// The nearest there is, but hardly an answer.
    pub weak: bool,
}

/// An embedding model: vectors of different ids never meet in one index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmbedModel {
    /// Stable; changes with the weights, the prefixes and the dimensions.
    pub id: String,
    /// Length of a vector.
    pub dims: usize,
    /// The longest text that is embedded whole, in the model's tokens.
    pub max_tokens: usize,
}

/// Vectors in the order of the texts.
#[derive(Clone, Debug, Default)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    /// As the provider counted, where it did.
    pub usage: Option<Usage>,
}

/// A model that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelInfo {
    /// As a client names it: `provider/model`, an alias, `agent/<slug>`.
    pub id: String,
    /// The provider, `holdfast` for aliases and what is built in, or the agent's organisation.
    pub owned_by: String,
}

label_enum! {
    /// What kind of backend answered.
    pub enum BackendKind {
        /// An OpenAI-compatible server.
        Openai = "openai",
        /// `builtin/extractive`.
        Builtin = "builtin",
        /// An agent; the model behind it is a call of its own, and has the usage row.
        Agent = "agent",
        /// The in-process embedding model.
        Local = "local",
    }
}

label_enum! {
    /// What was asked of a model.
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
        /// The caller went away first.
        Cancelled = "cancelled",
        /// The request was at fault.
        ClientError = "client_error",
        /// The provider, or a limit here, asked to wait.
        RateLimited = "rate_limited",
        Timeout = "timeout",
        /// The provider failed, refused our key or broke off.
        ProviderError = "provider_error",
        InternalError = "internal_error",
    }
}

/// Counts characters towards a guess of tokens, for servers that report no usage and for limits: about four ASCII
/// characters or two others to a token (the usual tokenizers take 3.5 to 4.5 for English, 2 to 3 for Russian).
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

/// A guess of how many tokens a chat model sees in `text`; within about a third for English and Russian prose.
pub fn estimate_tokens(text: &str) -> u64 {
    let mut estimate = TokenEstimate::default();
    estimate.add(text);
    estimate.tokens()
}
