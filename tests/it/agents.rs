//! Agents and conversations through the API, with models that answer, stall and fail.

use std::time::Duration;

use chrono::TimeDelta;
use holdfast::platform::ids::OrgId;
use reqwest::{Method, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use crate::support::{
    agents::start,
    app::{Answer, Client, TestApp},
    cluster::PATIENCE,
    documents::{add_document, make_base, wait_for_document},
    sse::Events,
    upstream::Upstream,
    wait::until,
};

const HANDBOOK: &str = "# Leave\n\nEvery employee has 28 calendar days of paid leave in a year.\n\n# Parking\n\nThe car park closes at \
    eleven in the evening.\n";
const HANDBOOK_RU: &str = "# Отпуск\n\nКаждому сотруднику положено 28 календарных дней оплачиваемого отпуска в год.\n";

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

/// Sends a form of the console.
async fn submit(client: &Client, path: &str, fields: &str) -> Answer {
    let me = client.get("/api/v1/auth/me").await.expect(200);
    let body = format!("csrf={}&{fields}", me["user"]["csrf_token"].as_str().unwrap());
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    client.send(request.body(body)).await
}

/// The value of a series in the metrics; 0 when it is absent.
fn metric(app: &TestApp, series: &str) -> u64 {
    let text = app.app.telemetry.encode();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    value.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_limited_and_counted_whichever_way_they_are_asked_for() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_CONCURRENT_ANSWERS", "1")]).await;
    let admin = app.admin().await;
    let slow = make_agent(&admin, "mock/slow", &[]).await;
    let as_model = |agent: &Value, stream: bool| {
        let model = format!("agent/{}", agent["slug"].as_str().unwrap());
        let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "All"}]});
        admin.request(Method::POST, "/v1/chat/completions").json(&body)
    };
    let mut events = Events::of(as_model(&slow, true).send().await.unwrap());
    for _ in 0..3 {
        events.next().await.expect("a stream");
    }
    assert_eq!(metric(&app, "holdfast_agents_answers_in_progress"), 1);
    for stream in [true, false] {
        let refused = admin.send(as_model(&slow, stream)).await;
        let error = refused.expect(429)["error"].clone();
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("rate_limit_error"), &json!("too_many_answers")),
            "{error}"
        );
        assert_eq!(refused.headers[header::RETRY_AFTER], "5");
    }
    let conversation = start(&admin, &slow).await;
    let refused = admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await;
    refused.problem(429, "too_many_answers");
    assert_eq!(refused.headers[header::RETRY_AFTER], "5");
    assert_eq!(messages(&admin, &conversation).await.len(), 0, "a refused question is not kept");
    assert_eq!(metric(&app, "holdfast_agents_answers_refused_total"), 3);

    drop(events);
    until("the place stays taken", async || metric(&app, "holdfast_agents_answers_in_progress") == 0).await;
    let quick = make_agent(&admin, "mock/cites", &[]).await;
    admin.send(as_model(&quick, false)).await.expect(200);
    let conversation = start(&admin, &quick).await;
    admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await.expect(200);
    let broken = make_agent(&admin, "mock/broken", &[]).await;
    admin.send(as_model(&broken, false)).await.expect(502);
    for (surface, outcome, count) in [
        ("model", "stopped", 1),
        ("model", "complete", 1),
        ("model", "failed", 1),
        ("conversation", "complete", 1),
        ("conversation", "failed", 0),
    ] {
        let series = format!("holdfast_agents_answers_total{{surface=\"{surface}\",outcome=\"{outcome}\"}}");
        assert_eq!(metric(&app, &series), count, "{series}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_refuses_what_it_would_have_to_ignore() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_QUESTION_CHARS", "100")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let ask = async |more: Value| {
        let mut body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": [{"role": "user", "content": "Well?"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/v1/chat/completions", &body).await
    };
    let picture = json!([{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]);
    for (more, param, code) in [
        (json!({"n": 2}), "n", "unsupported_parameter"),
        (json!({"tools": [{"type": "function"}]}), "tools", "unsupported_parameter"),
        (json!({"response_format": {"type": "json_object"}}), "response_format", "unsupported_parameter"),
        (json!({"messages": [{"role": "user", "content": picture}]}), "messages[0].content", "content_not_supported"),
        (json!({"messages": [{"role": "user", "content": "long ".repeat(30)}]}), "messages", "invalid_length"),
        (json!({"messages": [{"role": "user", "content": " "}]}), "messages", "invalid_length"),
    ] {
        let error = ask(more).await.expect(400)["error"].clone();
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    }
    let fine = json!({"n": 1, "tools": [], "response_format": {"type": "text"}, "top_p": 0.5, "stop": ["END"], "max_completion_tokens": 77, "metadata": {"a": "b"}});
    ask(fine).await.expect(200);
    let sent = upstream.last_request();
    assert_eq!(
        (&sent["top_p"], &sent["stop"], &sent["max_tokens"]),
        (&json!(0.5), &json!(["END"]), &json!(77)),
        "{sent}"
    );
    assert!(sent.get("metadata").is_none() && sent.get("tools").is_none(), "{sent}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_takes_no_idempotency_key_and_says_so() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let conversation = start(&admin, &agent).await;
    for (action, body) in [
        ("messages", json!({"content": "And?"})),
        ("messages", json!({"content": "And?", "stream": true})),
        ("regenerate", json!({})),
        ("continue", json!({})),
    ] {
        let request = admin.request(Method::POST, &format!("{conversation}/{action}")).json(&body);
        let refused = admin.send(request.header("idempotency-key", "k")).await;
        refused.problem(400, "idempotency_key_not_supported");
        assert!(refused.text.contains("read the conversation"), "{}", refused.text);
    }
    assert_eq!(messages(&admin, &conversation).await.len(), 0, "nothing was asked");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_full_conversation_takes_no_more_questions() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_AGENTS__MAX_MESSAGES", "4")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let conversation = start(&admin, &agent).await;
    for _ in 0..2 {
        admin.post(&format!("{conversation}/messages"), &json!({"content": "And?"})).await.expect(200);
    }
    admin
        .post(&format!("{conversation}/messages"), &json!({"content": "And?"}))
        .await
        .problem(409, "conversation_full");
    admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
    assert_eq!(messages(&admin, &conversation).await.len(), 4);
    let page = conversation.trim_start_matches("/api/v1");
    let refused = submit(&admin, &format!("{page}/ask"), "content=And").await;
    assert_eq!((refused.status.as_u16(), refused.headers[header::LOCATION].to_str().unwrap()), (303, page));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cites_what_it_was_given_and_quotes_it_exactly() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/cites", &[&base]).await;
    let conversation = start(&admin, &agent).await;
    let message = admin
        .post(&format!("{conversation}/messages"), &json!({"content": "How many days of leave are there?"}))
        .await
        .expect(200);
    assert_eq!(message["content"], "The answer stands in [1] and not in [7]. Both: [1, 9]");
    assert_eq!((&message["status"], &message["model"]), (&json!("complete"), &json!("mock/cites")));
    assert_eq!((&message["prompt_tokens"], &message["completion_tokens"]), (&json!(40), &json!(9)));
    let citations = message["citations"].as_array().unwrap();
    assert_eq!(citations.len(), 1, "{message}");
    let cited = &citations[0];
    assert_eq!((&cited["mark"], &cited["document_id"]), (&json!(1), &json!(document)));
    let path = format!("/api/v1/knowledge-bases/{base}/documents/{document}/text");
    let text = admin.get(&path).await.expect(200)["text"].as_str().unwrap().to_owned();
    let place = |key: &str| usize::try_from(cited[key].as_u64().unwrap()).unwrap();
    let (from, to) = (place("start"), place("end"));
    let quoted: String = text.chars().skip(from).take(to - from).collect();
    assert_eq!(cited["text"], quoted.as_str());

    // The model's input: sources only in the user's message.
    let shown = upstream.last_request();
    let (system, question) =
        (shown["messages"][0]["content"].as_str().unwrap(), shown["messages"][1]["content"].as_str().unwrap());
    assert!(system.contains("Be brief.") && !system.contains("28 calendar days"), "{system}");
    assert!(question.contains("<source number=\"1\">") && question.contains("28 calendar days"), "{question}");

    // The same as a stream, with the first answer as history.
    let events = stream(&admin, &conversation, "And when does the car park close?").await.all().await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[1], *names.last().unwrap()), ("start", "sources", "end"), "{names:?}");
    assert!(names[2..names.len() - 1].iter().all(|name| *name == "delta"));
    let text: String = events.iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    let end = &events.last().unwrap().1["message"];
    assert_eq!((end["content"].as_str().unwrap(), &end["status"]), (text.as_str(), &json!("complete")));
    assert_eq!(upstream.last_request()["messages"].as_array().unwrap().len(), 4, "system, question, answer, question");
    let kept = messages(&admin, &conversation).await;
    let roles: Vec<&str> = kept.iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    let listed = admin.get(&format!("{}?q=car%20park", conversation.rsplit_once('/').unwrap().0)).await.expect(200);
    assert_eq!(listed["data"][0]["title"], "How many days of leave are there?");

    // A regenerated answer hides the old one.
    let again = admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
    let after = messages(&admin, &conversation).await;
    assert_eq!((after.len(), &after[3]["id"]), (4, &again["id"]));
    assert_ne!(after[3]["id"], kept[3]["id"]);
    assert_eq!(after[2]["id"], kept[2]["id"]);

    admin.patch(&conversation, &json!({"title": "Leave"})).await.expect(200);
    admin.patch(&conversation, &json!({"title": " "})).await.expect(422);
    admin.post(&format!("{conversation}/messages"), &json!({"content": " \u{0} "})).await.expect(422);
    admin.delete(&conversation).await.expect(204);
    admin.get(&conversation).await.problem(404, "conversation_not_found");
    app.stop().await;
}

