//! What holds for every series of a live `/metrics`.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::support::app::TestApp;

/// Labels whose values come from outside an enum of ours: numbers, and names that the code gives to queues.
const FREE: [&str; 4] = ["le", "quantile", "version", "queue"];

/// The labels of a line of the exposition format, without its exemplar.
fn labels(line: &str) -> Vec<(String, String)> {
    let sample = line.split(" # ").next().unwrap_or_default();
    let Some((_, rest)) = sample.split_once('{') else { return Vec::new() };
    let inner = &rest[..rest.rfind('}').unwrap()];
    // No value has a comma or a quotation mark in it: one that had would fail the check below.
    let pairs = inner.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.trim_matches('"').into())).collect()
}

#[test]
fn the_reader_of_labels_sees_values_and_leaves_exemplars_out() {
    let line = r#"x_bucket{surface="api",le="+Inf"} 3 # {trace_id="ABC"} 0.1"#;
    assert_eq!(labels(line), [("surface".into(), "api".into()), ("le".into(), "+Inf".into())]);
    assert_eq!(labels(r#"x_total{outcome="Ok"} 1"#), [("outcome".into(), "Ok".into())]);
    assert!(labels("x_total 1").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_label_value_is_snake_case() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    // Series that begin with their first event.
    let base = crate::support::documents::make_base(&admin, "Measured").await;
    crate::support::documents::add_document(&admin, &base, "a.md", b"# A\n\nThe heron nests on the weir.\n").await;
    app.wait_for_jobs().await;
    let search = json!({"query": "heron"});
    admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &search).await.expect(200);
    let agent = admin.post("/api/v1/agents", &json!({"name": "M", "knowledge_bases": [base]})).await.expect(201);
    let question = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": [{"role": "user", "content": "heron?"}]});
    admin.post("/v1/chat/completions", &question).await.expect(200);
    admin.send(admin.request(Method::OPTIONS, "/nowhere")).await;

    let text = app.app.telemetry.encode();
    let (mut seen, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for (name, value) in labels(line) {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_./{}:*-".contains(c);
            if !FREE.contains(&name.as_str()) && !value.chars().all(plain) {
                wrong.insert(format!("{name}=\"{value}\" in {}", line.split('{').next().unwrap_or_default()));
            }
            seen.insert(name);
        }
    }
    for expected in ["surface", "outcome", "status", "stage", "operation", "credential", "limit"] {
        assert!(seen.contains(expected), "no series has the label {expected}: {seen:?}");
    }
    assert!(wrong.is_empty(), "not snake_case:\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    app.stop().await;
}
