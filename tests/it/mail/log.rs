//! What is asked at night: what happened between two and three, what became of this Message-ID, what came back; and the log as a file.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    api::{MESSAGES, id, send},
    outbox::{execute, mail, number},
    pages::page,
};
use crate::support::app::{Answer, Client, TestApp};
use holdfast::mail::{Address, Content, NewMail, Owner, kinds};

const MAIL: &str = "/settings/mail";

fn order(to: &str, subject: &str) -> Value {
    json!({"to": to, "subject": subject, "text": "It arrives on Monday."})
}

async fn subjects(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("{MESSAGES}?{query}")).await.expect(200);
    page["data"].as_array().unwrap().iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
}

/// As a query has it.
fn encoded(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_searched_by_time_by_message_id_and_for_what_came_back() {
    let app = TestApp::start().await;
    let client = app.admin().await;
    let first = send(&client, &order("ada@example.com", "One")).await;
    app.clock.advance(TimeDelta::hours(2));
    let client = app.admin().await;
    let second = app.clock.now();
    send(&client, &order("bob@example.com", "Two")).await;
    app.clock.advance(TimeDelta::hours(2));
    let client = app.admin().await;
    send(&client, &order("eve@example.com", "Three about ada@example.com")).await;
    let message_id = first["message_id"].as_str().unwrap();
    execute(&app, "UPDATE mail_messages SET bounce = 'soft', bounced_at = now() WHERE subject = 'Two'".into()).await;
    execute(&app, "UPDATE mail_messages SET state = 'failed', error = '550 not verified' WHERE subject = 'One'".into())
        .await;
    let (before, after) = (encoded(second - TimeDelta::hours(1)), encoded(second + TimeDelta::hours(1)));
    let quoted = format!("q=%3C{message_id}%3E");
    for (query, found) in [
        (format!("since={before}"), vec!["Three about ada@example.com", "Two"]),
        (format!("until={after}"), vec!["Two", "One"]),
        (format!("since={before}&until={after}"), vec!["Two"]),
        (format!("since={before}&until={after}&q=ada"), vec![]),
        ("bounced=true".to_owned(), vec!["Two"]),
        ("answer=NOT+verified".to_owned(), vec!["One"]),
        ("answer=verified&state=sent".to_owned(), vec![]),
        (format!("q={message_id}"), vec!["One"]),
        (quoted, vec!["One"]),
        (format!("q={message_id}&state=sent"), vec![]),
        // No Message-ID, though it could be one.
        ("q=ada@example.com".to_owned(), vec!["Three about ada@example.com", "One"]),
    ] {
        assert_eq!(subjects(&client, &query).await, found, "{query}");
    }
    client.get(&format!("{MESSAGES}?since=yesterday")).await.problem(400, "invalid_query");
    let between = format!("since={}&until={}", &before[..16], &after[..16]);
    for (query, found) in [
        (between.as_str(), ["Two"].as_slice()),
        ("state=bounced", &["Two"]),
        ("to=ada@example.com", &["One"]),
        ("since=2100-01-01T00:00", &[]),
    ] {
        let shown = page(&client, &format!("{MAIL}?{query}")).await;
        for subject in ["One", "Two", "Three about"] {
            let is_found = found.contains(&subject);
            assert_eq!(shown.contains(&format!("<small>{subject}")), is_found, "{query}, {subject}: {shown}");
        }
    }
    let wrong = crate::alerting::pages::open(&client, &format!("{MAIL}?since=soon"), "en").await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    app.stop().await;
}

/// By its index, however many messages there are: the search index knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_id_of_another_organisation_is_not_found() {
    let app = TestApp::start().await;
    let (client, stranger) = (app.admin().await, app.other_org("strangers").await);
    let sent = send(&client, &order("ada@example.com", "One")).await;
    let query = format!("q={}", sent["message_id"].as_str().unwrap());
    assert_eq!(subjects(&client, &query).await, ["One"]);
    assert_eq!(subjects(&stranger, &query).await, Vec::<String>::new());
    app.stop().await;
}

async fn file(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::GET, path)).await
}