/// How many stored messages contain this text in any column.
async fn messages_with(db: &mut PgConnection, text: &str) -> i64 {
    let count = "SELECT count(*) FROM messages WHERE strpos(messages::text, $1) > 0";
    sqlx::query_scalar(count).bind(text).fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_is_quoted_by_no_stored_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let (other, _) = handbook(&app, &admin).await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let ask = async |base: &str| {
        let draft = json!({"name": base, "model": "mock/cites", "knowledge_bases": [base]});
        let conversation = start(&admin, &admin.post("/api/v1/agents", &draft).await.expect(201)).await;
        let question = json!({"content": "How much paid leave is there?"});
        admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
        admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
        conversation
    };
    let (ours, theirs) = (ask(&base).await, ask(&other).await);
    let quoted = messages(&admin, &ours).await[1]["citations"].clone();
    assert!(quoted[0]["text"].as_str().unwrap().contains("28 calendar days"), "{quoted}");
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 4, "two answers each, one of them superseded");

    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{document}")).await.expect(204);
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 2, "the other base's");
    let answer = messages(&admin, &ours).await[1].clone();
    let left = &answer["citations"][0];
    assert_eq!(
        (&left["mark"], &left["filename"], &left["text"], &left["title"], &left["heading"], &left["deleted"]),
        (&json!(1), &json!("handbook.md"), &json!(""), &json!("handbook.md"), &json!([]), &json!(true))
    );
    let page = admin.get(ours.trim_start_matches("/api/v1")).await;
    assert!(page.text.contains("Deleted since") && page.text.contains("handbook.md"), "{}", page.text);
    assert!(!page.text.contains(&format!("/documents/{document}")), "no link leads to what is gone: {}", page.text);

    // An answer in progress meanwhile: its end is not stored either.
    let late = format!("UPDATE messages SET citations = '{quoted}' WHERE id = '{}'", answer["id"].as_str().unwrap());
    let mut tx = app.app.db.tenant(first_org(&admin).await).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(late)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 2, "the other base's");

    admin.delete(&format!("/api/v1/knowledge-bases/{other}")).await.expect(204);
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 0);
    assert_eq!(messages(&admin, &theirs).await[1]["citations"][0]["deleted"], json!(true));
    db.close().await.unwrap();
    app.stop().await;
}

