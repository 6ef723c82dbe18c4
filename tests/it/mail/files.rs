//! Files that a mail by the API brings along.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use holdfast::mail::{Address, MailError, NewMail, Owner};
use serde_json::{Value, json};

use super::{
    api::{MESSAGES, SUPPRESSIONS, errors, id, order, recipients, send, send_with_key},
    outbox::{enqueue, mail, number, org},
};
use crate::support::{
    app::TestApp,
    documents::{add_document, files, make_base, wait_for_document},
    wait::until,
};

fn with_file(to: &str, bytes: usize) -> Value {
    let mut body = order(to);
    body["attachments"] = json!([{"name": "a.bin", "content": STANDARD.encode(vec![7_u8; bytes])}]);
    body
}

/// Otherwise whoever has used up its mails could go on to fill the store, and each backup of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_refused_mail_are_not_stored() {
    let app = TestApp::start_with(&[("HOLDFAST_MAIL__PER_ORG_PER_HOUR", "1")]).await;
    let admin = app.admin().await;
    let stored = async || {
        (files(&app.data_dir.join("objects/mail")).len(), number(&app, "SELECT count(*) FROM mail_files").await)
    };
    let with = |field: &str, value: Value| {
        let mut body = with_file("ada@example.com", 10);
        body[field] = value;
        body
    };
    let many: Vec<Value> = (0..21).map(|_| json!({"name": "a.bin", "content": "YQ=="})).collect();
    for body in [
        with("from", json!("shop@example.com")),
        with("send_at", json!((app.clock.now() + TimeDelta::days(31)).to_rfc3339())),
        with("attachments", json!(many)),
        with("subject", json!("x".repeat(501))),
        with("attachments", json!([{"name": "a.bin", "content": "YQ=="}, {"name": "b.bin", "content": "%"}])),
        json!({"to": "ada@example.com", "template": "nothing", "attachments": with_file("", 10)["attachments"]}),
    ] {
        admin.post(MESSAGES, &body).await.expect(422);
    }
    assert_eq!(stored().await, (0, 0));
    send_with_key(&admin, &with_file("ada@example.com", 10), "order-1").await.expect(201);
    assert_eq!(stored().await, (1, 1));
    admin.post(MESSAGES, &with_file("bob@example.com", 10)).await.expect(429);
    // The answers of requests are kept for a day.
    app.clock.advance(TimeDelta::hours(25));
    let admin = app.admin().await;
    send_with_key(&admin, &with_file("ada@example.com", 10), "order-1").await.expect(200);
    send_with_key(&admin, &with_file("ada@example.com", 11), "order-1").await.problem(422, "idempotency_key_reused");
    assert_eq!(stored().await.0, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisations_attachments_have_a_limit_for_a_day() {
    let app = TestApp::start_with(&[("HOLDFAST_MAIL__ATTACHMENT_MIB_PER_ORG_PER_DAY", "1")]).await;
    let (admin, other) = (app.admin().await, app.other_org("other").await);
    send(&admin, &with_file("ada@example.com", 600 << 10)).await;
    admin.post(MESSAGES, &with_file("bob@example.com", 600 << 10)).await.expect(429);
    assert_eq!(recipients(&admin, "kind=api").await, ["ada@example.com"]);
    send(&admin, &with_file("bob@example.com", 400 << 10)).await;
    send(&other, &with_file("bob@example.com", 600 << 10)).await;
    app.clock.advance(TimeDelta::hours(25));
    send(&app.admin().await, &with_file("bob@example.com", 600 << 10)).await;
    app.stop().await;
}

/// Its process was killed before the mail was written, or a room thought better of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_no_mail_was_made_of_is_deleted_after_an_hour() {
    let app = TestApp::start().await;
    let owner = Owner::Org(org(&app).await);
    let keep =
        async |name: &str| app.app.mail.keep_attachment(owner, name, "text/plain", "Hello".into()).await.unwrap();
    let (used, unused) = (keep("used.txt").await, keep("unused.txt").await);
    let to = Address::parse("ada@example.com").unwrap();
    let new = NewMail { attachments: vec![used.clone()], ..mail(&to, "Hello") };
    enqueue(&app, owner, &new).await.unwrap();
    let stored = || files(&app.data_dir.join("objects/mail")).len();
    assert_eq!((app.app.mail.drop_unused().await.unwrap(), stored()), (0, 2));
    app.clock.advance(TimeDelta::minutes(61));
    // The job does the same, at its time.
    app.app.mail.drop_unused().await.unwrap();
    until("the file is there still", async || stored() == 1).await;
    let late = enqueue(&app, owner, &NewMail { attachments: vec![unused], ..mail(&to, "Hello") }).await;
    assert!(matches!(late, Err(MailError::Invalid(_))), "{late:?}");
    let again = enqueue(&app, owner, &NewMail { attachments: vec![used], ..mail(&to, "Hello") }).await;
    assert!(again.is_ok(), "several mails may have one file: {again:?}");
    // Its row counts for a day; the file stays as long as its mail.
    app.clock.advance(TimeDelta::hours(25));
    app.app.mail.drop_unused().await.unwrap();
    assert_eq!((stored(), number(&app, "SELECT count(*) FROM mail_files").await), (1, 0));
    app.stop().await;
}

