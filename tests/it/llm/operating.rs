//! What operators see: models, providers, usage.

use std::time::Duration;

use holdfast::{
    llm::{self, ChatRequest, EXTRACTIVE_MODEL, Message},
    platform::lifecycle::Lifecycle,
};
use serde_json::{Value, json};

use super::{KEY, Seen, start, upstream};
use crate::support::app::TestApp;

#[tokio::test]
async fn models_are_listed_even_when_a_provider_is_away() {
    let f = start().await;
    let get = |path: &str| f.client.get(format!("{}{path}", f.url)).bearer_auth("hf_good").send();
    let list: Value = get("/v1/models").await.unwrap().json().await.unwrap();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    for expected in ["fast", "quality", "embed", "up/tools", "up/meta/llama", "wrong/plain2", EXTRACTIVE_MODEL] {
        assert!(ids.contains(&expected), "{expected} is not in {ids:?}");
    }
    let one: Value = get("/v1/models/up/meta/llama").await.unwrap().json().await.unwrap();
    assert_eq!((one["id"].as_str(), one["object"].as_str()), (Some("up/meta/llama"), Some("model")));
    assert_eq!(get("/v1/models/nobody/x").await.unwrap().status(), 404);
}

#[tokio::test]
async fn operators_see_and_test_providers_and_admins_see_usage() {
    let f = start().await;
    let get = |path: &str, session: &str| {
        f.client.get(format!("{}{path}", f.url)).header("cookie", format!("holdfast_session={session}")).send()
    };
    let providers = get("/api/v1/llm/providers", "operator").await.unwrap().text().await.unwrap();
    assert!(providers.contains("\"has_api_key\":true") && !providers.contains("sk-"), "{providers}");
    assert_eq!(get("/api/v1/llm/providers", "admin").await.unwrap().status(), 403);
    let test = |name: &str, body: Value| {
        f.client
            .post(format!("{}/api/v1/llm/providers/{name}/test", f.url))
            .header("cookie", "holdfast_session=operator")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
    };
    // By default the alias's model is tested: a real chat of one token.
    let fine: Value = test("up", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&fine["ok"], &fine["models"][0], &fine["error"]),
        (&json!(true), &json!("tools"), &Value::Null),
        "{fine}"
    );
    assert_eq!((&fine["chat"]["ok"], &fine["chat"]["model"]), (&json!(true), &json!("plain")), "{fine}");
    assert!(fine["chat"]["first_token_ms"].is_number() && fine["chat"]["latency_ms"].is_number(), "{fine}");
    let sent = f.seen.bodies.lock().unwrap()[0].clone();
    assert_eq!((&sent["model"], &sent["max_tokens"]), (&json!("plain"), &json!(1)));
    let named: Value = test("up", json!({"chat_model": "tools"})).await.unwrap().json().await.unwrap();
    assert_eq!(named["chat"]["answered_by"], "m-2024", "{named}");
    let dead: Value = test("dead", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!((&dead["ok"], &dead["error"]["code"]), (&json!(false), &json!("provider_unreachable")), "{dead}");
    assert!(dead["error"]["detail"].as_str().unwrap().contains("cannot be reached"), "{dead}");
    assert!(dead["error"]["advice"].as_str().unwrap().contains("base_url") && dead["chat"].is_null(), "{dead}");
    // The list needs no key; only the chat reveals that the key is wrong.
    let wrong: Value = test("wrong", json!({})).await.unwrap().json().await.unwrap();
    assert_eq!((&wrong["ok"], &wrong["error"]), (&json!(false), &Value::Null), "{wrong}");
    assert_eq!(wrong["chat"]["error"]["code"], "provider_auth", "{wrong}");
    assert!(wrong["chat"]["error"]["advice"].as_str().unwrap().contains("api_key_file"), "{wrong}");
    assert_eq!(test("nobody", json!({})).await.unwrap().status(), 404);
    f.rows(3).await;
    let usage: Value = get("/api/v1/llm/usage?days=7", "admin").await.unwrap().json().await.unwrap();
    let by_model = usage["by_model"].as_array().unwrap();
    assert_eq!(
        (by_model.len(), &by_model[0]["model"], &by_model[0]["prompt_tokens"]),
        (3, &json!("tools"), &json!(11))
    );
    assert_eq!((&usage["by_day"][0]["requests"], &usage["by_day"][0]["failed"]), (&json!(3), &json!(1)), "{usage}");
    assert_eq!(get("/api/v1/llm/usage?days=0", "admin").await.unwrap().status(), 422);
    let checks = llm::checks(&f.llm);
    let names: Vec<_> = checks.iter().map(|c| c.name()).collect();
    assert_eq!(names, ["llm.providers", "llm.embedding_model"]);
}