/// An answer ends while its document is being deleted: in either order nothing of the document stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_and_the_end_of_an_answer_take_turns() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let org = first_org(&admin).await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    for answer_first in [true, false] {
        let (base, document) = handbook(&app, &admin).await;
        let draft = json!({"name": base, "model": "mock/cites", "knowledge_bases": [base]});
        let conversation = start(&admin, &admin.post("/api/v1/agents", &draft).await.expect(201)).await;
        let question = json!({"content": "How much paid leave is there?"});
        let answer = admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
        sqlx::query("UPDATE messages SET citations = '[]'").execute(&mut db).await.unwrap();
        let set = "UPDATE messages SET citations = $1 WHERE id = $2::uuid";
        let end = sqlx::query(set).bind(answer["citations"].clone()).bind(answer["id"].as_str().unwrap().to_owned());
        let delete = sqlx::query("DELETE FROM knowledge_documents WHERE id = $1::uuid").bind(document);
        let (first, second) = if answer_first { (end, delete) } else { (delete, end) };
        let mut held = app.app.db.tenant(org).await.unwrap();
        first.execute(&mut *held).await.unwrap();
        let mut waits = app.app.db.tenant(org).await.unwrap();
        let other = tokio::spawn(async move {
            second.execute(&mut *waits).await.unwrap();
            waits.commit().await.unwrap();
        });
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until("it does not wait for the other", async || {
            other.is_finished() || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut db).await.unwrap() > 0
        })
        .await;
        assert!(!other.is_finished(), "answer first: {answer_first}");
        held.commit().await.unwrap();
        other.await.unwrap();
        assert_eq!(messages_with(&mut db, "28 calendar days").await, 0, "answer first: {answer_first}");
    }
    db.close().await.unwrap();
    app.kill().await;
}

