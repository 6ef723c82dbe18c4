//! What programs do with mail. No server is configured: mail waits.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use holdfast::{
    mail::{Address, MailError, NewMail, Owner},
    platform::http::Role,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::outbox::{enqueue, execute, mail, number, org};
use crate::support::{
    app::{Answer, Client, TestApp},
    documents::{add_document, files, make_base, wait_for_document},
    wait::until,
};

pub(super) const MESSAGES: &str = "/api/v1/mail/messages";
const SUPPRESSIONS: &str = "/api/v1/mail/suppressions";
const WELCOME: &str = "/api/v1/mail/templates/welcome/en";
const OWN: &str = "/api/v1/mail/own-templates";
const BRANDING: &str = "/api/v1/mail/branding";
const DOMAINS: &str = "/api/v1/mail/domains";
const SOURCES: &str = "/api/v1/mail/sources";

/// A client with an API key of this scope.
async fn with_scope(admin: &Client, scope: &str) -> Client {
    let key = admin.post("/api/v1/api-keys", &json!({"name": scope, "scopes": [scope]})).await.expect(201);
    admin.with_key(key["secret"].as_str().unwrap())
}

fn order(to: &str) -> Value {
    json!({"to": to, "subject": "Your order", "text": "It arrives on Monday."})
}

/// Sends a mail; its row.
pub(super) async fn send(client: &Client, body: &Value) -> Value {
    client.post(MESSAGES, body).await.expect(201)
}

async fn send_with_key(client: &Client, body: &Value, key: &str) -> Answer {
    client.send(client.request(Method::POST, MESSAGES).json(body).header("idempotency-key", key)).await
}

pub(super) fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}"))
}

/// Addresses of the recipients in a page of the log.
async fn recipients(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("{MESSAGES}?{query}")).await.expect(200);
    page["data"].as_array().unwrap().iter().map(|row| row["to_address"].as_str().unwrap().to_owned()).collect()
}

/// The field and the code of each error.
fn errors(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.expect(422);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}"));
    errors.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sends_mail_and_an_administrator_sees_what_becomes_of_it() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let shop = with_scope(&admin, "mail_send").await;
    let body = json!({
        "to": "Ada Lovelace <Ada@Example.COM>", "subject": "Your order", "text": "It arrives on Monday.",
        "html": "<p>It arrives on Monday.</p>", "reply_to": "orders@example.com",
        "attachments": [{"name": "order.pdf", "content_type": "application/pdf", "content": "JVBERi0="}],
    });
    let sent = send(&shop, &body).await;
    assert_eq!(
        (&sent["to_address"], &sent["to_name"], &sent["state"], &sent["kind"], &sent["attempts"]),
        (&json!("Ada@example.com"), &json!("Ada Lovelace"), &json!("queued"), &json!("api"), &json!(0)),
    );
    send(&shop, &order("bob@example.com")).await;
    // Whoever only sends reads nothing else.
    for path in [MESSAGES, SUPPRESSIONS, DOMAINS] {
        shop.get(path).await.problem(403, "forbidden");
    }
    let detail = admin.get(&format!("{MESSAGES}/{}", id(&sent))).await.expect(200);
    assert_eq!((&detail["text"], &detail["html"]), (&body["text"], &body["html"]));
    assert_eq!(detail["attachments"], json!([{"name": "order.pdf", "content_type": "application/pdf", "size": 5}]));
    assert_eq!(detail["history"], json!([]));
    for (query, found) in [
        ("kind=api", vec!["bob@example.com", "Ada@example.com"]),
        ("q=LOVELACE", vec![]),
        ("q=bob@", vec!["bob@example.com"]),
        ("q=your+order&limit=1", vec!["bob@example.com"]),
        ("to=ada@example.com", vec!["Ada@example.com"]),
        ("state=sent", vec![]),
        ("kind=welcome", vec![]),
    ] {
        assert_eq!(recipients(&admin, query).await, found, "{query}");
    }
    admin.get(&format!("{MESSAGES}?state=lost")).await.problem(400, "invalid_query");
    let path = format!("{MESSAGES}/{}", id(&sent));
    let cancelled = admin.post(&format!("{path}/cancel"), &json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    admin.post(&format!("{path}/cancel"), &json!({})).await.problem(409, "mail_state");
    let again = admin.post(&format!("{path}/retry"), &json!({})).await.expect(202);
    assert_eq!((&again["state"], &again["message_id"]), (&json!("queued"), &sent["message_id"]));
    app.stop().await;
}

