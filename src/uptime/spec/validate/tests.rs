//! What a monitor may ask.

use super::*;
use serde_json::{Value, json};

fn problems(spec: Value) -> Vec<(String, String)> {
    let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
    let found = spec.validate(&Policy::default());
    found.into_iter().map(|error| (error.pointer, error.code.to_string())).collect()
}

#[test]
fn what_is_right_has_no_problem() {
    for spec in [
        json!({"kind": "http", "url": "https://example.com/{{secret.key}}", "auth": {"by": "bearer", "token": "t"}}),
        json!({"kind": "tcp", "host": "example.com", "port": 22, "expect": "SSH-2.0"}),
        json!({"kind": "dns", "name": "example.com", "record": "MX", "server": "9.9.9.9:53"}),
        json!({"kind": "dns", "name": "x.example", "record": "A", "rcode": "nxdomain"}),
        json!({"kind": "icmp", "host": "192.0.32.10"}),
        json!({"kind": "postgres", "host": "db.example.com", "database": "a", "user": "b"}),
        json!({"kind": "grpc", "url": "https://ledger.example.com:8443"}),
        json!({"kind": "heartbeat", "cron": "0 3 * * *", "zone": "Europe/Berlin"}),
        json!({"kind": "domain", "name": "example.co.uk"}),
        json!({"kind": "flow", "steps": [
            {"name": "sign in", "http": {"url": "https://a.example.com/"}, "take": {"id": {"from": "json", "path": "$.id"}}},
            {"name": "use", "http": {"url": "https://a.example.com/{{id}}"}},
        ]}),
    ] {
        assert!(problems(spec.clone()).is_empty(), "{spec}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (spec, pointer, code) in [
        (json!({"kind": "http", "url": "http://127.0.0.1/"}), "/spec/url", "private_target"),
        (json!({"kind": "http", "url": "https://me:secret@example.com/"}), "/spec/url", "invalid"),
        (json!({"kind": "http", "url": "ftp://example.com/"}), "/spec/url", "invalid"),
        (json!({"kind": "http", "url": "https://example.com/{{id}}"}), "/spec/url", "invalid"),
        (json!({"kind": "http", "url": "https://example.com/", "headers": {"Host": "x"}}), "/spec/headers", "invalid"),
        (json!({"kind": "http", "url": "https://example.com/", "headers": {"X": "a\nb"}}), "/spec/headers", "invalid"),
        (json!({"kind": "http", "url": "https://example.com/", "status": ["2xx"]}), "/spec/status", "invalid"),
        (json!({"kind": "http", "url": "https://example.com/", "redirects": 11}), "/spec/redirects", "invalid"),
        (
            json!({"kind": "http", "url": "https://example.com/", "expect": [{"on": "json", "path": "$..a", "test": "is"}]}),
            "/spec/expect/0",
            "invalid",
        ),
        (
            json!({"kind": "http", "url": "https://example.com/", "expect": [{"on": "json", "path": "$.a", "test": "matches", "value": "[ab]*a[ab]{50000}"}]}),
            "/spec/expect/0",
            "invalid",
        ),
        (
            json!({"kind": "http", "url": "https://example.com/", "expect": [{"on": "json", "path": "$.a", "test": "is", "value": "x".repeat(200_000)}]}),
            "/spec",
            "too_long",
        ),
        (
            json!({"kind": "http", "url": "https://example.com/", "body_bytes": 8_388_608}),
            "/spec/body_bytes",
            "invalid",
        ),
        (json!({"kind": "tcp", "host": "10.0.0.1", "port": 22}), "/spec/host", "private_target"),
        (json!({"kind": "tcp", "host": "a b", "port": 22}), "/spec/host", "invalid"),
        (
            json!({"kind": "dns", "name": "x.example", "record": "A", "server": "dns.example"}),
            "/spec/server",
            "invalid",
        ),
        (json!({"kind": "dns", "name": "x.example", "record": "A", "rcode": "BOGUS"}), "/spec/rcode", "invalid"),
        (json!({"kind": "icmp", "host": "example.com", "count": 11}), "/spec/count", "invalid"),
        (json!({"kind": "domain", "name": "www.example.com"}), "/spec/name", "invalid"),
        (json!({"kind": "heartbeat", "cron": "often"}), "/spec/cron", "invalid"),
        (json!({"kind": "flow", "steps": []}), "/spec/steps", "invalid"),
        (
            json!({"kind": "flow", "steps": [{"name": "a", "http": {"url": "https://a.example/{{later}}"}}]}),
            "/spec/steps/0/http/url",
            "invalid",
        ),
    ] {
        let found = problems(spec.clone());
        assert!(found.contains(&(pointer.to_owned(), code.to_owned())), "{spec}: {found:?}");
    }
}

#[test]
fn the_secrets_of_a_monitor_are_those_that_it_names() {
    let spec: MonitorSpec = serde_json::from_value(json!({
        "kind": "http", "url": "https://example.com/?k={{secret.key}}", "body": "{{ secret.other }}",
        "auth": {"by": "basic", "user": "a", "password": "pw"},
    }))
    .unwrap();
    let names: Vec<String> = spec.secrets().into_iter().map(|name| name.0).collect();
    assert_eq!(names, ["key", "other", "pw"]);
}
