//! Answers pass through the gateway.

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use holdfast::{
    llm::{
        BackendKind, CallContext, ChatChunk, ChatRequest, ChatStream, Chunk, EXTRACTIVE_MODEL, LlmError, Message,
        ModelBackend, ModelInfo, Original, Passage,
    },
    platform::{clock::Clock, error::ApiError, ids::OrgId},
};
use serde_json::{Value, json};

use super::{TOOL_CHUNKS, WHOLE, start, start_with, word};

#[tokio::test]
async fn chunks_pass_through_one_for_one() {
    let f = start().await;
    let mut expected: Vec<String> = TOOL_CHUNKS.map(str::to_owned).into();
    expected.push("[DONE]".into());
    assert_eq!(f.stream("up/tools").await, expected);
    let sent = f.seen.bodies.lock().unwrap()[0].clone();
    assert_eq!(
        (&sent["model"], &sent["stream_options"]["include_usage"], sent.get("max_tokens")),
        (&json!("tools"), &json!(true), None)
    );
    let row = f.rows(1).await.remove(0);
    assert_eq!(
        (&row["prompt_tokens"], &row["completion_tokens"], &row["estimated"], &row["outcome"]),
        (&json!(11), &json!(7), &json!(false), &json!("ok"))
    );
    assert_eq!(
        (&row["provider"], &row["model"], &row["streamed"], row["first_token_ms"].is_number()),
        (&json!("up"), &json!("tools"), &json!(true), true)
    );
}

#[tokio::test]
async fn a_whole_answer_passes_through_and_aliases_and_bare_names_resolve() {
    let f = start().await;
    for model in ["up/plain", "fast", "quality", "plain", "meta/llama"] {
        let response = f.ask(model, false).await;
        assert_eq!(response.status(), 200, "{model}");
        assert_eq!(response.text().await.unwrap(), WHOLE, "{model}");
    }
    let rows = f.rows(5).await;
    let aliases: Vec<&Value> = rows.iter().map(|r| &r["alias"]).collect();
    assert_eq!(aliases, [&Value::Null, &json!("fast"), &json!("quality"), &Value::Null, &Value::Null]);
    let sent: Vec<Value> = f.seen.bodies.lock().unwrap().iter().map(|b| b["model"].clone()).collect();
    assert_eq!(sent, ["plain", "plain", "plain", "plain", "meta/llama"]);
}

#[tokio::test]
async fn usage_is_found_wherever_it_is_and_estimated_where_it_is_not() {
    let f = start().await;
    let quiet = f.stream("up/usage").await;
    assert_eq!(quiet.len(), 4, "the chunk that only carries usage was not asked for: {quiet:?}");
    let body = json!({"model": "up/usage", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "q"}]});
    let text = f.post("/v1/chat/completions", body).await.text().await.unwrap();
    assert!(text.contains("\"total_tokens\":12"), "{text}");
    f.stream("up/no-usage").await;
    let rows = f.rows(3).await;
    assert_eq!((&rows[0]["completion_tokens"], &rows[1]["completion_tokens"]), (&json!(3), &json!(3)));
    assert_eq!((&rows[2]["estimated"], rows[2]["completion_tokens"].as_u64().unwrap() > 0), (&json!(true), true));
    let mut tx = f.db.tenant(OrgId::generate(&Clock::system())).await.unwrap();
    let others: i64 = sqlx::query_scalar("SELECT count(*) FROM llm_usage").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(others, 0, "another organisation sees nothing");
}

