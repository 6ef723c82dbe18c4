//! Backups: made, proven, corrupted in every way we can think of, and brought back.

mod corruptions;
mod disaster;
mod faults;
mod forged;
mod keys;
mod migrating;
mod participants;
mod places;
mod proven;
mod restores;
mod rights;
mod runs;
mod unindexed;

use holdfast::backup::{Backup, Kind, ProgressReporter};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{
    app::{Client, TestApp},
    documents::{add_document, make_base},
    vault::Vault,
};

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn start(vault: &Vault) -> TestApp {
    TestApp::start_with(&borrowed(&vault.settings())).await
}

/// Nobody hears the steps.
fn silent() -> ProgressReporter {
    ProgressReporter::silent(CancellationToken::new())
}

async fn run(app: &TestApp) -> Backup {
    app.app.backups.run(Kind::Manual, &silent()).await.unwrap()
}

/// Two organisations with a base each, an agent and a conversation. Returns the first's base.
async fn fill(app: &TestApp) -> String {
    let admin = app.admin().await;
    let other = app.other_org("others").await;
    let base = make_base(&admin, "Harbour").await;
    let theirs = make_base(&other, "Cellar").await;
    add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn in the harbour.\n").await;
    add_document(&admin, &base, "boats.txt", "Лодка стоит у причала.\n".repeat(30).as_bytes()).await;
    add_document(&other, &theirs, "jam.md", b"# Jam\n\nThe marmalade is stored in the cellar.\n").await;
    app.wait_for_jobs().await;
    ask(&admin, &base).await;
    app.wait_for_jobs().await;
    base
}

/// An agent on the base, and a question to it.
async fn ask(client: &Client, base: &str) {
    let agent = client.post("/api/v1/agents", &json!({"name": "Pilot", "knowledge_bases": [base]})).await.expect(201);
    let path = format!("/api/v1/agents/{}/conversations", agent["id"].as_str().unwrap());
    let made = client.post(&path, &json!({})).await.expect(201);
    let messages = format!("{path}/{}/messages", made["id"].as_str().unwrap());
    client.post(&messages, &json!({"content": "What sings at dawn?"})).await.expect(200);
}
