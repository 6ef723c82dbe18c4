//! Content of a line: fields, redaction, length, cost.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use holdfast::platform::{
    telemetry::{
        Outputs, Ring,
        lines::{Line, Lines},
    },
    trace::Context,
};
use serde_json::{Value, json};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{TRACE, exporter, traceparent};
use crate::support::loki::Loki;

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
        holdfast::platform::trace::within(Some(request), || {
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

/// Prints the cost of a log line of the size of a request's, with all three outputs: every request pays it. What a request pays in all is in the
/// benchmark of telemetry.
#[tokio::test(flavor = "multi_thread")]
async fn all_lines_of_many_are_written() {
    const LINES: u32 = 5000;
    let began = std::sync::OnceLock::new();
    let request = Context::of_request(None, "01934f6e-7d7a-7cc0-8000-0123456789ab".into());
    let took = Arc::new(Mutex::new(Duration::ZERO));
    let measured = took.clone();
    let written = write(move || {
        let start = began.get_or_init(std::time::Instant::now);
        holdfast::platform::trace::within(Some(request), || {
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
}
