//! Failures of the upstream, of the request, and clients that leave.

use std::{sync::atomic::Ordering, time::Duration};

use holdfast::llm::EXTRACTIVE_MODEL;
use serde_json::{Value, json};

use super::start;

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_has_a_usage_row() {
    let f = start().await;
    let waiting = f.ask("up/slow-head", false);
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting).await.is_err());
    let row = f.rows(1).await.remove(0);
    assert_eq!(
        (&row["outcome"], &row["streamed"], &row["first_token_ms"]),
        (&json!("cancelled"), &json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_upstream() {
    let f = start().await;
    let mut response = f.ask("up/endless", true).await;
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(f.seen.cancelled.load(Ordering::SeqCst), 0);
    drop(response);
    for _ in 0..50 {
        if f.seen.cancelled.load(Ordering::SeqCst) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(f.seen.cancelled.load(Ordering::SeqCst), 1, "the upstream still writes");
    let row = f.rows(1).await.remove(0);
    assert_eq!((&row["outcome"], &row["estimated"]), (&json!("cancelled"), &json!(true)));
}

#[tokio::test]
async fn upstream_errors_become_ours_and_never_show_the_key() {
    let f = start().await;
    for (model, status, code) in [
        ("up/limited", 429, "provider_rate_limited"),
        ("up/forbidden", 403, "provider_forbidden"),
        ("wrong/plain", 502, "provider_auth"),
        ("up/broken", 502, "provider_error"),
        ("up/picky", 400, "provider_rejected"),
        ("up/slow-head", 504, "provider_timeout"),
        ("dead/x", 502, "provider_unreachable"),
        ("no/such-model", 404, "model_not_found"),
        (EXTRACTIVE_MODEL, 400, "passages_required"),
        ("builtin/other", 404, "model_not_found"),
    ] {
        let (found, error, headers) = f.error(model).await;
        assert_eq!((found, error["code"].as_str().unwrap()), (status, code), "{model}: {error}");
        assert!(error["message"].is_string() && error["type"].is_string() && error.get("param").is_some(), "{error}");
        assert!(!error.to_string().contains("sk-") && !error.to_string().contains("Traceback"), "{error}");
        if status == 429 {
            assert_eq!(headers["retry-after"], "7");
        }
    }
    assert!(!f.telemetry.encode().contains("sk-"));
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_an_error_event() {
    let f = start().await;
    for (model, code, outcome) in [
        ("up/cut", "provider_stream_cut", "provider_error"),
        ("up/stall", "provider_timeout", "timeout"),
        ("up/in-stream", "provider_rate_limited", "rate_limited"),
    ] {
        let events = f.stream(model).await;
        let (last, before) = (&events[events.len() - 1], &events[events.len() - 2]);
        let error: Value = serde_json::from_str(before).unwrap();
        assert_eq!((last.as_str(), error["error"]["code"].as_str()), ("[DONE]", Some(code)), "{model}: {events:?}");
        assert!(!before.contains("sk-"), "{before}");
        let count = [("up/cut", 1), ("up/stall", 2), ("up/in-stream", 3)].iter().find(|(m, _)| *m == model).unwrap().1;
        assert_eq!(f.rows(count).await[count - 1]["outcome"], outcome, "{model}");
    }
    assert_eq!(f.rows(3).await[2]["prompt_tokens"], 5, "what was used before the error is counted");
}

#[tokio::test]
async fn bytes_that_bring_nothing_do_not_keep_an_answer_waiting() {
    let f = start().await;
    for (model, stream) in [("up/comments", true), ("up/drip", false)] {
        let begin = std::time::Instant::now();
        let text = f.ask(model, stream).await.text().await.unwrap();
        assert!(text.contains("provider_timeout"), "{model}: {text}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{model}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn requests_that_are_wrong_name_the_parameter() {
    let f = start().await;
    for (body, param) in [
        (json!({"model": "up/plain", "messages": "x"}), "messages"),
        (json!({"model": "up/plain", "messages": []}), "messages"),
        (json!({"model": "up/plain", "messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"model": "up/plain", "messages": [{"role": "user", "content": "long ".repeat(300_000)}]}), "messages"),
        (json!({"model": 5, "messages": []}), "model"),
        // These are stored in rows and log lines: a NUL would lose all rows of the batch.
        (json!({"model": "up/\u{0}", "messages": [{"role": "user", "content": "x"}]}), "model"),
        (json!({"model": format!("up/{}", "x".repeat(300)), "messages": [{"role": "user", "content": "x"}]}), "model"),
    ] {
        let response = f.post("/v1/chat/completions", body).await;
        let (status, error) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
        assert_eq!((status, error["error"]["param"].as_str()), (400, Some(param)), "{error}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
    let deep = format!("{{\"model\":\"m\",\"messages\":{}", "[".repeat(10_000));
    let response = f
        .client
        .post(format!("{}/v1/chat/completions", f.url))
        .bearer_auth("hf_good")
        .header("content-type", "application/json")
        .body(deep)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn authentication_fails_in_openais_shape() {
    let f = start().await;
    for (key, status, code) in
        [(None, 401, "unauthorized"), (Some("hf_wrong"), 401, "invalid_api_key"), (Some("hf_reader"), 403, "forbidden")]
    {
        let mut request = f.client.get(format!("{}/v1/models", f.url));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        let error = response.json::<Value>().await.unwrap()["error"].clone();
        assert_eq!((error["code"].as_str(), error["message"].is_string()), (Some(code), true), "{error}");
    }
}
