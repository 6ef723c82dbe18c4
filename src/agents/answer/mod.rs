//! One answer: retrieves chunks for the question, builds the prompt, streams from the model, and collects the citations
//! that the text contains. Both ways of asking go through here, so the limit on concurrent answers and the metrics are
//! here, too.

mod continuing;
mod reading;
mod trace;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    error::AgentError,
    metrics::{Answering, Found, Metrics},
    model::{Agent, Citation, ConversationId, Message, Shortfall},
    prompt,
};
pub use continuing::{Begun, LONGEST_REPEATED, joined};
use knowledge::{Knowledge, SearchHit, SearchRequest, with_table_header};
use llm::{CallContext, ChatRequest, ChatStream, Llm, Passage};
use platform::ids::OrgId;
pub use reading::{Answer, AnswerPiece, cited};
pub use trace::{Finished, Trace, TraceRow, Via};

/// Retrieves chunks and queries models.
#[derive(Clone, Debug)]
pub struct Engine {
    pub knowledge: Knowledge,
    pub llm: Llm,
    /// Model of agents without one of their own; empty: that of the gateway.
    configured_model: String,
    metrics: Metrics,
    permits: Arc<Semaphore>,
    /// Models whose thinking started without an opening tag: their next answer is assumed to start with thinking.
    unopened: Unopened,
}

/// A set of models shared by all answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Unopened(Arc<Mutex<HashSet<String>>>);

impl Unopened {
    fn has(&self, model: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(model)
    }

    fn note(&self, model: &str, unopened: bool) {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if unopened {
            models.insert(model.to_owned());
        } else {
            models.remove(model);
        }
    }
}

/// The model's input, apart from the question.
#[derive(Debug)]
pub(super) struct ModelInput {
    pub sources: Vec<Citation>,
    pub shortfall: Shortfall,
    pub model: String,
}

/// The right to write one answer; released when dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// A question to an agent, with the history before it.
#[derive(Debug)]
pub struct Question<'a> {
    pub org: OrgId,
    /// [`platform::http::Principal::subject`] of the caller.
    pub actor: String,
    pub agent: &'a Agent,
    pub history: &'a [Message],
    pub text: &'a str,
    /// `None` for the OpenAI API, where the answer is not stored.
    pub conversation: Option<ConversationId>,
    /// Settings of the agent that a client of the OpenAI API overrides.
    pub overrides: Overrides,
    /// An answer to continue.
    pub begun: Option<&'a Begun>,
}

/// Sampling settings that a client of the OpenAI API may set.
#[derive(Debug, Default)]
pub struct Overrides {
    pub temperature: Option<f64>,
    pub max_output_tokens: Option<u32>,
    /// Instead of the agent's.
    pub model: Option<String>,
    /// Passed to the model unchanged: `top_p`, `stop`, `seed`, ...
    pub others: Map<String, Value>,
}

impl Engine {
    /// `most`: maximum number of concurrent answers.
    pub fn new(knowledge: Knowledge, llm: Llm, configured_model: String, metrics: Metrics, most: usize) -> Self {
        Self {
            knowledge,
            llm,
            configured_model,
            metrics,
            permits: Arc::new(Semaphore::new(most)),
            unopened: Unopened::default(),
        }
    }

    /// The model of agents without one of their own. Asked each time: aliases change.
    pub fn default_model(&self) -> String {
        if self.configured_model.is_empty() { self.llm.default_model() } else { self.configured_model.clone() }
    }

    /// Takes a permit, or fails with `Overloaded`: callers do not wait, because an answer may take minutes.
    pub fn enter(&self) -> Result<Permit, AgentError> {
        let taken = self.permits.clone().try_acquire_owned();
        taken.map(|permit| Permit { _permit: permit }).map_err(|_| {
            self.metrics.refused();
            AgentError::Overloaded
        })
    }

    /// Retrieves chunks and starts the model. Returns when the model has accepted the request. Counts as in progress
    /// until the answer is dropped. `trace` learns what was done.
    pub async fn start(
        &self,
        question: &Question<'_>,
        permit: Permit,
        trace: &mut Trace,
    ) -> Result<Answer, AgentError> {
        let mut report = self.metrics.began(question.agent.id, question.conversation);
        match self.begin(question, &mut report, trace).await {
            Ok((given, stream)) => {
                let answer = Answer::new(given, stream, self.unopened.clone(), report, permit);
                Ok(if question.begun.is_some() { answer.going_on() } else { answer })
            }
            Err(error) => {
                report.refused(&error);
                Err(error)
            }
        }
    }

