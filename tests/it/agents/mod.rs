//! Agents and conversations through the API, with models that answer, stall and fail.

mod asking;
mod editing;
mod endings;
mod programs;
mod quotes;

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Client, TestApp},
    cluster::PATIENCE,
    documents::{add_document, make_base, wait_for_document},
    sse::Events,
};

const HANDBOOK: &str = "# Leave\n\nEvery employee has 28 calendar days of paid leave in a year.\n\n# Parking\n\nThe car park closes at \
    eleven in the evening.\n";

async fn make_agent(client: &Client, model: &str, bases: &[&str]) -> Value {
    let draft = json!({"name": format!("Agent {model}"), "model": model, "knowledge_bases": bases, "instructions": "Be brief."});
    client.post("/api/v1/agents", &draft).await.expect(201)
}

async fn stream(client: &Client, conversation: &str, question: &str) -> Events {
    let body = json!({"content": question, "stream": true});
    Events::of(client.request(Method::POST, &format!("{conversation}/messages")).json(&body).send().await.unwrap())
}

/// The messages of a conversation once no answer is in progress.
async fn messages(client: &Client, conversation: &str) -> Vec<Value> {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = client.get(conversation).await.expect(200)["messages"].as_array().unwrap().clone();
            if found.iter().all(|m| m["status"] != "streaming") {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
    found.await.expect("an end of the answer")
}

/// A base with the indexed handbook.
async fn handbook(app: &TestApp, client: &Client) -> (String, String) {
    let base = make_base(client, "Handbook").await;
    let document = add_document(client, &base, "handbook.md", HANDBOOK.as_bytes()).await;
    assert_eq!(wait_for_document(client, &base, &document).await["status"], "ready");
    app.wait_for_jobs().await;
    (base, document)
}

/// Sends a form of the console.
async fn submit(client: &Client, path: &str, fields: &str) -> Answer {
    let me = client.get("/api/v1/auth/me").await.expect(200);
    let body = format!("csrf={}&{fields}", me["user"]["csrf_token"].as_str().unwrap());
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    client.send(request.body(body)).await
}

fn metric(app: &TestApp, series: &str) -> i64 {
    app.metric(series) as i64
}
