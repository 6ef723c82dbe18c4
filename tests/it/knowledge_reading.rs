//! Reading reports, pages read from images, and documents without an embedding model.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use axum::{Json, Router, http::StatusCode, response::IntoResponse as _, routing::post};
use base64::Engine as _;
use holdfast::platform::{health::Status, lifecycle::Lifecycle};
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    knowledge::{document, search, superuser},
    support::{
        agents::start,
        app::{Client, TestApp, model_dir},
        documents::{add_document, fixture, make_base},
        wait::until,
    },
};

/// A folder without the OCR programs.
const NO_OCR: (&str, &str) = ("HOLDFAST_KNOWLEDGE__OCR_FOLDER", "/nonexistent");

async fn page(client: &Client, path: &str, language: &str) -> String {
    let request = client.request(Method::GET, path).header(header::ACCEPT, "text/html");
    let answer = client.send(request.header(header::ACCEPT_LANGUAGE, language)).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

async fn base_with(client: &Client, settings: Value) -> String {
    let base = client.post("/api/v1/knowledge-bases", &settings).await.expect(201);
    base["id"].as_str().unwrap().to_owned()
}

/// A line of the metrics.
fn metric(app: &TestApp, name: &str) -> i64 {
    let text = app.app.telemetry.encode();
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("holdfast_knowledge_{name} ")));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

