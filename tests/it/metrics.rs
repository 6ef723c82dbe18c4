//! What holds for a live `/metrics`: its names, labels, size and formats, and that the reference tells the whole of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use holdfast::{
    app::metrics_reference,
    platform::{
        telemetry::{Format, Latency, Telemetry},
        trace::Context,
    },
};
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Unit,
};
use reqwest::Method;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::app::{Client, TestApp};

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// The labels of a line of the exposition format, without its exemplar.
fn labels(line: &str) -> Vec<(String, String)> {
    let sample = line.split(" # ").next().unwrap_or_default();
    let Some((_, rest)) = sample.split_once('{') else { return Vec::new() };
    let inner = &rest[..rest.rfind('}').unwrap()];
    // No value has a comma or a quotation mark in it: one that had would fail the check below.
    let pairs = inner.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.trim_matches('"').into())).collect()
}

#[test]
fn the_reader_of_labels_sees_values_and_leaves_exemplars_out() {
    let line = r#"x_bucket{surface="api",le="+Inf"} 3 # {trace_id="ABC"} 0.1"#;
    assert_eq!(labels(line), [("surface".into(), "api".into()), ("le".into(), "+Inf".into())]);
    assert_eq!(labels(r#"x_total{outcome="Ok"} 1"#), [("outcome".into(), "Ok".into())]);
    assert!(labels("x_total 1").is_empty());
}

/// The content type and the text of a scrape.
async fn scrape(app: &TestApp, accept: &str) -> (String, String) {
    let request = Request::get("/metrics").header(header::ACCEPT, accept).body(Body::empty()).unwrap();
    let response = app.app.ops_router().oneshot(request).await.unwrap();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = to_bytes(response.into_body(), 16 << 20).await.unwrap();
    (kind, String::from_utf8(body.to_vec()).unwrap())
}

/// A page in a browser on the same host, with a name of its own that leads to 127.0.0.1, is not answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_ops_port_is_for_machines() {
    let app = TestApp::start().await;
    let ask = async |request: Request<Body>| app.app.ops_router().oneshot(request).await.unwrap().status().as_u16();
    let get = |host: &str| Request::get("/metrics").header(header::HOST, host);
    for (host, expected) in [
        ("127.0.0.1:9464", 200),
        ("[::1]:9464", 200),
        ("localhost:9464", 200),
        ("holdfast:9464", 200),
        ("holdfast.monitoring.svc.cluster.local:9464", 200),
        ("evil.example:9464", 421),
        ("127.0.0.1.evil.example", 421),
    ] {
        assert_eq!(ask(get(host).body(Body::empty()).unwrap()).await, expected, "{host}");
    }
    let foreign = get("127.0.0.1:9464").header(header::ORIGIN, "http://evil.example");
    assert_eq!(ask(foreign.body(Body::empty()).unwrap()).await, 403);
    let before = app.app.runtime.logger.levels.status().filter;
    let raise = Request::put("/log-level").header(header::HOST, "evil.example");
    assert_eq!(ask(raise.body(Body::from(r#"{"filter": "trace"}"#)).unwrap()).await, 421);
    assert_eq!(app.app.runtime.logger.levels.status().filter, before);
    app.stop().await;
}

/// Uploads, searches, asks and errs a little, in one trace.
async fn exercise(app: &TestApp, trace: &str) {
    let admin = app.admin().await;
    let base = crate::support::documents::make_base(&admin, "Measured").await;
    crate::support::documents::add_document(&admin, &base, "a.md", b"# A\n\nThe heron nests on the weir.\n").await;
    app.wait_for_jobs().await;
    let traced = |client: &Client, path: &str, body: &serde_json::Value| {
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        client.request(Method::POST, path).header("traceparent", parent).json(body)
    };
    let search = json!({"query": "heron"});
    admin.send(traced(&admin, &format!("/api/v1/knowledge-bases/{base}/search"), &search)).await.expect(200);
    let agent = admin.post("/api/v1/agents", &json!({"name": "M", "knowledge_bases": [base]})).await.expect(201);
    let slug = agent["slug"].as_str().unwrap();
    let question = json!({"model": format!("agent/{slug}"), "messages": [{"role": "user", "content": "heron?"}]});
    admin.send(traced(&admin, "/v1/chat/completions", &question)).await.expect(200);
    admin.send(admin.request(Method::OPTIONS, "/nowhere")).await;
}

/// Name, type and help of each family, in the older text.
fn families(text: &str) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::<String, (String, String)>::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").map(|rest| rest.split_once(' ').unwrap()) {
            found.entry(name.into()).or_default().1 = help.into();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").map(|rest| rest.split_once(' ').unwrap()) {
            found.entry(name.into()).or_default().0 = kind.into();
        }
    }
    found
}

/// What is wrong with a family's name, type and help.
fn flaws(name: &str, kind: &str, help: &str) -> Vec<&'static str> {
    let words: Vec<&str> = name.split('_').collect();
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let seconds = ["time", "duration", "timestamp", "wait", "overdue"];
    let other_units =
        ["ms", "milliseconds", "microseconds", "minutes", "hours", "days", "kilobytes", "kb", "mb", "percent"];
    let says = |all: &[&str]| words.iter().any(|word| all.contains(word));
    let flaws = [
        // The names that every exporter of processes has, so that other people's dashboards know them.
        ("prefix", (words[0] != "holdfast" || words.len() < 3) && words[0] != "process"),
        ("not snake_case", !words.iter().all(|w| word(w))),
        ("a counter ends in _total, and nothing else does", (kind == "counter") != name.ends_with("_total")),
        ("not a base unit", says(&other_units)),
        ("a time is in seconds", says(&seconds) && !says(&["seconds"])),
        ("a histogram has a unit", kind == "histogram" && !name.ends_with("_seconds") && !name.ends_with("_bytes")),
        ("no type", !["counter", "gauge", "histogram"].contains(&kind)),
        (
            "help is a phrase with a capital letter or a number",
            !help.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()),
        ),
        ("help ends without a full stop", help.ends_with(['.', ' '])),
    ];
    flaws.into_iter().filter_map(|(flaw, is)| is.then_some(flaw)).collect()
}