async fn first_org(client: &Client) -> OrgId {
    let me = client.get("/api/v1/auth/me").await.expect(200);
    me["organisation_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_passages_are_quoted_in_both_languages() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    let russian = add_document(&admin, &base, "справочник.md", HANDBOOK_RU.as_bytes()).await;
    wait_for_document(&admin, &base, &russian).await;
    app.wait_for_jobs().await;
    let agent = make_agent(&admin, "", &[&base]).await;
    let ask = async |question: &str| {
        let conversation = start(&admin, &agent).await;
        admin.post(&format!("{conversation}/messages"), &json!({"content": question})).await.expect(200)
    };
    let english = ask("How many calendar days of paid leave are there?").await;
    assert_eq!(english["model"], "builtin/extractive");
    let text = english["content"].as_str().unwrap();
    assert!(text.contains("No language model is configured") && text.contains("28 calendar days"), "{text}");
    assert_eq!(english["citations"][0]["filename"], "handbook.md");
    let russian = ask("Сколько календарных дней оплачиваемого отпуска положено сотруднику?").await;
    let text = russian["content"].as_str().unwrap();
    assert!(text.contains("Языковая модель не настроена") && text.contains("28 календарных дней"), "{text}");
    assert!(russian["citations"].as_array().unwrap().iter().any(|c| c["filename"] == "справочник.md"), "{russian}");
    let unknown = ask("Who won the chess olympiad in Budapest?").await;
    assert!(unknown["content"].as_str().unwrap().starts_with("The documents do not say."), "{unknown}");
    assert_eq!(unknown["citations"], json!([]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_answer_keeps_what_was_written() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    admin
        .post(&format!("{conversation}/messages"), &json!({"content": "And?"}))
        .await
        .problem(409, "conversation_busy");
    admin.post(&format!("{conversation}/regenerate"), &json!({})).await.problem(409, "conversation_busy");
    assert_eq!(admin.get(&conversation).await.expect(200)["messages"][1]["status"], "streaming");

    // Other users cannot change anything with the ids: neither of another organisation nor another person of this one.
    let stranger = app.other_org("strangers").await;
    for (path, body) in [("/stop", json!({})), ("/messages", json!({"content": "x"})), ("/regenerate", json!({}))] {
        let answer = stranger.post(&format!("{conversation}{path}"), &body).await;
        answer.problem(404, if path == "/stop" { "conversation_not_found" } else { "agent_not_found" });
    }
    stranger.delete(&conversation).await.problem(404, "conversation_not_found");
    // Long enough for the answer to end, if one of them had stopped it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        admin.get(&conversation).await.expect(200)["messages"][1]["status"],
        "streaming",
        "a stranger stopped the answer"
    );

    // Another window of the same person: it shows the answer in progress, and a way to stop it.
    let page = conversation.trim_start_matches("/api/v1");
    let shown = admin.get(page).await;
    assert!(shown.text.contains(&format!("{page}/stop")), "{}", shown.text);
    assert_eq!(submit(&admin, &format!("{page}/stop"), "").await.status, 303);
    let rest = events.all().await;
    let (name, end) = rest.last().unwrap();
    assert_eq!((name.as_str(), &end["message"]["status"]), ("end", &json!("stopped")));
    let kept = messages(&admin, &conversation).await;
    assert!(kept[1]["content"].as_str().unwrap().starts_with("w0 "), "{}", kept[1]);
    assert_eq!(kept[1]["status"], "stopped");
    assert_eq!(admin.post(&format!("{conversation}/stop"), &json!({})).await.expect(200), json!({"stopped": false}));
    until("the upstream's stream goes on", async || upstream.cancelled() > 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_goes_away_ends_the_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    // A stream, a whole answer, and the OpenAI surface.
    let streamed = start(&admin, &agent).await;
    let mut events = stream(&admin, &streamed, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    drop(events);
    until("the upstream's stream goes on", async || upstream.cancelled() >= 1).await;
    let whole = start(&admin, &agent).await;
    let waiting = async { admin.post(&format!("{whole}/messages"), &json!({"content": "Everything"})).await };
    // Disconnects once the model writes, however long this machine takes to get there.
    let before = upstream.written();
    let writing = until("the model does not write", async || upstream.written() > before + 5);
    tokio::select! {
        answer = waiting => panic!("it waited for the end: {}", answer.text),
        () = writing => {}
    }
    for conversation in [&streamed, &whole] {
        let kept = messages(&admin, conversation).await;
        assert_eq!(kept[1]["status"], "stopped", "{}", kept[1]);
    }
    assert!(messages(&admin, &streamed).await[1]["content"].as_str().unwrap().contains("w0"));
    let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "stream": true, "messages": [{"role": "user", "content": "All"}]});
    let mut events = Events::of(admin.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    for _ in 0..3 {
        events.next().await.expect("a stream");
    }
    drop(events);
    until("not all three upstream streams are given up", async || upstream.cancelled() >= 3).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_answer_says_why_and_is_kept() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/broken", &[]).await;
    let conversation = start(&admin, &agent).await;
    let ask = async || admin.post(&format!("{conversation}/messages"), &json!({"content": "Anyone?"})).await;
    ask().await.problem(502, "provider_error");
    let kept = messages(&admin, &conversation).await;
    assert_eq!((&kept[1]["status"], &kept[1]["error_code"]), (&json!("failed"), &json!("provider_error")));

    let change = |model: &str| json!({"name": "x", "slug": agent["slug"], "model": model});
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    admin.put(&path, &change("mock/limited")).await.expect(200);
    let limited = ask().await;
    limited.problem(429, "provider_rate_limited");
    assert_eq!(limited.headers[header::RETRY_AFTER], "7");

    admin.put(&path, &change("mock/cut")).await.expect(200);
    let mut events = stream(&admin, &conversation, "Half?").await;
    let (name, end) = events.all().await.pop().unwrap();
    assert_eq!((name.as_str(), &end["message"]["status"]), ("end", &json!("failed")));
    assert!(!end["error"].as_str().unwrap().is_empty());
    let kept = messages(&admin, &conversation).await;
    assert_eq!(kept.last().unwrap()["content"], "half an answer");

    // The next answer sees only answered questions, and works.
    admin.put(&path, &change("mock/cites")).await.expect(200);
    ask().await.expect(200);
    assert_eq!(upstream.last_request()["messages"].as_array().unwrap().len(), 2, "{}", upstream.last_request());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_has_heartbeats() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting(), ("HOLDFAST_LLM__HEARTBEAT_SECONDS", "1")]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/silent", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Well?").await;
    assert_eq!(events.all().await.last().unwrap().1["message"]["content"], "At last.");
    assert!(events.raw.contains(": heartbeat\n"), "{}", events.raw);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_a_model_for_openai_clients() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/cites", &[&base]).await;
    let key = admin.post("/api/v1/api-keys", &json!({"name": "site", "scopes": ["inference"]})).await.expect(201);
    let secret = key["secret"].as_str().unwrap_or_else(|| panic!("{key}"));
    let site = admin.with_key(secret);
    let model = format!("agent/{}", agent["slug"].as_str().unwrap());
    let models = site.get("/v1/models").await.expect(200);
    assert!(models["data"].as_array().unwrap().iter().any(|m| m["id"] == model.as_str()), "{models}");

    let messages = json!([{"role": "system", "content": "Answer in verse."}, {"role": "user", "content": "How many days of leave?"}]);
    let whole = site.post("/v1/chat/completions", &json!({"model": model, "messages": messages})).await.expect(200);
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], "The answer stands in [1] and not in [7]. Both: [1, 9]");
    assert_eq!((&whole["model"], &whole["usage"]["total_tokens"]), (&json!(model), &json!(49)));
    let notes = message["annotations"].as_array().unwrap_or_else(|| panic!("{whole}"));
    assert_eq!(notes.len(), 1, "one for each mark: {whole}");
    for (note, index) in notes.iter().zip([21]) {
        assert_eq!(
            (&note["type"], &note["file_id"], &note["index"]),
            (&json!("file_citation"), &json!(document), &json!(index))
        );
        assert!(note["quote"].as_str().unwrap().contains("28 calendar days"));
    }
    assert!(
        upstream.last_request()["messages"][0]["content"]
            .as_str()
            .unwrap()
            .contains("Answer in the language of the question.")
    );
    assert!(upstream.last_request()["messages"][0]["content"].as_str().unwrap().contains("Answer in verse."));

    let body = json!({"model": model, "messages": messages, "stream": true, "stream_options": {"include_usage": true}});
    let mut events = Events::of(site.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    let chunks: Vec<Value> = events.all().await.into_iter().map(|(_, data)| data).collect();
    assert_eq!(chunks.last().unwrap(), "[DONE]");
    let text: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "The answer stands in [1] and not in [7]. Both: [1, 9]");
    let last = chunks.iter().find(|c| c["choices"][0]["finish_reason"] == "stop").unwrap();
    assert_eq!(last["choices"][0]["delta"]["annotations"].as_array().unwrap().len(), 1);
    assert_eq!(chunks[chunks.len() - 2]["usage"]["total_tokens"], 49);
    let body = json!({"model": model, "messages": messages, "stream": true});
    let mut events = Events::of(site.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    let chunks: Vec<Value> = events.all().await.into_iter().map(|(_, data)| data).collect();
    assert!(chunks.iter().all(|c| c.get("usage").is_none_or(Value::is_null)), "nobody asked for usage: {chunks:?}");

    let unknown = site.post("/v1/chat/completions", &json!({"model": "agent/nobody", "messages": messages})).await;
    assert_eq!(unknown.json()["error"]["code"], "model_not_found", "{}", unknown.text);
    let stranger = app.other_org("strangers").await;
    let theirs = stranger.post("/v1/chat/completions", &json!({"model": model, "messages": messages})).await;
    assert_eq!(theirs.json()["error"]["code"], "model_not_found", "{}", theirs.text);
    app.stop().await;
}

