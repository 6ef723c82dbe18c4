//! Log lines on their way: which fields they have, what is left out, and that none is lost without being counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use holdfast::platform::{
    http::Role,
    http_client::HttpClients,
    telemetry::{
        Level, LogMetrics, LossReason, Outputs, Pushed, Ring,
        config::LokiAccess,
        lines::{Line, Lines},
        loki::{Config, LEAST_BUFFER, Loki as Exporter, Shipping},
        trace::Context,
    },
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::support::{
    app::{Client, TestApp},
    documents::{add_document, make_base},
    loki::{Answer, Loki},
    process::Site,
    upstream::Upstream,
    wait::until,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traceparent() -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-01")
}

fn exporter(loki: &Loki, buffer_bytes: usize) -> (Exporter, Shipping, LogMetrics) {
    let metrics = LogMetrics::new();
    let (url, environment) = (loki.url(), "a \"b\"".to_owned());
    let config = Config { url, access: LokiAccess::default(), environment, metadata: true, buffer_bytes };
    let http = HttpClients::new().unwrap().operator().clone();
    let (exporter, shipping) = Exporter::start(&config, http, metrics.clone());
    (exporter, shipping, metrics)
}

/// A line with this number; `filler` makes it longer.
fn line(number: usize, level: Level, filler: &str) -> Line {
    let nanos = chrono::Utc::now().timestamp_nanos_opt().unwrap();
    Line { nanos, level, json: format!(r#"{{"n":{number},"filler":"{filler}"}}"#).into(), is_local: false }
}

fn numbers(loki: &Loki) -> Vec<usize> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap()["n"].as_u64().unwrap() as usize;
    loki.received().iter().map(|received| number(&received.line)).collect()
}

/// Letters that do not compress.
fn noise(seed: &mut u64, bytes: usize) -> String {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        char::from(b'!' + (*seed % 90) as u8)
    };
    (0..bytes).map(|_| next()).filter(|c| !matches!(c, '"' | '\\')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_arrives_once_in_order_under_three_labels() {
    let loki = Loki::start();
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    for n in 0..20_000 {
        exporter.push(&line(n, Level::ALL[n % 5], &"x".repeat(n % 200)));
    }
    exporter.push(&line(20_000, Level::Warn, &"y".repeat(255 * 1024)));
    exporter.push(&Line { is_local: true, ..line(20_001, Level::Warn, "") });
    let began = Instant::now();
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0, "the end sends what is left");
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut seen = numbers(&loki);
    seen.sort_unstable();
    assert_eq!(seen, (0..=20_000).collect::<Vec<_>>());
    let mut last = BTreeMap::new();
    for received in loki.received() {
        let before = last.insert(received.labels.clone(), received.nanos).unwrap_or(0);
        assert!(received.nanos > before, "{} goes back", received.labels);
    }
    let labels: Vec<_> = last.into_keys().collect();
    let expected = ["debug", "error", "info", "trace", "warn"];
    assert_eq!(labels, expected.map(|level| format!(r#"{{env="a \"b\"", level="{level}", service="holdfast"}}"#)));
    assert!(loki.sizes().len() > 4 && loki.sizes().iter().all(|size| *size <= 512 * 1024), "{:?}", loki.sizes());
    let headers = loki.headers();
    assert_eq!(
        (&headers["content-type"], &headers["content-encoding"]),
        (&"application/json".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(metrics.push.buffer.get(), 0);
    assert_eq!(metrics.push.pushes(Pushed::Ok), loki.pushes() as u64);
    exporter.push(&line(1, Level::Info, ""));
    assert_eq!(metrics.push.lost_because(LossReason::Shutdown), 1, "what comes after the end is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loki_that_is_killed_under_load_and_returns_gets_every_line() {
    let mut loki = Loki::start();
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    let writer = exporter.clone();
    let load = tokio::task::spawn_blocking(move || {
        for n in 0..40_000 {
            writer.push(&line(n, Level::Info, &"x".repeat(200)));
            if n % 100 == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    loki.wait_for(1).await;
    loki.go_away();
    until("nothing is kept and sent again", async || {
        metrics.push.buffer.get() > 0 && metrics.push.pushes(Pushed::Retried) > 0
    })
    .await;
    loki.come_back();
    load.await.unwrap();
    // Lines in flight when it was killed may arrive twice; none is missing.
    let deadline = Instant::now() + Duration::from_secs(60);
    while numbers(&loki).into_iter().collect::<BTreeSet<_>>().len() < 40_000 {
        assert!(Instant::now() < deadline, "{} came", loki.count());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    assert_eq!(LossReason::ALL.iter().map(|reason| metrics.push.lost_because(*reason)).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_what_makes_room_is_counted() {
    let mut loki = Loki::absent();
    let (exporter, shipping, metrics) = exporter(&loki, 2 * LEAST_BUFFER);
    let (total, mut seed, mut most) = (60_000_usize, 7, 0_usize);
    let before = holdfast::platform::telemetry::metrics::resident_bytes().unwrap();
    for n in 0..total {
        exporter.push(&line(n, Level::Info, &noise(&mut seed, 1000)));
        most = most.max(usize::try_from(metrics.push.buffer.get()).unwrap());
        if n % 200 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let grown = holdfast::platform::telemetry::metrics::resident_bytes().unwrap() - before;
    println!("60 MB of lines: buffer at most {most} bytes, the process grew by {grown}");
    assert!(most <= 2 * LEAST_BUFFER && most > LEAST_BUFFER / 2, "{most}");
    let lost = metrics.push.lost_because(LossReason::BufferFull) as usize;
    assert!(lost > total / 2, "{lost}");
    loki.come_back();
    loki.wait_for(total - lost).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    let seen = numbers(&loki);
    assert_eq!(
        seen.len() + metrics.push.lost_because(LossReason::BufferFull) as usize,
        total,
        "each is there or counted"
    );
    // The batch in flight at the start is the oldest of all. A batch built while others make room may outlive younger
    // lines, on a busy host two of them; after those come the newest lines without a gap.
    let gaps = seen.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(seen.last() == Some(&(total - 1)) && gaps <= 3, "{gaps} gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_is_counted_and_holds_up_nothing() {
    for (status, reason) in [(400, LossReason::Rejected), (422, LossReason::Rejected), (413, LossReason::TooLarge)] {
        let loki = Loki::start();
        loki.answer([Answer::Refuse(status, None)]);
        let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
        (0..10).for_each(|n| exporter.push(&line(n, Level::Info, "")));
        until("the loss is not counted", async || metrics.push.lost_because(reason) > 0).await;
        (10..20).for_each(|n| exporter.push(&line(n, Level::Info, "")));
        assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
        let lost = metrics.push.lost_because(reason) as usize;
        assert_eq!(numbers(&loki), (lost..20).collect::<Vec<_>>(), "{status}");
        assert!((1..=10).contains(&lost) && metrics.push.pushes(Pushed::Rejected) == 1, "{status}: {lost}");
    }
}

/// A proxy before its backend is up, a changed token, a login page: none of these answers means that the lines are bad.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_to_loki_loses_no_line() {
    let loki = Loki::start();
    loki.answer([401, 403, 404, 302].map(|status| Answer::Refuse(status, Some(0))).into_iter().chain([Answer::Page]));
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    (0..10).for_each(|n| exporter.push(&line(n, Level::Info, "")));
    loki.wait_for(10).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    assert_eq!(numbers(&loki), (0..10).collect::<Vec<_>>());
    assert_eq!(metrics.push.pushes(Pushed::Retried), 5);
    assert_eq!(LossReason::ALL.iter().map(|reason| metrics.push.lost_because(*reason)).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_put_back_is_followed() {
    let loki = Loki::start();
    let (exporter, shipping, _) = exporter(&loki, 64 << 20);
    let ahead = Line { nanos: line(0, Level::Info, "").nanos + 86_400_000_000_000, ..line(0, Level::Info, "") };
    exporter.push(&ahead);
    let right = line(1, Level::Info, "");
    exporter.push(&right);
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    let times: Vec<i64> = loki.received().iter().map(|line| line.nanos).collect();
    assert_eq!(times, [ahead.nanos, right.nanos], "Loki refuses what lies in the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loki_that_asks_for_patience_gets_it() {
    let loki = Loki::start();
    loki.answer([Answer::Refuse(429, Some(2)), Answer::Refuse(503, None), Answer::Refuse(500, None)]);
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    exporter.push(&line(1, Level::Info, ""));
    loki.wait_for(1).await;
    let times = loki.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] >= Duration::from_secs(2) && waits[0] < Duration::from_secs(4), "Retry-After: {waits:?}");
    // Half of each doubled wait is random.
    assert!(waits[1] >= Duration::from_millis(500) && waits[2] >= Duration::from_millis(1000), "{waits:?}");
    assert_eq!((metrics.push.pushes(Pushed::Retried), metrics.push.pushes(Pushed::Ok)), (3, 1));
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_loki_holds_up_nobody_and_a_dead_one_not_the_end() {
    let loki = Loki::start();
    loki.answer(std::iter::repeat_n(Answer::Take(Duration::from_millis(300)), 1000));
    let (exporter, shipping, _) = exporter(&loki, 64 << 20);
    let began = Instant::now();
    (0..5000).for_each(|n| exporter.push(&line(n, Level::Info, &"x".repeat(500))));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    loki.wait_for(5000).await;
    loki.answer([Answer::Take(Duration::from_secs(60))]);
    (0..7).for_each(|n| exporter.push(&line(n, Level::Info, "")));
    let began = Instant::now();
    assert_eq!(shipping.close(Duration::from_secs(1)).await, 7, "what was not taken is counted");
    assert!(began.elapsed() < Duration::from_secs(2));
}

/// Lines as written by each of the three outputs.
struct Written {
    stdout: Arc<Mutex<Vec<String>>>,
    recent: Arc<Ring>,
    loki: Loki,
}

impl Written {
    fn all(&self) -> [Vec<String>; 3] {
        let recent = self.recent.all().iter().map(|line| line.json.as_ref().to_owned()).collect();
        [self.stdout.lock().unwrap().clone(), recent, self.loki.received().into_iter().map(|r| r.line).collect()]
    }
}

/// Runs `work` under a logger with all three outputs.
async fn write(work: impl FnOnce()) -> Written {
    let loki = Loki::start();
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    let (stdout, recent) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Ring::new(1000, 10 << 20)));
    let seen = stdout.clone();
    let to_stdout = Box::new(move |line: &Line| seen.lock().unwrap().push(line.json.as_ref().to_owned()));
    let outputs = Outputs { stdout: to_stdout, recent: recent.clone(), loki: Some(exporter), metrics };
    let subscriber = tracing_subscriber::registry().with(Lines::new(outputs));
    tracing::subscriber::with_default(subscriber, work);
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    Written { stdout, recent, loki }
}

#[derive(Debug)]
#[expect(dead_code, reason = "printed")]
struct Mail {
    to: &'static str,
    subject: &'static str,
    body: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_has_a_secret_in_it() {
    let written = write(|| {
        let span = tracing::info_span!("s", api_key = "CANARY01", url = "postgres://u:CANARY02@db/x", route = "/kept");
        let _in_span = span.enter();
        tracing::info!("key hf_CANARY03abcdef in a message");
        tracing::info!(password = "CANARY04", one_time_password = true, token = 987_654_321_u64, "by name");
        tracing::info!(headers = ?[("authorization", "Bearer CANARY05xyz"), ("cookie", "a=CANARY06")], "debug print");
        let mail = Mail { to: "canary07@example.com", subject: "Your order", body: "Dear CANARY08, it is sent" };
        tracing::info!(?mail, "mail queued");
        let cause = std::io::Error::other("host=db password=CANARY09 port=1");
        tracing::error!(error = &cause as &dyn std::error::Error, "cannot connect");
        let answer =
            json!({"error": {"message": "Incorrect API key provided: sk-CANARY10abcdef", "token": "CANARY11"}});
        tracing::warn!(answer = %answer, body = "CANARY12", "the provider refused");
        tracing::info!(path = "/join?token=CANARY13&x=kept", cookie = "holdfast_session=CANARY14", "request");
        tracing::info!("Set-Cookie: holdfast_session=CANARY15; HttpOnly");
        tracing::info!(text = "AGE-SECRET-KEY-1CANARY16", jwt = "eyJhbGciOi.eyJzdWIiOi.CANARY17", "shapes");
        tracing::info!("-----BEGIN PRIVATE KEY-----\nCANARY18\n-----END PRIVATE KEY-----");
    })
    .await;
    for (output, lines) in ["stdout", "recent", "loki"].into_iter().zip(written.all()) {
        assert_eq!(lines.len(), 10, "{output}");
        let text = lines.join("\n");
        assert!(!text.to_lowercase().contains("canary") && !text.contains("987654321"), "{output}:\n{text}");
        for kept in [
            "/kept",
            "x=kept",
            "Your order",
            "cannot connect",
            "c***@example.com",
            "u:***@db",
            "\"one_time_password\":true",
        ] {
            assert!(text.contains(kept), "{output} lost {kept}:\n{text}");
        }
        for line in lines {
            serde_json::from_str::<Value>(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_says_what_it_belongs_to_and_is_cut_where_it_is_too_long() {
    let request = Context::of_request(Some(&traceparent()), "request-0001".into());
    let written = write(|| {
        tracing::info!(n = 1, f = 0.5, b = true, nan = f64::NAN, "in the background");
        holdfast::platform::telemetry::trace::within(Some(request), || {
            let outer = tracing::info_span!("outer", route = "/a", job_id = "j-1");
            outer.in_scope(|| {
                let inner = tracing::info_span!("inner", route = "/b", later = tracing::field::Empty);
                inner.record("later", "recorded");
                inner.in_scope(|| tracing::warn!(request_id = "its own", quote = "a\"b\n", "deep inside"));
            });
            tracing::info!(text = "я\u{1}".repeat(400_000), after = "kept", "long");
        });
    })
    .await;
    let [lines, ..] = written.all();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0].get("trace_id").is_none() && lines[0].get("request_id").is_none(), "{}", lines[0]);
    assert_eq!(
        (&lines[0]["n"], &lines[0]["f"], &lines[0]["b"], &lines[0]["nan"]),
        (&json!(1), &json!(0.5), &json!(true), &json!("NaN"))
    );
    let deep = &lines[1];
    for (name, value) in [
        ("level", "warn"),
        ("message", "deep inside"),
        ("trace_id", TRACE),
        ("request_id", "its own"),
        ("route", "/b"),
        ("job_id", "j-1"),
        ("later", "recorded"),
        ("quote", "a\"b\n"),
    ] {
        assert_eq!(deep[name], value, "{name} of {deep}");
    }
    assert!(deep["target"].as_str().unwrap().contains("logs") && deep["timestamp"].as_str().unwrap().ends_with('Z'));
    let long = &lines[2];
    assert!(long["text"].as_str().unwrap().ends_with(" bytes cut]"));
    assert_eq!((&long["after"], &long["request_id"]), (&json!("kept"), &json!("request-0001")));
    let raw = written.stdout.lock().unwrap()[2].len();
    assert!((200 * 1024..=256 * 1024).contains(&raw), "{raw} bytes");
}

/// Cost of a log line of the size of a request's, with all three outputs: every request pays it.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_cheap() {
    const LINES: u32 = 5000;
    let began = std::sync::OnceLock::new();
    let request = Context::of_request(None, "01934f6e-7d7a-7cc0-8000-0123456789ab".into());
    let took = Arc::new(Mutex::new(Duration::ZERO));
    let measured = took.clone();
    let written = write(move || {
        let start = began.get_or_init(std::time::Instant::now);
        holdfast::platform::telemetry::trace::within(Some(request), || {
            let span = tracing::info_span!("http.request", route = "/api/v1/knowledge-bases/{id}/search", method = "POST");
            let _in_span = span.enter();
            for n in 0..LINES {
                tracing::info!(
                    target: "holdfast::request", method = "POST", route = "/api/v1/knowledge-bases/{id}/search",
                    path = "/api/v1/knowledge-bases/01934f6e-7d7a-7cc0-8000-0123456789ab/search", status = 200, outcome = "ok",
                    duration_ms = 12.5, first_byte_ms = 12.25, bytes = n, client = "10.1.2.3", org_id = "01934f6e-7d7a-7cc0-8000-0123456789ab",
                    subject = "user:01934f6e-7d7a-7cc0-8000-0123456789ab", code = "", error = "", "request"
                );
            }
        });
        *measured.lock().unwrap() = start.elapsed();
    })
    .await;
    let each = *took.lock().unwrap() / LINES;
    println!("{each:?} for each line");
    assert_eq!(written.stdout.lock().unwrap().len(), LINES as usize);
    // Ten times what an unoptimised build takes; an optimised build takes far less.
    assert!(each < Duration::from_micros(500), "{each:?}");
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_trace_reaches_the_model_server() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let question = json!({"model": "mock/cites", "stream": true, "messages": [{"role": "user", "content": "heron?"}]});
    let request =
        admin.request(Method::POST, "/v1/chat/completions").header("traceparent", traceparent()).json(&question);
    assert_eq!(admin.send(request).await.status, 200);
    let passed_on = upstream.last_trace();
    assert!(passed_on.starts_with(&format!("00-{TRACE}-")) && passed_on != traceparent(), "{passed_on}");
    assert_eq!(admin.post("/v1/chat/completions", &question).await.status, 200);
    assert!(!upstream.last_trace().contains(TRACE), "another request has another trace");
    app.stop().await;
}

/// Whether a line of the program's output is one of ours.
fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

async fn plant(client: &Client, site: &Site) {
    let anonymous = site.anonymous();
    let wrong = json!({"email": "canary-mail@example.com", "password": "CANARY-password"});
    anonymous.post("/api/v1/auth/login", &wrong).await.problem(401, "invalid_credentials");
    let key = anonymous.request(Method::GET, "/api/v1/agents").bearer_auth("hf_CANARY0123456789abcdef");
    anonymous.send(key).await.expect(401);
    let cookie =
        anonymous.request(Method::GET, "/api/v1/agents").header(header::COOKIE, "holdfast_session=CANARY0123456789");
    anonymous.send(cookie).await;
    anonymous.get("/join/hf_CANARY0123456789abcdef?token=CANARY").await;
    let named = client.request(Method::GET, "/api/v1/agents").header("x-request-id", "hf_CANARY0123456789");
    client.send(named).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_program_ships_what_it_writes_and_changes_its_levels() {
    let loki = Loki::start();
    let mut site = Site::new();
    site.set("HOLDFAST_TELEMETRY__LOKI_URL", &loki.url());
    site.set("HOLDFAST_TELEMETRY__LOKI_USER", "shipper");
    site.set("HOLDFAST_TELEMETRY__LOKI_PASSWORD", "CANARY-loki");
    let running = site.start().await;
    let admin = site.admin().await;
    plant(&admin, &site).await;

    let base = make_base(&admin, "Logged").await;
    add_document(&admin, &base, "a.md", b"# A\n\nThe heron nests on the weir.\n").await;
    let begun = admin
        .request(Method::POST, "/api/v1/agents")
        .header("traceparent", traceparent())
        .header("x-request-id", "request-0001")
        .header(header::USER_AGENT, "curl/8.5.0")
        .json(&json!({"name": "Traced", "knowledge_bases": [base]}));
    admin.send(begun).await.expect(201);
    let upload = admin
        .request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"))
        .header("traceparent", traceparent())
        .header("x-request-id", "request-0002");
    let form = reqwest_form("b.md", "# B\n\nThe otter sleeps.\n");
    admin.send(upload.header(header::CONTENT_TYPE, form.0).body(form.1)).await;
    let of_job = |line: &Value| {
        line["target"] == "holdfast::job" && line["trace_id"] == TRACE && line["request_id"] == "request-0002"
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !running.output().lines().filter_map(parse).any(|line| of_job(&line)) {
        assert!(Instant::now() < deadline, "no attempt continues the trace:\n{}", running.output());
        sleep(Duration::from_millis(100)).await;
    }

    // Any user of the host, and any container beside it, reaches the ops port: no line of anybody's, and no change.
    let stranger = Client::new(&format!("http://{}", site.ops));
    let asked = stranger.get("/recent-lines").await;
    assert!(asked.status == 401 && !asked.text.contains("request-0001"), "{} {}", asked.status, asked.text);
    let guessed = stranger.request(Method::GET, "/recent-lines").bearer_auth("0".repeat(64));
    assert_eq!(stranger.send(guessed).await.status, 401);
    let raise = stranger.request(Method::PUT, "/log-level").json(&json!({"filter": "trace"}));
    assert_eq!(stranger.send(raise).await.status, 401);

    let said = |output: std::process::Output| String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(said(site.run(&["log-level"]).await), "info (as configured)");
    assert!(
        said(site.run(&["log-level", "info,holdfast::jobs=trace,hyper=trace,tokenizers=trace", "--for", "3s"]).await)
            .starts_with("info,holdfast::jobs=trace,hyper=trace,tokenizers=trace until ")
    );
    let query = json!({"query": "heron"});
    admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &query).await.expect(200);
    let bad = site.run(&["log-level", "debgu"]).await;
    let error = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(bad.status.code() == Some(1) && error.contains("\"debgu\" is not a level"), "{error}");
    until("the level stays", async || said(site.run(&["log-level"]).await) == "info (as configured)").await;

    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let lines: Vec<Value> = output.lines().filter_map(parse).collect();
    let has = |check: &dyn Fn(&Value) -> bool| lines.iter().any(check);
    assert!(has(&|line| line["target"] == "holdfast::request"
        && line["request_id"] == "request-0001"
        && line["trace_id"] == TRACE
        && line["user_agent"] == "curl/8.5.0"
        && line["database_ms"].as_f64().unwrap() > 0.0
        && line["transactions"].as_u64().unwrap() >= 1
        && line["bytes_received"].as_u64().unwrap() > 40));
    for field in ["\"route\":", "\"method\":", "\"request_id\":"] {
        let twice = output.lines().find(|line| line.matches(field).count() > 1);
        assert_eq!(twice, None, "a field is there once");
    }
    assert!(has(&|line| line["message"] == "ready" && line.get("trace_id").is_none()));
    assert!(
        has(&|line| line["target"].as_str().unwrap().starts_with("hyper") && line["level"] == "trace"),
        "the change of levels is seen"
    );
    assert!(
        has(&|line| line["target"].as_str().unwrap().starts_with("tokenizers") && line["level"] == "trace"),
        "by what writes through the crate log too"
    );
    assert!(!lines.iter().rev().take(3).any(|line| line["level"] == "trace"), "and its end");

    // All that it logged was sent, except lines about the sending itself.
    let is_shipped = |line: &&str| {
        parse(line).is_some_and(|json| {
            !json["target"].as_str().unwrap().starts_with("hyper")
                && !json["target"].as_str().unwrap().contains("telemetry::loki")
        })
    };
    let written: BTreeSet<String> = output.lines().filter(is_shipped).map(str::to_owned).collect();
    let beside = loki.received().into_iter().find(|received| {
        received.metadata.get("trace_id").is_some_and(|id| id == TRACE)
            && received.metadata.get("request_id").is_some_and(|id| id == "request-0001")
            && received.metadata.get("org_id").is_some_and(|id| id.len() == 36)
    });
    let beside = beside.expect("a line has its ids beside it");
    assert!(!beside.labels.contains("trace") && beside.line.contains(TRACE), "{beside:?}");
    let sent: BTreeSet<String> = loki.received().into_iter().map(|received| received.line).collect();
    assert_eq!(written.difference(&sent).collect::<Vec<_>>(), Vec::<&String>::new(), "written, not sent");
    assert_eq!(sent.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "sent, not written");
    assert!(
        !output.to_lowercase().contains("canary"),
        "{}",
        output.lines().filter(|l| l.to_lowercase().contains("canary")).collect::<Vec<_>>().join("\n")
    );
    assert!(output.contains("a***@example.com"));
    assert!(loki.headers()["authorization"].to_str().unwrap().starts_with("Basic "));
}

/// A form with one file: content type and body.
fn reqwest_form(name: &str, text: &str) -> (String, String) {
    let body = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/markdown\r\n\r\n{text}\r\n--xyz--\r\n"
    );
    ("multipart/form-data; boundary=xyz".into(), body)
}

/// One of the program's metrics, by the beginning of its line.
async fn metric(site: &Site, name: &str) -> f64 {
    let text = Client::new(&format!("http://{}", site.ops)).get("/metrics").await.text;
    text.lines()
        .filter(|line| line.starts_with(name))
        .map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// Resident memory of a process, MiB.
fn resident(pid: rustix::process::Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

/// Prints memory use; `HOLDFAST_TEST_BINARY` names a release build.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "thirteen minutes"]
async fn a_loki_that_is_away_for_ten_minutes_under_load() {
    let mut loki = Loki::start();
    let mut site = Site::new();
    site.set("HOLDFAST_TELEMETRY__LOKI_URL", &loki.url());
    for name in ["REQUESTS_PER_MINUTE", "PRINCIPAL_REQUESTS_PER_MINUTE"] {
        site.set(&format!("HOLDFAST_SERVER__{name}"), "1000000");
    }
    let running = site.start().await;
    let admin = site.admin().await;
    let load: Vec<_> = (0..8)
        .map(|_| {
            let admin = admin.clone();
            tokio::spawn(async move {
                loop {
                    let _ = admin.get("/api/v1/agents").await;
                    sleep(Duration::from_millis(15)).await;
                }
            })
        })
        .collect();
    // Until connections, caches and the recent lines have reached their full size.
    sleep(Duration::from_secs(120)).await;
    let (before, lines) = (resident(running.pid()), loki.count());
    assert!(lines > 4000, "{lines} lines in two minutes are no load");
    loki.go_away();
    let (mut highest, mut minutes) = (before, Vec::new());
    for second in 1..=600 {
        sleep(Duration::from_secs(1)).await;
        highest = highest.max(resident(running.pid()));
        if second % 60 == 0 {
            minutes.push(resident(running.pid()));
        }
    }
    let waiting = metric(&site, "holdfast_log_buffer_bytes").await;
    load.iter().for_each(tokio::task::JoinHandle::abort);
    loki.come_back();
    let returned = Instant::now();
    while metric(&site, "holdfast_log_buffer_bytes").await > 0.0 {
        assert!(returned.elapsed() < Duration::from_secs(120), "it does not catch up");
        sleep(Duration::from_millis(100)).await;
    }
    let caught_up = returned.elapsed();
    let dropped = metric(&site, "holdfast_log_lines_lost_total").await;
    let (status, output) = running.stop().await;
    assert!(status.success());
    let is_shipped =
        |line: &&str| parse(line).is_some_and(|l| !l["target"].as_str().unwrap().contains("telemetry::loki"));
    let written: BTreeSet<&str> = output.lines().filter(is_shipped).collect();
    let received = loki.received();
    let sent: BTreeSet<&str> = received.iter().map(|received| received.line.as_str()).collect();
    let missing = written.difference(&sent).count();
    println!(
        "{} lines written, {waiting} bytes waiting after ten minutes, {dropped} dropped, caught up in {:.1} s; \
         resident memory {before} MiB before, {highest} MiB at most, by minute {minutes:?}",
        written.len(),
        caught_up.as_secs_f64()
    );
    assert_eq!(missing as f64, dropped, "every line is there, or was counted");
}
