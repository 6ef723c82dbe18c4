//! How agents handle weak matches, no matches, deleted knowledge bases, and a regenerated answer that fails.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    agents::start,
    app::{Client, TestApp},
    documents::{add_document, fixture, make_base},
    upstream::Upstream,
};

async fn agent(client: &Client, model: &str, bases: &[&str], beyond_documents: bool) -> Value {
    let draft = json!({"name": "Ann", "model": model, "knowledge_bases": bases, "beyond_documents": beyond_documents});
    client.post("/api/v1/agents", &draft).await.expect(201)
}

async fn ask(client: &Client, conversation: &str, question: &str) -> Value {
    client.post(&format!("{conversation}/messages"), &json!({"content": question})).await.expect(200)
}

/// A base with a measured relevance floor.
async fn pumps(app: &TestApp, client: &Client) -> String {
    let base = make_base(client, "Pumps").await;
    add_document(client, &base, "handbook.pdf", &fixture("chromium.en.pdf")).await;
    app.wait_for_jobs().await;
    base
}

fn counted(app: &TestApp, found: &str) -> bool {
    app.app.telemetry.encode().contains(&format!("holdfast_agents_questions_total{{found=\"{found}\"}} 1"))
}

const RIGHT: &str = "how long may a pump run dry";
const WRONG: &str = "best chocolate cake recipe for a birthday";