/// Answers abandoned by a crash are found soon, and slow ones are not taken for abandoned.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_writes_any_more_is_marked_and_a_slow_one_is_not() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    let status = async || admin.get(&conversation).await.expect(200)["messages"][1]["status"].clone();

    // Slower than the sweep's limit: two minutes in all, but its writer records it every 15 s of real time; the
    // application's own sweep runs meanwhile.
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let begun = app.clock.now();
    for _ in 0..3 {
        let (said, since) = ("SELECT count(*) FROM messages WHERE alive_at > $1", app.clock.now());
        let waited = Instant::now();
        while sqlx::query_scalar::<_, i64>(said).bind(since).fetch_one(&mut db).await.unwrap() == 0 {
            assert!(waited.elapsed() < Duration::from_secs(60), "the writer says nothing");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        app.clock.advance(TimeDelta::seconds(30));
        app.app.agents.sweep_abandoned().await.unwrap();
    }
    assert!(app.clock.now() - begun > TimeDelta::seconds(100));
    assert_eq!(status().await, "streaming");
    app.clock.advance(TimeDelta::seconds(61));
    app.app.agents.sweep_abandoned().await.unwrap();
    assert_eq!(status().await, "failed");
    admin.post(&format!("{conversation}/stop"), &json!({})).await;
    db.close().await.unwrap();
    app.stop().await;
}

