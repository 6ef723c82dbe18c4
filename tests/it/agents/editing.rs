//! Agents made, listed, changed and rolled back.

use reqwest::{Method, header};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::submit;
use crate::support::{agents::start, app::TestApp, documents::make_base, upstream::Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn agents_are_made_listed_changed_and_rolled_back() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let answer = admin.post("/api/v1/agents", &json!({"name": "Отдел кадров", "instructions": "one"})).await;
    let tag = answer.headers[header::ETAG].clone();
    let agent = answer.expect(201);
    assert_eq!((&agent["slug"], &agent["version"]), (&json!("otdel-kadrov"), &json!(1)));
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.headers[header::ETAG], tag, "reading gives the tag that making gave");
    admin.post("/api/v1/agents", &json!({"name": "x", "slug": "otdel-kadrov"})).await.problem(409, "slug_taken");

    let change = json!({"name": "HR", "slug": "hr", "instructions": "two", "note": "shorter"});
    let put = |tag: header::HeaderValue| {
        admin.send(admin.request(Method::PUT, &path).header(header::IF_MATCH, tag).json(&change))
    };
    let changed = put(tag.clone()).await.expect(200);
    assert_eq!((&changed["version"], &changed["slug"]), (&json!(2), &json!("hr")));
    put(tag).await.problem(412, "agent_changed");
    let renamed = admin.put(&path, &json!({"name": "HR team", "slug": "hr", "instructions": "two"})).await.expect(200);
    assert_eq!((&renamed["version"], &renamed["name"]), (&json!(2), &json!("HR team")), "a name is no version");

    let back = admin.post(&format!("{path}/rollback"), &json!({"version": 1})).await.expect(200);
    assert_eq!((&back["version"], &back["instructions"], &back["name"]), (&json!(1), &json!("one"), &json!("HR team")));
    admin.post(&format!("{path}/rollback"), &json!({"version": 9})).await.problem(404, "agent_version_not_found");
    let third = admin.put(&path, &json!({"name": "HR", "slug": "hr", "instructions": "three"})).await.expect(200);
    assert_eq!(third["version"], 3, "numbers are not given twice");
    let versions = admin.get(&format!("{path}/versions")).await.expect(200);
    let list: Vec<(i64, &str)> = versions["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (v["version"].as_i64().unwrap(), v["note"].as_str().unwrap()))
        .collect();
    assert_eq!(list, [(3, ""), (2, "shorter"), (1, "")]);
    let page = admin.get(&format!("{path}/versions?limit=2")).await.expect(200);
    let rest = format!("{path}/versions?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = admin.get(&rest).await.expect(200);
    assert_eq!((page["data"].as_array().unwrap().len(), &rest["data"][0]["version"]), (2, &json!(1)));
    assert!(rest["next_cursor"].is_null(), "{rest}");
    let found = admin.get(&format!("{path}/versions?q=SHORT")).await.expect(200);
    assert_eq!((found["data"].as_array().unwrap().len(), &found["data"][0]["version"]), (1, &json!(2)), "{found}");
    let console = format!("/agents/{}/versions", agent["id"].as_str().unwrap());
    assert!(admin.get(&console).await.text.contains("shorter"));
    assert!(admin.get(&format!("{console}?q=nowhere")).await.text.contains("Nothing found"));

    for n in 0..5 {
        admin.post("/api/v1/agents", &json!({"name": format!("Numbered {n}")})).await.expect(201);
    }
    let first = admin.get("/api/v1/agents?q=numbered&limit=3").await.expect(200);
    let next = admin
        .get(&format!("/api/v1/agents?q=numbered&limit=3&cursor={}", first["next_cursor"].as_str().unwrap()))
        .await
        .expect(200);
    let names: Vec<&str> = [&first, &next]
        .iter()
        .flat_map(|p| p["data"].as_array().unwrap())
        .map(|a| a["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Numbered 4", "Numbered 3", "Numbered 2", "Numbered 1", "Numbered 0"]);
    assert!(next["next_cursor"].is_null());

    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "agent_not_found");
    admin.delete(&path).await.problem(404, "agent_not_found");
    app.stop().await;
}

