//! The OpenAI-compatible API: `/v1/models`, `/v1/chat/completions`, `/v1/embeddings`. Errors in OpenAI's format.

mod asking;

use axum::{
    extract::{Path, State},
    http::header,
    middleware::from_fn,
    response::{IntoResponse as _, Response, sse::Event},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tower_http::decompression::RequestDecompressionLayer;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::asking::{Body, Caller};
use super::{
    backend::ChatStream,
    embed::InputKind,
    embeddings,
    error::{LlmError, OpenAiError},
    model::{CallContext, ModelInfo, TokenEstimate},
    scheduler::priority_of,
    service::Llm,
    tokens::{self, Input},
    wire::{ChatChunk, ChatCompletion, ChatRequest, Chunk, Usage},
};
pub use asking::map_errors;
use platform::http::event_stream;

/// OpenAI's own limit on texts per request.
const MAX_INPUTS: usize = 2048;

/// The routes.
pub fn router() -> OpenApiRouter<Llm> {
    OpenApiRouter::new()
        .routes(routes!(list_models))
        .route("/v1/models/{*id}", get(get_model))
        .routes(routes!(create_chat_completion))
        .routes(routes!(create_embeddings))
        // With a trailing slash the same is meant.
        .route("/v1/models/", get(list_models))
        .route("/v1/chat/completions/", post(create_chat_completion))
        .route("/v1/embeddings/", post(create_embeddings))
        .layer(RequestDecompressionLayer::new().pass_through_unaccepted(true))
        .layer(from_fn(asking::note_coding))
}

/// A model as OpenAI lists it.
#[derive(Debug, Serialize, ToSchema)]
struct Model {
    id: String,
    /// `model`
    object: &'static str,
    /// Unix time, seconds; 0: unknown.
    created: i64,
    owned_by: String,
}

impl From<ModelInfo> for Model {
    fn from(info: ModelInfo) -> Self {
        Self { id: info.id, object: "model", created: 0, owned_by: info.owned_by }
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// `list`
    object: &'static str,
    data: Vec<Model>,
}

/// List models
#[utoipa::path(get, path = "/v1/models", tag = "OpenAI", responses((status = 200, body = ModelList), (status = 401, description = "OpenAI's error object")))]
async fn list_models(State(llm): State<Llm>, Caller(who): Caller) -> Result<axum::Json<ModelList>, OpenAiError> {
    let data = llm.models(who.org_id).await.into_iter().map(Model::from).collect();
    Ok(axum::Json(ModelList { object: "list", data }))
}

/// One model. Its name may contain slashes, which OpenAPI cannot describe: not in the document.
async fn get_model(
    State(llm): State<Llm>,
    Caller(who): Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<Model>, OpenAiError> {
    match llm.models(who.org_id).await.into_iter().find(|model| model.id == id) {
        Some(found) => Ok(axum::Json(found.into())),
        None => Err(llm.no_such_model(who.org_id, id).await.into()),
    }
}

/// Answer a conversation
///
/// With `stream` as server-sent events, ended by `data: [DONE]`. All parameters of OpenAI's API are passed on to the
/// provider.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "OpenAI", request_body = ChatRequest,
    responses((status = 200, body = ChatCompletion), (status = 400, description = "OpenAI's error object"), (status = 404, description = "no such model"),
        (status = 413, description = "larger than llm.max_body_bytes"), (status = 429, description = "the provider limits the rate, or too many agents answer"), (status = 502, description = "the provider failed")))]
async fn create_chat_completion(
    State(llm): State<Llm>,
    Caller(who): Caller,
    Body(request): Body<ChatRequest>,
) -> Result<Response, OpenAiError> {
    let call = CallContext::of(&who);
    if request.stream != Some(true) {
        let completion = llm.complete(call, request).await?;
        return Ok(([(header::CONTENT_TYPE, "application/json")], completion.raw().to_owned()).into_response());
    }
    let (heartbeat, wanted) = (llm.heartbeat(), UsageChunk::wanted(&request));
    let mut start = Box::pin(async move { begun(llm.chat(call, request).await?).await });
    let response = match tokio::time::timeout(heartbeat, &mut start).await {
        Ok(stream) => event_stream(events(stream?, wanted), heartbeat),
        // A server that loads its model or reads a long prompt is silent for minutes: proxies would cut the connection.
        Err(_) => event_stream(begin_late(start, wanted), heartbeat),
    };
    Ok(response)
}

/// The answer with its first chunk. A failure before it becomes an error status: many servers report a refusal in the
/// stream, after a successful head.
async fn begun(mut answer: ChatStream) -> Result<Begun, LlmError> {
    let first = answer.next().await.transpose()?;
    Ok(Begun { first, rest: answer })
}

/// An answer that has started.
struct Begun {
    first: Option<Chunk>,
    rest: ChatStream,
}

/// The events of an answer that has not started yet. Failures can then only be reported inside the stream.
fn begin_late(
    start: impl Future<Output = Result<Begun, LlmError>> + Send + 'static,
    wanted: Option<UsageChunk>,
) -> impl Stream<Item = Event> + Send {
    stream::once(start).flat_map(move |started| match started {
        Ok(answer) => events(answer, wanted.clone()).left_stream(),
        Err(error) => stream::iter([failed(error), done()]).right_stream(),
    })
}

/// The chunks as events, one for one and unchanged, then `[DONE]`; an error as an event of its own.
fn events(answer: Begun, mut wanted: Option<UsageChunk>) -> impl Stream<Item = Event> + Send {
    let Begun { first, rest } = answer;
    let chunks =
        stream::iter(first.map(Ok)).chain(rest).map(Some).chain(stream::once(async { None })).filter_map(move |item| {
            let event = match item {
                Some(Ok(chunk)) => match &mut wanted {
                    // We requested it for our own accounting: a client that did not ask for it may not expect it.
                    None if chunk.body().is_usage_only() => None,
                    None => Some(Event::default().data(chunk.raw())),
                    Some(usage) => {
                        usage.see(chunk.body());
                        Some(Event::default().data(chunk.raw()))
                    }
                },
                Some(Err(error)) => {
                    wanted = None;
                    Some(failed(error))
                }
                None => wanted.take().and_then(UsageChunk::missing).map(|chunk| Event::default().data(chunk.raw())),
            };
            std::future::ready(event)
        });
    chunks.chain(stream::once(async { done() }))
}

fn failed(error: LlmError) -> Event {
    Event::default().data(OpenAiError::from(error).body().to_string())
}

fn done() -> Event {
    Event::default().data("[DONE]")
}

/// The final chunk for `include_usage`, if the server sends none: with usage from other chunks, else estimated.
#[derive(Clone, Debug, Default)]
struct UsageChunk {
    head: ChatChunk,
    usage: Option<Usage>,
    came: bool,
    prompt: TokenEstimate,
    output: TokenEstimate,
}

impl UsageChunk {
    fn wanted(request: &ChatRequest) -> Option<Self> {
        request.wants_usage().then(|| {
            let mut chunk = Self::default();
            request.messages.iter().for_each(|message| chunk.prompt.add(&message.text()));
            chunk
        })
    }

    fn see(&mut self, chunk: &ChatChunk) {
        let counted = chunk.usage.as_ref().and_then(Usage::counted);
        self.came |= chunk.is_usage_only() && counted.is_some();
        if self.head.id.is_empty() {
            self.head = ChatChunk { choices: Vec::new(), usage: None, extra: Map::new(), ..chunk.clone() };
        }
        if counted.is_some() {
            self.usage = counted;
        }
        for choice in &chunk.choices {
            self.output.add(choice.delta.content.as_deref().unwrap_or_default());
            self.output.add(&choice.delta.beside());
        }
    }

    fn missing(self) -> Option<Chunk> {
        let usage = self.usage.unwrap_or_else(|| {
            let mut guess = Usage::new(self.prompt.tokens(), self.output.tokens());
            guess.extra.insert("estimated".to_owned(), Value::Bool(true));
            guess
        });
        let chunk = ChatChunk { object: "chat.completion.chunk".into(), usage: Some(usage), ..self.head };
        (!self.came).then(|| Chunk::made(chunk))
    }
}

/// A request to `/v1/embeddings`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"model": "embed", "input": ["How long does an on-call shift last?"]}))]
struct EmbeddingRequest {
    /// `embed` (the model of the knowledge bases) or `provider/model`.
    #[schema(example = "embed")]
    model: String,
    /// A text, a list of texts, or tokens of one text or of several (for `embed`, tokens of `cl100k_base`).
    #[schema(value_type = Vec<String>, example = json!(["How long does an on-call shift last?"]))]
    input: Value,
    /// `float` (the default) or `base64` (little-endian 32-bit floats).
    #[serde(default)]
    encoding_format: Option<Encoding>,
    /// Dimensions of the vectors, for models that can shorten them.
    #[serde(default)]
    dimensions: Option<usize>,
    /// `query` or `passage`, for models that distinguish them; default `passage`.
    #[serde(default)]
    input_type: Option<String>,
    /// Everything else (`user`, `truncate`, ...), passed on to the provider unchanged.
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl EmbeddingRequest {
    /// Parameters for the provider besides the texts.
    fn for_provider(&self) -> Map<String, Value> {
        let mut more = self.extra.clone();
        more.retain(|_, value| !value.is_null());
        more.extend(self.dimensions.map(|dimensions| ("dimensions".to_owned(), json!(dimensions))));
        more.extend(self.input_type.as_ref().map(|kind| ("input_type".to_owned(), json!(kind))));
        more
    }
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Float,
    Base64,
}

/// Embed texts
///
/// The local model embeds a text longer than its window in pieces; the vector is their mean.
#[utoipa::path(post, path = "/v1/embeddings", tag = "OpenAI", request_body = EmbeddingRequest,
    responses((status = 200, description = "OpenAI's list of embeddings"), (status = 400, description = "OpenAI's error object"), (status = 404, description = "no such model")))]
