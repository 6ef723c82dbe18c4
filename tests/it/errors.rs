//! Refusals in the shape of their surface: a page for browsers, problem+json for the API, OpenAI's object below `/v1`;
//! also those that are made before a route is reached.

use reqwest::{Method, header};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::support::app::{Answer, Client, TestApp};

async fn as_browser(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::GET, path).header(header::ACCEPT, "text/html,*/*;q=0.8")).await
}

#[track_caller]
fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{}", answer.text);
    assert!(answer.text.contains("<html") && answer.text.contains("error-status"), "{}", answer.text);
    assert!(answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("style-src 'self'"));
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{}", answer.text);
    answer.problem(status, code);
    assert_eq!(answer.json()["request_id"], answer.headers["x-request-id"].to_str().unwrap());
}

#[track_caller]
fn is_openai(answer: &Answer, status: u16, kind: &str, code: &str) {
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{}", answer.text);
    let error = &answer.expect(status)["error"];
    assert_eq!((&error["type"], &error["code"]), (&kind.into(), &code.into()), "{}", answer.text);
    assert!(
        error["message"].as_str().is_some_and(|m| !m.is_empty()) && error.get("param").is_some(),
        "{}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_by_address_speaks_every_surfaces_language() {
    let settings = [("HOLDFAST_SERVER__REQUESTS_PER_MINUTE", "1"), ("HOLDFAST_SERVER__REQUEST_BURST", "1")];
    let app = TestApp::start_with(&settings).await;
    let client = app.anonymous();
    client.get("/login").await;
    let page = as_browser(&client, "/login").await;
    is_page(&page, 429);
    assert!(page.headers.contains_key(header::RETRY_AFTER) && page.headers["ratelimit-remaining"] == "0");
    is_problem(&client.get("/login").await, 429, "rate_limited");
    is_problem(&as_browser(&client, "/api/v1/agents").await, 429, "rate_limited");
    let openai = as_browser(&client, "/v1/models").await;
    is_openai(&openai, 429, "rate_limit_error", "rate_limited");
    assert!(openai.headers.contains_key(header::RETRY_AFTER) && openai.headers["ratelimit-limit"] == "1");
    let metrics = app.app.telemetry.encode();
    assert!(metrics.contains(r#"holdfast_http_rate_limited_total{limit="address"} 4"#), "{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_people_have_limits_of_their_own() {
    let settings =
        [("HOLDFAST_SERVER__PRINCIPAL_REQUESTS_PER_MINUTE", "2"), ("HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST", "5")];
    let app = TestApp::start_with(&settings).await;
    // Signing in asks once who we are.
    let admin = app.admin().await;
    let made = admin.post("/api/v1/api-keys", &serde_json::json!({"name": "k", "scopes": ["inference"]})).await;
    assert_eq!(made.headers["ratelimit-limit"], "5");
    assert_eq!(made.headers["ratelimit-remaining"], "3");
    assert_eq!(made.headers["ratelimit-reset"], "60");
    let program = admin.with_key(made.expect(201)["secret"].as_str().unwrap());
    for left in (0..3).rev() {
        let answer = admin.get("/api/v1/agents").await;
        answer.expect(200);
        assert_eq!(answer.headers["ratelimit-remaining"], left.to_string());
    }
    let refused = admin.get("/api/v1/agents").await;
    is_problem(&refused, 429, "rate_limited");
    let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(
        (&refused.headers["ratelimit-remaining"], &refused.headers["ratelimit-reset"]),
        (&"0".parse().unwrap(), &"150".parse().unwrap())
    );
    // Pages are not counted, and the key has its own allowance.
    assert_eq!(as_browser(&admin, "/agents").await.status, 200);
    for _ in 0..5 {
        program.get("/v1/models").await.expect(200);
    }
    is_openai(&program.get("/v1/models").await, 429, "rate_limit_error", "rate_limited");
    let metrics = app.app.telemetry.encode();
    assert!(metrics.contains(r#"holdfast_http_rate_limited_total{limit="principal"} 2"#), "{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_openai_clients_meet_before_a_route_is_in_openais_shape() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    is_openai(&client.get("/v1/models").await, 401, "authentication_error", "unauthorized");
    let unknown = client.with_key("hf_unknown");
    is_openai(&unknown.get("/v1/models").await, 401, "authentication_error", "invalid_api_key");
    is_openai(&unknown.get("/v1/chat/completions").await, 401, "authentication_error", "invalid_api_key");
    let admin = app.admin().await;
    is_openai(&admin.get("/v1/nothing").await, 404, "invalid_request_error", "not_found");
    is_openai(&admin.delete("/v1/models").await, 405, "invalid_request_error", "method_not_allowed");
    let larger = Value::String("x".repeat(28 << 20));
    let refused = admin.post("/v1/chat/completions", &larger).await;
    is_openai(&refused, 413, "invalid_request_error", "payload_too_large");
    assert_eq!(refused.headers[header::CONNECTION], "close", "nobody reads the rest: the next request goes elsewhere");
    is_problem(&admin.get("/api/v1/knowledge-bases?q=%00").await, 400, "invalid_text");
    let large = Value::String("x".repeat(3 << 20));
    let misfit = admin.post("/v1/chat/completions", &large).await;
    assert!(misfit.status == 400 && misfit.text.len() < 2000, "{} repeats {} bytes", misfit.status, misfit.text.len());
    // The same for the API, and pages for browsers.
    is_problem(&admin.get("/api/v1/nothing").await, 404, "not_found");
    is_problem(&admin.delete("/api/v1/agents").await, 405, "method_not_allowed");
    is_problem(&admin.post("/api/v1/agents", &large).await, 413, "payload_too_large");
    is_page(&as_browser(&admin, "/nothing").await, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_end_and_a_database_that_is_away_show_pages_too() {
    let app = TestApp::start_with(&[("HOLDFAST_SERVER__REQUEST_TIMEOUT_SECONDS", "1")]).await;
    let admin = app.admin().await;
    let mut holder = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let lock = "BEGIN; LOCK TABLE agents, llm_usage IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    is_page(&as_browser(&admin, "/agents").await, 503);
    is_problem(&admin.get("/api/v1/agents").await, 503, "timed_out");
    is_openai(&admin.get("/v1/models").await, 503, "server_error", "timed_out");
    holder.close().await.unwrap();

    // Nobody can be found out: the answer comes before any route.
    let unknown = Client::new(&app.base_url).with_key(&format!("hf_abcdefgh_{}", "x".repeat(43)));
    app.app.db.close().await;
    is_page(&as_browser(&unknown, "/agents").await, 503);
    is_problem(&unknown.get("/api/v1/agents").await, 503, "unavailable");
    let openai = unknown.get("/v1/models").await;
    is_openai(&openai, 503, "server_error", "unavailable");
    assert!(openai.headers.contains_key(header::RETRY_AFTER));
    app.kill().await;
}

/// A misspelt filter would give the whole list, which looks like an answer.
#[tokio::test(flavor = "multi_thread")]
async fn query_parameters_that_an_endpoint_does_not_know_are_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for path in [
        "/api/v1/knowledge-bases?limt=1",
        "/api/v1/jobs?sate=dead",
        "/api/v1/agents?limit=1&Search=x",
        "/api/v1/llm/usage?form=2026-01-01T00:00:00Z",
        "/api/v1/sessions?verbose=1",
        "/api/v1/api-keys?page=2&a[]=1",
    ] {
        let answer = admin.get(path).await;
        is_problem(&answer, 400, "unknown_parameter");
    }
    let answer = admin.get("/api/v1/knowledge-bases?limt=1&cursor=").await;
    let problem = answer.json();
    assert!(
        problem["detail"].as_str().unwrap().contains("\"limt\"")
            && problem["detail"].as_str().unwrap().contains("limit"),
        "{problem}"
    );
    assert_eq!(problem["errors"][0]["pointer"], "/limt");
    let made = admin.post("/api/v1/knowledge-bases?dry_run=true", &serde_json::json!({"name": "x"})).await;
    is_problem(&made, 400, "unknown_parameter");
    for fine in [
        "/api/v1/knowledge-bases?limit=1",
        "/api/v1/knowledge-bases?",
        "/api/v1/knowledge-bases?cursor=&q=&limit=2",
        "/api/v1/openapi.json?x=1",
    ] {
        assert_eq!(admin.get(fine).await.status, 200, "{fine}");
    }
    app.stop().await;
}
