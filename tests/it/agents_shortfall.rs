//! Parts of a search that do not reach the model: reported in the answer, on the page and in the metrics.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    agents::start,
    app::{Client, TestApp},
    documents::{add_document, make_base},
    sse::Events,
    upstream::Upstream,
};

const QUESTION: &str = "When is the valve of the boiler inspected?";

/// Sections of some 150 tokens each, all about the question.
fn manual() -> String {
    let section = |n: usize| {
        let detail =
            format!("Valve {n} of the boiler is inspected in month {n}, by two people, with the boiler cold. ");
        format!("# Valve {n}\n\n{}\n\n", detail.repeat(6))
    };
    (1..=6).map(section).collect()
}

async fn agent(client: &Client, base: &str, retrieval: Value) -> Value {
    let draft = json!({"name": "Ann", "model": "mock/cites", "knowledge_bases": [base], "retrieval": retrieval});
    client.post("/api/v1/agents", &draft).await.expect(201)
}

fn left_out(app: &TestApp, what: &str) -> u64 {
    let series = format!("holdfast_agents_left_out_total{{what=\"{what}\"}} ");
    let metrics = app.app.telemetry.encode();
    metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_else(|| panic!("{metrics}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_that_do_not_fit_are_told_and_counted() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Boilers").await;
    let manual_id = add_document(&admin, &base, "manual.md", manual().as_bytes()).await;
    app.wait_for_jobs().await;
    let body = json!({"query": QUESTION, "limit": 6});
    let found = admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200);
    let found = found["results"].as_array().unwrap().len() as u64;
    let ann = agent(&admin, &base, json!({"limit": 6, "max_tokens": 200})).await;
    let conversation = start(&admin, &ann).await;
    let answer = admin.post(&format!("{conversation}/messages"), &json!({"content": QUESTION})).await.expect(200);
    let shown = upstream.last_request()["messages"][1]["content"].as_str().unwrap().matches("<source number=").count();
    let missing = found - shown as u64;
    assert!(shown >= 1 && missing >= 1, "{shown} of {found}: {}", upstream.last_request());
    assert_eq!(answer["shortfall"]["passages_left_out"], missing, "{answer}");
    assert_eq!(left_out(&app, "passages"), missing);

    // Stored with the message, beside its citations.
    let kept = admin.get(&conversation).await.expect(200)["messages"][1].clone();
    assert_eq!((&kept["shortfall"], &kept["citations"]), (&answer["shortfall"], &answer["citations"]));
    assert_eq!(kept["citations"].as_array().unwrap().len(), 1, "{kept}");
    let path = conversation.replace("/api/v1", "");
    let page = admin.get(&path).await.text;
    assert!(page.contains("data-shortfall") && page.contains(&format!("{missing} more sources were found")), "{page}");
    let russian = admin.send(admin.request(Method::GET, &path).header("accept-language", "ru")).await.text;
    assert!(russian.contains("не уместил"), "{russian}");

    // A stream reports it before the first text, the OpenAI API beside its annotations.
    let asked = admin.request(Method::POST, &format!("{conversation}/messages"));
    let asked = asked.json(&json!({"content": QUESTION, "stream": true})).send().await.unwrap();
    let events = Events::of(asked).all().await;
    assert_eq!((events[1].0.as_str(), &events[1].1["shortfall"]), ("sources", &answer["shortfall"]), "{events:?}");
    for stream in [false, true] {
        let body = json!({"model": "agent/ann", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]});
        let text = admin.post("/v1/chat/completions", &body).await.text;
        assert!(text.contains(&format!("\"passages_left_out\":{missing}")), "{text}");
    }

    // It survives the document's deletion; an answer without a shortfall reports none.
    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{manual_id}")).await.expect(204);
    let kept = admin.get(&conversation).await.expect(200)["messages"][1].clone();
    assert_eq!((&kept["shortfall"], &kept["citations"][0]["deleted"]), (&answer["shortfall"], &json!(true)), "{kept}");
    let whole = start(&admin, &ann).await;
    let answer = admin.post(&format!("{whole}/messages"), &json!({"content": QUESTION})).await.expect(200);
    let nothing = json!({"passages_left_out": 0, "question_cut_to": null, "words_only": false});
    assert_eq!(answer["shortfall"], nothing, "{answer}");
    assert!(!admin.get(&whole.replace("/api/v1", "")).await.text.contains("data-shortfall"));
    app.wait_for_jobs().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_too_long_to_search_for_is_told_and_counted() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Boilers").await;
    add_document(&admin, &base, "manual.md", manual().as_bytes()).await;
    app.wait_for_jobs().await;
    let ann = agent(&admin, &base, json!({})).await;
    let conversation = start(&admin, &ann).await;
    let letter = |length: usize| format!("{:x<length$}", "When is the valve inspected? ");
    for (length, cut_to) in [(4000, json!(null)), (4001, json!(4000))] {
        let question = json!({"content": letter(length)});
        let answer = admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
        assert_eq!(answer["shortfall"]["question_cut_to"], cut_to, "{answer}");
        let sent = upstream.last_request()["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        assert!(sent.as_str().unwrap().ends_with(&letter(length)), "the model saw all of it");
    }
    assert_eq!(left_out(&app, "question_ends"), 1);
    let page = admin.get(&conversation.replace("/api/v1", "")).await.text;
    assert_eq!(page.matches("data-shortfall").count(), 1, "{page}");
    assert!(page.contains("searched only for the first") && page.contains("characters of the question."), "{page}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_passage_is_shown_whatever_its_length() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Boilers").await;
    let long = "The boiler's valve, which is inspected in March, has a thread of fourteen millimetres. ".repeat(11);
    add_document(&admin, &base, "long.md", format!("# Valve\n\n{long}\n").as_bytes()).await;
    app.wait_for_jobs().await;
    let ann = agent(&admin, &base, json!({"limit": 1, "max_tokens": 200})).await;
    let answer =
        admin.post(&format!("{}/messages", start(&admin, &ann).await), &json!({"content": QUESTION})).await.expect(200);
    let sent = upstream.last_request()["messages"][1]["content"].as_str().unwrap().to_owned();
    assert!(sent.contains("fourteen millimetres") && !sent.contains("the search found no passage"), "{sent}");
    assert_eq!(answer["shortfall"]["passages_left_out"], 0, "{answer}");
    app.stop().await;
}