async fn doctor(app: &TestApp, name: &str) -> (Status, String) {
    let checks = holdfast::knowledge::checks(&app.app.knowledge);
    let found = checks.iter().find(|check| check.name() == name).unwrap().run().await;
    (found.status, found.summary)
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_stored_shown_filtered_and_counted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = base_with(&admin, json!({"name": "Report", "reading": "text"})).await;
    let scanned = add_document(&admin, &base, "scanned.pdf", &fixture("scanned.pdf")).await;
    let fine = add_document(&admin, &base, "fine.md", b"# Fine\n\nThe heron nests on the weir.\n").await;
    let pictures = add_document(&admin, &base, "pictures.pdf", &fixture("images-only.pdf")).await;
    app.wait_for_jobs().await;

    let read = document(&admin, &base, &scanned).await;
    assert_eq!((&read["status"], &read["doubts"]), (&json!("ready"), &json!(["pages_without_text"])), "{read}");
    let report = &read["report"];
    assert_eq!(report["pages_without_text"], json!([2, 3]), "{report}");
    assert_eq!(report["unread_pages"], json!([{"reason": "off", "pages": [2, 3], "detail": ""}]));
    assert!(report["words"].as_u64().unwrap() > 40 && report["characters"].as_u64().unwrap() > 200, "{report}");
    let failed = document(&admin, &base, &pictures).await;
    assert_eq!((&failed["failure_code"], &failed["pages"]), (&json!("no_text"), &json!(1)), "{failed}");
    assert_eq!(failed["report"]["unread_pages"][0]["reason"], "off");
    assert!(failed["failure_reason"].as_str().unwrap().contains("OCR"), "{failed}");

    // The list shows doubts, not reports, and can be filtered by them.
    let list = |query: &'static str| {
        let path = format!("/api/v1/knowledge-bases/{base}/documents{query}");
        let admin = admin.clone();
        async move {
            let found = admin.get(&path).await.expect(200);
            let names =
                found["data"].as_array().unwrap().iter().inspect(|row| assert!(row.get("report").is_none(), "{row}"));
            names.map(|row| row["filename"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(list("?doubts=true").await, ["scanned.pdf"]);
    assert_eq!(list("?doubts=false").await, ["fine.md"]);
    assert_eq!(list("?doubt=pages_without_text").await, ["pictures.pdf", "scanned.pdf"]);
    assert!(list("?doubt=hidden_text").await.is_empty());
    let root = format!("/api/v1/knowledge-bases/{base}");
    for wrong in ["doubts=perhaps", "doubt=nonsense", "words_only=1"] {
        admin.get(&format!("{root}/documents?{wrong}")).await.problem(422, "validation_failed");
    }
    let info = admin.get(&root).await.expect(200);
    assert_eq!(
        (&info["documents_doubted"], &info["documents_words_only"], &info["reading"]),
        (&json!(1), &json!(0), &json!("text"))
    );

    // The pages, in both languages.
    let shown = page(&admin, &format!("/knowledge/{base}/documents/{scanned}"), "en").await;
    for words in [
        "Ready, with doubts",
        "Reading report",
        "Pages without text.",
        "Page 2–3:",
        "Read again with OCR",
        "Open the original",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let russian = page(&admin, &format!("/knowledge/{base}/documents/{scanned}"), "ru").await;
    assert!(russian.contains("Отчёт о чтении") && russian.contains("Прочитать снова с OCR"), "{russian}");
    let calm = page(&admin, &format!("/knowledge/{base}/documents/{fine}"), "en").await;
    assert!(
        calm.contains("there are no doubts") && calm.contains("Nothing was left out") && !calm.contains("with doubts"),
        "{calm}"
    );
    let list = page(&admin, &format!("/knowledge/{base}?status=doubted"), "en").await;
    assert!(
        list.contains("scanned.pdf") && !list.contains("fine.md") && list.contains("1 ready document has doubts"),
        "{list}"
    );
    assert!(page(&admin, "/knowledge", "en").await.contains("1 with doubts"));

    // A document that was read before reports existed.
    let mut db = superuser(&app).await;
    let old = "UPDATE knowledge_documents SET reading_report = NULL, doubts = '{}' WHERE filename = 'fine.md'";
    sqlx::query(old).execute(&mut db).await.unwrap();
    assert!(document(&admin, &base, &fine).await.get("report").is_none());
    let before = page(&admin, &format!("/knowledge/{base}/documents/{fine}"), "en").await;
    assert!(before.contains("read before reports existed") && before.contains("Read again"), "{before}");

    assert_eq!(metric(&app, "reading_doubts_total{doubt=\"pages_without_text\"}"), 2);
    assert_eq!(metric(&app, "reading_doubts_total{doubt=\"hidden_text\"}"), 0);
    assert_eq!(metric(&app, "pages_read_total{by=\"text\"}"), 1);
    assert_eq!(metric(&app, "pages_unread_total{reason=\"off\"}"), 3);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scanned_pages_are_read_by_ocr_and_found() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = base_with(&admin, json!({"name": "Scans", "reading": "text"})).await;
    let id = add_document(&admin, &base, "scanned.pdf", &fixture("scanned.pdf")).await;
    app.wait_for_jobs().await;
    assert!(search(&admin, &base, "торцевое уплотнение", "text").await.is_empty());

    // OCR is requested, although the base reads text only.
    let path = format!("/api/v1/knowledge-bases/{base}/documents/{id}/read");
    let again = admin.post(&path, &json!({"ocr": true})).await.expect(202);
    assert_eq!(again["status"], "queued");
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["status"], &read["doubts"]), (&json!("ready"), &json!(["read_from_pictures"])), "{read}");
    assert_eq!((&read["report"]["pages_by_ocr"], &read["report"]["unread_pages"]), (&json!([2, 3]), &json!([])));
    for (query, words, page) in [
        ("торцевое уплотнение", "всухую дольше сорока секунд", 2),
        ("which alarms wake the duty engineer", "three alarms below wake", 3),
        ("pump runs dry", "more than forty seconds", 1),
    ] {
        let hits = search(&admin, &base, query, "hybrid").await;
        let hit = hits.iter().find(|hit| hit["text"].as_str().unwrap().replace('\n', " ").contains(words));
        assert_eq!(hit.unwrap_or_else(|| panic!("{query}: {hits:#?}"))["page"], page, "{query}");
    }
    // The document's previous index rows are gone: the index matches the database.
    let (status, summary) = doctor(&app, "knowledge.index").await;
    assert_eq!(status, Status::Pass, "{summary}");
    assert_eq!(doctor(&app, "knowledge.ocr").await.0, Status::Pass);
    assert_eq!(metric(&app, "pages_read_total{by=\"ocr\"}"), 2);
    let shown = page(&admin, &format!("/knowledge/{base}/documents/{id}"), "en").await;
    assert!(shown.contains("Pages read by OCR") && shown.contains("names and numbers may be wrong"), "{shown}");
    // The page's form does the same; the base's own setting applies again.
    admin.post(&path, &json!({"ocr": "yes"})).await.expect(400);
    admin.post(&path, &json!({})).await.expect(202);
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &id).await["doubts"], json!(["pages_without_text"]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_pages_are_reported_with_advice() {
    let limited = TestApp::start_with(&[("HOLDFAST_KNOWLEDGE__OCR_PAGES", "1")]).await;
    let admin = limited.admin().await;
    let base = base_with(&admin, json!({"name": "Limited"})).await;
    let id = add_document(&admin, &base, "scanned.pdf", &fixture("scanned.pdf")).await;
    let unclear = add_document(&admin, &base, "unclear.pdf", &fixture("images-only.pdf")).await;
    let xyz = base_with(&admin, json!({"name": "Klingon", "ocr_languages": ["xyz"]})).await;
    let other = add_document(&admin, &xyz, "scanned.pdf", &fixture("scanned.pdf")).await;
    limited.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!(read["report"]["pages_by_ocr"], json!([2]), "{read}");
    assert_eq!(read["report"]["unread_pages"], json!([{"reason": "over_limit", "pages": [3], "detail": ""}]));
    assert_eq!(read["doubts"], json!(["pages_without_text", "read_from_pictures"]));
    let noise = document(&admin, &base, &unclear).await;
    assert_eq!(
        (&noise["failure_code"], &noise["report"]["unread_pages"][0]["reason"]),
        (&json!("no_text"), &json!("unclear")),
        "{noise}"
    );
    let read = document(&admin, &xyz, &other).await;
    assert_eq!(
        read["report"]["unread_pages"],
        json!([{"reason": "no_language", "pages": [2, 3], "detail": "xyz"}]),
        "{read}"
    );
    let (status, summary) = doctor(&limited, "knowledge.ocr").await;
    assert!(status == Status::Warn && summary.contains("xyz"), "{summary}");
    let wrong = json!({"ocr_languages": ["../../etc"]});
    admin.patch(&format!("/api/v1/knowledge-bases/{base}"), &wrong).await.problem(422, "validation_failed");
    limited.stop().await;

    let bare = TestApp::start_with(&[NO_OCR]).await;
    let admin = bare.admin().await;
    let base = make_base(&admin, "AnonymousShell").await;
    let id = add_document(&admin, &base, "scanned.pdf", &fixture("scanned.pdf")).await;
    bare.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!(read["status"], "ready");
    let missing = json!([{"reason": "not_installed", "pages": [2, 3], "detail": "tesseract, pdftoppm"}]);
    assert_eq!(read["report"]["unread_pages"], missing, "{read}");
    assert!(page(&admin, &format!("/knowledge/{base}/documents/{id}"), "en").await.contains("install tesseract"));
    let (status, summary) = doctor(&bare, "knowledge.ocr").await;
    assert!(status == Status::Warn && summary.contains("tesseract and pdftoppm"), "{summary}");
    assert_eq!(metric(&bare, "pages_unread_total{reason=\"not_installed\"}"), 2);
    bare.stop().await;
}

/// A server with a vision model, and an embedding model that answers while `embeds` is set.
#[derive(Clone, Default)]
struct Models {
    pictures: Arc<Mutex<Vec<Vec<u8>>>>,
    embeds: Arc<AtomicBool>,
}

impl Models {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (chat, embed) = (self.clone(), self.clone());
        let router = Router::new()
            .route("/v1/chat/completions", post(move |Json(body): Json<Value>| async move { Json(chat.look(&body)) }))
            .route("/v1/embeddings", post(move |Json(body): Json<Value>| async move { embed.embed(&body) }));
        Lifecycle::new().spawn("models", async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    fn look(&self, body: &Value) -> Value {
        let parts = body["messages"][0]["content"].as_array().unwrap_or_else(|| panic!("{body}"));
        let url = parts.iter().find_map(|part| part["image_url"]["url"].as_str()).unwrap_or_else(|| panic!("{body}"));
        let data = url.strip_prefix("data:image/png;base64,").unwrap();
        self.pictures.lock().unwrap().push(base64::engine::general_purpose::STANDARD.decode(data).unwrap());
        json!({"id": "c", "object": "chat.completion", "model": "eyes", "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000},
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "```\nThe quibblefrotz sings at dawn.\n\nRegion | Q2\nNorth | 10.5\n```"}}]})
    }

    fn embed(&self, body: &Value) -> axum::response::Response {
        if !self.embeds.load(Ordering::SeqCst) {
            let error = json!({"error": {"message": "The model `e` does not exist", "code": "model_not_found"}});
            return (StatusCode::NOT_FOUND, Json(error)).into_response();
        }
        let texts = body["input"].as_array().unwrap();
        let vector = |text: &Value| json!([text.as_str().unwrap().len() as f32, 1.0, 0.5]);
        let data: Vec<Value> =
            texts.iter().enumerate().map(|(i, text)| json!({"index": i, "embedding": vector(text)})).collect();
        Json(json!({"object": "list", "data": data, "model": "e"})).into_response()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_reads_pages_that_ocr_cannot_within_its_budget() {
    let models = Models::default();
    let url = models.start().await;
    let provider = ("HOLDFAST_LLM__PROVIDERS__MOCK__BASE_URL", url.as_str());
    let app = TestApp::start_with(&[
        provider,
        ("HOLDFAST_LLM__PROVIDERS__MOCK__MODELS", "eyes"),
        ("HOLDFAST_KNOWLEDGE__VISION_PAGES", "1"),
        ("HOLDFAST_KNOWLEDGE__VISION_TOKENS_PER_DAY", "1500"),
    ])
    .await;
    let admin = app.admin().await;
    let wrong = json!({"name": "Wrong", "vision_model": "nobody/eyes"});
    admin.post("/api/v1/knowledge-bases", &wrong).await.problem(422, "validation_failed");
    let base = base_with(&admin, json!({"name": "Eyes", "reading": "text", "vision_model": "mock/eyes"})).await;
    let id = add_document(&admin, &base, "scanned.pdf", &fixture("scanned.pdf")).await;
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["status"], &read["report"]["pages_by_model"]), (&json!("ready"), &json!([2])), "{read}");
    let over = json!([{"reason": "over_budget", "pages": [3], "detail": "limit of 1 pages per document",
        "value": {"what": "pages_of_a_document", "most": 1}}]);
    assert_eq!(read["report"]["unread_pages"], over, "{read}");
    let hits = search(&admin, &base, "quibblefrotz", "text").await;
    assert_eq!(hits[0]["page"], 2, "{hits:#?}");
    assert!(search(&admin, &base, "10.5", "text").await[0]["text"].as_str().unwrap().contains("North | 10.5"));
    // The server received the page itself: a PNG of its proportions.
    {
        let pictures = models.pictures.lock().unwrap();
        let [picture] = pictures.as_slice() else { panic!("{} pictures", pictures.len()) };
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        assert_eq!((&picture[..8], number(20)), (&b"\x89PNG\r\n\x1a\n"[..], 1568), "a page as high as models take");
        assert!((1000..1300).contains(&number(16)) && picture.len() > 20_000, "{}", number(16));
    }
    // 1000 of 1500 tokens are used: one more page, then the daily budget is exhausted.
    let pictures = [fixture("images-only.pdf"), fixture("scanned.pdf")];
    let more = base_with(&admin, json!({"name": "More", "reading": "text", "vision_model": "mock/eyes"})).await;
    let first = add_document(&admin, &more, "first.pdf", &pictures[0]).await;
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &more, &first).await["report"]["pages_by_model"], json!([1]));
    // Usage rows are written after the answers.
    let mut db = superuser(&app).await;
    let rows = "SELECT count(*) FROM llm_usage WHERE actor = 'job:knowledge.vision'";
    until("no usage rows", async || sqlx::query_scalar::<_, i64>(rows).fetch_one(&mut db).await.unwrap() >= 2).await;
    let second = add_document(&admin, &more, "second.pdf", &pictures[1]).await;
    app.wait_for_jobs().await;
    let read = document(&admin, &more, &second).await;
    assert_eq!(
        (&read["report"]["pages_by_model"], &read["report"]["unread_pages"][0]["reason"]),
        (&json!([]), &json!("over_budget")),
        "{read}"
    );
    assert_eq!(read["report"]["unread_pages"][0]["detail"], "limit of 1500 tokens per day");
    assert_eq!(metric(&app, "pages_read_total{by=\"model\"}"), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_found_by_words_until_the_embedding_model_is_available() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("model");
    let app = TestApp::start_with(&[("HOLDFAST_LLM__EMBEDDING__MODEL_DIR", place.to_str().unwrap())]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Words").await;
    let id = add_document(&admin, &base, "a.md", b"# Birds\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["status"], &read["words_only"]), (&json!("ready"), &json!(true)), "{read}");
    for mode in ["text", "hybrid"] {
        assert_eq!(search(&admin, &base, "albatross", mode).await.len(), 1, "{mode}");
    }
    let asked = async |mode: &str| {
        let body = json!({"query": "albatross", "mode": mode});
        admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200)["words_only"].clone()
    };
    assert_eq!((asked("text").await, asked("hybrid").await), (json!(false), json!(true)));
    let searched = format!("/knowledge/{base}/search?q=albatross");
    assert!(page(&admin, &searched, "en").await.contains("data-words-only"));
    let draft = json!({"name": "Ann", "knowledge_bases": [&base]});
    let conversation = start(&admin, &admin.post("/api/v1/agents", &draft).await.expect(201)).await;
    let question = json!({"content": "When does the albatross return?"});
    let answer = admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
    assert_eq!(answer["shortfall"]["words_only"], true, "{answer}");
    let shown = page(&admin, conversation.trim_start_matches("/api/v1"), "en").await;
    assert!(shown.contains("searched by words only"), "{shown}");
    let info = admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200);
    assert_eq!(info["documents_words_only"], 1);
    let listed = admin.get(&format!("/api/v1/knowledge-bases/{base}/documents?words_only=true")).await.expect(200);
    assert_eq!(listed["data"][0]["id"], json!(id));
    assert!(page(&admin, &format!("/knowledge/{base}/documents/{id}"), "en").await.contains("Found by words only"));
    assert!(page(&admin, &format!("/knowledge/{base}"), "en").await.contains("1 document is found by words only"));
    assert_eq!(doctor(&app, "knowledge.vectors").await.0, Status::Warn);
    // Nothing changes while the model is unavailable.
    app.app.knowledge.embed_words_only().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &id).await["words_only"], true);

    std::os::unix::fs::symlink(model_dir(), &place).unwrap();
    app.app.knowledge.embed_words_only().await.unwrap();
    app.wait_for_jobs().await;
    let read = document(&admin, &base, &id).await;
    assert_eq!((&read["status"], &read["words_only"]), (&json!("ready"), &json!(false)), "{read}");
    for mode in ["text", "hybrid", "vector"] {
        assert_eq!(search(&admin, &base, "albatross", mode).await.len(), 1, "{mode}");
    }
    assert_eq!(asked("hybrid").await, json!(false));
    assert!(!page(&admin, &searched, "en").await.contains("data-words-only"));
    assert_eq!(doctor(&app, "knowledge.vectors").await.0, Status::Pass);
    app.stop().await;
}