fn value<'a>(answer: &'a Answer, name: &header::HeaderName) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_are_opened_from_the_log_and_nothing_in_them_runs() {
    let app = TestApp::start().await;
    let (client, stranger) = (app.admin().await, app.other_org("strangers").await);
    let mut body = order("ada@example.com", "Order");
    body["attachments"] = json!([
        {"name": "Счёт \"1\".txt", "content_type": "text/plain", "content": "YWhveQ=="},
        {"name": "page.html", "content_type": "text/html", "content": "PHNjcmlwdD4="},
    ]);
    let sent = send(&client, &body).await;
    let (api, console) = (format!("{MESSAGES}/{}", id(&sent)), format!("{MAIL}/messages/{}", id(&sent)));
    let shown = page(&client, &console).await;
    for number in [1, 2] {
        assert!(shown.contains(&format!("href=\"{console}/attachments/{number}\"")), "{shown}");
    }
    for base in [&api, &console] {
        let text = file(&client, &format!("{base}/attachments/1")).await;
        assert_eq!((text.status.as_u16(), text.text.as_str()), (200, "ahoy"));
        assert_eq!(value(&text, &header::CONTENT_TYPE), "text/plain");
        let named = value(&text, &header::CONTENT_DISPOSITION);
        assert!(named.starts_with("inline; filename=\"") && named.contains("UTF-8''%D0%A1"), "{named}");
        let html = file(&client, &format!("{base}/attachments/2")).await;
        assert_eq!((html.status.as_u16(), html.text.as_str()), (200, "<script>"));
        assert_eq!(value(&html, &header::CONTENT_TYPE), "application/octet-stream");
        assert!(value(&html, &header::CONTENT_DISPOSITION).starts_with("attachment;"));
        for answer in [&text, &html] {
            assert!(value(answer, &header::CONTENT_SECURITY_POLICY).starts_with("sandbox"));
            assert_eq!(value(answer, &header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
        for number in ["0", "3", "x", "99999999999999999999999"] {
            assert_eq!(file(&client, &format!("{base}/attachments/{number}")).await.status, 404, "{number}");
        }
        assert_eq!(file(&stranger, &format!("{base}/attachments/1")).await.status, 404);
    }
    app.stop().await;
}

/// With its text, the files of a mail that opens an account are withheld.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_mail_that_opens_an_account_is_shown_to_nobody() {
    let app = TestApp::start().await;
    let client = app.admin().await;
    let owner = Owner::Org(super::outbox::org(&app).await);
    let kept = app.app.mail.keep_attachment(owner, "a.txt", "text/plain", "ahoy".into()).await.unwrap();
    let to = Address::parse("ada@example.com").unwrap();
    let content = Content::Raw { subject: "Come in", text: "https://ai.example.com/join", html: None };
    let new = NewMail { kind: &kinds::INVITATION, content, attachments: vec![kept], ..mail(&to, "Come in") };
    let message = super::outbox::enqueue(&app, owner, &new).await.unwrap();
    file(&client, &format!("{MESSAGES}/{message}/attachments/1")).await.problem(404, "mail_attachment_not_found");
    app.stop().await;
}

/// The lines of a file, without the mark of its encoding.
fn lines(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(value(answer, &header::CONTENT_TYPE).starts_with("text/csv"));
    answer.text.trim_start_matches('\u{feff}').lines().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_exported_whole_or_as_it_is_filtered() {
    let app = TestApp::start().await;
    let (client, stranger) = (app.admin().await, app.other_org("strangers").await);
    send(&client, &order("ada@example.com", "=1+1, \"quoted\"")).await;
    // More than a page.
    let many = "INSERT INTO mail_messages SELECT (m).* FROM (
          SELECT jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(), 'subject', 'Copy')) AS m
          FROM mail_messages m, generate_series(1, 450)) AS copies";
    execute(&app, many.into()).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 451);
    for path in [format!("{MESSAGES}/export"), format!("{MAIL}/export")] {
        let all = file(&client, &path).await;
        let all = lines(&all);
        assert!(all[0].starts_with("created_at,id,state,kind,to,"), "{}", all[0]);
        assert_eq!(all.len(), 452, "{path}");
        // A spreadsheet calculates nothing.
        assert!(all.iter().any(|line| line.contains(",\"'=1+1, \"\"quoted\"\"\",")), "{path}");
        let some = file(&client, &format!("{path}?q=quoted&kind=api")).await;
        assert_eq!(lines(&some).len(), 2, "{path}");
        assert_eq!(lines(&file(&stranger, &path).await).len(), 1, "{path}");
    }
    client.get(&format!("{MESSAGES}/export?q={}", "x".repeat(201))).await.expect(422);
    app.stop().await;
}