async fn create_embeddings(
    State(llm): State<Llm>,
    Caller(who): Caller,
    Body(mut request): Body<EmbeddingRequest>,
) -> Result<axum::Json<Value>, OpenAiError> {
    let input = tokens::read(request.input.take(), MAX_INPUTS)?;
    let call = CallContext::of(&who);
    let priority = priority_of(match &input {
        Input::Texts(texts) => texts.len(),
        Input::Tokens(tokens) => tokens.len(),
    });
    let (model, made) = if request.model == embeddings::ALIAS {
        let kind = match request.input_type.as_deref() {
            None | Some("passage" | "document" | "search_document") => InputKind::Passage,
            Some("query" | "search_query") => InputKind::Query,
            Some(_) => {
                let text = "input_type is `query` or `passage`";
                return Err(LlmError::invalid("input_type", "invalid_value", text).into());
            }
        };
        let texts = match input {
            Input::Texts(texts) => texts,
            Input::Tokens(tokens) => tokens::decode(&tokens)?,
        };
        llm.check_length("input", &texts)?;
        let model = llm.embedder().await?;
        if request.dimensions.is_some_and(|d| d != model.dims) {
            let text = format!("{} returns vectors of {} dimensions", model.id, model.dims);
            return Err(LlmError::invalid("dimensions", "dimensions_not_supported", text).into());
        }
        let made = llm.embed_now(&call, &model, priority, kind, &texts).await?;
        (model.id, made)
    } else {
        let more = request.for_provider();
        let made = match input {
            Input::Texts(texts) => {
                llm.check_length("input", &texts)?;
                llm.embed_with_provider(&call, priority, &request.model, None, &texts, more).await?
            }
            Input::Tokens(tokens) => {
                llm.embed_tokens_with_provider(&call, priority, &request.model, &tokens, &more).await?
            }
        };
        (request.model, made)
    };
    let data: Vec<Value> = made
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            let embedding = match request.encoding_format {
                None | Some(Encoding::Float) => json!(vector),
                Some(Encoding::Base64) => json!(STANDARD.encode(embeddings::to_bytes(vector))),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = made.usage.map_or(0, |u| u.prompt_tokens);
    Ok(axum::Json(
        json!({"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}),
    ))
}