/// An invalid answer fails, shows its reason everywhere, and is stored so.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_text_or_a_failure_with_a_reason() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    for (model, status, code, reason, content, words, russian) in [
        (
            "only-thinking",
            502,
            "answer_only_thinking",
            json!("stop"),
            "",
            "did not get to an answer",
            "не дошла до ответа",
        ),
        (
            "thinks-to-the-limit",
            422,
            "answer_only_thinking",
            json!("length"),
            "",
            "did not get to an answer",
            "не дошла до ответа",
        ),
        ("filtered", 422, "answer_filtered", json!("content_filter"), "", "content filter", "Фильтр содержания"),
        (
            "half-filtered",
            422,
            "answer_filtered",
            json!("content_filter"),
            "Half of it",
            "content filter",
            "Фильтр содержания",
        ),
        ("refuses", 422, "answer_refused", json!("stop"), "I will not.", "refused to answer", "отказалась отвечать"),
        (
            "refuses-in-parts",
            422,
            "answer_refused",
            json!("stop"),
            "I will not.",
            "refused to answer",
            "отказалась отвечать",
        ),
        ("tools", 502, "answer_needs_tools", json!("tool_calls"), "", "asked for a tool", "запросила инструмент"),
        ("empty", 502, "answer_empty", json!("stop"), "", "answered nothing", "ничего не ответила"),
        ("cut", 502, "provider_stream_cut", json!(null), "half an answer", "broke off", "оборвалась"),
        ("fails-inside", 502, "provider_error", json!(null), "half an answer [", "provider failed", "произошла ошибка"),
        ("empty-reasons", 502, "provider_stream_cut", json!(null), "half", "broke off", "оборвалась"),
        ("aborts", 502, "answer_broke_off", json!("abort"), "Half of it", "broke the answer off", "прервал ответ"),
    ] {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[]).await;
        let conversation = start(&admin, &agent).await;
        admin.post(&format!("{conversation}/messages"), &json!({"content": "Well?"})).await.problem(status, code);
        let end = stream(&admin, &conversation, "And?").await.all().await.pop().unwrap().1;
        assert!(!end["error"].as_str().unwrap().is_empty(), "{model}: {end}");
        for kept in messages(&admin, &conversation).await.iter().skip(1).step_by(2).chain([&end["message"]]) {
            let found = (
                &kept["status"],
                &kept["error_code"],
                &kept["finish_reason"],
                kept["content"].as_str().unwrap().trim(),
            );
            assert_eq!(found, (&json!("failed"), &json!(code), &reason, content), "{model}: {kept}");
        }
        // Once on the page, in words, without the code; also in Russian.
        let page = conversation.trim_start_matches("/api/v1");
        let shown = admin.get(page).await.text;
        assert_eq!(shown.matches("class=\"banner error\"").count(), 2, "{model}: one for each answer: {shown}");
        assert!(shown.contains(words) && !shown.contains(&format!("<code>{code}")), "{model}: {shown}");
        let request = admin.request(Method::GET, page).header(header::ACCEPT_LANGUAGE, "ru");
        let shown = admin.send(request).await.text;
        assert!(shown.contains(russian), "{model}: {shown}");
    }
    for (reason, count) in [
        ("only_thinking", 4),
        ("filtered", 4),
        ("refused", 4),
        ("needs_tools", 2),
        ("empty", 2),
        ("broke_off", 6),
        ("provider", 2),
    ] {
        let series = format!("holdfast_agents_answers_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(&app, &series), count, "{series}");
    }
    app.stop().await;
}

/// The same in the OpenAI API: as a finish reason where OpenAI's format has one, else as an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_told_how_an_agents_answer_ended() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let request = async |model: &str, stream: bool| {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[]).await;
        let name = format!("agent/{}", agent["slug"].as_str().unwrap());
        let body = json!({"model": name, "stream": stream, "messages": [{"role": "user", "content": "Well?"}]});
        let sent = admin.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap();
        let (status, text) = (sent.status().as_u16(), sent.text().await.unwrap());
        admin.delete(&format!("/api/v1/agents/{}", agent["id"].as_str().unwrap())).await.expect(204);
        (status, text)
    };
    for (model, status, code) in [
        ("only-thinking", 502, "answer_only_thinking"),
        ("thinks-to-the-limit", 422, "answer_only_thinking"),
        ("filtered", 422, "answer_filtered"),
        ("tools", 502, "answer_needs_tools"),
        ("empty", 502, "answer_empty"),
        ("cut", 502, "provider_stream_cut"),
    ] {
        let (found, text) = request(model, false).await;
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((found, &error["error"]["code"]), (status, &json!(code)), "{model}: {text}");
        let (_, text) = request(model, true).await;
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{model}: {text}");
    }
    for (model, reason, content, refusal) in [
        ("refuses", "stop", json!(null), json!("I will not.")),
        ("half-filtered", "content_filter", json!("Half of it"), json!(null)),
        ("long", "length", json!("It begins and "), json!(null)),
        ("parts", "stop", json!("It is so."), json!(null)),
    ] {
        let (status, text) = request(model, false).await;
        let whole: Value = serde_json::from_str(&text).unwrap();
        let choice = &whole["choices"][0];
        let found = (&choice["finish_reason"], &choice["message"]["content"], &choice["message"]["refusal"]);
        assert_eq!((status, found), (200, (&json!(reason), &content, &refusal)), "{model}: {text}");
        let (_, text) = request(model, true).await;
        assert!(text.contains(&format!("\"finish_reason\":\"{reason}\"")), "{model}: {text}");
        assert_eq!(text.contains("\"refusal\":\"I will not.\""), model == "refuses", "{model}: {text}");
    }
    app.stop().await;
}