/// A program need not hold a key that may change members and domains to learn what became of its mail.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_sends_reads_and_cancels_its_own_mail_alone() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (shop, other) = (with_scope(&admin, "mail_send").await, with_scope(&admin, "mail_send").await);
    let later = (app.clock.now() + TimeDelta::hours(1)).to_rfc3339();
    let mut body = order("ada@example.com");
    body["send_at"] = later.into();
    let sent = send(&shop, &body).await;
    let path = format!("{MESSAGES}/{}", id(&sent));
    let seen = shop.get(&path).await.expect(200);
    assert_eq!((&seen["state"], &seen["text"]), (&json!("queued"), &json!("It arrives on Monday.")));
    let foreign = [send(&admin, &order("bob@example.com")).await, send(&other, &order("eve@example.com")).await];
    for foreign in foreign.iter().map(id) {
        shop.get(&format!("{MESSAGES}/{foreign}")).await.problem(404, "mail_message_not_found");
        shop.post(&format!("{MESSAGES}/{foreign}/cancel"), &json!({})).await.problem(404, "mail_message_not_found");
    }
    // To try again is for people who look into it.
    shop.post(&format!("{path}/retry"), &json!({})).await.problem(403, "forbidden");
    let inference = with_scope(&admin, "inference").await;
    inference.get(&path).await.problem(403, "forbidden");
    inference.post(&format!("{path}/cancel"), &json!({})).await.problem(403, "forbidden");
    let cancelled = shop.post(&format!("{path}/cancel"), &json!({})).await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_mail_is_said_field_by_field() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let far = (app.clock.now() + TimeDelta::days(31)).to_rfc3339();
    let with = |changes: Value| {
        let mut body = order("ada@example.com");
        for (field, value) in changes.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let file = |content: &str, kind: &str| json!([{"name": "a.txt", "content_type": kind, "content": content}]);
    for (body, wrong) in [
        (json!({"to": "ada"}), vec![("/to", "invalid"), ("/subject", "required"), ("/text", "required")]),
        (with(json!({"to": "a@example.com, b@example.com"})), vec![("/to", "invalid")]),
        (with(json!({"to": "ada@example.com\r\nBcc: eve@example.com"})), vec![("/to", "invalid")]),
        (with(json!({"reply_to": "x", "from": "y"})), vec![("/from", "invalid"), ("/reply_to", "invalid")]),
        (with(json!({"from": "shop@example.com"})), vec![("/from", "not_verified")]),
        (with(json!({"reply_to": "почта@example.com"})), vec![("/reply_to", "invalid")]),
        (with(json!({"from": "почта@example.com"})), vec![("/from", "invalid")]),
        (with(json!({"subject": "One\nTwo"})), vec![("/subject", "invalid")]),
        (with(json!({"send_at": far})), vec![("/send_at", "too_late")]),
        (with(json!({"data": {}})), vec![("/data", "only_with_template")]),
        (with(json!({"template": "welcome"})), vec![("/subject", "not_with_template"), ("/text", "not_with_template")]),
        (json!({"to": "ada@example.com", "template": "welcome", "data": []}), vec![("/data", "invalid")]),
        (json!({"to": "ada@example.com", "template": "nothing"}), vec![("/template", "unknown")]),
        (with(json!({"attachments": file("%", "text/plain")})), vec![("/attachments/0/content", "invalid")]),
        (with(json!({"attachments": file("YQ==", "text")})), vec![("/attachments/0/content_type", "invalid")]),
    ] {
        let wrong: Vec<_> = wrong.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect();
        assert_eq!(errors(&admin.post(MESSAGES, &body).await), wrong, "{body}");
    }
    // Whoever reads such an address can answer to one.
    let both = with(json!({"to": "имя@example.com", "reply_to": "почта@example.com", "subject": "x".repeat(501)}));
    assert_eq!(errors(&admin.post(MESSAGES, &both).await), [("/subject".to_owned(), "invalid".to_owned())]);
    admin.post(MESSAGES, &with(json!({"cc": "b@example.com"}))).await.problem(400, "invalid_value");
    admin.post(MESSAGES, &with(json!({"language": "de"}))).await.problem(400, "invalid_value");
    assert_eq!(recipients(&admin, "kind=api").await, Vec::<String>::new(), "nothing of it is sent");
    app.stop().await;
}

