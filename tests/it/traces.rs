//! Traces on their way to a collector: whose spans they are, what is on them, what is not, and that a collector costs nobody anything.

use std::{collections::BTreeSet, time::Duration};

use holdfast::platform::{
    http_client::HttpClients,
    telemetry::{
        LossReason, Pushed, TraceMetrics,
        otlp::{
            Config, LEAST_BUFFER, Otlp, Shipping, headers,
            wire::{Kind, Span},
        },
    },
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    agents::start,
    app::Client,
    collector::{Answer, Collector, Received},
    documents::{add_document, make_base, send_file, wait_for_document},
    process::Site,
    sse::Events,
    upstream::Upstream,
    wait::until,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

fn config(collector: &Collector, buffer_bytes: usize) -> Config {
    Config {
        url: collector.url(),
        headers: headers("x-team=k").unwrap(),
        environment: "test".into(),
        instance: uuid::Uuid::from_u128(7),
        sample_ratio: 1.0,
        buffer_bytes,
    }
}

fn exporter(collector: &Collector, buffer_bytes: usize) -> (Otlp, Shipping, TraceMetrics) {
    let metrics = TraceMetrics::new();
    let config = config(collector, buffer_bytes);
    let (otlp, shipping) = Otlp::start(&config, HttpClients::new().unwrap().operator().clone(), metrics.clone());
    (otlp, shipping, metrics)
}

fn span(number: usize) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: format!("span {number} {}", "x".repeat(200)),
        kind: Kind::Internal.into(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        flags: 0x101,
        ..Span::default()
    }
}