/// A form sends what is checked on it: a base that it does not show would be taken from the agent.
#[tokio::test(flavor = "multi_thread")]
async fn the_form_shows_the_agents_bases_however_many_are_newer() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "The oldest").await;
    let agent = json!({"name": "Librarian", "knowledge_bases": [base]});
    let agent = admin.post("/api/v1/agents", &agent).await.expect(201)["id"].as_str().unwrap().to_owned();
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let newer = "INSERT INTO knowledge_bases (id, org_id, name, created_by, created_at, updated_at)
        SELECT overlay(gen_random_uuid()::text placing 'ffffffff' from 1)::uuid, org_id, 'Newer ' || n, 'x', now(), now()
        FROM knowledge_bases, generate_series(1, 200) AS n";
    sqlx::raw_sql(newer).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let form = admin.get(&format!("/agents/{agent}/edit")).await.text;
    assert!(form.contains(&format!("value=\"{base}\" checked")), "{form}");
    // One that was deleted has no checkbox.
    admin.delete(&format!("/api/v1/knowledge-bases/{base}")).await.expect(204);
    let form = admin.get(&format!("/agents/{agent}/edit")).await;
    assert!(form.status == 200 && !form.text.contains(&base), "{}", form.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_names_must_exist() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let stranger = app.other_org("strangers").await;
    let theirs = make_base(&stranger, "Theirs").await;
    let draft = json!({"name": "x", "model": "nobody/knows", "knowledge_bases": [theirs], "temperature": 9, "retrieval": {"limit": 0}});
    let refused = admin.post("/api/v1/agents", &draft).await.expect(422);
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/retrieval/limit", "/temperature"]);
    let draft = json!({"name": "x", "model": "nobody/knows", "knowledge_bases": [theirs]});
    let refused = admin.post("/api/v1/agents", &draft).await.expect(422);
    let codes: Vec<&str> = refused["errors"].as_array().unwrap().iter().map(|e| e["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["knowledge_base_not_found", "model_not_found"]);
    admin.post("/api/v1/agents", &json!({"name": "a", "slug": "a"})).await.expect(201);
    let itself = admin.post("/api/v1/agents", &json!({"name": "b", "model": "agent/a"})).await.expect(422);
    assert_eq!(itself["errors"][0]["pointer"], "/model");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_model_must_be_one_that_answers() {
    let upstream = Upstream::start().await;
    let settings = [
        upstream.setting(),
        ("HOLDFAST_LLM__ALIASES__FAST", "mock/cites"),
        ("HOLDFAST_LLM__PROVIDERS__AWAY__BASE_URL", "http://127.0.0.1:9/v1"),
    ];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    let path = {
        let made = admin.post("/api/v1/agents", &json!({"name": "a", "model": "quality"})).await.expect(201);
        format!("/api/v1/agents/{}", made["id"].as_str().unwrap())
    };
    for (model, code) in [
        ("embed", "embedding_model"),
        ("local", "embedding_model"),
        ("mock/text-embedding-3-small", "embedding_model"),
        ("mock/nothing", "model_not_found"),
        ("cites", "model_not_found"),
        ("builtin/other", "model_not_found"),
        ("agent/a", "agent_calls_agent"),
    ] {
        let draft = json!({"name": "a", "slug": "other", "model": model});
        for answer in [admin.post("/api/v1/agents", &draft).await, admin.put(&path, &draft).await] {
            let errors = answer.expect(422)["errors"].clone();
            assert_eq!(
                (&errors[0]["pointer"], &errors[0]["code"]),
                (&json!("/model"), &json!(code)),
                "{model}: {errors}"
            );
            let detail = errors[0]["detail"].as_str().unwrap();
            assert!(code == "agent_calls_agent" || detail.contains("there are: fast, quality, "), "{detail}");
            assert!(code != "model_not_found" || detail.contains("mock/slow"), "{detail}");
        }
    }
    // A provider that cannot be reached is assumed to have the model.
    for model in ["mock/cites", "mock/cites:nitro", "fast", "builtin/extractive", "away/anything"] {
        admin.put(&path, &json!({"name": "a", "slug": "a", "model": model})).await.expect(200);
    }
    // The page says the same beside its field, and does not offer models it would refuse.
    let page = admin.get("/agents/new").await;
    assert!(
        page.text.contains("<option value=\"mock/cites\"") && !page.text.contains("value=\"embed\""),
        "{}",
        page.text
    );
    let refused = submit(&admin, "/agents", "name=x&model=embed").await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("embed is an embedding model"), "{}", refused.text);
    app.stop().await;
}

/// The page shows characters that reverse the writing direction as `[U+202E]`; the API returns the text unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn marks_that_turn_the_writing_direction_are_seen() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let draft = json!({"name": "An\u{202e}n", "model": "mock/turns", "description": "pay\u{202e}fdp.exe", "note": "a\u{2066}b"});
    let agent = admin.post("/api/v1/agents", &draft).await.expect(201);
    assert_eq!((&agent["name"], &agent["description"]), (&json!("Ann"), &json!("payfdp.exe")));
    let conversation = start(&admin, &agent).await;
    let answer =
        admin.post(&format!("{conversation}/messages"), &json!({"content": "pay\u{202d}me?\nNow."})).await.expect(200);
    assert_eq!(answer["content"], "Open `in\u{202e}fdp.exe` [a\u{2066}b](https://example.org \"t\u{202e}\")");
    let whole = admin.get(&conversation).await.expect(200);
    assert_eq!(whole["title"], "payme?");
    let page = admin.get(conversation.trim_start_matches("/api/v1")).await.text;
    assert!(!page.contains(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')), "{page}");
    for seen in ["<code>in[U+202E]fdp.exe</code>", "a[U+2066]b", "pay[U+202D]me?"] {
        assert!(page.contains(seen), "{seen}: {page}");
    }
    app.stop().await;
}
