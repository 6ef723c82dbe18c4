//! What a server answers: errors, other formats, and no answer at all.

use serde_json::{Value, json};

use super::start;

#[tokio::test]
async fn errors_keep_their_code_parameter_and_words() {
    let f = start(&[]).await;
    for (model, status, code, words, retry) in [
        ("context", 400, "context_length_exceeded", "8192 tokens", None),
        ("vllm-context", 400, "context_length_exceeded", "2048 tokens", None),
        ("quota", 429, "insufficient_quota", "waiting does not help", Some("false")),
        ("region", 403, "unsupported_country_region_territory", "territory not supported", None),
        ("moderated", 403, "provider_moderation", "flagged; violence", None),
        ("credit", 402, "provider_billing", "fewer max_tokens", Some("false")),
        ("overloaded", 503, "provider_overloaded", "overloaded", None),
        ("openrouter", 400, "invalid_image", "image is too small", None),
        ("soon", 429, "rate_limit_exceeded", "slow down", None),
        ("inside", 400, "provider_rejected", "cannot reach", None),
        ("page", 502, "provider_bad_response", "Not Found", Some("false")),
    ] {
        let refused = f.ask(model, json!({})).await;
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{model}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{model}: {message}");
        assert!(
            !message.contains("sk-") && !message.contains("10.1.2.3") && !message.contains("internal"),
            "{message}"
        );
        assert_eq!(refused.headers.get("x-should-retry").map(|v| v.to_str().unwrap()), retry, "{model}");
        if model == "soon" {
            assert_eq!(
                (&refused.headers["retry-after-ms"], &refused.headers["retry-after"]),
                (&"1500".parse().unwrap(), &"2".parse().unwrap())
            );
        }
        if model.ends_with("context") {
            assert_eq!(error["param"], "messages");
        }
    }
    let unknown = f
        .admin
        .post("/v1/chat/completions", &json!({"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]}))
        .await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text.contains("up/plain") && unknown.text.contains("builtin/extractive"), "{}", unknown.text);
    f.app.stop().await;
}

#[tokio::test]
async fn what_comes_in_another_shape_than_asked_for_is_turned_into_it() {
    let f = start(&[]).await;
    for model in ["json-for-stream", "no-stream"] {
        let (text, last) = f.stream(model, json!({"stream_options": {"include_usage": true}})).await;
        assert_eq!((text.as_str(), &last["usage"]["total_tokens"]), ("hello", &json!(3)), "{model}: {last}");
    }
    let streamed = f.ask("json-for-stream", json!({"stream": true})).await.text;
    assert!(streamed.contains("\"index\":0") && streamed.contains("\"arguments\":\"{}\""), "{streamed}");
    for model in ["stream-for-json", "stream-as-text"] {
        let whole = f.ask(model, json!({})).await.expect(200);
        assert_eq!(
            (&whole["object"], &whole["choices"][0]["message"]["content"]),
            (&json!("chat.completion"), &json!("hello")),
            "{model}"
        );
        assert_eq!(f.stream(model, json!({})).await.0, "hello", "{model}");
    }
    assert_eq!(f.stream("halves", json!({})).await.0, "a😀b\u{fffd}");
    f.app.stop().await;
}

#[tokio::test]
async fn what_is_no_answer_is_told_by_what_it_is() {
    let f = start(&[]).await;
    let whole = f.ask("json-called-events", json!({})).await.expect(200);
    assert_eq!(whole["choices"][0]["message"]["content"], "hello");
    assert_eq!(f.stream("json-called-events", json!({})).await.0, "hello");
    assert_eq!(f.stream("lines", json!({})).await.0, "hello", "no empty lines between the events");
    for (model, status, code, words) in [
        ("error-called-events", 429, "insufficient_quota", "none left"),
        ("sign-in", 502, "provider_bad_response", "a page instead of JSON: Sign in to the proxy"),
        ("packed", 502, "provider_bad_response", "compressed (gzip) and cannot be unpacked"),
        ("moved", 502, "provider_bad_response", "redirects to another address (307)"),
        ("no-choice", 502, "provider_bad_response", "has no choices"),
    ] {
        for stream in [false, true] {
            let answer = f.ask(model, json!({"stream": stream})).await;
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status.as_u16(), &error["code"]), (status, &json!(code)), "{model}: {error}");
            assert!(error["message"].as_str().unwrap().contains(words), "{model}: {error}");
            assert!(!error.to_string().contains("10.0.0.9"), "{error}");
        }
    }
    // Before the first text the error has a status.
    for (model, code, words) in [
        ("nothing", "provider_bad_response", "has no choices"),
        ("words", "provider_stream_cut", "before its answer began"),
    ] {
        for stream in [false, true] {
            let answer = f.ask(model, json!({"stream": stream})).await;
            let error = answer.json()["error"].clone();
            assert_eq!((answer.status.as_u16(), &error["code"]), (502, &json!(code)), "{model}: {error}");
            assert!(error["message"].as_str().unwrap().contains(words), "{model}: {error}");
        }
    }
    for (model, code, words) in [
        ("said-bare", "provider_error", "out of memory"),
        ("said-in-list", "provider_error", "out of memory"),
        ("said-in-words", "provider_error", "out of memory"),
        ("said-unframed", "provider_error", "out of memory"),
    ] {
        let streamed = f.ask(model, json!({"stream": true})).await;
        let events: Vec<&str> = streamed.text.lines().filter_map(|l| l.strip_prefix("data: ")).collect();
        let error: Value = serde_json::from_str(events[events.len() - 2]).unwrap();
        assert_eq!(
            (&error["error"]["code"], events.last()),
            (&json!(code), Some(&"[DONE]")),
            "{model}: {}",
            streamed.text
        );
        assert!(error["error"]["message"].as_str().unwrap().contains(words), "{model}: {error}");
        let whole = f.ask(model, json!({})).await;
        assert_eq!((whole.status.as_u16(), &whole.json()["error"]["code"]), (502, &json!(code)), "{model}");
    }
    f.app.stop().await;
}

#[tokio::test]
async fn what_stands_beside_the_text_of_a_stream_is_in_the_whole_answer_too() {
    let f = start(&[]).await;
    let whole = f.ask("beside", json!({})).await.expect(200);
    let choice = &whole["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["stop_reason"]), (&json!("ab"), &json!("x")), "{whole}");
    assert_eq!(choice["logprobs"]["content"], json!([{"token": "a"}, {"token": "b"}]), "{whole}");
    f.app.stop().await;
}

#[tokio::test]
async fn a_server_that_loads_its_model_is_waited_for() {
    let f = start(&[]).await;
    assert_eq!(f.stream("loading", json!({})).await.0, "hello");
    assert_eq!(f.asked("loading").len(), 3);
    f.app.stop().await;
    let f = start(&[("HOLDFAST_LLM__PROVIDERS__UP__TIMEOUT_SECONDS", "1")]).await;
    let refused = f.ask("loading", json!({})).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (503, &json!("provider_loading")));
    f.app.stop().await;
}
