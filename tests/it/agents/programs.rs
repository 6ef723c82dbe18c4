//! Agents as models of the OpenAI API.

use reqwest::Method;
use serde_json::{Value, json};

use super::{handbook, make_agent};
use crate::support::{app::TestApp, sse::Events, upstream::Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_a_model_for_openai_clients() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/cites", &[&base]).await;
    let key = admin.post("/api/v1/api-keys", &json!({"name": "site", "scopes": ["inference"]})).await.expect(201);
    let secret = key["secret"].as_str().unwrap_or_else(|| panic!("{key}"));
    let site = admin.with_key(secret);
    let model = format!("agent/{}", agent["slug"].as_str().unwrap());
    let models = site.get("/v1/models").await.expect(200);
    assert!(models["data"].as_array().unwrap().iter().any(|m| m["id"] == model.as_str()), "{models}");

    let messages = json!([{"role": "system", "content": "Answer in verse."}, {"role": "user", "content": "How many days of leave?"}]);
    let whole = site.post("/v1/chat/completions", &json!({"model": model, "messages": messages})).await.expect(200);
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "The answer stands in [1] and not in [7]. Both: [1, 9]");
    assert_eq!((&whole["model"], &whole["usage"]["total_tokens"]), (&json!(model), &json!(49)));
    let notes = message["annotations"].as_array().unwrap_or_else(|| panic!("{whole}"));
    assert_eq!(notes.len(), 1, "one for each mark: {whole}");
    for (note, index) in notes.iter().zip([21]) {
        assert_eq!(
            (&note["type"], &note["file_id"], &note["index"]),
            (&json!("file_citation"), &json!(document), &json!(index))
        );
        assert!(note["quote"].as_str().unwrap().contains("28 calendar days"));
    }
    assert!(
        upstream.last_request()["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("Answer in the language of the question.")
    );
    assert!(upstream.last_request()["messages"][0]["content"].as_str().unwrap().contains("Answer in verse."));

    let body = json!({"model": model, "messages": messages, "stream": true, "stream_options": {"include_usage": true}});
    let mut events = Events::of(site.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    let chunks: Vec<Value> = events.all().await.into_iter().map(|(_, data)| data).collect();
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "The answer stands in [1] and not in [7]. Both: [1, 9]");
    let last = chunks.iter().find(|c| c["choices"][0]["finish_reason"] == "stop").unwrap();
    assert_eq!(last["choices"][0]["delta"]["annotations"].as_array().unwrap().len(), 1);
    assert_eq!(chunks[chunks.len() - 2]["usage"]["total_tokens"], 49);
    let body = json!({"model": model, "messages": messages, "stream": true});
    let mut events = Events::of(site.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    let chunks: Vec<Value> = events.all().await.into_iter().map(|(_, data)| data).collect();
    assert!(chunks.iter().all(|c| c.get("usage").is_none_or(Value::is_null)), "nobody asked for usage: {chunks:?}");

    let unknown = site.post("/v1/chat/completions", &json!({"model": "agent/nobody", "messages": messages})).await;
    assert_eq!(unknown.json()["error"]["code"], "model_not_found", "{}", unknown.text);
    let stranger = app.other_org("strangers").await;
    let theirs = stranger.post("/v1/chat/completions", &json!({"model": model, "messages": messages})).await;
    assert_eq!(theirs.json()["error"]["code"], "model_not_found", "{}", theirs.text);
    app.stop().await;
}

/// The same in the OpenAI API: as a finish reason where OpenAI's format has one, else as an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_how_an_agents_answer_ended() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let request = async |model: &str, stream: bool| {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[]).await;
        let name = format!("agent/{}", agent["slug"].as_str().unwrap());
        let body = json!({"model": name, "stream": stream, "messages": [{"role": "user", "content": "Well?"}]});
        let sent = admin.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap();
        let (status, text) = (sent.status().as_u16(), sent.text().await.unwrap());
        admin.delete(&format!("/api/v1/agents/{}", agent["id"].as_str().unwrap())).await.expect(204);
        (status, text)
    };
    for (model, status, code) in [
        ("only-thinking", 502, "answer_only_thinking"),
        ("thinks-to-the-limit", 422, "answer_only_thinking"),
        ("filtered", 422, "answer_filtered"),
        ("tools", 502, "answer_needs_tools"),
        ("empty", 502, "answer_empty"),
        ("cut", 502, "provider_stream_cut"),
    ] {
        let (found, text) = request(model, false).await;
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((found, &error["error"]["code"]), (status, &json!(code)), "{model}: {text}");
        let (_, text) = request(model, true).await;
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{model}: {text}");
    }
    for (model, reason, content, refusal) in [
        ("refuses", "stop", json!(null), json!("I will not.")),
        ("half-filtered", "content_filter", json!("Half of it"), json!(null)),
        ("long", "length", json!("It begins and "), json!(null)),
        ("parts", "stop", json!("It is so."), json!(null)),
    ] {
        let (status, text) = request(model, false).await;
        let whole: Value = serde_json::from_str(&text).unwrap();
        let choice = &whole["choices"][0];
        let found = (&choice["finish_reason"], &choice["message"]["content"], &choice["message"]["refusal"]);
        assert_eq!((status, found), (200, (&json!(reason), &content, &refusal)), "{model}: {text}");
        let (_, text) = request(model, true).await;
        assert!(text.contains(&format!("\"finish_reason\":\"{reason}\"")), "{model}: {text}");
        assert_eq!(text.contains("\"refusal\":\"I will not.\""), model == "refuses", "{model}: {text}");
    }
    app.stop().await;
}

