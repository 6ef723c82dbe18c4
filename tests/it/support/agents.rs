//! Conversations with agents.

use serde_json::{Value, json};

use super::app::Client;

/// `/api/v1/agents/{id}/conversations/{id}` of a new conversation.
pub async fn start(client: &Client, agent: &Value) -> String {
    let path = format!("/api/v1/agents/{}/conversations", agent["id"].as_str().unwrap());
    let made = client.post(&path, &json!({})).await.expect(201);
    format!("{path}/{}", made["id"].as_str().unwrap())
}
