//! Receiving notifications.

use std::time::Instant;

use chrono::TimeDelta;
use holdfast::platform::health::Status as Health;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATH, TOKEN, check, firing, list, metric, notification, now, resolved, send, send_raw, start};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_one_row_from_its_start_to_its_end() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let began = now(&app) - TimeDelta::minutes(3);
    let alert = firing("DiskWillFill", "warning", began);
    assert_eq!(
        send(&app, std::slice::from_ref(&alert)).await,
        json!({"firing": 1, "resolved": 0, "repeated": 0, "unreadable": 0, "watchdog": false})
    );
    // Repeated with other annotations, as their values change.
    app.clock.advance(TimeDelta::minutes(5));
    let mut again = alert.clone();
    again["annotations"]["description"] = json!("It went from 2 to 3.");
    assert_eq!(send(&app, &[again]).await["repeated"], 1);
    let rows = list(&admin, "").await;
    assert_eq!((rows.len(), &rows[0]["ends_at"]), (1, &Value::Null));
    assert_eq!(rows[0]["annotations"]["description"], "It went from 2 to 3.");
    assert_ne!(rows[0]["heard_at"], rows[0]["received_at"]);
    app.app.alerting.refresh_gauges().await.unwrap();
    assert_eq!(metric(&app, "holdfast_alerting_firing{severity=\"warning\"}"), 1);

    let ended = now(&app);
    assert_eq!(send(&app, &[resolved(alert.clone(), ended)]).await["resolved"], 1);
    // "firing" right after "resolved" is a delayed message.
    app.clock.advance(TimeDelta::seconds(5));
    assert_eq!(send(&app, std::slice::from_ref(&alert)).await["firing"], 0);
    let rows = list(&admin, "status=resolved").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["ends_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), ended);
    app.app.alerting.refresh_gauges().await.unwrap();
    assert_eq!(metric(&app, "holdfast_alerting_firing{severity=\"warning\"}"), 0);
    // Minutes later it is an alert that did not end: Prometheus was cut off for a while.
    app.clock.advance(TimeDelta::minutes(3));
    assert_eq!(send(&app, std::slice::from_ref(&alert)).await["firing"], 1);
    assert_eq!(list(&admin, "status=firing").await.len(), 1);
    // It fires anew without a report of its end: the first one has ended.
    let anew = firing("DiskWillFill", "warning", now(&app));
    assert_eq!(
        send(&app, &[anew]).await,
        json!({"firing": 1, "resolved": 1, "repeated": 0, "unreadable": 0, "watchdog": false})
    );
    let rows = list(&admin, "").await;
    assert_eq!((rows.len(), &rows[0]["ends_at"]), (2, &Value::Null));
    assert_eq!(rows[1]["ends_at"], rows[0]["starts_at"]);
    // An older one that arrives afterwards has ended already.
    let older = firing("DiskWillFill", "warning", began - TimeDelta::hours(1));
    send(&app, &[older]).await;
    assert_eq!(list(&admin, "status=firing").await.len(), 1);
    assert_eq!(metric(&app, "holdfast_alerting_notifications_total{outcome=\"accepted\"}"), 7);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_token_opens_the_door() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let body = notification(&[firing("A", "info", now(&app))]).to_string();
    let key = json!({"name": "k", "scopes": ["inference"]});
    let key = admin.post("/api/v1/api-keys", &key).await.expect(201);
    let key = key["key"].as_str().or_else(|| key["secret"].as_str()).unwrap_or_else(|| panic!("{key}")).to_owned();
    for wrong in ["", "wrong", &TOKEN[1..], &format!("{TOKEN}x"), &key] {
        send_raw(&app, wrong, body.clone()).await.problem(401, "invalid_alerting_token");
    }
    let anonymous = app.anonymous();
    anonymous.post(PATH, &json!({})).await.problem(401, "invalid_alerting_token");
    // A session does not replace the token, and the token opens nothing else.
    admin.post(PATH, &json!({})).await.problem(401, "invalid_alerting_token");
    let reading = anonymous.request(Method::GET, PATH).bearer_auth(TOKEN);
    anonymous.send(reading).await.problem(401, "invalid_api_key");
    assert_eq!(metric(&app, "holdfast_alerting_notifications_total{outcome=\"refused\"}"), 7);
    assert!(list(&admin, "").await.is_empty());

    for (body, status, code, pointer) in [
        ("not json".to_owned(), 400, "invalid_json", None),
        (json!({"version": "4"}).to_string(), 400, "invalid_value", None),
        (json!({"version": "4", "alerts": [{"status": "firing", "labels": {}, "startsAt": "yesterday"}]}).to_string(), 400, "invalid_value", Some("/alerts/0/startsAt")),
        (json!({"version": "4", "alerts": [{"status": "burning", "labels": {}, "startsAt": "2026-01-01T00:00:00Z"}]}).to_string(), 400, "invalid_value", Some("/alerts/0/status")),
        (json!({"version": "5", "alerts": []}).to_string(), 422, "validation_failed", Some("/version")),
    ] {
        let answer = send_raw(&app, TOKEN, body.clone()).await;
        answer.problem(status, code);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        if let Some(pointer) = pointer {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
        }
    }
    // An unreadable alert does not reject the others, and is reported.
    let odd = json!({"status": "firing", "labels": {"alertname": "Odd"}, "startsAt": "yesterday"});
    let taken = send(&app, &[odd, firing("B", "CRITICAL", now(&app))]).await;
    assert_eq!(taken, json!({"firing": 1, "resolved": 0, "repeated": 0, "unreadable": 1, "watchdog": false}));
    assert_eq!(list(&admin, "severity=critical").await.len(), 1);
    assert_eq!(metric(&app, "holdfast_alerting_notifications_total{outcome=\"in_part\"}"), 1);
    send_raw(&app, TOKEN, " ".repeat((16 << 20) + 65_536)).await.problem(413, "payload_too_large");
    // Alertmanager retries after a 5xx: nothing is lost while the database is unreachable.
    app.app.db.close().await;
    let away = send_raw(&app, TOKEN, body).await;
    away.problem(503, "unavailable");
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_says_what_to_do() {
    let app = TestApp::start().await;
    let answer = send_raw(&app, "anything", notification(&[]).to_string()).await;
    answer.problem(503, "alerting_off");
    assert!(answer.text.contains("alerting.token_file"), "{}", answer.text);
    let result = check(&app, "alerting.token").await;
    assert_eq!(result.status, Health::Warn);
    assert!(result.remedy.unwrap().contains("alerting.token_file"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_is_taken_at_once_and_seen_by_pages() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let began = now(&app);
    let alerts: Vec<Value> =
        (0..800).map(|n| firing(&format!("Storm{n}"), ["critical", "warning", "info"][n % 3], began)).collect();
    let asked = Instant::now();
    // Two Alertmanagers send the same at once.
    let (one, other) = tokio::join!(send(&app, &alerts), send(&app, &alerts));
    assert!(asked.elapsed().as_secs() < 20, "{:?}", asked.elapsed());
    assert_eq!(one["firing"].as_i64().unwrap() + other["firing"].as_i64().unwrap(), 800, "{one} {other}");
    assert_eq!(one["repeated"].as_i64().unwrap() + other["repeated"].as_i64().unwrap(), 800);
    let (mut seen, mut path) = (std::collections::BTreeSet::new(), format!("{PATH}?limit=150&status=firing"));
    loop {
        let answer = admin.get(&path).await.expect(200);
        let rows = answer["data"].as_array().unwrap();
        assert!(rows.iter().all(|row| seen.insert(row["name"].as_str().unwrap().to_owned())));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        path = format!("{PATH}?limit=150&status=firing&cursor={cursor}");
    }
    assert_eq!(seen.len(), 800);
    assert_eq!(list(&admin, "q=storm77&severity=info").await.len(), 5, "77, 770, 773, 776, 779");
    assert!(list(&admin, "q=no-such").await.is_empty());
    let later = (began + TimeDelta::hours(1)).to_rfc3339().replace('+', "%2B");
    assert_eq!(list(&admin, &format!("limit=5&since={later}")).await.len(), 5, "what still fires, fires then too");
    let earlier = (began - TimeDelta::hours(1)).to_rfc3339().replace('+', "%2B");
    assert!(list(&admin, &format!("until={earlier}")).await.is_empty());
    admin.get(&format!("{PATH}?severity=page")).await.problem(422, "validation_failed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_speaks_of_ends_and_what_is_old_goes() {
    let app = start(&[("HOLDFAST_ALERTING__RETENTION_DAYS", "30"), ("HOLDFAST_ALERTING__STALE_HOURS", "6")]).await;
    let admin = app.admin().await;
    send(&app, &[firing("Forgotten", "info", now(&app))]).await;
    app.clock.advance(TimeDelta::hours(5));
    assert_eq!(app.app.alerting.maintain().await.unwrap(), (0, 0));
    app.clock.advance(TimeDelta::hours(2));
    assert_eq!(app.app.alerting.maintain().await.unwrap(), (1, 0));
    assert_eq!(list(&admin, "status=resolved").await.len(), 1);
    app.clock.advance(TimeDelta::days(29));
    assert_eq!(app.app.alerting.maintain().await.unwrap(), (0, 0));
    app.clock.advance(TimeDelta::days(2));
    assert_eq!(app.app.alerting.maintain().await.unwrap(), (0, 1));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_refuses_nobody() {
    let app = start(&[]).await;
    let body = notification(&[firing("A", "info", now(&app))]).to_string();
    let count =
        |outcome: &str| metric(&app, &format!("holdfast_alerting_notifications_total{{outcome=\"{outcome}\"}}"));
    send_raw(&app, "wrong", body.clone()).await.problem(401, "invalid_alerting_token");
    assert_eq!((count("refused"), count("failed")), (1, 0));
    app.app.db.close().await;
    assert_eq!(send_raw(&app, TOKEN, body).await.status, 503);
    assert_eq!((count("refused"), count("failed")), (1, 1));
    app.kill().await;
}