/// Messages to the model alternate; what an agent cannot handle is refused, never ignored.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_of_programs_are_put_in_turns_or_refused() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let ask = async |messages: Value| {
        let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": messages});
        admin.post("/v1/chat/completions", &body).await
    };
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    for (messages, sent) in [
        (json!([message("user", "a"), message("user", "b")]), vec![("user", "a\n\nb")]),
        (json!([message("assistant", "Hello!"), message("user", "a")]), vec![("user", "a")]),
        (
            json!([message("user", "a"), message("assistant", "b"), message("assistant", "c"), message("user", "d")]),
            vec![("user", "a"), ("assistant", "b\n\nc"), ("user", "d")],
        ),
        (json!([message("user", "a"), message("system", "In verse."), message("user", "b")]), vec![("user", "a\n\nb")]),
        (json!([message("user", "a"), message("system", "In verse.")]), vec![("user", "a")]),
        (json!([message("user", "a"), message("assistant", "")]), vec![("user", "a")]),
        (
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
            vec![("user", "a\nb")],
        ),
    ] {
        ask(messages.clone()).await.expect(200);
        let request = upstream.last_request();
        let found: Vec<(&str, &str)> = request["messages"]
            .as_array()
            .unwrap()
            .iter()
            .skip(1)
            .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
            .collect();
        assert_eq!(found, sent, "{messages}");
        let system = request["messages"][0]["content"].as_str().unwrap();
        assert_eq!(system.contains("In verse."), messages.to_string().contains("In verse."), "{system}");
        assert_eq!(system.contains("Hello!"), messages.to_string().contains("Hello!"), "{system}");
    }
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let picture = json!([{"type": "image_url", "image_url": {"url": "x"}}]);
    for (messages, param, code) in [
        (json!([message("user", "a"), message("assistant", "Well,")]), "messages[1].role", "last_message_not_user"),
        (
            json!([message("user", "a"), call, {"role": "tool", "tool_call_id": "1", "content": "x"}]),
            "messages[1].tool_calls",
            "tools_not_supported",
        ),
        (
            json!([message("user", "a"), {"role": "tool", "tool_call_id": "1", "content": "x"}]),
            "messages[1].role",
            "tools_not_supported",
        ),
        (json!([message("system", "s")]), "messages[0].role", "last_message_not_user"),
        (json!([message("critic", "s"), message("user", "a")]), "messages[0].role", "invalid_value"),
        (
            json!([{"role": "system", "content": picture}, message("user", "a")]),
            "messages[0].content",
            "content_not_supported",
        ),
        (
            json!([message("user", "a"), {"role": "assistant", "content": picture}, message("user", "a")]),
            "messages[1].content",
            "content_not_supported",
        ),
    ] {
        let error = ask(messages).await.expect(400)["error"].clone();
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    }
    app.stop().await;
}
