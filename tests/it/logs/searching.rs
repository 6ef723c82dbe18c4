//! Search in recent lines and in Loki.

use std::time::Duration;

use holdfast::platform::{
    http::Role,
    telemetry::{Level, lines::Line},
};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{TRACE, exporter, line};
use crate::support::{app::TestApp, loki::Loki};

#[tokio::test(flavor = "multi_thread")]
async fn operators_search_the_recent_lines() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let recent = &app.app.runtime.logger.recent;
    let empty = admin.get("/logs").await;
    assert!(
        empty.status == 200
            && empty.text.contains("No lines in this time range")
            && empty.text.contains("telemetry.loki_url"),
        "{}",
        empty.text
    );
    for n in 0..60 {
        let level = if n % 10 == 0 { Level::Error } else { Level::Info };
        let json = format!(
            r#"{{"level":"{}","message":"heron {n} <b>","target":"t","trace_id":"{TRACE}","request_id":"request-{n:04}","n":{n}}}"#,
            level.as_str()
        );
        let nanos = app.clock.now().timestamp_nanos_opt().unwrap();
        recent.push(&Line { nanos, level, json: json.into(), is_local: false });
    }
    app.clock.advance(chrono::TimeDelta::seconds(1));
    let found = |page: &Value| {
        page["data"].as_array().unwrap().iter().map(|line| line["fields"]["n"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let first = admin.get("/api/v1/logs").await.expect(200);
    assert_eq!((found(&first), &first["source"]), ((10..60).rev().collect(), &json!("memory")));
    let second =
        admin.get(&format!("/api/v1/logs?cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((found(&second), &second["next_cursor"]), ((0..10).rev().collect(), &Value::Null));
    assert_eq!(found(&admin.get("/api/v1/logs?level=error&q=HERON").await.expect(200)), [50, 40, 30, 20, 10, 0]);
    assert_eq!(found(&admin.get("/api/v1/logs?id=request-0007").await.expect(200)), [7]);
    admin.get("/api/v1/logs?level=loud&limit=0").await.problem(422, "validation_failed");

    let page = admin.get("/logs?level=error").await;
    assert!(
        page.text.contains("heron 50") && page.text.contains("&#60;b&#62;") && !page.text.contains("heron 51"),
        "{}",
        page.text
    );
    assert!(page.text.contains(&format!("id={TRACE}")));
    let page = admin.get("/logs").await;
    let next = page
        .text
        .split("href=\"")
        .find(|part| part.contains("rel=\"next\""))
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&");
    let older = admin.get(&next).await;
    assert!(older.text.contains("heron 9 ") && !older.text.contains("heron 10 "), "{next}");
    let wrong = admin.get("/logs?from=yesterday&q=kept").await;
    assert!(
        wrong.status == 422 && wrong.text.contains("is not a time") && wrong.text.contains("value=\"kept\""),
        "{}",
        wrong.text
    );
    let russian =
        admin.send(admin.request(Method::GET, "/logs?q=nothing-like-this").header(header::ACCEPT_LANGUAGE, "ru")).await;
    assert!(russian.text.contains("Журнал") && russian.text.contains("последние строки"), "{}", russian.text);

    let other = app.other_org("other").await;
    other.get("/api/v1/logs").await.problem(403, "forbidden");
    assert_eq!(other.get("/logs").await.status, 403);
    let member = app.person("default", Role::Member).await;
    member.get("/api/v1/logs").await.problem(403, "forbidden");
    assert!(
        !member.get("/").await.text.contains("href=\"/logs\"") && admin.get("/").await.text.contains("href=\"/logs\"")
    );
    assert_eq!(app.anonymous().get("/api/v1/logs").await.status, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_loki_that_is_searched() {
    let mut loki = Loki::start();
    let (exporter, shipping, _) = exporter(&loki, 64 << 20);
    for n in 0..60 {
        exporter.push(&line(n, Level::Info, "x"));
    }
    shipping.close(Duration::from_secs(5)).await;
    let app = TestApp::start_with(&[
        ("HOLDFAST_LOGS__LOKI_QUERY_URL", &loki.url()),
        ("HOLDFAST_TELEMETRY__LOKI_TENANT", "t1"),
    ])
    .await;
    let admin = app.admin().await;
    let page = admin.get(&format!("/api/v1/logs?level=warn&q=%7D%7C%22&id={TRACE}")).await.expect(200);
    assert_eq!(
        (&page["source"], page["data"].as_array().unwrap().len(), &page["data"][0]["fields"]["n"]),
        (&json!("loki"), 50, &json!(59))
    );
    let asked = loki.last_query();
    assert!(asked["query"].starts_with(r#"{service="holdfast",level=~"error|warn"} |= "#), "{asked:?}");
    assert_eq!((asked["direction"].as_str(), asked["limit"].as_str()), ("backward", "51"));
    let older = admin.get(&format!("/api/v1/logs?cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((older["data"].as_array().unwrap().len(), &older["next_cursor"]), (10, &Value::Null));
    let shown = admin.get("/logs").await;
    assert!(!shown.text.contains("telemetry.loki_url"), "{}", shown.text);
    let checks = holdfast::platform::health::run_all(&app.app.checks()).await;
    let ours = |checks: &[holdfast::platform::health::Report]| {
        serde_json::to_value(checks.iter().find(|c| c.name == "logs.loki").unwrap()).unwrap()
    };
    assert_eq!(ours(&checks)["status"], "pass", "{checks:?}");
    loki.go_away();
    admin.get("/api/v1/logs").await.problem(502, "loki_unavailable");
    let page = admin.get("/logs?q=kept").await;
    assert!(
        page.status == 502 && page.text.contains("Loki cannot be searched") && page.text.contains("value=\"kept\""),
        "{}",
        page.text
    );
    let checks = holdfast::platform::health::run_all(&app.app.checks()).await;
    assert_eq!(ours(&checks)["status"], "warn", "{checks:?}");
    app.stop().await;
}
