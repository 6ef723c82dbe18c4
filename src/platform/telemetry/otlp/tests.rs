//! Wire format and headers.

use prost::Message as _;

use super::{
    headers,
    wire::{
        self, KeyValue, Kind, PartialSuccess, Request, Resource, ResourceSpans, Response, Scope, ScopeSpans, Value,
    },
};
use crate::crypto;

/// Encoded by OpenTelemetry's own library (opentelemetry-proto 1.45.2 for Python) from the values of `ours`.
const REQUEST: &str = "\
    0aba010a1c0a1a0a0c736572766963652e6e616d65120a0a08686f6c64666173741296010a0d0a08686f6c64666173741201311284010a104bf92f3577b34da6\
    a3ce929d0e0e4736120800f067aa0ba902b72208b7ad6b71692033312a06474554202f7830023901000000000000004102000000000000004a080a017312030a\
    01744a070a0162120210014a100a0169120b18ffffffffffffffffff014a0e0a0164120921000000000000e03f7a0512016d18028501010300001a0175";
/// As [`REQUEST`]: three spans rejected, "no".
const RESPONSE: &str = "0a06080312026e6f";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn ours() -> Request {
    let span = wire::Span {
        trace_id: bytes("4bf92f3577b34da6a3ce929d0e0e4736"),
        span_id: bytes("00f067aa0ba902b7"),
        parent_span_id: bytes("b7ad6b7169203331"),
        name: "GET /x".into(),
        kind: Kind::Server.into(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: vec![
            KeyValue::new("s", Value::Text("t".into())),
            KeyValue::new("b", Value::Bool(true)),
            KeyValue::new("i", Value::Int(-1)),
            KeyValue::new("d", Value::Double(0.5)),
        ],
        status: Some(wire::Status { message: "m".into(), code: wire::ERROR }),
        flags: wire::SAMPLED | wire::HAS_IS_REMOTE | wire::IS_REMOTE,
    };
    Request {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![KeyValue::new("service.name", Value::Text("holdfast".into()))],
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(Scope { name: "holdfast".into(), version: "1".into() }),
                spans: vec![span.encode_to_vec().into()],
            }],
            schema_url: "u".into(),
        }],
    }
}

#[test]
fn what_is_sent_is_what_opentelemetrys_library_would_send() {
    assert_eq!(crypto::hex(&ours().encode_to_vec()), REQUEST);
    let partial = Response::decode(&bytes(RESPONSE)[..]).unwrap().partial_success;
    assert_eq!(partial, Some(PartialSuccess { rejected_spans: 3, error_message: "no".into() }));
}

#[test]
fn headers_are_read_as_opentelemetry_writes_them_and_never_repeated() {
    let read = headers("Authorization=Basic%20YTpi, x-team = k=1,\n").unwrap();
    assert_eq!(
        (read.len(), &read["authorization"], &read["x-team"]),
        (2, &"Basic YTpi".parse().unwrap(), &"k=1".parse().unwrap())
    );
    assert!(read["authorization"].is_sensitive());
    assert!(headers("").unwrap().is_empty());
    for bad in ["CANARY", "CANARY CANARY=x", "x=%0aCANARY"] {
        let why = headers(bad).unwrap_err();
        assert!(!why.contains("CANARY"), "{why}");
    }
}