/// An appliance whose embedding model is served at this address.
async fn embedded_by(url: &str) -> TestApp {
    TestApp::start_with(&[
        ("HOLDFAST_LLM__PROVIDERS__MOCK__BASE_URL", url),
        ("HOLDFAST_LLM__EMBEDDING__MODEL", "mock/e"),
        ("HOLDFAST_LLM__EMBEDDING__DIMENSIONS", "3"),
    ])
    .await
}

/// Once, each of them reset the others, and none became ready.
#[tokio::test(flavor = "multi_thread")]
async fn several_documents_become_ready_while_the_model_is_unavailable() {
    let models = Models::default();
    let url = models.start().await;
    let app = embedded_by(&url).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Words").await;
    let birds = add_document(&admin, &base, "birds.md", b"# Birds\n\nThe albatross returns in spring.\n").await;
    let fish = add_document(&admin, &base, "fish.md", b"# Fish\n\nThe sturgeon swims upstream.\n").await;
    app.wait_for_jobs().await;
    // A process start, or the nightly run, changes nothing while the model is unavailable.
    app.app.knowledge.reconcile_soon().await.unwrap();
    app.wait_for_jobs().await;
    for id in [&birds, &fish] {
        let read = document(&admin, &base, id).await;
        assert_eq!((&read["status"], &read["words_only"]), (&json!("ready"), &json!(true)), "{read}");
    }
    let generation =
        async || admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200)["index_generation"].clone();
    assert_eq!(generation().await, 1);

    models.embeds.store(true, Ordering::SeqCst);
    app.app.knowledge.embed_words_only().await.unwrap();
    app.wait_for_jobs().await;
    for id in [&birds, &fish] {
        assert_eq!(document(&admin, &base, id).await["words_only"], false);
    }
    assert_eq!(generation().await, 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_with_and_without_vectors_coexist() {
    let models = Models::default();
    models.embeds.store(true, Ordering::SeqCst);
    let url = models.start().await;
    let app = embedded_by(&url).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Both").await;
    let with = add_document(&admin, &base, "with.md", b"# Birds\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    models.embeds.store(false, Ordering::SeqCst);
    let without = add_document(&admin, &base, "without.md", b"# Fish\n\nThe sturgeon swims upstream.\n").await;
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &with).await["words_only"], false);
    let read = document(&admin, &base, &without).await;
    assert_eq!((&read["status"], &read["words_only"]), (&json!("ready"), &json!(true)), "{read}");
    assert_eq!(search(&admin, &base, "sturgeon", "text").await[0]["document_id"], json!(without));

    models.embeds.store(true, Ordering::SeqCst);
    // A vector search does not return documents without vectors at all: neither first nor last.
    let near: Vec<Value> = search(&admin, &base, "albatross", "vector").await;
    assert_eq!(near.iter().map(|hit| &hit["document_id"]).collect::<Vec<_>>(), [&json!(with)], "{near:#?}");
    app.app.knowledge.embed_words_only().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!(document(&admin, &base, &without).await["words_only"], false);
    assert_eq!(search(&admin, &base, "albatross", "vector").await.len(), 2);
    let (status, summary) = doctor(&app, "knowledge.index").await;
    assert_eq!(status, Status::Pass, "{summary}");
    app.stop().await;
}
