//! One answer: passages for the question, the prompt, the model's stream, and the citations that the text really makes.

use futures::StreamExt as _;

use super::{
    citations::MarkFilter,
    error::AgentError,
    model::{Agent, Citation, Message},
    prompt,
};
use crate::{
    knowledge::{Knowledge, SearchHit, SearchRequest},
    llm::{self, CallContext, ChatRequest, ChatStream, Llm, LlmError, Passage, Usage},
    platform::ids::OrgId,
};

/// Finds passages and asks models.
#[derive(Clone, Debug)]
pub struct Engine {
    pub knowledge: Knowledge,
    pub llm: Llm,
    /// Model of agents that name none.
    pub default_model: String,
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
    /// Overrides of the agent's own settings, for the OpenAI surface.
    pub temperature: Option<f64>,
    pub max_output_tokens: Option<u32>,
}

/// An answer on its way.
#[derive(Debug)]
pub struct Answer {
    /// What the model was given, by mark.
    pub sources: Vec<Citation>,
    pub model: String,
    pub usage: Option<Usage>,
    pub finish_reason: Option<String>,
    /// What has been shown so far.
    pub text: String,
    stream: ChatStream,
    filter: MarkFilter,
    ended: bool,
}

impl Engine {
    /// Retrieves and starts the model. Returns when the model has accepted the request.
    pub async fn start(&self, question: &Question<'_>) -> Result<Answer, AgentError> {
        let agent = question.agent;
        let sources = self.retrieve(question).await?;
        let model =
            if agent.settings.model.is_empty() { self.default_model.clone() } else { agent.settings.model.clone() };
        let mut request =
            ChatRequest::new(model.clone(), prompt::build(agent, question.history, &sources, question.text));
        request.temperature = question.temperature.or(agent.settings.temperature);
        request.max_tokens = question.max_output_tokens.or(agent.settings.max_output_tokens);
        let passages = sources.iter().map(|s| Passage { text: s.text.clone(), title: s.title.clone() }).collect();
        let call = CallContext { actor: question.actor.clone(), ..CallContext::job(question.org, "agents") }.for_agent(
            agent.id.0,
            question.text,
            passages,
        );
        let stream = self.llm.chat(call, request).await?;
        let filter = MarkFilter::new(sources.len());
        Ok(Answer {
            sources,
            model,
            usage: None,
            finish_reason: None,
            text: String::new(),
            stream,
            filter,
            ended: false,
        })
    }

    /// The passages that fit into the agent's budget of tokens, best first.
    async fn retrieve(&self, question: &Question<'_>) -> Result<Vec<Citation>, AgentError> {
        let settings = &question.agent.settings;
        if settings.knowledge_bases.is_empty() {
            return Ok(Vec::new());
        }
        let request = SearchRequest {
            query: prompt::search_query(question.text, question.history),
            limit: usize::try_from(settings.retrieval.limit).unwrap_or(usize::MAX),
            mode: settings.retrieval.mode,
        };
        let hits = self.knowledge.search(question.org, &settings.knowledge_bases, &request).await?;
        let mut left = u64::from(settings.retrieval.max_tokens);
        let fitting = hits.into_iter().take_while(|hit| {
            let tokens = llm::estimate_tokens(&hit.text);
            let fits = tokens <= left;
            left = left.saturating_sub(tokens);
            fits
        });
        Ok(fitting.zip(1..).map(|(hit, mark)| citation(mark, hit)).collect())
    }
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
        start: i64::from(hit.start),
        end: i64::from(hit.end),
        text: hit.text,
    }
}

impl Answer {
    /// The next piece of text; `None` when the answer is complete.
    pub async fn next(&mut self) -> Option<Result<String, LlmError>> {
        while !self.ended {
            match self.stream.next().await {
                Some(Ok(chunk)) => {
                    let chunk = chunk.body();
                    if chunk.usage.is_some() {
                        self.usage.clone_from(&chunk.usage);
                    }
                    if let Some(reason) = chunk.finish_reason() {
                        self.finish_reason = Some(reason.to_owned());
                    }
                    let shown = self.filter.push(chunk.text());
                    if !shown.is_empty() {
                        self.text.push_str(&shown);
                        return Some(Ok(shown));
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    let rest = self.filter.finish();
                    if !rest.is_empty() {
                        self.text.push_str(&rest);
                        return Some(Ok(rest));
                    }
                }
            }
        }
        None
    }

    /// The sources that the text cites so far.
    pub fn citations(&self) -> Vec<Citation> {
        self.sources.iter().filter(|s| self.filter.used().contains(&s.mark)).cloned().collect()
    }
}
