//! One answer: passages for the question, the prompt, the model's stream, and the citations that the text really makes.
//! Both ways to ask come through here, so the limit on answers at a time and their counting stand here, too.

mod continuing;
mod reading;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    error::AgentError,
    metrics::{Answering, Found, Metrics},
    model::{Agent, Citation, ConversationId, Message, Shortfall},
    prompt,
};
use crate::{
    knowledge::{Knowledge, SearchHit, SearchRequest, with_table_header},
    llm::{self, CallContext, ChatRequest, ChatStream, Llm, Passage},
    platform::ids::OrgId,
};
pub use continuing::{Begun, LONGEST_REPEATED, joined};
pub use reading::{Answer, Said, cited};

/// Finds passages and asks models.
#[derive(Clone, Debug)]
pub struct Engine {
    pub knowledge: Knowledge,
    pub llm: Llm,
    /// Model of agents that name none.
    pub default_model: String,
    metrics: Metrics,
    places: Arc<Semaphore>,
    /// Models that began with thinking and wrote no tag before it: their next answer is read so from its beginning.
    unopened: Unopened,
}

/// A set of models that all answers share.
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

/// What a model is given to answer from.
#[derive(Debug)]
pub(super) struct Given {
    pub sources: Vec<Citation>,
    pub shortfall: Shortfall,
    pub model: String,
}

/// A place to write one answer; given up when dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

/// What is asked: an agent, what was said before, and the question.
#[derive(Debug)]
pub struct Question<'a> {
    pub org: OrgId,
    /// [`crate::platform::http::Principal::subject`] of whoever asks.
    pub actor: String,
    pub agent: &'a Agent,
    pub history: &'a [Message],
    pub text: &'a str,
    /// `None` where nobody keeps the answer: the OpenAI surface.
    pub conversation: Option<ConversationId>,
    /// What the OpenAI surface overrides of the agent's own settings.
    pub overrides: Overrides,
    /// An answer to go on with.
    pub begun: Option<&'a Begun>,
}

/// What a client of the OpenAI surface may say about how the model writes.
#[derive(Debug, Default)]
pub struct Overrides {
    pub temperature: Option<f64>,
    pub max_output_tokens: Option<u32>,
    /// Passed on to the model as they are: `top_p`, `stop`, `seed`, ...
    pub others: Map<String, Value>,
}

impl Engine {
    /// `most`: answers being written at a time.
    pub fn new(knowledge: Knowledge, llm: Llm, default_model: String, metrics: Metrics, most: usize) -> Self {
        Self {
            knowledge,
            llm,
            default_model,
            metrics,
            places: Arc::new(Semaphore::new(most)),
            unopened: Unopened::default(),
        }
    }

    /// A place to write an answer, or `Overloaded`: nobody waits for one, because an answer may take minutes.
    pub fn enter(&self) -> Result<Place, AgentError> {
        let taken = self.places.clone().try_acquire_owned();
        taken.map(|permit| Place { _permit: permit }).map_err(|_| {
            self.metrics.refused();
            AgentError::Overloaded
        })
    }

    /// Retrieves and starts the model. Returns when the model has accepted the request. Counted from here until the
    /// answer is dropped.
    pub async fn start(&self, question: &Question<'_>, place: Place) -> Result<Answer, AgentError> {
        let mut report = self.metrics.began(question.agent.id, question.conversation);
        match self.begin(question, &mut report).await {
            Ok((given, stream)) => {
                let answer = Answer::new(given, stream, self.unopened.clone(), report, place);
                Ok(if question.begun.is_some() { answer.going_on() } else { answer })
            }
            Err(error) => {
                report.refused(&error);
                Err(error)
            }
        }
    }

    async fn begin(&self, question: &Question<'_>, report: &mut Answering) -> Result<(Given, ChatStream), AgentError> {
        let agent = question.agent;
        let (mut sources, shortfall) = self.retrieve(question).await?;
        report.fell_short(shortfall);
        if let Some(begun) = question.begun {
            continuing::keep_marks(&mut sources, &begun.citations);
        }
        let model =
            if agent.settings.model.is_empty() { self.default_model.clone() } else { agent.settings.model.clone() };
        let mut request = ChatRequest::new(
            model.clone(),
            prompt::build(agent, question.history, &sources, question.text, question.begun),
        );
        let overrides = &question.overrides;
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
        Ok((Given { sources, shortfall, model }, stream))
    }

    /// The passages that fit into the agent's budget of tokens, best first, and what is not among them.
    async fn retrieve(&self, question: &Question<'_>) -> Result<(Vec<Citation>, Shortfall), AgentError> {
        let settings = &question.agent.settings;
        if settings.knowledge_bases.is_empty() {
            return Ok((Vec::new(), Shortfall::default()));
        }
        let (query, question_cut_to) = prompt::search_query(question.text, question.history);
        let request = SearchRequest {
            query,
            limit: usize::try_from(settings.retrieval.limit).unwrap_or(usize::MAX),
            mode: settings.retrieval.mode,
        };
        let found = self.knowledge.search(question.org, &settings.knowledge_bases, &request).await?;
        let (fitting, passages_left_out) = fitting(found.hits, settings.retrieval.max_tokens);
        let sources = fitting.into_iter().zip(1..).map(|(hit, mark)| citation(mark, hit)).collect();
        Ok((sources, Shortfall { passages_left_out, question_cut_to, words_only: found.words_only }))
    }
}

/// The passages that fit into `most` tokens, and how many do not. What does not fit is passed over, not the end: a shorter passage below
/// it may. The best one is always there, whatever its length: an agent that is shown nothing says that the documents hold nothing.
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