/// Its mail would have the name, the signature and the reputation of the installation, whoever wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_without_a_domain_does_not_send_as_the_installation() {
    let app = TestApp::start_with(&[("HOLDFAST_MAIL__SHARED_SENDER", "false")]).await;
    let admin = app.admin().await;
    let shop = with_scope(&admin, "mail_send").await;
    assert_eq!(
        errors(&shop.post(MESSAGES, &order("ada@example.com")).await),
        [("/from".to_owned(), "required".to_owned())]
    );
    let mut body = order("ada@example.com");
    body["from"] = json!("Shop <shop@example.org>");
    assert_eq!(errors(&shop.post(MESSAGES, &body).await)[0].1, "not_verified");
    admin.post(DOMAINS, &json!({"domain": "example.org"})).await.expect(201);
    execute(&app, "UPDATE mail_domains SET verified_at = now()".into()).await;
    assert_eq!(send(&shop, &body).await["from_address"], "shop@example.org");
    assert_eq!(errors(&shop.post(MESSAGES, &order("ada@example.com")).await)[0].1, "required");
    // Mail about an account has no other sender.
    let link = json!({"email": "new@example.com", "role": "member"});
    admin.post("/api/v1/members/links", &link).await.expect(201);
    assert_eq!(recipients(&admin, "kind=invitation").await, ["new@example.com"]);
    app.stop().await;
}

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
    let missing = ("/attachments/0/document".to_owned(), "not_found".to_owned());
    assert_eq!(errors(&stranger.post(MESSAGES, &tides).await), [missing.clone()]);
    for other in
        [json!({"knowledge_base": document, "document": document}), json!({"knowledge_base": base, "document": "x"})]
    {
        assert_eq!(errors(&admin.post(MESSAGES, &with(other)).await), [missing.clone()]);
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

/// Longer than the answers of requests are kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_mail_as_long_as_the_log_is_kept() {
    let app = TestApp::start().await;
    let first = send_with_key(&app.admin().await, &order("ada@example.com"), "order-17").await.expect(201);
    app.clock.advance(TimeDelta::hours(25));
    let again = send_with_key(&app.admin().await, &order("ada@example.com"), "order-17").await;
    assert_eq!(again.expect(200)["id"], first["id"]);
    assert!(!again.headers.contains_key("idempotent-replayed"), "it was executed");
    app.clock.advance(TimeDelta::hours(25));
    let admin = app.admin().await;
    send_with_key(&admin, &order("bob@example.com"), "order-17").await.problem(422, "idempotency_key_reused");
    send_with_key(&admin, &order("bob@example.com"), "order-18").await.expect(201);
    assert_eq!(recipients(&admin, "kind=api").await, ["bob@example.com", "ada@example.com"]);
    app.stop().await;
}

/// A program that uses a key twice learns it, instead of being told that its mail was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_another_content_is_refused() {
    let app = TestApp::start().await;
    let body = json!({"to": "ada@example.com", "subject": "Your order", "text": "Monday.", "html": "<p>Monday.</p>",
        "attachments": [{"name": "a.txt", "content_type": "text/plain", "content": "YQ=="}]});
    let changes = [
        json!({"to": "Ada <ada@example.com>"}),
        json!({"text": "Tuesday."}),
        json!({"html": null}),
        json!({"reply_to": "shop@example.com"}),
        json!({"send_at": (app.clock.now() + TimeDelta::hours(26)).to_rfc3339()}),
        json!({"attachments": [{"name": "a.txt", "content_type": "text/plain", "content": "Yg=="}]}),
        json!({"attachments": []}),
    ];
    let admin = app.admin().await;
    for key in 0..changes.len() {
        send_with_key(&admin, &body, &key.to_string()).await.expect(201);
    }
    // The answers of the requests themselves are kept for a day.
    app.clock.advance(TimeDelta::hours(25));
    let admin = app.admin().await;
    for (key, change) in changes.iter().enumerate() {
        let mut other = body.clone();
        for (field, value) in change.as_object().unwrap() {
            other[field] = value.clone();
        }
        let answer = send_with_key(&admin, &other, &key.to_string()).await;
        answer.problem(422, "idempotency_key_reused");
    }
    app.clock.advance(TimeDelta::hours(25));
    send_with_key(&app.admin().await, &body, "0").await.expect(200);
    app.stop().await;
}

