//! How an answer came about, for those who may see it: what was searched for and found, what the model was given, what it cost.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Question;
use crate::model::{AgentId, Citation, ConversationId, MessageId, MessageStatus, TraceId};
use knowledge::Explain;
use llm::Usage;
use platform::{http::Principal, ids::OrgId, text_enum, trace};

/// Largest detail of a trace, bytes; a longer one is kept without what the model was given.
const MOST_BYTES: usize = 256 * 1024;

text_enum! {
    /// Through what a question came.
    #[schema(as = AskedVia)]
    pub enum Via {
        /// A page of the console.
        Console = "console",
        /// The API of conversations.
        Conversation = "conversation",
        /// `model = "agent/<slug>"` on `/v1/chat/completions`.
        Model = "model",
    }
}

impl Via {
    /// Of a question in a conversation.
    pub fn of(who: &Principal) -> Self {
        if who.user().is_some() { Self::Console } else { Self::Conversation }
    }
}

/// What is known of an answer before its end. Filled in while it is made, so that an answer that fails has one, too.
#[derive(Debug)]
pub struct Trace {
    org: OrgId,
    agent: AgentId,
    agent_version: i32,
    subject: String,
    via: Via,
    conversation: Option<ConversationId>,
    /// Of the request, for the log.
    trace_id: Option<String>,
    grounded: bool,
    asked_at: DateTime<Utc>,
    pub question: String,
    pub query: String,
    pub explain: Option<Explain>,
    pub given: Vec<llm::Message>,
    pub sources: Vec<Citation>,
    pub search: Option<Duration>,
}

/// How an answer ended.
#[derive(Debug)]
pub struct Finished {
    /// Counts in a conversation only: else it is stored nowhere.
    pub message: Option<MessageId>,
    pub status: MessageStatus,
    pub error_code: Option<String>,
    pub model: String,
    pub text: String,
    pub cited: Vec<Citation>,
    /// As the provider or the gateway counts it.
    pub usage: Option<Usage>,
    pub cost: Option<f64>,
    pub first_token: Option<Duration>,
    pub took: Duration,
}

/// A trace as it is stored.
#[derive(Debug)]
pub struct TraceRow {
    pub id: TraceId,
    pub org: OrgId,
    pub agent: AgentId,
    /// 0: settings that were tried without being saved.
    pub agent_version: i32,
    pub subject: String,
    pub via: Via,
    pub conversation: Option<ConversationId>,
    pub message: Option<MessageId>,
    pub trace_id: Option<String>,
    pub status: MessageStatus,
    pub error_code: Option<String>,
    pub model: String,
    pub grounded: bool,
    /// Sources that are no weak matches.
    pub sources: i32,
    /// Sources that the text cites.
    pub cited: i32,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub cost: Option<f64>,
    pub search_ms: Option<i32>,
    pub first_token_ms: Option<i32>,
    pub duration_ms: i32,
    pub asked_at: DateTime<Utc>,
    pub question: String,
    pub answer: String,
    /// Documents that the text cites, in the order of their ids.
    pub documents: Vec<Uuid>,
    query: String,
    explain: Option<Explain>,
    shown: Vec<Citation>,
    given: Vec<llm::Message>,
}

impl Trace {
    pub fn new(question: &Question<'_>, via: Via, asked_at: DateTime<Utc>) -> Self {
        Self {
            org: question.org,
            agent: question.agent.id,
            agent_version: question.agent.version,
            subject: question.actor.clone(),
            via,
            conversation: question.conversation,
            trace_id: trace::current().map(|context| context.trace_id().to_owned()),
            grounded: !question.agent.settings.knowledge_bases.is_empty(),
            asked_at,
            question: question.text.to_owned(),
            query: String::new(),
            explain: None,
            given: Vec::new(),
            sources: Vec::new(),
            search: None,
        }
    }

    /// The whole, once the answer has ended.
    pub fn finish(self, id: TraceId, answer: Finished) -> TraceRow {
        let documents: BTreeSet<Uuid> = answer.cited.iter().map(|source| source.document_id).collect();
        let strong = self.sources.iter().filter(|source| !source.weak).count();
        let tokens = |count: fn(&Usage) -> u64| answer.usage.as_ref().map(count).unwrap_or_default();
        TraceRow {
            id,
            org: self.org,
            agent: self.agent,
            agent_version: self.agent_version,
            subject: self.subject,
            via: self.via,
            conversation: self.conversation,
            message: self.conversation.and(answer.message),
            trace_id: self.trace_id,
            status: answer.status,
            grounded: self.grounded,
            sources: i32::try_from(strong).unwrap_or(i32::MAX),
            cited: i32::try_from(answer.cited.len()).unwrap_or(i32::MAX),
            prompt_tokens: i64::try_from(tokens(|usage| usage.prompt_tokens)).unwrap_or(i64::MAX),
            completion_tokens: i64::try_from(tokens(|usage| usage.completion_tokens)).unwrap_or(i64::MAX),
            cost: answer.cost,
            search_ms: self.search.map(millis),
            first_token_ms: answer.first_token.map(millis),
            duration_ms: millis(answer.took),
            asked_at: self.asked_at,
            question: self.question,
            documents: documents.into_iter().collect(),
            query: self.query,
            explain: self.explain,
            shown: self.sources,
            given: self.given,
            error_code: answer.error_code,
            model: answer.model,
            answer: answer.text,
        }
    }
}

impl TraceRow {
    /// What was searched, found and given, as it is stored.
    pub fn detail(&self) -> Value {
        let whole = json!({"query": self.query, "explain": self.explain, "sources": self.shown, "given": self.given});
        if whole.to_string().len() <= MOST_BYTES {
            return whole;
        }
        json!({"query": self.query, "explain": self.explain, "sources": self.shown})
    }
}

fn millis(took: Duration) -> i32 {
    i32::try_from(took.as_millis()).unwrap_or(i32::MAX)
}