fn numbers(collector: &Collector) -> Vec<usize> {
    let number = |span: Received| span.name.split(' ').nth(1).unwrap().parse().unwrap();
    collector.received().into_iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_arrives_once_in_batches_under_one_resource() {
    let collector = Collector::start();
    let (otlp, shipping, metrics) = exporter(&collector, 64 << 20);
    (0..5000).for_each(|number| otlp.push(&span(number)));
    assert_eq!(shipping.close(Duration::from_secs(10)).await, 0);
    assert_eq!(numbers(&collector), (0..5000).collect::<Vec<_>>());
    assert!(collector.sizes().iter().all(|size| (1..=512).contains(size)), "{:?}", collector.sizes());
    let headers = collector.headers();
    assert_eq!(
        (&headers["content-type"], &headers["content-encoding"]),
        (&"application/x-protobuf".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(headers["x-team"], "k");
    assert!(headers.get("traceparent").is_none(), "the exporter's own requests are in no trace");
    let resource = &collector.received()[0].resource;
    assert_eq!(
        serde_json::to_value(resource).unwrap(),
        json!({
            "service.name": "holdfast", "service.version": env!("CARGO_PKG_VERSION"),
            "service.instance.id": "00000000-0000-0000-0000-000000000007", "deployment.environment.name": "test",
        })
    );
    assert_eq!((metrics.exported.get(), metrics.push.pushes(Pushed::Ok)), (5000, collector.sizes().len() as u64));
    assert_eq!(metrics.push.buffer.get(), 0);
    otlp.push(&span(0));
    assert_eq!(metrics.push.lost_because(LossReason::Shutdown), 1, "what comes after the end is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_nothing_and_what_makes_room_is_counted() {
    let mut collector = Collector::absent();
    let (otlp, shipping, metrics) = exporter(&collector, LEAST_BUFFER);
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    for number in 0..20_000 {
        let one = Instant::now();
        otlp.push(&span(number));
        slowest = slowest.max(one.elapsed());
    }
    assert!(begun.elapsed() < Duration::from_secs(3) && slowest < Duration::from_millis(200), "{slowest:?}");
    assert!(metrics.push.buffer.get() <= i64::try_from(LEAST_BUFFER).unwrap(), "{}", metrics.push.buffer.get());
    let lost = metrics.push.lost_because(LossReason::BufferFull) as usize;
    assert!((10_000..20_000).contains(&lost), "{lost}");
    collector.come_back();
    collector.wait_for(20_000 - lost).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    let seen = numbers(&collector);
    let distinct = seen.iter().collect::<BTreeSet<_>>().len();
    assert_eq!((distinct, seen.len()), (20_000 - lost, 20_000 - lost), "the others are there, once");
    assert!(seen.contains(&19_999), "the newest stay");
    assert!(metrics.push.pushes(Pushed::Retried) >= 1);
    assert_eq!(metrics.exported.get() as usize, 20_000 - lost);
}

/// On one thread: the exporter does not run before the test waits, and finds the ten together.
#[tokio::test]
async fn what_is_refused_is_counted_and_holds_up_nothing() {
    for (answer, lost, reason) in [
        (Answer::Refuse(400, None), 10, LossReason::Rejected),
        (Answer::Refuse(422, None), 10, LossReason::Rejected),
        (Answer::Refuse(500, None), 10, LossReason::Rejected),
        (Answer::Refuse(413, None), 10, LossReason::TooLarge),
        (Answer::Partly(3), 3, LossReason::Rejected),
    ] {
        let collector = Collector::start();
        collector.answer([answer.clone()]);
        let (otlp, shipping, metrics) = exporter(&collector, 64 << 20);
        (0..10).for_each(|number| otlp.push(&span(number)));
        until(&format!("{answer:?} is not counted"), async || metrics.push.lost_because(reason) > 0).await;
        (10..20).for_each(|number| otlp.push(&span(number)));
        assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
        assert_eq!((metrics.push.lost_because(reason), metrics.exported.get()), (lost, 20 - lost), "{answer:?}");
    }
}

/// A proxy before its backend is up, headers that were changed, a page to sign in: nothing of that is about the spans. Nor is an answer
/// that says "again at once" a wish to be asked without a pause.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_to_the_collector_loses_no_span() {
    let collector = Collector::start();
    let refusals = [401, 403, 404, 302, 429, 503].map(|status| Answer::Refuse(status, Some(0)));
    collector.answer(refusals.into_iter().chain([Answer::Page]));
    let (otlp, shipping, metrics) = exporter(&collector, 64 << 20);
    (0..10).for_each(|number| otlp.push(&span(number)));
    collector.wait_for(10).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    assert_eq!(numbers(&collector), (0..10).collect::<Vec<_>>());
    assert_eq!((metrics.push.pushes(Pushed::Retried), metrics.exported.get()), (7, 10));
    assert_eq!(LossReason::ALL.iter().map(|reason| metrics.push.lost_because(*reason)).sum::<u64>(), 0);
    let times = collector.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[..6].iter().all(|wait| *wait >= Duration::from_millis(500)), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_to_sign_in_is_no_collector_that_takes_spans() {
    let collector = Collector::start();
    let config = config(&collector, LEAST_BUFFER);
    let clients = HttpClients::new().unwrap();
    assert_eq!(config.ping(clients.operator()).await, Ok(()));
    collector.answer([Answer::Page]);
    let why = config.ping(clients.operator()).await.unwrap_err();
    assert!(why.contains("sign in"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_asks_for_patience_gets_it_and_a_dead_one_does_not_hold_up_the_end() {
    let collector = Collector::start();
    collector.answer([Answer::Refuse(429, Some(2)), Answer::Refuse(503, None)]);
    let (otlp, shipping, metrics) = exporter(&collector, 64 << 20);
    otlp.push(&span(0));
    collector.wait_for(1).await;
    let times = collector.times();
    assert!(times[1] - times[0] >= Duration::from_secs(2), "{times:?}");
    assert_eq!((times.len(), metrics.push.pushes(Pushed::Retried)), (3, 2));
    collector.answer([Answer::Take(Duration::from_secs(60))]);
    (0..10).for_each(|number| otlp.push(&span(number)));
    let begun = Instant::now();
    assert_eq!(shipping.close(Duration::from_millis(700)).await, 10);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(metrics.push.lost_because(LossReason::Shutdown), 10);
}

/// An appliance that sends its traces, with a model server.
fn site(collector: &Collector, upstream: &Upstream) -> Site {
    let mut site = Site::new();
    let (name, value) = upstream.setting();
    site.set(name, value);
    site.set("HOLDFAST_LLM__PROVIDERS__MOCK__API_KEY", "CANARY-provider-key");
    site.set("HOLDFAST_TELEMETRY__OTLP_URL", &collector.url());
    site.set("HOLDFAST_TELEMETRY__OTLP_HEADERS", "x-team=CANARY-header");
    site.set("HOLDFAST_TELEMETRY__ENVIRONMENT", "staging");
    site
}

/// As a caller that records, or does not, does it.
async fn traced(client: &Client, path: &str, flags: &str, body: &Value) -> String {
    let request = client.request(Method::POST, path).header("traceparent", traceparent(flags)).json(body);
    let answer = client.send(request).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    answer.headers["x-request-id"].to_str().unwrap().to_owned()
}

fn number(span: &Received, name: &str) -> f64 {
    span.attributes.get(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {name} on {span:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_its_answer_and_its_jobs_are_one_trace_without_a_word_of_anybody() {
    let (collector, upstream) = (Collector::start(), Upstream::start().await);
    let site = site(&collector, &upstream);
    let running = site.start().await;
    let admin = site.admin().await;

    // A chat: the caller's span, ours, the model server's.
    let question =
        json!({"model": "mock/cites", "stream": true, "messages": [{"role": "user", "content": "CANARY heron?"}]});
    let request_id = traced(&admin, "/v1/chat/completions?CANARY=query", "01", &question).await;
    let http = collector.find("the chat's request", |s| s.name == "POST /v1/chat/completions").await;
    assert_eq!((&*http.trace, &*http.parent, http.kind, http.flags), (TRACE, CALLER, Kind::Server, 0x301));
    for (name, value) in [
        ("http.request.method", json!("POST")),
        ("http.route", json!("/v1/chat/completions")),
        ("http.response.status_code", json!(200)),
        ("url.scheme", json!("http")),
        ("holdfast.outcome", json!("ok")),
        ("holdfast.request_id", json!(request_id)),
    ] {
        assert_eq!(http.attributes[name], value, "{name}");
    }
    assert_eq!(http.attributes["holdfast.org_id"].as_str().unwrap().len(), 36);
    assert!(!http.failed && http.end > http.begin);
    let llm = collector.find("the call of the model", |s| s.name == "chat cites").await;
    assert_eq!((&llm.trace, &llm.parent, llm.kind), (&http.trace, &http.id, Kind::Client));
    assert_eq!(
        upstream.last_trace(),
        format!("00-{TRACE}-{}-01", llm.id),
        "the server is told of the span that asks it"
    );
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("mock")),
        ("gen_ai.request.model", json!("cites")),
        ("gen_ai.usage.input_tokens", json!(40)),
        ("gen_ai.usage.output_tokens", json!(9)),
        ("holdfast.request_id", json!(request_id)),
    ] {
        assert_eq!(llm.attributes[name], value, "{name}");
    }
    assert_eq!(http.resource["deployment.environment.name"], "staging");

    // A failure of the model server.
    let broken = json!({"model": "mock/broken", "messages": [{"role": "user", "content": "CANARY"}]});
    let answer = admin.post("/v1/chat/completions", &broken).await;
    let failed = collector.find("the failed call", |s| s.name == "chat broken").await;
    assert!(failed.failed && failed.attributes["error.type"] == "provider_error", "{failed:?}");
    let above = collector.find("the failed request", |s| s.id == failed.parent).await;
    assert_eq!((&above.parent, above.flags), (&String::new(), 0x101), "a trace of our own begins with us");
    assert!(
        above.failed && number(&above, "http.response.status_code") == f64::from(answer.status.as_u16()),
        "{above:?}"
    );
    assert_eq!(above.trace, upstream.last_trace()[3..35]);

    // An upload: its jobs are below it, and what they embed below them.
    let base = make_base(&admin, "CANARY base").await;
    let boundary = "multipart/form-data; boundary=cut";
    let form = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"CANARY.md\"\r\n\r\n# A\n\nThe CANARY nests on the weir.\n\r\n--cut--\r\n";
    let upload = admin
        .request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"))
        .header("traceparent", traceparent("01"))
        .header(header::CONTENT_TYPE, boundary)
        .body(form);
    let document = admin.send(upload).await.expect(201);
    let uploaded = collector.find("the upload", |s| s.name.ends_with("/documents") && s.trace == TRACE).await;
    assert!(number(&uploaded, "holdfast.database_ms") > 0.0 && number(&uploaded, "holdfast.transactions") >= 1.0);
    assert!(uploaded.name.starts_with("POST /api/v1/knowledge-bases/{"), "{}", uploaded.name);
    let extract = collector.find("the upload's job", |s| s.name.starts_with("job.") && s.parent == uploaded.id).await;
    assert_eq!((&*extract.trace, extract.kind, extract.flags), (TRACE, Kind::Consumer, 0x101));
    assert_eq!(extract.attributes["holdfast.job.outcome"], "succeeded");
    assert_eq!(extract.attributes["holdfast.request_id"], uploaded.attributes["holdfast.request_id"]);
    assert!(number(&extract, "holdfast.database_ms") > 0.0 && number(&extract, "holdfast.job.wait_ms") >= 0.0);
    let embed = collector
        .find("the embedding", |s| {
            s.trace == TRACE && s.attributes.get("gen_ai.operation.name") == Some(&json!("embeddings"))
        })
        .await;
    let by_job = collector.find("what embeds", |s| s.id == embed.parent).await;
    assert!(by_job.name.starts_with("job."), "{by_job:?}");
    wait_for_document(&admin, &base, document["id"].as_str().unwrap()).await;

    // An answer whose reader goes away: it ends by itself, after its request.
    let draft =
        json!({"name": "CANARY agent", "model": "mock/slow", "knowledge_bases": [base], "instructions": "CANARY"});
    let agent = admin.post("/api/v1/agents", &draft).await.expect(201);
    let conversation = start(&admin, &agent).await;
    let body = json!({"content": "CANARY heron?", "stream": true});
    let request = admin.request(Method::POST, &format!("{conversation}/messages")).json(&body);
    let mut events = Events::of(request.send().await.unwrap());
    while events.next().await.unwrap().0 != "delta" {}
    drop(events);
    let answer = collector.find("the answer", |s| s.name == "agents.answer").await;
    assert_eq!(answer.attributes["holdfast.answer.status"], "stopped");
    assert_eq!(answer.attributes["gen_ai.agent.id"], agent["id"]);
    assert!(conversation.ends_with(answer.attributes["gen_ai.conversation.id"].as_str().unwrap()));
    let asked = collector.find("its request", |s| s.id == answer.parent).await;
    assert_eq!((asked.kind, &asked.attributes["holdfast.outcome"]), (Kind::Server, &json!("aborted")));
    let search = collector.find("its search", |s| s.name == "knowledge.search" && s.parent == answer.id).await;
    assert_eq!((&search.trace, &search.attributes["holdfast.search.hits"]), (&asked.trace, &json!(1)));
    let slow = collector.find("its model", |s| s.name == "chat slow").await;
    assert_eq!((&slow.parent, &slow.attributes["holdfast.outcome"]), (&answer.id, &json!("cancelled")));
    assert!(answer.begin >= asked.begin && slow.end <= answer.end, "{answer:?} {slow:?}");

    // Who does not record is not recorded, nor are those whom it makes work; the log has its trace all the same.
    let quiet = "1".repeat(32);
    let upload = admin
        .request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"))
        .header("traceparent", format!("00-{quiet}-{CALLER}-00"))
        .header(header::CONTENT_TYPE, boundary)
        .body(form.replace("weir", "lock").replace("CANARY.md", "CANARY-2.md"));
    let document = admin.send(upload).await.expect(201);
    wait_for_document(&admin, &base, document["id"].as_str().unwrap()).await;
    let question = json!({"model": "mock/cites", "messages": [{"role": "user", "content": "quiet?"}]});
    let request =
        admin.request(Method::POST, "/v1/chat/completions").header("traceparent", format!("00-{quiet}-{CALLER}-00"));
    admin.send(request.json(&question)).await.expect(200);
    assert!(upstream.last_trace().starts_with(&format!("00-{quiet}-")) && upstream.last_trace().ends_with("-00"));
    assert!(running.output().lines().filter(|line| line.contains(&quiet)).count() >= 3, "{}", running.output());

    let doctor = site.run(&["doctor", "--json"]).await;
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let check = doctor.as_array().unwrap().iter().find(|check| check["name"] == "logs.traces").unwrap();
    assert!(check["status"] == "pass" && check["summary"].as_str().unwrap().contains("no span lost"), "{check}");

    // The last request before the end gets out.
    let last = "2".repeat(32);
    let request = admin.request(Method::GET, "/api/v1/agents").header("traceparent", format!("00-{last}-{CALLER}-01"));
    admin.send(request).await.expect(200);
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let spans = collector.received();
    assert!(spans.iter().any(|span| span.trace == last), "the end of the process sends what is left");
    assert!(!spans.iter().any(|span| span.trace == quiet));
    // Each parent of ours was sent, and a trace in the log is one here.
    let ids: BTreeSet<_> = spans.iter().map(|span| &*span.id).collect();
    assert_eq!(ids.len(), spans.len());
    for span in spans.iter().filter(|span| span.flags == 0x101 && !span.parent.is_empty()) {
        assert!(ids.contains(&*span.parent), "whose part is {span:?}");
    }
    let logged: BTreeSet<String> = output
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["trace_id"].as_str().map(str::to_owned))
        .collect();
    let unknown: Vec<_> = spans.iter().filter(|span| !logged.contains(&span.trace)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // It does not trace itself, nor what is asked of it by machines.
    let names: BTreeSet<_> = spans.iter().map(|span| &*span.name).collect();
    assert!(
        !names.iter().any(|name| name.contains("traces") || name.contains("metrics") || name.contains("readyz")),
        "{names:?}"
    );
    let raw = collector.raw();
    let around = |at: usize| &raw[raw.floor_char_boundary(at.saturating_sub(60))..raw.ceil_char_boundary(at + 40)];
    let found: Vec<_> = raw.match_indices("CANARY").map(|(at, _)| around(at)).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(!output.contains("CANARY-"), "nor is a key in the log");
    for (name, value) in spans.iter().flat_map(|span| &span.attributes) {
        assert!(
            !value.as_str().is_some_and(|text| text.contains('@') || text.contains("127.0.0.1")),
            "{name}: {value}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appliance_whose_collector_is_away_serves_and_says_so() {
    let (collector, upstream) = (Collector::absent(), Upstream::start().await);
    let mut site = site(&collector, &upstream);
    site.set("HOLDFAST_TELEMETRY__OTLP_BUFFER_BYTES", &LEAST_BUFFER.to_string());
    let running = site.start().await;
    let admin = site.admin().await;
    let begun = Instant::now();
    for _ in 0..100 {
        admin.get("/api/v1/agents").await.expect(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let scrape = || async { Client::new(&format!("http://{}", site.ops)).get("/metrics").await.text };
    let value = |text: &str, name: &str| {
        text.lines().find(|line| line.starts_with(name)).and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    // A push leaves on its own clock: the first may still be on its way, with all spans of until now.
    let mut text = scrape().await;
    let is_more = |text: &str, name: &str| value(text, name).is_some_and(|found| found > 0.0);
    let retried = "holdfast_traces_pushes_total{outcome=\"retried\"}";
    while !(is_more(&text, retried) && is_more(&text, "holdfast_traces_buffer_bytes")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no push was tried, or nothing waits: {text}");
        admin.get("/api/v1/agents").await.expect(200);
        text = scrape().await;
    }
    assert_eq!(value(&text, "holdfast_traces_enabled"), Some(1.0));
    assert_eq!(value(&text, "holdfast_traces_spans_exported_total"), Some(0.0));
    let doctor = site.run(&["doctor", "--json"]).await;
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let check = doctor.as_array().unwrap().iter().find(|check| check["name"] == "logs.traces").unwrap();
    assert_eq!(check["status"], "warn", "{check}");
    let begun = Instant::now();
    let (status, output) = running.stop().await;
    assert!(status.success() && begun.elapsed() < Duration::from_secs(30), "{output}");
    let said = output.lines().filter(|line| line.contains("the collector does not take spans")).count();
    assert_eq!(said, 1, "once, not each time: {output}");
    assert!(output.contains("the collector has not taken the last spans"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_traces_is_enough_for_some() {
    let (collector, upstream) = (Collector::start(), Upstream::start().await);
    let mut site = site(&collector, &upstream);
    site.set("HOLDFAST_TELEMETRY__OTLP_SAMPLE_RATIO", "0");
    let running = site.start().await;
    let admin = site.admin().await;
    let question = json!({"model": "mock/cites", "messages": [{"role": "user", "content": "heron?"}]});
    admin.post("/v1/chat/completions", &question).await.expect(200);
    assert!(upstream.last_trace().ends_with("-00"), "whom we call is told: {}", upstream.last_trace());
    let base = make_base(&admin, "A").await;
    let document = add_document(&admin, &base, "a.md", b"# A\n\nThe heron.\n").await;
    wait_for_document(&admin, &base, &document).await;
    assert_eq!(send_file(&admin, &base, "b.md", b"# B\n\nThe otter.\n").await.status, 201);
    traced(&admin, "/v1/chat/completions", "01", &question).await;
    running.stop().await;
    let traces: BTreeSet<_> = collector.received().into_iter().map(|span| span.trace).collect();
    assert_eq!(traces.into_iter().collect::<Vec<_>>(), [TRACE], "a caller who records is; nothing else");
}