/// Thinking is kept apart, however it is sent: not in the text, not in history, not cited.
#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_kept_apart_from_the_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    for (model, thinking) in [
        ("tagged", "I read [1] and [1, 1]."),
        ("unopened", "I should read [1]. So it is."),
        ("reasons", "I read [1]."),
        ("parts", "Hm [1]."),
    ] {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[&base]).await;
        let conversation = start(&admin, &agent).await;
        // Twice: what the first answer taught about the model must not spoil the second.
        for round in 0..2 {
            let events = stream(&admin, &conversation, "How much paid leave is there?").await.all().await;
            let (mut text, mut thought) = (String::new(), String::new());
            for (name, data) in &events {
                match name.as_str() {
                    "delta" => text.push_str(data["text"].as_str().unwrap()),
                    "thinking" => thought.push_str(data["text"].as_str().unwrap()),
                    "rewrite" => {
                        data["text"].as_str().unwrap().clone_into(&mut text);
                        data["thinking"].as_str().unwrap().clone_into(&mut thought);
                    }
                    _ => {}
                }
            }
            let rewritten = events.iter().any(|(name, _)| name == "rewrite");
            assert_eq!(rewritten, model == "unopened" && round == 0, "{model}, {round}");
            let message = &events.last().unwrap().1["message"];
            assert_eq!((text.as_str(), thought.trim()), ("It is so.", thinking), "{model}, {round}");
            let kept = (&message["content"], &message["thinking"], &message["citations"], &message["status"]);
            assert_eq!(
                kept,
                (&json!("It is so."), &json!(thinking), &json!([]), &json!("complete")),
                "{model}, {round}"
            );
        }
        let sent = upstream.last_request()["messages"].to_string();
        assert!(sent.contains("It is so.") && !sent.contains("I read") && !sent.contains("think"), "{model}: {sent}");
        let shown = admin.get(conversation.trim_start_matches("/api/v1")).await.text;
        assert_eq!(shown.matches("<details class=\"thinking\">").count(), 2, "{model}: {shown}");

        let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>secret</think>b [1]"}, {"role": "user", "content": "How much?"}]});
        let whole = admin.post("/v1/chat/completions", &body).await.expect(200);
        let message = &whole["choices"][0]["message"];
        let found =
            (&message["content"], message["reasoning_content"].as_str().unwrap().trim(), &message["annotations"]);
        assert_eq!(found, (&json!("It is so."), thinking, &json!([])), "{model}: {whole}");
        assert!(!upstream.last_request()["messages"].to_string().contains("secret"), "{}", upstream.last_request());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_off_goes_on_in_the_same_message() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/long", &[]).await;
    let conversation = start(&admin, &agent).await;
    let cut = admin.post(&format!("{conversation}/messages"), &json!({"content": "All?"})).await.expect(200);
    assert_eq!(
        (&cut["status"], &cut["finish_reason"], &cut["content"]),
        (&json!("complete"), &json!("length"), &json!("It begins and "))
    );
    assert_eq!(metric(&app, "holdfast_agents_answers_cut_off_total"), 1);
    let page = conversation.trim_start_matches("/api/v1");
    let shown = admin.get(page).await.text;
    assert!(shown.contains("cut off at its length limit") && shown.contains(&format!("{page}/continue")), "{shown}");

    // Without JavaScript: a form.
    assert_eq!(submit(&admin, &format!("{page}/continue"), "").await.status, 303);
    let kept = messages(&admin, &conversation).await;
    assert_eq!(kept.len(), 2);
    let whole = "It begins and after this it ends.";
    assert_eq!(
        (&kept[1]["id"], &kept[1]["content"], &kept[1]["finish_reason"]),
        (&cut["id"], &json!(whole), &json!("stop"))
    );
    let sent = upstream.last_request()["messages"].clone();
    let roles: Vec<&str> = sent.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!((roles, &sent[2]["content"]), (vec!["system", "user", "assistant", "user"], &json!("It begins and ")));
    let shown = admin.get(page).await.text;
    assert!(!shown.contains("cut off") && !shown.contains(&format!("{page}/continue")), "{shown}");
    admin.post(&format!("{conversation}/continue"), &json!({})).await.problem(409, "nothing_to_continue");

    // As a stream, and after an answer that was interrupted.
    let second = start(&admin, &agent).await;
    admin.post(&format!("{second}/messages"), &json!({"content": "All?"})).await.expect(200);
    let going_on = admin.request(Method::POST, &format!("{second}/continue")).json(&json!({"stream": true}));
    let events = Events::of(going_on.send().await.unwrap()).all().await;
    let added: String =
        events.iter().filter(|(name, _)| name == "delta").filter_map(|(_, data)| data["text"].as_str()).collect();
    assert_eq!(
        (added.as_str(), &events.last().unwrap().1["message"]["content"]),
        ("after this it ends.", &json!(whole))
    );
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    let change = |model: &str| json!({"name": "x", "slug": agent["slug"], "model": model});
    admin.put(&path, &change("mock/cut")).await.expect(200);
    let third = start(&admin, &agent).await;
    admin.post(&format!("{third}/messages"), &json!({"content": "All?"})).await.problem(502, "provider_stream_cut");
    // A continuation that fails keeps the earlier text.
    admin.put(&path, &change("mock/broken")).await.expect(200);
    admin.post(&format!("{third}/continue"), &json!({})).await.problem(502, "provider_error");
    assert_eq!(messages(&admin, &third).await[1]["content"], "half an answer");
    admin.put(&path, &change("mock/long")).await.expect(200);
    let whole = admin.post(&format!("{third}/continue"), &json!({})).await.expect(200);
    assert_eq!(
        (&whole["content"], &whole["status"], &whole["error_code"]),
        (&json!("half an answer after this it ends."), &json!("complete"), &json!(null))
    );

    let stranger = app.other_org("strangers").await;
    stranger.post(&format!("{third}/continue"), &json!({})).await.problem(404, "agent_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brackets_that_are_no_citation_stay_as_they_are() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/lists", &[&base]).await;
    let conversation = start(&admin, &agent).await;
    let text = "Set `ports = [8080, 9090]`, read `arr[1]`, see [2019] and [1].";
    for _ in 0..2 {
        let message = admin
            .post(&format!("{conversation}/messages"), &json!({"content": "How much paid leave is there?"}))
            .await
            .expect(200);
        assert_eq!(message["content"], text);
        assert_eq!(message["citations"].as_array().unwrap().len(), 1, "{message}");
    }
    let sent = upstream.last_request()["messages"][2]["content"].clone();
    assert_eq!(sent, "Set `ports = [8080, 9090]`, read `arr[1]`, see [2019] and.", "the history");
    let shown = admin.get(conversation.trim_start_matches("/api/v1")).await.text;
    assert!(
        shown.contains(
            "<code>ports = [8080, 9090]</code>, read <code>arr[1]</code>, see [2019] and <a class=\"citation\""
        ),
        "{shown}"
    );
    app.stop().await;
}