#[test]
fn the_linter_of_families_sees_each_flaw() {
    assert!(flaws("holdfast_jobs_wait_seconds", "histogram", "From then to now").is_empty());
    for (name, kind, help) in [
        ("jobs_wait_seconds", "histogram", "Fine"),
        ("holdfast_jobs_Wait_seconds", "histogram", "Fine"),
        ("holdfast_jobs_done", "counter", "Fine"),
        ("holdfast_jobs_done_total", "gauge", "Fine"),
        ("holdfast_jobs_wait_ms", "gauge", "Fine"),
        ("holdfast_jobs_last_timestamp", "gauge", "Fine"),
        ("holdfast_jobs_attempts", "histogram", "Fine"),
        ("holdfast_jobs_done", "unknown", "Fine"),
        ("holdfast_jobs_done", "gauge", "Ends with a full stop."),
        ("holdfast_jobs_done", "gauge", "small"),
    ] {
        assert!(!flaws(name, kind, help).is_empty(), "{name} {kind} {help:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_units_labels_and_size_are_as_agreed_and_the_reference_tells_the_whole() {
    let app = TestApp::start().await;
    let (kind, idle) = scrape(&app, "*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    // About 160 for each room, its routes and tables included.
    assert!(series(&idle) < 3500, "{} series idle", series(&idle));
    exercise(&app, &"ab".repeat(16)).await;
    let (_, text) = scrape(&app, "*/*").await;
    println!("{} series idle, {} after a short exercise", series(&idle), series(&text));

    let reference = metrics_reference();
    let mut wrong = BTreeSet::new();
    for (name, (kind, help)) in families(&text) {
        wrong.extend(flaws(&name, &kind, &help).into_iter().map(|flaw| format!("{name}: {flaw}")));
        if !reference.contains(&format!("| `{name}` |")) {
            wrong.insert(format!("{name}: not in the reference"));
        }
        if !idle.contains(&format!("# TYPE {name} ")) {
            wrong.insert(format!("{name}: no series before its first event"));
        }
    }
    let documented = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    for (name, rest) in documented.filter(|(_, rest)| !rest.contains("out of the configuration")) {
        if !text.contains(&format!("# TYPE {name} ")) {
            wrong.insert(format!("{name}: in the reference, and not on /metrics: {rest}"));
        }
    }
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        for (label, value) in labels(line).into_iter().filter(|(label, _)| label != "le" && label != "version") {
            let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            let family = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let row = [Some(name), family]
                .into_iter()
                .flatten()
                .find_map(|name| reference.lines().find(|line| line.starts_with(&format!("| `{name}` |"))));
            if label == "route" {
                // As the code writes it, and never as a client does.
                let made_up = |part: &str| part != "v1" && part.chars().any(|c| c.is_ascii_digit());
                if !(value == "other" || value.starts_with('/')) || value.split('/').any(made_up) {
                    wrong.insert(format!("{name}: route=\"{value}\" is no template"));
                }
            } else if label == "model" {
                if !["other", "all-MiniLM-L6-v2", "extractive"].contains(&value.as_str()) {
                    wrong.insert(format!("{name}: model=\"{value}\" is in no configuration"));
                }
            } else if value.is_empty() || value.len() > 30 || !value.chars().all(plain) {
                wrong.insert(format!("{name}: {label}=\"{value}\" is not like a name in the code"));
            } else if !row.is_some_and(|row| {
                let listed = row.contains(&format!("`{value}`")) && row.contains(&format!("{label}: "));
                listed || row.contains(&format!("{label}: out of the configuration"))
            }) {
                wrong.insert(format!("{name}: {label}=\"{value}\" is not in the reference"));
            }
            seen.insert(label);
        }
    }
    for expected in [
        "surface",
        "outcome",
        "status",
        "stage",
        "operation",
        "credential",
        "limit",
        "queue",
        "route",
        "schedule",
        "pool",
        "table",
    ] {
        assert!(seen.contains(expected), "no series has the label {expected}: {seen:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    promtool(&text);
    app.stop().await;
}

/// Has Prometheus' own linter read the text.
fn promtool(text: &str) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (Debian: prometheus)");
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_bar_leads_to_a_trace() {
    let app = TestApp::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    exercise(&app, trace).await;
    let (kind, text) = scrape(&app, OPENMETRICS).await;
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.ends_with("# EOF\n") && text.contains("# UNIT "), "{text}");
    let mut found = BTreeMap::<&str, BTreeSet<&str>>::new();
    for line in text.lines() {
        let Some((sample, exemplar)) = line.split_once(" # {trace_id=\"") else { continue };
        let id = exemplar.split_once('"').unwrap().0;
        let is_hex = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_hex && id.bytes().any(|b| b != b'0'), "{line}");
        found.entry(sample.split_once("_bucket").unwrap().0).or_default().insert(id);
    }
    for ours in [
        "holdfast_http_request_duration_seconds",
        "holdfast_http_first_byte_seconds",
        "holdfast_http_route_first_byte_seconds",
        "holdfast_knowledge_search_duration_seconds",
        "holdfast_knowledge_search_part_duration_seconds",
        "holdfast_llm_request_duration_seconds",
    ] {
        assert!(found.get(ours).is_some_and(|ids| ids.contains(trace)), "{ours} does not lead to {trace}: {found:#?}");
    }
    // Uploads were in traces of their own.
    assert!(found.contains_key("holdfast_jobs_duration_seconds"), "{found:#?}");
    let (_, older) = scrape(&app, "text/plain").await;
    assert!(!older.contains("trace_id") && !older.contains("# EOF") && !older.contains("# UNIT"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_panics_are_counted() {
    let app = TestApp::start().await;
    let body = json!({"email": "nobody@example.com", "password": "x".repeat(3000)});
    app.anonymous().post("/api/v1/auth/login", &body).await;
    let text = app.app.telemetry.encode();
    let sample = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let received = sample(r#"holdfast_http_request_size_bytes_sum{surface="api"}"#);
    assert_eq!(received as usize, serde_json::to_vec(&body).unwrap().len());
    assert!(sample(r#"holdfast_http_response_size_bytes_sum{surface="api"}"#) > 20.0);
    assert_eq!(sample("holdfast_http_panics_total") as u64, 0);
    assert!(sample("holdfast_process_threads") >= 2.0 && sample("holdfast_process_max_file_descriptors") >= 256.0);
    assert!((sample("process_resident_memory_bytes") - sample("holdfast_process_resident_memory_bytes")).abs() < 1.0);
    assert!(sample("process_open_fds") > 2.0 && sample("process_virtual_memory_bytes") > 1e6);
    assert!(sample("holdfast_cgroup_memory_limit_bytes") > 1e8, "the host's, where there is no other");
    assert!(sample("holdfast_disk_free_bytes{folder=\"data\"}") > 0.0);
    assert!(sample("holdfast_runtime_workers") >= 1.0 && sample("holdfast_runtime_busy_seconds_total") > 0.0);
    assert!(
        sample("holdfast_process_cpu_seconds_total") > 0.0 && sample("holdfast_process_start_time_seconds") > 1.7e9
    );
    app.stop().await;
}

/// `cargo test --release --test it a_scrape_is_quick -- --ignored --nocapture`
#[test]
#[ignore = "a measurement: says something in a release build"]
fn a_scrape_is_quick_with_ten_thousand_series() {
    let telemetry = Telemetry::new();
    let (latencies, counters) = telemetry.register("many", |registry| {
        let latencies = Family::<[(&str, String); 1], Latency, _>::new_with_constructor(|| {
            Latency::new((0..13).map(|n| f64::from(1 << n) / 1000.0))
        });
        let counters = Family::<[(&str, String); 1], Counter>::default();
        registry.register_with_unit("duration", "How long", Unit::Seconds, latencies.clone());
        registry.register("events", "How many", counters.clone());
        (latencies, counters)
    });
    for n in 0..500 {
        let latency = latencies.get_or_create_owned(&[("kind", format!("kind_{n}"))]);
        for value in [0.0005, 0.003, 0.05, 0.9] {
            latency.observe_in(Some(&Context::of_request(None, String::new())), value);
        }
    }
    for n in 0..1900 {
        counters.get_or_create(&[("kind", format!("kind_{n}"))]).inc_by(n);
    }
    for format in [Format::OpenMetrics, Format::Prometheus] {
        let mut took: Vec<Duration> = (0..50)
            .map(|_| {
                let began = Instant::now();
                assert!(telemetry.encode_as(format).len() > 100_000);
                began.elapsed()
            })
            .collect();
        took.sort();
        let text = telemetry.encode_as(format);
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        println!("{format:?}: {series} series, {} bytes: median {:?}, worst {:?}", text.len(), took[25], took[49]);
        assert!(cfg!(debug_assertions) || took[25] < Duration::from_millis(5), "{took:?}");
    }
}