#[tokio::test]
async fn usage_comes_last_when_it_is_asked_for_whatever_the_server_sends() {
    let f = start().await;
    let ask = async |model: &str| {
        let body = json!({"model": model, "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "q"}]});
        let text = f.post("/v1/chat/completions", body).await.text().await.unwrap();
        let mut events: Vec<String> =
            text.lines().filter_map(|l| l.strip_prefix("data: ")).map(str::to_owned).collect();
        assert_eq!(events.pop().unwrap(), "[DONE]");
        let last: Value = serde_json::from_str(&events.pop().unwrap()).unwrap();
        assert_eq!(last["choices"], json!([]), "{model}: {last}");
        (events.len(), last)
    };
    let (before, own) = ask("up/usage").await;
    assert_eq!((before, &own["usage"]["total_tokens"]), (3, &json!(12)), "the server's own is not doubled");
    let (before, moved) = ask("up/tools").await;
    assert_eq!(
        (before, &moved["usage"]["total_tokens"], &moved["id"]),
        (6, &json!(18), &json!("c1")),
        "it stood on the last choice"
    );
    let (before, guessed) = ask("up/no-usage").await;
    assert_eq!((before, &guessed["id"], &guessed["object"]), (3, &json!("c"), &json!("chat.completion.chunk")));
    assert!(guessed["usage"]["completion_tokens"].as_u64().unwrap() > 2, "{guessed}");
}

#[tokio::test]
async fn a_stream_that_begins_late_is_kept_open() {
    let f = start_with("heartbeat_seconds = 1").await;
    let response = f.ask("up/slow-head", true).await;
    assert_eq!((response.status().as_u16(), response.headers()["x-accel-buffering"].to_str().unwrap()), (200, "no"));
    let text = response.text().await.unwrap();
    assert!(text.starts_with(": heartbeat\n") && text.trim_end().ends_with("data: [DONE]"), "{text}");
    let error: Value = serde_json::from_str(text.lines().find_map(|l| l.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "provider_timeout", "{text}");
    assert_eq!(f.rows(1).await[0]["outcome"], "timeout");
    // An immediate failure has a status of its own.
    assert_eq!(f.ask("up/limited", true).await.status(), 429);
}

#[tokio::test]
async fn one_limit_of_tokens_under_the_name_that_servers_know() {
    let f = start().await;
    for limits in [
        json!({"max_completion_tokens": 7}),
        json!({"max_tokens": 7}),
        json!({"max_tokens": 9, "max_completion_tokens": 7}),
    ] {
        let mut body = json!({"model": "up/plain", "messages": [{"role": "user", "content": "q"}]});
        body.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
        assert_eq!(f.post("/v1/chat/completions", body).await.status(), 200);
        let sent = f.seen.bodies.lock().unwrap().last().unwrap().clone();
        assert_eq!((&sent["max_tokens"], sent.get("max_completion_tokens")), (&json!(7), None), "{limits}");
    }
}

#[tokio::test]
async fn pictures_fit_into_a_conversation_and_what_does_not_fit_is_told_so() {
    let picture = |bytes: usize| {
        let url = format!("data:image/png;base64,{}", "A".repeat(bytes));
        json!({"model": "up/plain", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let f = start().await;
    // Larger than server.max_body_bytes, which applies to all other routes.
    assert_eq!(f.post("/v1/chat/completions", picture(5 << 20)).await.status(), 200);
    let sent =
        f.seen.bodies.lock().unwrap()[0]["messages"][0]["content"][1]["image_url"]["url"].as_str().unwrap().len();
    assert!(sent > 5 << 20, "{sent}");
    let large = json!({"chat_model": "x".repeat(5 << 20)}).to_string();
    let other =
        f.client.post(format!("{}/api/v1/llm/providers/up/test", f.url)).header("cookie", "holdfast_session=operator");
    assert_eq!(other.header("content-type", "application/json").body(large).send().await.unwrap().status(), 413);

    let f = start_with("max_body_bytes = 100000").await;
    assert_eq!(f.post("/v1/chat/completions", picture(90_000)).await.status(), 200);
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        let response = f.post(path, picture(100_000)).await;
        assert_eq!(response.status(), 413, "{path}");
        let error = response.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("payload_too_large")));
        assert!(error["message"].as_str().unwrap().contains("100000 bytes"), "{error}");
    }
}

/// A backend as `agents` registers one.
struct Parrot;

#[async_trait]
impl ModelBackend for Parrot {
    fn kind(&self) -> BackendKind {
        BackendKind::Agent
    }
    async fn models(&self, _: OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        Ok(vec![ModelInfo { id: "agent/parrot".into(), owned_by: "agents".into() }])
    }
    async fn stream(&self, _: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        if model != "parrot" {
            return Err(ApiError::not_found("agent").into());
        }
        let chunk = |text: &str| Original::made(serde_json::from_str::<ChatChunk>(&word(text)).unwrap());
        let chunks: Vec<Result<Chunk, LlmError>> = vec![Ok(chunk("You said: ")), Ok(chunk(&request.question()))];
        Ok(ChatStream::new(stream::iter(chunks)))
    }
}

#[tokio::test]
async fn agents_answer_below_their_prefix() {
    let f = start().await;
    f.llm.register("agent", Arc::new(Parrot));
    let whole: Value = f.ask("agent/parrot", false).await.json().await.unwrap();
    assert_eq!(whole["choices"][0]["message"]["content"], "You said: Hello there");
    assert_eq!(f.stream("agent/parrot").await.len(), 3);
    assert_eq!(f.error("agent/nobody").await.0, 404);
    let call = f.call().for_agent(OrgId::generate(&Clock::system()).0, "", Vec::new());
    let nested = f.llm.complete(call, ChatRequest::new("agent/parrot", vec![Message::user("x")])).await.unwrap_err();
    assert!(matches!(nested, LlmError::Invalid { code: "agent_calls_agent", .. }), "{nested:?}");
    let text = f.telemetry.encode();
    assert!(
        text.contains("holdfast_llm_requests_total{operation=\"chat\",backend=\"agent\",outcome=\"ok\"} 2"),
        "{text}"
    );
}

#[tokio::test]
async fn without_a_provider_the_passages_answer() {
    let f = start().await;
    let passages = vec![Passage {
        text: "The kettle has a warranty of 27 months. It is blue.".into(),
        title: "kettle.md".into(),
        weak: false,
    }];
    let call =
        f.call().for_agent(OrgId::generate(&Clock::system()).0, "How long is the warranty of the kettle?", passages);
    let request = ChatRequest::new(EXTRACTIVE_MODEL, vec![Message::user("How long is the warranty of the kettle?")]);
    let chunks: Vec<_> = f
        .llm
        .chat(call.clone(), request.clone())
        .await
        .unwrap()
        .collect()
        .await
        .map(|c| c.body().choices[0].message.text())
        .into_iter()
        .collect();
    assert!(chunks[0].contains("> The kettle has a warranty of 27 months. [1]"), "{chunks:?}");
    let count = f.llm.chat(call, request).await.unwrap().count().await;
    assert!(count > 5, "it streams: {count}");
}