#[tokio::test]
async fn shutdown_writes_the_last_usage_rows() {
    let f = start().await;
    let stream = f.llm.chat(f.call(), ChatRequest::new("up/plain", vec![Message::user("x")])).await.unwrap();
    f.lifecycle.shutdown();
    // Long enough for whoever writes the rows to end too early.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stream);
    f.rows(1).await;
}

#[tokio::test]
async fn the_models_page_shows_what_there_is_and_tests_a_provider() {
    let (seen, lifecycle) = (Seen::default(), Lifecycle::new());
    let url = format!("http://{}/v1", upstream(&seen, &lifecycle).await);
    let settings = [
        ("HOLDFAST_LLM__PROVIDERS__UP__BASE_URL", url.as_str()),
        ("HOLDFAST_LLM__PROVIDERS__UP__API_KEY", KEY),
        ("HOLDFAST_LLM__ALIASES__FAST", "up/plain"),
        ("HOLDFAST_LLM__PROVIDERS__DEAD__BASE_URL", "http://127.0.0.1:9/v1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    let page = admin.get("/settings/models").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for expected in ["up/plain", "all-MiniLM-L6-v2", &url, "/settings/models/up/test", "No requests yet"] {
        assert!(page.text.contains(expected), "{expected} is not on the page: {}", page.text);
    }
    assert!(!page.text.contains(KEY));
    let question = json!({"model": "fast", "messages": [{"role": "user", "content": "Hi"}]});
    admin.post("/v1/chat/completions", &question).await.expect(200);
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let form = format!("csrf={}", me["user"]["csrf_token"].as_str().unwrap());
    let request = admin.request(reqwest::Method::POST, "/settings/models/up/test");
    let tested = admin.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
    assert_eq!(tested.status, 200, "{}", tested.text);
    for expected in ["Test of up", "works", "lists 3 models", "up/plain", "Time to first token", " ms"] {
        assert!(tested.text.contains(expected), "{expected} is not on the page: {}", tested.text);
    }
    let request = admin.request(reqwest::Method::POST, "/settings/models/dead/test").header("accept-language", "ru");
    let form = format!("csrf={}", me["user"]["csrf_token"].as_str().unwrap());
    let failed = admin.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
    for expected in ["не работает", "cannot be reached", "Проверьте base_url"] {
        assert!(failed.text.contains(expected), "{expected} is not on the page: {}", failed.text);
    }
    let back = admin.get("/settings/models/up/test").await;
    assert_eq!((back.status.as_u16(), back.headers["location"].to_str().unwrap()), (303, "/settings/models"));
    let mut used = false;
    for _ in 0..50 {
        let page =
            admin.send(admin.request(reqwest::Method::GET, "/settings/models").header("accept-language", "ru")).await;
        used = page.text.contains("Использование по моделям") && page.text.contains("<svg class=\"bars\"");
        if used {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(used, "usage is on the Russian page");
    let mut tx = app.app.db.system().await.unwrap();
    let scheduled: String = sqlx::query_scalar("SELECT cron FROM job_schedules WHERE name = 'llm.retention'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scheduled, "41 3 * * *", "every night");
    // Another organisation's owner is no operator: no addresses, no test.
    let other = app.other_org("elsewhere").await;
    let page = other.get("/settings/models").await;
    assert!(page.status == 200 && !page.text.contains(&url) && !page.text.contains("/test\""), "{}", page.text);
    app.stop().await;
}
