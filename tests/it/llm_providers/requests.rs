//! What a server is sent: refused options, names of limits, templates.

use axum::http::HeaderMap;
use reqwest::Method;
use serde_json::{Value, json};

use super::{spoken, start};

#[tokio::test]
async fn an_option_of_ours_that_a_server_refuses_is_left_out_and_remembered() {
    let f = start(&[]).await;
    for model in ["mistral", "fastapi", "azure", "nameless"] {
        assert_eq!(f.stream(model, json!({})).await.0, "hello", "{model}");
        let (text, last) = f.stream(model, json!({"stream_options": {"include_usage": true}})).await;
        assert_eq!((text.as_str(), &last["usage"]["estimated"]), ("hello", &json!(true)), "{model}: {last}");
        let asked = f.asked(model);
        let sent: Vec<bool> = asked.iter().map(|b| b.get("stream_options").is_some()).collect();
        assert_eq!(sent, [true, false, false], "{model}: once refused, then never sent again");
    }
    let page = f.admin.get("/settings/models").await;
    assert!(page.text.contains("mistral") && page.text.contains("without stream_options"), "{}", page.text);
    let providers = f.admin.get("/api/v1/llm/providers").await.expect(200);
    assert_eq!(providers["data"][0]["adapted"][0]["adaptations"], json!(["no_stream_options"]), "{providers}");
    let metrics = f.app.app.telemetry.encode();
    assert!(metrics.contains("holdfast_llm_adaptations_total{adaptation=\"no_stream_options\"} 4"), "{metrics}");
    f.app.stop().await;
    // Configured adaptations are applied without a refusal.
    let f = start(&[("HOLDFAST_LLM__PROVIDERS__UP__ADAPTATIONS", "no_stream_options")]).await;
    assert_eq!(f.stream("mistral", json!({})).await.0, "hello");
    assert_eq!(f.asked("mistral").len(), 1);
    f.app.stop().await;
}

#[tokio::test]
async fn a_limit_has_the_name_that_the_server_knows_and_none_is_invented() {
    let f = start(&[]).await;
    f.ask("o3", json!({})).await.expect(200);
    f.ask("o3", json!({"max_tokens": 100.0})).await.expect(200);
    f.ask("o3", json!({"max_tokens": "100"})).await.expect(200);
    let sent: Vec<(Value, Value)> =
        f.asked("o3").iter().map(|b| (b["max_tokens"].clone(), b["max_completion_tokens"].clone())).collect();
    let (none, hundred) = (Value::Null, json!(100));
    assert_eq!(
        sent,
        [
            (none.clone(), none.clone()),
            (hundred.clone(), none.clone()),
            (none.clone(), hundred.clone()),
            (none, hundred)
        ]
    );
    for nothing in [
        json!({"max_tokens": -1}),
        json!({"max_tokens": null, "top_p": null, "tools": null}),
        json!({"max_completion_tokens": -1.0}),
    ] {
        f.ask("plain", nothing).await.expect(200);
        let sent = f.asked("plain").pop().unwrap();
        assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["model", "messages"], "{sent}");
    }
    f.ask("plain", json!({"max_tokens": 1.5})).await.expect(400);
    f.ask("plain", json!({"seed": 18_446_744_073_709_551_615_u64, "x_own": {"b": 1, "a": 2}})).await.expect(200);
    let sent = f.asked("plain").pop().unwrap();
    assert_eq!((&sent["seed"], &sent["x_own"]), (&json!(18_446_744_073_709_551_615_u64), &json!({"b": 1, "a": 2})));
    // A Windows path.
    let request = f.admin.request(Method::POST, "/v1/chat/completions").header("content-type", "application/json");
    let bom = "\u{feff}{\"model\":\"up/plain\",\"messages\":[{\"role\":\"user\",\"content\":\"half \\ud83d\"}]}";
    f.admin.send(request.body(bom)).await.expect(200);
    assert_eq!(f.asked("plain").pop().unwrap()["messages"][0]["content"], "half \u{fffd}");
    f.app.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_limit_ends_all_the_same() {
    let f = start(&[("HOLDFAST_LLM__MAX_OUTPUT_TOKENS", "200")]).await;
    let (text, last) = f.stream("endless", json!({})).await;
    assert_eq!(last["choices"][0]["finish_reason"], "length", "{last}");
    assert!((800..1200).contains(&text.len()), "{} characters", text.len());
    // A server that ignores what was requested.
    let (text, last) = f.stream("endless", json!({"max_tokens": 10})).await;
    assert_eq!(last["choices"][0]["finish_reason"], "length", "{last}");
    assert!((800..1200).contains(&text.len()), "{} characters", text.len());
    f.app.stop().await;
}

