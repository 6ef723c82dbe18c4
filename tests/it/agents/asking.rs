//! What can be asked: limits, refusals, heartbeats.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{make_agent, messages, metric, stream, submit};
use crate::support::{agents::start, app::TestApp, sse::Events, upstream::Upstream, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_limited_and_counted_whichever_way_they_are_asked_for() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_CONCURRENT_ANSWERS", "1")]).await;
    let admin = app.admin().await;
    let slow = make_agent(&admin, "mock/slow", &[]).await;
    let as_model = |agent: &Value, stream: bool| {
        let model = format!("agent/{}", agent["slug"].as_str().unwrap());
        let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "All"}]});
        admin.request(Method::POST, "/v1/chat/completions").json(&body)
    };
    let mut events = Events::of(as_model(&slow, true).send().await.unwrap());
    for _ in 0..3 {
        events.next().await.expect("a stream");
    }
    assert_eq!(metric(&app, "holdfast_agents_answers_in_progress"), 1);
    for stream in [true, false] {
        let refused = admin.send(as_model(&slow, stream)).await;
        let error = refused.expect(429)["error"].clone();
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("rate_limit_error"), &json!("too_many_answers")),
            "{error}"
        );
        assert_eq!(refused.headers[header::RETRY_AFTER], "5");
    }
    let conversation = start(&admin, &slow).await;
    let refused = admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await;
    refused.problem(429, "too_many_answers");
    assert_eq!(refused.headers[header::RETRY_AFTER], "5");
    assert_eq!(messages(&admin, &conversation).await.len(), 0, "a refused question is not kept");
    assert_eq!(metric(&app, "holdfast_agents_answers_refused_total"), 3);

    drop(events);
    until("the place stays taken", async || metric(&app, "holdfast_agents_answers_in_progress") == 0).await;
    let quick = make_agent(&admin, "mock/cites", &[]).await;
    admin.send(as_model(&quick, false)).await.expect(200);
    let conversation = start(&admin, &quick).await;
    admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await.expect(200);
    let broken = make_agent(&admin, "mock/broken", &[]).await;
    admin.send(as_model(&broken, false)).await.expect(502);
    for (surface, outcome, count) in [
        ("model", "stopped", 1),
        ("model", "complete", 1),
        ("model", "failed", 1),
        ("conversation", "complete", 1),
        ("conversation", "failed", 0),
    ] {
        let series = format!("holdfast_agents_answers_total{{surface=\"{surface}\",outcome=\"{outcome}\"}}");
        // Counted when its answer is dropped.
        until(&series, async || metric(&app, &series) >= count).await;
        assert_eq!(metric(&app, &series), count, "{series}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_refuses_what_it_would_have_to_ignore() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_QUESTION_CHARS", "100")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let ask = async |more: Value| {
        let mut body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": [{"role": "user", "content": "Well?"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/v1/chat/completions", &body).await
    };
    let picture = json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]);
    for (more, param, code) in [
        (json!({"n": 2}), "n", "unsupported_parameter"),
        (json!({"tools": [{"type": "function"}]}), "tools", "unsupported_parameter"),
        (json!({"response_format": {"type": "json_object"}}), "response_format", "unsupported_parameter"),
        (json!({"messages": [{"role": "user", "content": picture}]}), "messages[0].content", "content_not_supported"),
        (json!({"messages": [{"role": "user", "content": "long ".repeat(30)}]}), "messages", "invalid_length"),
        (json!({"messages": [{"role": "user", "content": " "}]}), "messages", "invalid_length"),
    ] {
        let error = ask(more).await.expect(400)["error"].clone();
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    }
    let fine = json!({"n": 1, "tools": [], "response_format": {"type": "text"}, "top_p": 0.5, "stop": ["END"], "max_completion_tokens": 77, "metadata": {"a": "b"}});
    ask(fine).await.expect(200);
    let sent = upstream.last_request();
    assert_eq!(
        (&sent["top_p"], &sent["stop"], &sent["max_tokens"]),
        (&json!(0.5), &json!(["END"]), &json!(77)),
        "{sent}"
    );
    assert!(sent.get("metadata").is_none() && sent.get("tools").is_none(), "{sent}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_takes_no_idempotency_key_and_says_so() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let conversation = start(&admin, &agent).await;
    for (action, body) in [
        ("messages", json!({"content": "And?"})),
        ("messages", json!({"content": "And?", "stream": true})),
        ("regenerate", json!({})),
        ("continue", json!({})),
    ] {
        let request = admin.request(Method::POST, &format!("{conversation}/{action}")).json(&body);
        let refused = admin.send(request.header("idempotency-key", "k")).await;
        refused.problem(400, "idempotency_key_not_supported");
        assert!(refused.text.contains("read the conversation"), "{}", refused.text);
    }
    assert_eq!(messages(&admin, &conversation).await.len(), 0, "nothing was asked");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_conversation_takes_no_more_questions() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_MESSAGES", "4")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let conversation = start(&admin, &agent).await;
    for _ in 0..2 {
        admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await.expect(200);
    }
    admin
        .post(&format!("{conversation}/messages"), &json!({"content": "And?"}))
        .await
        .problem(409, "conversation_full");
    admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(messages(&admin, &conversation).await.len(), 4);
    let page = conversation.trim_start_matches("/api/v1");
    let refused = submit(&admin, &format!("{page}/ask"), "content=And").await;
    assert_eq!((refused.status.as_u16(), refused.headers[header::LOCATION].to_str().unwrap()), (303, page));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_has_heartbeats() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_LLM__HEARTBEAT_SECONDS", "1")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/silent", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Well?").await;
    assert_eq!(events.all().await.last().unwrap().1["message"]["content"], "At last.");
    assert!(events.raw.contains(": heartbeat\n"), "{}", events.raw);
    app.stop().await;
}