    async fn begin(
        &self,
        question: &Question<'_>,
        report: &mut Answering,
        trace: &mut Trace,
    ) -> Result<(ModelInput, ChatStream), AgentError> {
        let (agent, overrides) = (question.agent, &question.overrides);
        let (mut sources, shortfall) = self.retrieve(question, trace).await?;
        report.fell_short(shortfall);
        if let Some(begun) = question.begun {
            continuing::keep_marks(&mut sources, &begun.citations);
        }
        let own = (!agent.settings.model.is_empty()).then(|| agent.settings.model.clone());
        let model = overrides.model.clone().or(own).unwrap_or_else(|| self.default_model());
        let messages = prompt::build(agent, question.history, &sources, question.text, question.begun);
        trace.sources.clone_from(&sources);
        trace.given.clone_from(&messages);
        let mut request = ChatRequest::new(model.clone(), messages);
        request.temperature = overrides.temperature.or(agent.settings.temperature);
        request.max_tokens = overrides.max_output_tokens.or(agent.settings.max_output_tokens);
        request.extra.clone_from(&overrides.others);
        let found = Found::of(agent, &sources);
        report.given(&model, sources.len(), found);
        let passages = sources.iter().map(|s| Passage { text: s.text.clone(), title: s.title.clone(), weak: s.weak });
        let passages = passages.collect();
        let call = CallContext { actor: question.actor.clone(), ..CallContext::job(question.org, "agents") }.for_agent(
            agent.id.0,
            question.text,
            passages,
        );
        let stream = self.llm.chat(call, request).await?;
        Ok((ModelInput { sources, shortfall, model }, stream))
    }

    /// The chunks that fit into the agent's token budget, best first, and what was left out.
    async fn retrieve(
        &self,
        question: &Question<'_>,
        trace: &mut Trace,
    ) -> Result<(Vec<Citation>, Shortfall), AgentError> {
        let settings = &question.agent.settings;
        if settings.knowledge_bases.is_empty() {
            return Ok((Vec::new(), Shortfall::default()));
        }
        let (query, question_cut_to) = prompt::search_query(question.text, question.history);
        trace.query.clone_from(&query);
        let request = SearchRequest {
            query,
            limit: usize::try_from(settings.retrieval.limit).unwrap_or(usize::MAX),
            mode: settings.retrieval.mode,
            explain: true,
        };
        let began = Instant::now();
        let found = self.knowledge.search(question.org, &settings.knowledge_bases, &request).await?;
        trace.search = Some(began.elapsed());
        trace.explain = found.explain;
        let (fitting, passages_left_out) = fitting(found.hits, settings.retrieval.max_tokens);
        let sources = fitting.into_iter().zip(1..).map(|(hit, mark)| citation(mark, hit)).collect();
        Ok((sources, Shortfall { passages_left_out, question_cut_to, words_only: found.words_only }))
    }
}

/// The chunks that fit into `most` tokens, and how many do not. One that does not fit is skipped: a shorter one below
/// it may fit. The best is always included, whatever its length: an agent without sources says that the documents
/// contain nothing.
fn fitting(hits: Vec<SearchHit>, most: u32) -> (Vec<SearchHit>, u32) {
    let (all, mut left) = (hits.len(), u64::from(most));
    let mut fitting: Vec<SearchHit> = Vec::with_capacity(all);
    for hit in hits {
        let tokens = llm::estimate_tokens(&with_table_header(hit.table_header.as_deref(), &hit.text));
        if tokens <= left || fitting.is_empty() {
            left = left.saturating_sub(tokens);
            fitting.push(hit);
        }
    }
    let left_out = all - fitting.len();
    (fitting, u32::try_from(left_out).unwrap_or(u32::MAX))
}

fn citation(mark: u32, hit: SearchHit) -> Citation {
    Citation {
        mark,
        knowledge_base_id: hit.knowledge_base_id.0,
        document_id: hit.document_id.0,
        chunk_id: hit.chunk_id.0,
        title: if hit.title.is_empty() { hit.filename.clone() } else { hit.title },
        filename: hit.filename,
        page: hit.page,
        heading: hit.heading,
        table_header: hit.table_header,
        start: i64::from(hit.start),
        end: i64::from(hit.end),
        text: hit.text,
        weak: hit.weak,
        deleted: false,
    }
}