#[tokio::test]
async fn conversations_are_written_as_a_template_takes_them() {
    let f = start(&[]).await;
    let say = |role: &str, content: Value| json!({"role": role, "content": content});
    f.ask("qwen", json!({"messages": [say("developer", json!("Be brief.")), say("user", json!("Hi"))]}))
        .await
        .expect(200);
    assert_eq!(f.asked("qwen").pop().unwrap()["messages"][0]["role"], "system");
    let messages = json!([
        say("system", json!("Be brief.")),
        say("user", json!("One")),
        say("user", json!("Two")),
        say("assistant", json!("A")),
        say("user", json!("Three"))
    ]);
    f.ask("gemma", json!({"messages": messages})).await.expect(200);
    let turns = spoken(&f.asked("gemma").pop().unwrap());
    let expected = [("user", "Be brief.\n\nOne\n\nTwo"), ("assistant", "A"), ("user", "Three")];
    assert_eq!(turns, expected.map(|(role, text)| (role.to_owned(), json!(text))));
    f.ask("gemma", json!({"messages": [say("assistant", json!("Welcome")), say("user", json!("Hi"))]}))
        .await
        .expect(200);
    assert_eq!(f.asked("gemma").pop().unwrap()["messages"].as_array().unwrap().len(), 3);
    let part = |text: &str| json!({"type": "text", "text": text});
    f.ask("text-only", json!({"messages": [say("user", json!([part("One"), part("Two")]))]})).await.expect(200);
    assert_eq!(f.asked("text-only").pop().unwrap()["messages"][0]["content"], "One\nTwo");
    // An image cannot be expressed in words.
    let picture = json!({"type": "image_url", "image_url": {"url": "data:,x"}});
    let refused = f.ask("text-only", json!({"messages": [say("user", json!([part("One"), picture]))]})).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    f.app.stop().await;
}

#[tokio::test]
async fn a_parameter_of_the_clients_own_is_not_dropped() {
    let f = start(&[]).await;
    for stream in [false, true] {
        let refused = f.ask("picky", json!({"top_p": 0.5, "stream": stream})).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        let error = &refused.json()["error"];
        assert_eq!(
            (&error["code"], &error["param"], &error["type"]),
            (&json!("unsupported_parameter"), &json!("top_p"), &json!("invalid_request_error"))
        );
        assert!(error["message"].as_str().unwrap().contains("'top_p' is not supported"), "{error}");
    }
    assert_eq!(f.asked("picky").len(), 2, "nothing was tried");
    f.app.stop().await;
}

#[tokio::test]
async fn what_else_is_asked_of_an_embedding_model_reaches_it() {
    let f = start(&[]).await;
    let more = json!({"input_type": "classification", "user": "u", "truncate": "END", "dimensions": 2, "none": null});
    for (model, input) in [("texts", json!(["a"])), ("ids", json!([[1, 2]]))] {
        let mut body = json!({"model": format!("up/{model}"), "input": input});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        f.admin.post("/v1/embeddings", &body).await.expect(200);
        let asked = f.asked(model).pop().unwrap();
        for name in ["input_type", "user", "truncate", "dimensions"] {
            assert_eq!(asked[name], more[name], "{asked}");
        }
        assert!(asked.get("none").is_none() && asked["encoding_format"] == "float", "{asked}");
    }
    let ours = json!({"model": "embed", "input": "a", "input_type": "classification"});
    assert_eq!(f.admin.post("/v1/embeddings", &ours).await.json()["error"]["param"], "input_type");
    f.app.stop().await;
}

