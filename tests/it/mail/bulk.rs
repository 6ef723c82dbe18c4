//! Many at once: mails that are sent again after a provider's trouble or cancelled, addresses from a file.

use chrono::TimeDelta;
use holdfast::mail::{Address, Content, NewMail, Owner, kinds};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    api::{MESSAGES, send},
    outbox::{enqueue, execute, mail, number, org, start, until_state},
    pages::{follow, page},
};
use crate::support::{
    app::{Answer, Client, TestApp},
    smtp::Smtp,
};

const SUPPRESSIONS: &str = "/api/v1/mail/suppressions";

async fn failed(app: &TestApp, to: &str, answer: &str) -> String {
    let client = app.admin().await;
    let sent = send(&client, &json!({"to": to, "subject": "Order", "text": "It arrives on Monday."})).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    execute(app, format!("UPDATE mail_messages SET state = 'failed', error = '{answer}' WHERE id = '{id}'")).await;
    id
}

async fn count(app: &TestApp, state: &str) -> i64 {
    number(app, &format!("SELECT count(*) FROM mail_messages WHERE state = '{state}'")).await
}

async fn retry(client: &Client, body: &Value) -> (u64, u64) {
    let done = client.post(&format!("{MESSAGES}/retry"), body).await.expect(200);
    assert_eq!(done["more"], false);
    (done["changed"].as_u64().unwrap(), done["skipped"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_refused_is_sent_again_in_one_go() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let client = app.admin().await;
    let stranger = app.other_org("strangers").await;
    let later = (app.clock.now() + TimeDelta::hours(1)).to_rfc3339();
    let hold = json!({"subject": "Order", "text": "It arrives on Monday.", "send_at": later});
    let (mut ids, answers) = (Vec::new(), ["550 not verified", "550 not verified", "550 5.1.1 no such user"]);
    for (n, answer) in answers.iter().enumerate() {
        let mut body = hold.clone();
        body["to"] = format!("person{n}@example{n}.org").into();
        let id = send(&client, &body).await["id"].as_str().unwrap().to_owned();
        execute(&app, format!("UPDATE mail_messages SET state = 'failed', error = '{answer}' WHERE id = '{id}'")).await;
        ids.push(id);
    }
    // Its text was deleted with its link.
    let to = Address::parse("eve@example.org").unwrap();
    let content = Content::Raw { subject: "Come in", text: "https://ai.example.com/join", html: None };
    let send_at = Some(app.clock.now() + TimeDelta::hours(1));
    let new = NewMail { kind: &kinds::INVITATION, content, send_at, ..mail(&to, "") };
    let invitation = enqueue(&app, Owner::Org(org(&app).await), &new).await.unwrap();
    let sql = format!(
        "UPDATE mail_messages SET state = 'failed', error = '550 not verified' WHERE id = '{invitation}';
         UPDATE mail_bodies SET text = '' WHERE id = '{invitation}'"
    );
    execute(&app, sql).await;

    let since = (app.clock.now() - TimeDelta::hours(2)).to_rfc3339();
    let body = json!({"since": since, "answer": "not verified"});
    assert_eq!(retry(&stranger, &body).await, (0, 0), "mail of others");
    assert_eq!(retry(&client, &json!({"since": later, "answer": "not verified"})).await, (0, 0), "it is older");
    assert_eq!(retry(&client, &json!({"since": since, "state": "suppressed"})).await, (0, 0));
    assert_eq!(retry(&client, &body).await, (2, 1));
    for id in &ids[..2] {
        until_state(&app, id.parse().unwrap(), "sent").await;
    }
    assert_eq!(count(&app, "failed").await, 2);
    let mut recipients = smtp.recipients();
    // The owner of the other organisation is welcomed.
    recipients.retain(|address| address.starts_with("person"));
    recipients.sort();
    assert_eq!(recipients, ["person0@example0.org", "person1@example1.org"]);
    assert_eq!(retry(&client, &body).await, (0, 1), "once");
    for wrong in [json!({}), json!({"since": since, "state": "sent"}), json!({"since": since, "answers": "x"})] {
        assert_eq!(client.post(&format!("{MESSAGES}/retry"), &wrong).await.status, 400, "{wrong}");
    }
    let member = app.person("default", holdfast::platform::http::Role::Member).await;
    member.post(&format!("{MESSAGES}/retry"), &body).await.problem(403, "forbidden");
    app.stop().await;
}

/// No server is configured: mail waits.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_asks_with_the_number_before_it_changes_many() {
    let app = TestApp::start().await;
    let client = app.admin().await;
    for n in 0..3 {
        failed(&app, &format!("person{n}@example.com"), "550 not verified").await;
    }
    failed(&app, "other@example.com", "550 5.1.1 no such user").await;
    let list = page(&client, "/settings/mail?state=failed&q=verified").await;
    assert!(list.contains("Send all of these again") && list.contains("name=\"q\" value=\"verified\""), "{list}");
    assert!(!page(&client, "/settings/mail?state=sent").await.contains("Send all of these again"));
    let asked = page(&client, "/settings/mail/many?action=retry&state=failed&q=verified").await;
    assert!(asked.contains("3 messages are queued again"), "{asked}");
    assert_eq!(count(&app, "failed").await, 4, "a question changes nothing");
    // What failed after the number was read is not meant.
    let until = asked.split("name=\"until\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    app.clock.advance(TimeDelta::seconds(5));
    failed(&app, "late@example.com", "550 not verified").await;
    let fields = [("action", "retry"), ("state", "failed"), ("q", "verified"), ("until", until.as_str())];
    let said = follow(&client, "/settings/mail/many", &fields).await;
    assert!(said.contains("Queued again: 3."), "{said}");
    assert_eq!((count(&app, "failed").await, count(&app, "queued").await), (2, 3));

    let asked = page(&client, "/settings/mail/many?action=cancel&state=queued").await;
    assert!(asked.contains("3 messages are not sent"), "{asked}");
    let said = follow(&client, "/settings/mail/many", &[("action", "cancel"), ("state", "queued")]).await;
    assert!(said.contains("Cancelled: 3.") && count(&app, "cancelled").await == 3, "{said}");
    for wrong in ["action=retry&state=sent", "action=cancel&state=failed", "action=retry"] {
        let path = format!("/settings/mail/many?{wrong}");
        assert_eq!(crate::alerting::pages::open(&client, &path, "en").await.status, 422, "{wrong}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_wait_are_cancelled_and_the_links_in_them_deleted() {
    let app = TestApp::start().await;
    let client = app.admin().await;
    let to = Address::parse("eve@example.org").unwrap();
    let content = Content::Raw { subject: "Come in", text: "https://ai.example.com/join", html: None };
    let new = NewMail { kind: &kinds::INVITATION, content, ..mail(&to, "") };
    enqueue(&app, Owner::Org(org(&app).await), &new).await.unwrap();
    send(&client, &json!({"to": "ada@example.com", "subject": "Order", "text": "Monday."})).await;
    let cancel = async |body: Value| {
        client.post(&format!("{MESSAGES}/cancel"), &body).await.expect(200)["changed"].as_u64().unwrap()
    };
    assert_eq!(cancel(json!({"kind": "digest"})).await, 0);
    assert_eq!(cancel(json!({"kind": "invitation"})).await, 1);
    assert_eq!(number(&app, "SELECT count(*) FROM mail_bodies WHERE text LIKE '%/join%'").await, 0);
    assert_eq!(cancel(json!({"to": "Ada@example.com"})).await, 1);
    assert_eq!(count(&app, "cancelled").await, 2);
    assert!(app.metric("holdfast_mail_messages_total{outcome=\"cancelled\"}") >= 2.0);
    app.stop().await;
}

async fn import(client: &Client, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    let request = client.request(Method::POST, &format!("{SUPPRESSIONS}/import?{query}"));
    client.send(request.header(header::CONTENT_TYPE, "text/csv").body(file.into())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_from_a_file_and_go_into_one() {
    let app = TestApp::start().await;
    let (client, stranger) = (app.admin().await, app.other_org("strangers").await);
    client.post(SUPPRESSIONS, &json!({"address": "known@example.com"})).await.expect(201);
    let file = "email,reason,detail,kind\nAda@example.com,hard_bounce,550 5.1.1,\nknown@example.com,,,\nnobody,,,\n\
        bob@example.com,spam,\"two\nlines\",digest\neve@example.com,,,spam\nada@example.com,,,\n";
    let done = import(&client, "", file).await.expect(200);
    assert_eq!((&done["added"], &done["known"], &done["rejected"]), (&json!(2), &json!(2), &json!(2)), "{done}");
    let lines: Vec<_> =
        done["errors"].as_array().unwrap().iter().map(|error| error["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [4, 7], "{done}");
    let listed = client.get(SUPPRESSIONS).await.expect(200);
    let row = |address: &str| listed["data"].as_array().unwrap().iter().find(|row| row["address"] == address).cloned();
    let (ada, bob) = (row("ada@example.com").unwrap(), row("bob@example.com").unwrap());
    assert_eq!(
        (&ada["reason"], &ada["detail"], &ada["kind"]),
        (&json!("hard_bounce"), &json!("550 5.1.1"), &json!("*"))
    );
    assert_eq!((&bob["reason"], &bob["kind"]), (&json!("complaint"), &json!("digest")));
    // Nothing of this installation led to them: no alert.
    assert!(app.metric("holdfast_mail_suppressions_total{reason=\"hard_bounce\"}") < 1.0);
    assert_eq!(
        send(&client, &json!({"to": "ada@example.com", "subject": "S", "text": "T"})).await["state"],
        "suppressed"
    );

    let exported = client.send(client.request(Method::GET, &format!("{SUPPRESSIONS}/export"))).await;
    assert_eq!(exported.status, 200, "{}", exported.text);
    let lines: Vec<_> = exported.text.trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("address,kind,reason,detail,"), "{lines:?}");
    let again = import(&stranger, "", exported.text.as_str()).await.expect(200);
    assert_eq!((&again["added"], &again["rejected"]), (&json!(3), &json!(0)), "{again}");
    assert_eq!(
        stranger.get(&format!("{SUPPRESSIONS}?reason=complaint")).await.expect(200)["data"][0]["kind"],
        "digest"
    );
    let some = client.send(client.request(Method::GET, &format!("{SUPPRESSIONS}/export?reason=complaint"))).await;
    assert!(some.text.contains("bob@") && !some.text.contains("ada@"), "{}", some.text);

    // Without a head, in another encoding, with another reason.
    let done = import(&client, "reason=unsubscribed", b"one@example.com;x\ntwo@example.com;\xff\n".as_slice()).await;
    assert_eq!(done.expect(200)["added"], 2, "{}", done.text);
    for (wrong, code) in [("name,age\nAda,36\n", "no_addresses"), ("", "no_addresses")] {
        let answer = import(&client, "", wrong).await;
        assert_eq!(answer.expect(422)["errors"][0]["code"], code, "{wrong:?}");
    }
    // Who has complained elsewhere must not get mail again because bounces turn out to be wrong.
    let complaints =
        "email,reason,detail\nada@example.com,,\nada@example.com,complaint,by telephone\ntwo@example.com,complaint,\n";
    let done = import(&client, "", complaints).await.expect(200);
    assert_eq!((&done["added"], &done["known"]), (&json!(0), &json!(3)), "{done}");
    let found = client.get(&format!("{SUPPRESSIONS}?reason=complaint&q=ada@")).await.expect(200)["data"][0].clone();
    assert_eq!(found["detail"], "550 5.1.1; by telephone", "{found}");
    let asked = client.get(&format!("{SUPPRESSIONS}?reason=unsubscribed&q=two@")).await.expect(200);
    assert_eq!(asked["data"].as_array().unwrap().len(), 1, "who has unsubscribed has: {asked}");
    let many = import(&client, "", "x\n".repeat(100_002)).await;
    assert_eq!(many.expect(422)["errors"][0]["code"], "too_many_lines");
    import(&client, "", vec![b'x'; (8 << 20) + 1]).await.expect(413);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_on_the_page_and_its_bad_lines_are_shown() {
    let app = TestApp::start().await;
    let client = app.admin().await;
    let me = client.get("/api/v1/auth/me").await.expect(200);
    let csrf = me["user"]["csrf_token"].as_str().unwrap();
    let path = "/settings/mail/suppressions";
    let upload = async |csrf: &str, file: &str, lang: &str| {
        let part =
            |head: &str, text: &str| format!("--cut\r\nContent-Disposition: form-data; name={head}\r\n\r\n{text}\r\n");
        let (token, reason) = (part("\"csrf\"", csrf), part("\"reason\"", "complaint"));
        let body = format!("{token}{reason}{}--cut--\r\n", part("\"file\"; filename=\"a.csv\"", file));
        let request = client.request(Method::POST, &format!("{path}/import")).header(header::ACCEPT, "text/html");
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
        client.send(request.header(header::ACCEPT_LANGUAGE, lang).body(body)).await
    };
    let done = upload(csrf, "address\nada@example.com\nbob\n", "en").await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(done.text.contains("Added: 1. Suppressed before: 0. Lines left out: 1."), "{}", done.text);
    assert!(done.text.contains("Line 3: expected one address") && done.text.contains("ada@example.com</th>"));
    let done = upload(csrf, "address\nada@example.com\nbob\n", "ru").await;
    assert!(done.text.contains("Строка 3: нужен один адрес"), "{}", done.text);
    let wrong = upload(csrf, "name\nAda\n", "ru").await;
    assert!(wrong.status == 422 && wrong.text.contains("В файле нет столбца с адресами"), "{}", wrong.text);
    assert_eq!(upload("forged", "address\neve@example.com\n", "en").await.status, 403);
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 1);
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions WHERE reason = 'complaint'").await, 1);
    let file = client.send(client.request(Method::GET, &format!("{path}/export?reason=complaint"))).await;
    assert!(file.text.contains("ada@example.com,*,complaint,"), "{}", file.text);
    app.stop().await;
}