/// A copy of it: what becomes of the document is nothing to the mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_of_the_organisations_knowledge_can_be_attached() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let text = b"# Tides\n\nThe tide turns at noon.\n";
    let base = make_base(&admin, "Harbour").await;
    let document = add_document(&admin, &base, "tides.md", text).await;
    wait_for_document(&admin, &base, &document).await;
    let with = |attachment: Value| {
        let mut body = order("ada@example.com");
        body["attachments"] = json!([attachment]);
        body
    };
    let tides = with(json!({"knowledge_base": base, "document": document}));
    let sent = send(&admin, &tides).await;
    let named =
        json!({"knowledge_base": base, "document": document, "name": "Прилив.txt", "content_type": "text/plain"});
    let renamed = send(&admin, &with(named)).await;
    for (mail, name, kind) in [(&sent, "tides.md", "text/markdown"), (&renamed, "Прилив.txt", "text/plain")] {
        let detail = admin.get(&format!("{MESSAGES}/{}", id(mail))).await.expect(200);
        assert_eq!(detail["attachments"], json!([{"name": name, "content_type": kind, "size": text.len()}]));
    }
    // A key that sends does not read what it may not read.
    let with_key = async |scopes: Value| {
        let key = admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": scopes})).await.expect(201);
        admin.with_key(key["secret"].as_str().unwrap())
    };
    let sender = with_key(json!(["mail_send"])).await;
    sender.post(MESSAGES, &tides).await.problem(403, "forbidden");
    let both = with_key(json!(["mail_send", "knowledge_read"])).await;
    send(&both, &tides).await;
    let missing = [("/attachments/0/document".to_owned(), "not_found".to_owned())];
    assert_eq!(errors(&stranger.post(MESSAGES, &tides).await), missing);
    for other in
        [json!({"knowledge_base": document, "document": document}), json!({"knowledge_base": base, "document": "x"})]
    {
        assert_eq!(errors(&admin.post(MESSAGES, &with(other)).await), missing);
    }
    for odd in [
        json!({"name": "a.txt"}),
        json!({"document": document}),
        json!({"content": "YQ==", "knowledge_base": base, "document": document}),
    ] {
        let wrong = ("/attachments/0".to_owned(), "invalid".to_owned());
        assert_eq!(errors(&admin.post(MESSAGES, &with(odd)).await), [wrong]);
    }
    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{document}")).await.expect(204);
    let kept = files(&app.data_dir.join("objects/mail"));
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|file| std::fs::read(file).unwrap() == text), "{kept:?}");
    app.wait_for_jobs().await;
    app.stop().await;
}

/// Other requests have the limit of the server, 2 MiB.
#[tokio::test(flavor = "multi_thread")]
async fn attachments_may_have_ten_mebibytes() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let with = |bytes: &[usize]| {
        let files: Vec<_> = bytes
            .iter()
            .map(|bytes| json!({"name": "a.bin", "content": STANDARD.encode(vec![7_u8; *bytes])}))
            .collect();
        let mut body = order("ada@example.com");
        body["attachments"] = files.into();
        body
    };
    let sent = send(&admin, &with(&[10 << 20])).await;
    let detail = admin.get(&format!("{MESSAGES}/{}", id(&sent))).await.expect(200);
    assert_eq!(detail["attachments"][0]["size"], 10 << 20);
    // With a key, whose guard reads the body first.
    send_with_key(&admin, &with(&[5 << 20, 4 << 20]), "large").await.expect(201);
    assert_eq!(errors(&admin.post(MESSAGES, &with(&[6 << 20, 5 << 20])).await)[0].0, "/attachments");
    admin.post(MESSAGES, &with(&[12 << 20])).await.problem(413, "payload_too_large");
    let long = json!({"address": "ada@example.com", "detail": "x".repeat(3 << 20)});
    admin.post(SUPPRESSIONS, &long).await.problem(413, "payload_too_large");
    app.stop().await;
}