/// A refusal that depends on something else than the request is not kept for its key; one that does not is.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_refused_for_its_domain_is_taken_when_that_is_verified() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let mut body = order("ada@example.com");
    body["from"] = json!("Shop <shop@example.org>");
    assert_eq!(errors(&send_with_key(&admin, &body, "v1").await)[0].1, "not_verified");
    admin.post(DOMAINS, &json!({"domain": "example.org"})).await.expect(201);
    execute(&app, "UPDATE mail_domains SET verified_at = now()".into()).await;
    assert_eq!(send_with_key(&admin, &body, "v1").await.expect(201)["from_address"], "shop@example.org");
    let wrong = json!({"to": "ada"});
    for is_replayed in [false, true] {
        let answer = send_with_key(&admin, &wrong, "v2").await;
        assert_eq!(errors(&answer)[0].1, "invalid");
        assert_eq!(answer.headers.contains_key("idempotent-replayed"), is_replayed);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suppressed_address_gets_nothing_until_it_is_removed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({"address": "Ada@Example.com", "detail": "asked by phone"});
    let made = admin.post(SUPPRESSIONS, &body).await.expect(201);
    assert_eq!(
        (&made["address"], &made["kind"], &made["reason"]),
        (&json!("ada@example.com"), &json!("*"), &json!("manual"))
    );
    admin.post(SUPPRESSIONS, &json!({"address": "bob@example.com", "kind": "digest"})).await.expect(201);
    for (body, wrong) in [
        (json!({"address": "bob"}), "/address"),
        (json!({"address": "bob@example.com", "kind": "spam"}), "/kind"),
        (json!({"address": "bob@example.com", "detail": "x".repeat(501)}), "/detail"),
    ] {
        assert_eq!(errors(&admin.post(SUPPRESSIONS, &body).await)[0].0, wrong);
    }
    let count = async |query: &str| {
        let page = admin.get(&format!("{SUPPRESSIONS}?{query}")).await.expect(200);
        page["data"].as_array().unwrap().len()
    };
    assert_eq!(
        (count("").await, count("q=phone").await, count("reason=complaint").await, count("reason=manual").await),
        (2, 1, 0, 2)
    );
    let kept = send(&admin, &order("ada@example.com")).await;
    assert_eq!(kept["state"], "suppressed");
    // Of one kind only.
    assert_eq!(send(&admin, &order("bob@example.com")).await["state"], "queued");
    admin.delete(&format!("{SUPPRESSIONS}/{}", id(&made))).await.expect(204);
    let again = admin.post(&format!("{MESSAGES}/{}/retry", id(&kept)), &json!({})).await.expect(202);
    assert_eq!(again["state"], "queued");
    assert_eq!(send(&admin, &order("ada@example.com")).await["state"], "queued");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_and_their_look_are_the_organisations_own() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let changed = async |client: &Client| {
        let all = client.get("/api/v1/mail/templates").await.expect(200);
        let welcome = all["data"].as_array().unwrap().iter().find(|row| row["name"] == "welcome").unwrap();
        welcome["languages"].as_array().unwrap().iter().map(|version| version["changed"] == true).collect::<Vec<_>>()
    };
    assert_eq!(changed(&admin).await, [false, false]);
    let mine = json!({"subject": "Ahoy {{ name }}", "text": "Welcome to {{ organisation }}.", "html": "<p>Ahoy</p>"});
    let broken = json!({"subject": "Ahoy", "text": "{{ nobody_knows }}", "html": "<script>alert(1)</script>"});
    for answer in [admin.put(WELCOME, &broken).await, admin.post(&format!("{WELCOME}/preview"), &broken).await] {
        let wrong = errors(&answer);
        assert!(
            wrong.iter().all(|(field, code)| ["/text", "/html"].contains(&&**field) && code == "invalid_template"),
            "{wrong:?}"
        );
    }
    let preview = admin.post(&format!("{WELCOME}/preview"), &mine).await.expect(200);
    assert_eq!(preview["subject"], "Ahoy Ada Lovelace");
    assert_eq!(changed(&admin).await, [false, false], "a preview saves nothing");
    assert_eq!(admin.put(WELCOME, &mine).await.expect(200)["changed"], true);
    assert_eq!((changed(&admin).await, changed(&stranger).await), (vec![true, false], vec![false, false]));
    let look = admin.put(BRANDING, &json!({"name": "Harbour", "color": "#123456", "from_name": "The harbour"})).await;
    assert_eq!(look.expect(200)["name"], "Harbour");
    let given = admin.get(BRANDING).await.expect(200);
    assert_eq!(admin.put(BRANDING, &given).await.expect(200)["from_name"], "The harbour", "it can be sent back");
    assert_eq!(stranger.get(BRANDING).await.expect(200)["name"], "Holdfast");
    assert_eq!(errors(&admin.put(BRANDING, &json!({"color": "blue"})).await)[0].0, "/color");
    let test = admin.post("/api/v1/mail/templates/welcome/en/preview", &mine).await.expect(200);
    assert!(test["html"].as_str().unwrap().contains("Harbour"), "{test}");
    admin.delete(WELCOME).await.expect(204);
    assert_eq!(changed(&admin).await, [false, false]);
    for path in ["/api/v1/mail/templates/nothing/en", "/api/v1/mail/templates/welcome/de"] {
        admin.get(path).await.problem(404, "mail_template_not_found");
    }
    app.stop().await;
}

