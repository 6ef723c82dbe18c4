//! Answers of HTTP and names in forms that are rare, and right.

use std::net::IpAddr;

use holdfast::uptime::Reason;
use serde_json::json;

use super::{
    kinds::{assert_down, assert_up},
    probe::{asking, look, prober},
};
use crate::support::odd_target::{Answer, Dns, Http, Said};

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_an_address_in_plain_utf_8_is_followed() {
    let (target, prober) = (Http::start().await, prober());
    target.answer(|asked| match asked.path.as_str() {
        "/" => Answer::redirect("/жук?a=%20ы"),
        _ => Answer::ok("here"),
    });
    let seen = look(&prober, json!({"kind": "http", "url": target.url("/")})).await;
    assert_up(&seen, "redirect");
    assert_eq!(target.asked().pop().unwrap().path, "/%D0%B6%D1%83%D0%BA?a=%20%D1%8B");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_as_they_are_encoded() {
    let (target, prober) = (Http::start().await, prober());
    let answer = |kind: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let word = answer("text/html; charset=windows-1251", b"\xc6\xf3\xea");
    target.answer(move |_| Answer::Bytes(word.clone()));
    for (absent, reason) in [(false, None), (true, Some(Reason::Keyword))] {
        let expect = json!([{"on": "keyword", "text": "Жук", "absent": absent}]);
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": expect})).await;
        assert_eq!(seen.reason(), reason, "{seen:?}");
    }
    let marked = answer("application/json", b"\xef\xbb\xbf{\"id\": \"7\"}");
    target.answer(move |_| Answer::Bytes(marked.clone()));
    let flow = json!({"kind": "flow", "steps": [
        {"name": "one", "http": {"url": target.url("/"), "expect": [{"on": "json", "path": "$.id", "test": "exists"}]},
         "take": {"id": {"from": "json", "path": "$.id"}}},
        {"name": "two", "http": {"url": target.url("/{{id}}")}},
    ]});
    assert_up(&look(&prober, flow).await, "a byte order mark");
    assert_eq!(target.asked().last().unwrap().path, "/7");
}

/// One member of gzip.
fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_need_not_be_decompressed_and_several_members_are_one_body() {
    let (target, prober) = (Http::start().await, prober());
    let empty = |status: u16, length: &str| {
        format!("HTTP/1.1 {status} X\r\ncontent-encoding: gzip\r\n{length}\r\n").into_bytes()
    };
    for (method, answer) in [
        ("HEAD", empty(200, "content-length: 1234\r\n")),
        ("GET", empty(200, "content-length: 0\r\n")),
        ("GET", [empty(200, "transfer-encoding: chunked\r\n"), b"0\r\n\r\n".to_vec()].concat()),
        ("GET", empty(204, "")),
        ("GET", empty(304, "")),
    ] {
        let told = String::from_utf8_lossy(&answer).into_owned();
        target.answer(move |_| Answer::Bytes(answer.clone()));
        let spec = json!({"kind": "http", "url": target.url("/"), "method": method, "status": ["200-399"],
            "expect": [{"on": "keyword", "text": "needle", "absent": true}]});
        assert_up(&look(&prober, spec).await, &format!("{method}: {told}"));
    }
    let both = [gzip("first"), gzip("needle")].concat();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", both.len());
    let whole = [head.into_bytes(), both].concat();
    let cut = [empty(200, ""), gzip("needle")[..12].to_vec()].concat();
    let spec = json!({"kind": "http", "url": target.url("/"), "expect": [{"on": "keyword", "text": "needle"}]});
    target.answer(move |_| Answer::Bytes(whole.clone()));
    assert_up(&look(&prober, spec.clone()).await, "two members");
    target.answer(move |_| Answer::Bytes(cut.clone()));
    assert_down(&look(&prober, spec).await, Reason::Protocol, "a body that is cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_underscores_are_asked() {
    let target = Http::start().await;
    let dns = Dns::start(|_, _| Said::Addresses(vec![IpAddr::from([127, 0, 0, 1])])).await;
    let (prober, port) = (asking(dns.address, &["127.0.0.1/32"]), target.address.port());
    for spec in [
        json!({"kind": "http", "url": format!("http://my_app.example:{port}/")}),
        json!({"kind": "tcp", "host": "my_app.example", "port": port, "family": "4"}),
        json!({"kind": "dns", "name": "k._domainkey.my_app.example", "record": "A", "server": dns.address.to_string()}),
    ] {
        assert_up(&look(&prober, spec.clone()).await, &spec.to_string());
    }
    let seen = look(&prober, json!({"kind": "tcp", "host": "a..example", "port": port})).await;
    assert_down(&seen, Reason::NameNotFound, "no name");
}