#[tokio::test(flavor = "multi_thread")]
async fn weak_matches_are_told_to_the_model_and_to_the_reader() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let base = pumps(&app, &admin).await;
    let asked = |request: &Value| request["messages"][1]["content"].as_str().unwrap().to_owned();
    let page = |conversation: &str| conversation.replace("/api/v1", "");
    let ann = agent(&admin, "mock/cites", &[&base], false).await;

    let good = start(&admin, &ann).await;
    let answer = ask(&admin, &good, RIGHT).await;
    assert_eq!(answer["citations"][0]["weak"], false, "{answer}");
    assert!(!asked(&upstream.last_request()).contains("No passage of the documents matches"));
    assert!(!admin.get(&page(&good)).await.text.contains("data-only-weak"));

    let poor = start(&admin, &ann).await;
    let answer = ask(&admin, &poor, WRONG).await;
    assert_eq!(answer["citations"][0]["weak"], true, "{answer}");
    assert!(asked(&upstream.last_request()).contains("No passage of the documents matches the question well"));
    let shown = admin.get(&page(&poor)).await.text;
    assert!(shown.contains("data-only-weak") && shown.contains("Only weak matches"), "{shown}");

    // In the OpenAI API the annotations report it.
    let body = json!({"model": "agent/ann", "messages": [{"role": "user", "content": WRONG}]});
    let whole = admin.post("/v1/chat/completions", &body).await.expect(200);
    assert_eq!(whole["choices"][0]["message"]["annotations"][0]["weak"], true, "{whole}");

    // Nothing found at all: the agent's setting decides what the model may do.
    let empty = make_base(&admin, "Empty").await;
    for (slug, beyond) in [("only", false), ("beyond", true)] {
        let draft = json!({"name": "Ann", "slug": slug, "model": "mock/cites", "knowledge_bases": [&empty], "beyond_documents": beyond});
        let agent = admin.post("/api/v1/agents", &draft).await.expect(201);
        assert_eq!(agent["beyond_documents"], beyond, "{agent}");
        ask(&admin, &start(&admin, &agent).await, WRONG).await;
        let request = upstream.last_request();
        assert!(asked(&request).contains("the search found no passage for this question"), "{request}");
        let rules = request["messages"][0]["content"].as_str().unwrap();
        assert_eq!(rules.contains("this part does not come from the documents"), beyond, "{rules}");
        assert_eq!(rules.contains("Use only what the sources say"), !beyond, "{rules}");
    }
    let metrics = app.app.telemetry.encode();
    for (found, times) in [("matches", 1), ("weak", 2), ("nothing", 2), ("not_asked", 0)] {
        assert!(
            metrics.contains(&format!("holdfast_agents_questions_total{{found=\"{found}\"}} {times}")),
            "{found}: {metrics}"
        );
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_no_weak_match_is_quoted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Seals").await;
    let text = "# Seals\n\nThe pump seal manufacturer names the torque. It stands on a plate. The plate is of brass. Brass lasts long. \
        A lamp shows the level. The lamp is green. Green means enough. Red means too little. Then call the foreman. He is in the hall.\n";
    add_document(&admin, &base, "seals.md", text.as_bytes()).await;
    app.wait_for_jobs().await;
    // By words alone, so that no vector decides. Three of seven words are few, but enough for a quotation unless it is
    // marked weak.
    let weak = "Which chocolate cake recipe does the pump seal manufacturer recommend?";
    let draft = json!({"name": "Ann", "knowledge_bases": [&base], "retrieval": {"mode": "text"}});
    let ann = admin.post("/api/v1/agents", &draft).await.expect(201);
    let found = json!({"query": weak, "mode": "text"});
    let found = admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &found).await.expect(200);
    assert_eq!((found["results"].as_array().unwrap().len(), &found["matches"]), (1, &json!(0)), "{found}");
    let answer = ask(&admin, &start(&admin, &ann).await, weak).await;
    assert!(answer["content"].as_str().unwrap().starts_with("The documents do not say."), "{answer}");
    assert_eq!(answer["citations"], json!([]));
    assert!(counted(&app, "weak"), "{}", app.app.telemetry.encode());
    let answer = ask(&admin, &start(&admin, &ann).await, "Which torque does the pump seal manufacturer name?").await;
    assert!(answer["content"].as_str().unwrap().contains("names the torque"), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_new_answer_takes_no_good_one_away() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let ann = agent(&admin, "mock/cites", &[], false).await;
    let conversation = start(&admin, &ann).await;
    let good = ask(&admin, &conversation, "one").await;
    let path = format!("/api/v1/agents/{}", ann["id"].as_str().unwrap());
    let set = async |model: &str| {
        let draft = json!({"name": "Ann", "slug": "ann", "model": model});
        admin.put(&path, &draft).await.expect(200);
    };
    let ids = async || -> Vec<Value> {
        let whole = admin.get(&conversation).await.expect(200);
        whole["messages"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect()
    };
    let again = || admin.send(admin.request(Method::POST, &format!("{conversation}/regenerate")).json(&json!({})));
    set("mock/broken").await;
    for _ in 0..2 {
        again().await.problem(502, "provider_error");
        let kept = ids().await;
        assert_eq!((kept.len(), &kept[1]), (3, &good["id"]), "the good answer, and the last failure: {kept:?}");
    }
    // The good answer stays in the history of the next question.
    set("mock/cites").await;
    ask(&admin, &conversation, "two").await;
    let sent = upstream.last_request()["messages"].clone();
    assert_eq!((sent.as_array().unwrap().len(), &sent[2]["content"]), (4, &good["content"]), "{sent}");
    let last = again().await.expect(200);
    let kept = ids().await;
    assert_eq!(kept.last(), Some(&last["id"]), "{kept:?}");
    assert_eq!(kept.len(), 5, "the new answer has replaced the one before: {kept:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_the_model_does_not_see() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__HISTORY_MESSAGES", "2")]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Short-lived").await;
    let ann = agent(&admin, "mock/cites", &[&base], false).await;
    let conversation = start(&admin, &ann).await;
    let page = conversation.replace("/api/v1", "");
    ask(&admin, &conversation, "the first question").await;
    let shown = admin.get(&page).await.text;
    assert!(!shown.contains("data-seen-from") && !shown.contains("data-bases-gone"), "{shown}");
    ask(&admin, &conversation, "the second question").await;
    admin.delete(&format!("/api/v1/knowledge-bases/{base}")).await;
    let shown = admin.get(&page).await.text;
    let line = shown.find("data-seen-from").expect("the line");
    assert!(shown.find("the second question\u{3c}").is_some_and(|at| at > line), "{shown}");
    assert!(shown.contains("data-bases-gone"), "{shown}");
    app.wait_for_jobs().await;
    app.stop().await;
}
