//! What operators see, and nobody else.

use chrono::TimeDelta;
use holdfast::platform::http::Role;
use reqwest::{Method, header};

use super::{PATH, firing, list, now, resolved, send, start};
use crate::support::app::{Answer, Client};

pub async fn open(client: &Client, path: &str, lang: &str) -> Answer {
    let request = client.request(Method::GET, path).header(header::ACCEPT, "text/html");
    client.send(request.header(header::ACCEPT_LANGUAGE, lang)).await
}

pub(super) async fn page(client: &Client, path: &str) -> String {
    let answer = open(client, path, "en").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

pub async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let me = client.get("/api/v1/auth/me").await.expect(200);
    let csrf = me["user"]["csrf_token"].as_str().unwrap();
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let all = [&[("csrf", csrf)], fields].concat();
    let form: Vec<String> = all.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let request = client.request(Method::POST, path).header(header::ACCEPT, "text/html");
    client.send(request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.join("&"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_what_fires_and_what_did() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let empty = page(&admin, "/alerts").await;
    assert!(
        empty.contains("No alerts firing")
            && empty.contains("No past alerts yet")
            && empty.contains("no Watchdog received yet")
    );
    assert!(!page(&admin, "/").await.contains("alerts firing"));

    let mut worst = firing("DatabaseDown", "critical", now(&app));
    worst["annotations"]["summary"] = "<b>PostgreSQL</b> does not answer".into();
    worst["annotations"]["runbook_url"] = "https://runbooks.example.com/DatabaseDown".into();
    let ended = firing("QueueStuck", "warning", now(&app) - TimeDelta::hours(3));
    send(&app, &[firing("Slow", "info", now(&app)), worst, ended.clone()]).await;
    send(&app, &[resolved(ended, now(&app) - TimeDelta::minutes(10))]).await;

    let first = page(&admin, "/").await;
    assert!(
        first.contains("2 alerts firing") && first.contains("https://runbooks.example.com/DatabaseDown"),
        "{first}"
    );
    assert!(first.contains("&#60;b&#62;PostgreSQL") || first.contains("&lt;b&gt;PostgreSQL"), "{first}");
    assert!(first.find("DatabaseDown").unwrap() < first.find("Slow").unwrap(), "the worst comes first");
    let alerts = page(&admin, "/alerts").await;
    assert!(alerts.contains("QueueStuck") && alerts.contains("2.8 h"), "{alerts}");
    // No silence button without an Alertmanager to create the silence.
    assert!(!alerts.contains("Silence 2 h"));
    let found = page(&admin, "/alerts?q=queue&severity=warning&from=2020-01-01&to=2090-01-01").await;
    assert!(found.contains("QueueStuck"));
    let history = |text: &str| text.split("id=\"history\"").nth(1).unwrap().to_owned();
    for none in ["q=database", "severity=critical", "to=2020-01-01", "from=2090-01-01"] {
        let found = history(&page(&admin, &format!("/alerts?{none}")).await);
        assert!(found.contains("Nothing found") || !found.contains("QueueStuck"), "{none}");
    }
    let id = list(&admin, "q=DatabaseDown").await[0]["id"].as_str().unwrap().to_owned();
    let detail = page(&admin, &format!("/alerts/{id}")).await;
    for words in ["critical", "holdfast:9464", "It went from 1 to 2.", "Not forwarded", "http://prometheus:9090/graph"]
    {
        assert!(detail.contains(words), "{words} is not in {detail}");
    }
    let russian = open(&admin, &format!("/alerts/{id}"), "ru").await.text;
    assert!(russian.contains("Метки") && russian.contains("критическая"), "{russian}");
    for path in ["/", "/alerts", "/alerts/silences", "/runbooks"] {
        let text = open(&admin, path, "ru").await.text;
        assert!(!text.contains("alerting-") && !text.contains("alerting-severity"), "{path}: {text}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_them() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    send(&app, &[firing("Secretive", "critical", now(&app))]).await;
    let id = list(&admin, "").await[0]["id"].as_str().unwrap().to_owned();
    for other in [app.other_org("strangers").await, app.person("default", Role::Admin).await] {
        assert!(!page(&other, "/").await.contains("Secretive"));
        for path in [PATH.to_owned(), format!("{PATH}/{id}"), format!("{PATH}/silences")] {
            other.get(&path).await.problem(403, "forbidden");
        }
        for path in ["/alerts".to_owned(), format!("/alerts/{id}"), "/alerts/silences".to_owned()] {
            assert_eq!(open(&other, &path, "en").await.status, 403, "{path}");
        }
        assert_eq!(submit(&other, &format!("/alerts/{id}/silence"), &[]).await.status, 403);
        // Runbooks contain nothing about this installation.
        page(&other, "/runbooks").await;
    }
    let anonymous = app.anonymous();
    let answer = open(&anonymous, "/alerts", "en").await;
    assert_eq!(answer.status, 303);
    assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with("/login?next="));
    assert_eq!(open(&admin, "/runbooks/NoSuchRunbook", "en").await.status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silences_say_why_they_cannot_be_made() {
    let off = start(&[]).await;
    let admin = off.admin().await;
    admin.get(&format!("{PATH}/silences")).await.problem(409, "alertmanager_not_configured");
    assert!(page(&admin, "/alerts/silences").await.contains("alerting.alertmanager_url"));
    off.stop().await;

    // Port 1: nobody listens there.
    let away = start(&[("HOLDFAST_ALERTING__ALERTMANAGER_URL", "http://127.0.0.1:1")]).await;
    let admin = away.admin().await;
    admin.get(&format!("{PATH}/silences")).await.problem(503, "alertmanager_unreachable");
    assert!(page(&admin, "/alerts/silences").await.contains("cannot be reached"));
    let made =
        submit(&admin, "/alerts/silences", &[("matchers", "alertname=X"), ("hours", "2"), ("comment", "c")]).await;
    assert_eq!((made.status.as_u16(), made.headers[header::LOCATION].to_str().unwrap()), (303, "/alerts/silences"));
    let wrong = submit(&admin, "/alerts/silences", &[("matchers", "nonsense"), ("hours", "2"), ("comment", "c")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("This is not a matcher"), "{}", wrong.text);
    let check = super::check(&away, "alerting.alertmanager").await;
    assert_eq!(check.status, holdfast::platform::health::Status::Fail);
    // A comparison that fails ends no alert.
    send(&away, &[firing("Still", "info", now(&away))]).await;
    away.clock.advance(TimeDelta::minutes(20));
    assert!(away.app.alerting.compare().await.is_err());
    assert_eq!(list(&admin, "status=firing").await.len(), 1);
    away.stop().await;
}

/// The case they are for: nobody can sign in, because the database is down.
#[tokio::test(flavor = "multi_thread")]
async fn runbooks_are_read_without_a_session_and_without_the_database() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    app.app.db.close().await;
    // Also with a session cookie: it is not looked up.
    for reader in [&app.anonymous(), &admin] {
        let list = open(reader, "/runbooks", "en").await;
        assert_eq!(list.status, 200, "{}", list.text);
        assert!(list.text.contains("/runbooks/DatabaseDown"), "{}", list.text);
        let runbook = open(reader, "/runbooks/DatabaseDown", "en").await;
        assert_eq!(runbook.status, 200, "{}", runbook.text);
        assert!(runbook.text.contains("Mitigation"), "{}", runbook.text);
        assert!(!runbook.text.contains("<form"), "its token would be nobody's: {}", runbook.text);
        let style = list.text.split("href=\"").find_map(|rest| rest.split_once(".css")).unwrap().0.to_owned();
        assert_eq!(reader.get(&format!("{style}.css")).await.status, 200);
    }
    assert_eq!(open(&app.anonymous(), "/runbooks/NoSuchRunbook", "en").await.status, 404);
    app.kill().await;
}