fn shipped() -> Value {
    json!({"name": "order-shipped", "example": {"name": "Ada", "items": [{"title": "Kettle"}], "track_url": "https://example.com/t/1"},
        "texts": {"en": {
            "subject": "On its way, {{ name }}",
            "text": "{% for item in items %}{{ item.title }}\n{% endfor %}{{ track_url }}",
            "html": "<p>{{ name }}</p>{{ button(\"Track it\", track_url) }}"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_sends_by_a_template_of_its_organisations_own() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let shop = with_scope(&admin, "mail_send").await;
    let made = admin.post(OWN, &shipped()).await.expect(201);
    admin.put(BRANDING, &json!({"name": "Harbour", "from_name": "The harbour"})).await.expect(200);
    admin.post(OWN, &shipped()).await.problem(409, "mail_own_template_exists");
    let data = json!({"name": "<b>Eve</b>", "items": [{"title": "Kettle"}, {"title": "Cup"}], "track_url": "https://example.com/t/2"});
    let by = |name: &str, data: &Value| json!({"to": "ada@example.com", "template": name, "data": data});
    let sent = send(&shop, &by("order-shipped", &data)).await;
    assert_eq!(
        (&sent["template"], &sent["subject"], &sent["from_name"]),
        (&json!("order-shipped"), &json!("On its way, <b>Eve</b>"), &json!("The harbour"))
    );
    let detail = admin.get(&format!("{MESSAGES}/{}", id(&sent))).await.expect(200);
    let (text, html) = (detail["text"].as_str().unwrap(), detail["html"].as_str().unwrap());
    assert!(text.contains("Kettle\nCup\nhttps://example.com/t/2"), "{text}");
    assert!(html.contains("&lt;b&gt;Eve&lt;/b&gt;") && html.contains("https://example.com/t/2"), "{html}");
    assert!(html.contains("<!doctype html>") && html.contains("Harbour"), "in its layout: {html}");
    // A field that is missing, a link that is none, a language that it has no text in, a template of somebody else.
    for (client, body, wrong) in [
        (&shop, by("order-shipped", &json!({"name": "Ada"})), ("/template", "cannot_render")),
        (
            &shop,
            by("order-shipped", &json!({"name": "A", "items": [], "track_url": "javascript:alert(1)"})),
            ("/template", "cannot_render"),
        ),
        (
            &shop,
            json!({"to": "ada@example.com", "template": "order-shipped", "data": data, "language": "ru"}),
            ("/language", "unknown"),
        ),
        (
            &shop,
            by("order-shipped", &json!({"name": "A\u{0}", "items": [], "track_url": "https://example.com"})),
            ("/data", "invalid"),
        ),
        (&stranger, by("order-shipped", &data), ("/template", "unknown")),
    ] {
        let found = errors(&client.post(MESSAGES, &body).await);
        assert_eq!(found[0], (wrong.0.to_owned(), wrong.1.to_owned()), "{body}");
    }
    // Its next version, with a second language.
    let path = format!("{OWN}/{}", id(&made));
    let mut next = shipped();
    next["texts"]["ru"] = json!({"subject": "Уже в пути", "text": "Скоро", "html": "<p>Скоро</p>"});
    assert_eq!(admin.put(&path, &next).await.expect(200)["texts"]["ru"]["subject"], "Уже в пути");
    let listed = admin.get(OWN).await.expect(200);
    assert_eq!(
        (&listed["data"][0]["name"], &listed["data"][0]["languages"]),
        (&json!("order-shipped"), &json!(["en", "ru"]))
    );
    let russian = json!({"to": "ada@example.com", "template": "order-shipped", "data": data, "language": "ru"});
    assert_eq!(send(&shop, &russian).await["subject"], "Уже в пути");
    // Others neither see nor change it, and a key that sends changes nothing.
    stranger.get(&path).await.problem(404, "mail_own_template_not_found");
    stranger.put(&path, &next).await.problem(404, "mail_own_template_not_found");
    stranger.delete(&path).await.problem(404, "mail_own_template_not_found");
    shop.post(OWN, &shipped()).await.problem(403, "forbidden");
    shop.delete(&path).await.problem(403, "forbidden");
    admin.delete(&path).await.expect(204);
    assert_eq!(errors(&shop.post(MESSAGES, &by("order-shipped", &data)).await)[0].1, "unknown");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_own_template_is_said_part_by_part() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let with = |pointer: &str, value: Value| {
        let mut body = shipped();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (body, wrong) in [
        (with("/name", json!("Order shipped")), "/name"),
        (with("/name", json!("")), "/name"),
        (with("/name", json!("x".repeat(64))), "/name"),
        // One of Holdfast's.
        (with("/name", json!("password_reset")), "/name"),
        (with("/example", json!([])), "/example"),
        (with("/example", json!({"brand": "Mine"})), "/example"),
        (with("/example", json!({"a b": 1})), "/example"),
        (with("/example", json!({"name": "x".repeat(17_000)})), "/example"),
        (with("/example", json!({"name": "a\u{0}b"})), "/example"),
        (with("/texts", json!({})), "/texts"),
        (with("/texts", json!({"de": shipped()["texts"]["en"]})), "/texts/de"),
        (with("/texts/en/subject", json!("{{ nobody_knows }}")), "/texts/en/subject"),
        (with("/texts/en/text", json!("{% include 'x' %}")), "/texts/en/text"),
        (with("/texts/en/html", json!("<script>alert(1)</script>")), "/texts/en/html"),
        (with("/texts/en/html", json!("x".repeat(65_537))), "/texts/en/html"),
        (with("/texts/en/html", json!("")), "/texts/en/html"),
        (with("/texts/en/text", json!("{% for a in 'x' %}{% for b in items %}{{ b }}{% endfor %}")), "/texts/en/text"),
    ] {
        let found = errors(&admin.post(OWN, &body).await);
        assert_eq!(found.iter().map(|(pointer, _)| pointer.as_str()).collect::<Vec<_>>(), [wrong], "{found:?}");
    }
    assert_eq!(admin.get(OWN).await.expect(200)["data"], json!([]));
    execute(
        &app,
        "INSERT INTO mail_own_templates (id, org_id, name, example, texts, updated_by, updated_at)
         SELECT gen_random_uuid(), o.id, 't' || n, '{}', '{}', 'x', now() FROM organisations o, generate_series(1, 100) AS n"
            .into(),
    )
    .await;
    admin.post(OWN, &shipped()).await.problem(409, "too_many");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_comes_with_the_records_to_publish() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let made = admin.post(DOMAINS, &json!({"domain": "Example.ORG"})).await.expect(201);
    assert_eq!((&made["domain"], &made["verified_at"]), (&json!("example.org"), &Value::Null));
    let records = made["records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert!(
        records.iter().all(|record| record["host"].as_str().unwrap().ends_with("._domainkey.example.org")),
        "{made}"
    );
    assert!(!made.to_string().contains("private"), "{made}");
    admin.post(DOMAINS, &json!({"domain": "example.org"})).await.problem(409, "mail_domain_exists");
    assert_eq!(errors(&admin.post(DOMAINS, &json!({"domain": "not a domain"})).await)[0].0, "/domain");
    let path = format!("{DOMAINS}/{}", id(&made));
    assert_eq!(admin.get(&path).await.expect(200)["records"], made["records"]);
    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "mail_domain_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_but_sending_is_for_administrators() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let all = [MESSAGES, SUPPRESSIONS, "/api/v1/mail/templates", WELCOME, BRANDING, DOMAINS, SOURCES];
    for other in [app.person("default", Role::Member).await, with_scope(&admin, "inference").await] {
        for path in all.into_iter().chain([OWN]) {
            other.get(path).await.problem(403, "forbidden");
        }
        other.post(MESSAGES, &order("ada@example.com")).await.problem(403, "forbidden");
    }
    // A key that manages does not send.
    with_scope(&admin, "admin").await.post(MESSAGES, &order("ada@example.com")).await.problem(403, "forbidden");
    // Mail of the installation is for its operators.
    let owner = app.other_org("strangers").await;
    for path in all {
        admin.get(&format!("{path}?installation=true")).await.expect(200);
        owner.get(&format!("{path}?installation=true")).await.problem(403, "forbidden");
    }
    app.stop().await;
}