#[tokio::test]
async fn tokens_are_texts_to_whoever_knows_them() {
    let f = start(&[]).await;
    let ask = |model: &str, input: Value| {
        let body = json!({"model": model, "input": input});
        let admin = f.admin.clone();
        async move { admin.post("/v1/embeddings", &body).await }
    };
    // "hello world" in cl100k_base.
    let ids = json!([15339, 1917]);
    let text = ask("embed", json!("hello world")).await.expect(200);
    for input in [ids.clone(), json!([ids.clone()])] {
        let tokens = ask("embed", input).await.expect(200);
        assert_eq!(tokens["data"][0]["embedding"], text["data"][0]["embedding"]);
    }
    assert_eq!(ask("embed", json!([[15339, 1917], [15339]])).await.expect(200)["data"].as_array().unwrap().len(), 2);
    let unknown = ask("embed", json!([[15339], [4_000_000]])).await;
    let error = unknown.json()["error"].clone();
    assert_eq!(
        (unknown.status.as_u16(), &error["code"], &error["param"]),
        (400, &json!("invalid_token"), &json!("input[1]"))
    );
    ask("up/e", json!([[15339, 1917]])).await.expect(200);
    assert_eq!(f.asked("e").pop().unwrap()["input"], json!([[15339, 1917]]), "a provider gets them as they are");
    ask("up/strict", json!(["a"])).await.expect(200);
    ask("up/strict", json!(["a"])).await.expect(200);
    assert_eq!(f.asked("strict").len(), 3, "refused once, then remembered");
    f.app.stop().await;
}

#[tokio::test]
async fn pages_of_named_origins_may_call_v1_and_no_others() {
    let f = start(&[("HOLDFAST_SERVER__CORS_ORIGINS", "https://app.example.com")]).await;
    let client = f.app.anonymous();
    let preflight = |origin: &str, path: &str| {
        let request = client
            .request(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        client.send(request.header("access-control-request-headers", "authorization,content-type,x-stainless-lang"))
    };
    let allowed =
        |headers: &HeaderMap| headers.get("access-control-allow-origin").map(|v| v.to_str().unwrap().to_owned());
    let fine = preflight("https://app.example.com", "/v1/chat/completions").await;
    assert_eq!(
        (fine.status.as_u16(), allowed(&fine.headers).as_deref()),
        (204, Some("https://app.example.com")),
        "{}",
        fine.text
    );
    assert!(fine.headers["access-control-allow-headers"].to_str().unwrap().contains("x-stainless-lang"));
    assert!(fine.headers.get("access-control-allow-credentials").is_none());
    for (origin, path) in [
        ("https://evil.example.com", "/v1/models"),
        ("https://app.example.com.evil.com", "/v1/models"),
        ("null", "/v1/models"),
        ("https://app.example.com", "/api/v1/agents"),
    ] {
        assert_eq!(allowed(&preflight(origin, path).await.headers), None, "{origin} {path}");
    }
    // Errors are readable too: a page must see the reason.
    let refused = client
        .send(
            client
                .request(Method::GET, "/v1/models")
                .header("origin", "https://app.example.com")
                .bearer_auth("hf_wrong"),
        )
        .await;
    assert_eq!((refused.status.as_u16(), allowed(&refused.headers).is_some()), (401, true));
    assert!(refused.headers.get_all("vary").iter().any(|v| v == "origin"));
    f.app.stop().await;
    let f = start(&[]).await;
    let off = f.app.anonymous();
    let answer = off
        .send(
            off.request(Method::OPTIONS, "/v1/models")
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", "GET"),
        )
        .await;
    assert_eq!(allowed(&answer.headers), None, "off by default");
    f.app.stop().await;
}