/// Messages to the model alternate; what an agent cannot handle is refused, never ignored.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_of_programs_are_put_in_turns_or_refused() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/cites", &[]).await;
    let ask = async |messages: Value| {
        let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": messages});
        admin.post("/v1/chat/completions", &body).await
    };
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    for (messages, sent) in [
        (json!([message("user", "a"), message("user", "b")]), vec![("user", "a\n\nb")]),
        (json!([message("assistant", "Hello!"), message("user", "a")]), vec![("user", "a")]),
        (
            json!([message("user", "a"), message("assistant", "b"), message("assistant", "c"), message("user", "d")]),
            vec![("user", "a"), ("assistant", "b\n\nc"), ("user", "d")],
        ),
        (json!([message("user", "a"), message("system", "In verse."), message("user", "b")]), vec![("user", "a\n\nb")]),
        (json!([message("user", "a"), message("system", "In verse.")]), vec![("user", "a")]),
        (json!([message("user", "a"), message("assistant", "")]), vec![("user", "a")]),
        (
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]),
            vec![("user", "a\nb")],
        ),
    ] {
        ask(messages.clone()).await.expect(200);
        let request = upstream.last_request();
        let found: Vec<(&str, &str)> = request["messages"]
            .as_array()
            .unwrap()
            .iter()
            .skip(1)
            .map(|m| (m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
            .collect();
        assert_eq!(found, sent, "{messages}");
        let system = request["messages"][0]["content"].as_str().unwrap();
        assert_eq!(system.contains("In verse."), messages.to_string().contains("In verse."), "{system}");
        assert_eq!(system.contains("Hello!"), messages.to_string().contains("Hello!"), "{system}");
    }
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let picture = json!([{"type": "image_url", "image_url": {"url": "x"}}]);
    for (messages, param, code) in [
        (json!([message("user", "a"), message("assistant", "Well,")]), "messages[1].role", "last_message_not_user"),
        (
            json!([message("user", "a"), call, {"role": "tool", "tool_call_id": "1", "content": "x"}]),
            "messages[1].tool_calls",
            "tools_not_supported",
        ),
        (
            json!([message("user", "a"), {"role": "tool", "tool_call_id": "1", "content": "x"}]),
            "messages[1].role",
            "tools_not_supported",
        ),
        (json!([message("system", "s")]), "messages[0].role", "last_message_not_user"),
        (json!([message("critic", "s"), message("user", "a")]), "messages[0].role", "invalid_value"),
        (
            json!([{"role": "system", "content": picture}, message("user", "a")]),
            "messages[0].content",
            "content_not_supported",
        ),
        (
            json!([message("user", "a"), {"role": "assistant", "content": picture}, message("user", "a")]),
            "messages[1].content",
            "content_not_supported",
        ),
    ] {
        let error = ask(messages).await.expect(400)["error"].clone();
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    }
    app.stop().await;
}
