//! The real program: traces, levels, a Loki that is away for long.

use std::{collections::BTreeSet, time::Duration};

use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{TRACE, traceparent};
use crate::support::{
    app::{Client, TestApp},
    documents::{add_document, make_base},
    loki::Loki,
    process::Site,
    upstream::Upstream,
    wait::until,
};

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
