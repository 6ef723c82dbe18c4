//! Targets that hang, drip, lie, flood or lead elsewhere.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use holdfast::{
    platform::ids::OrgId,
    uptime::{MonitorSpec, Owner, Reason, Secrets},
};
use serde_json::json;
use tokio::time::Instant;

use super::probe::{TIMEOUT, asking, look, look_for, open, prober, settings, trusting};
use crate::support::odd_target::{Answer, Dns, Hole, Http, Root, Said, Silent, Task, listen};
use holdfast::uptime::{ProbeSettings, Prober};

const SHORT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_in_any_phase_ends_at_the_deadline_with_that_phase() {
    let (hole, silent, target) = (Hole::start().await, Silent::start().await, Http::start().await);
    let dns = Dns::start(|_, _| Said::Nothing).await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    target.answer(move |asked| match asked.path.as_str() {
        "/first" => Answer::hang(),
        "/head" => Answer::HangAfter(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
        _ => Answer::HangAfter(head.clone()),
    });
    let resolving = asking(dns.address, &["127.0.0.1/32"]);
    let prober = prober();
    for (prober, url, reason) in [
        (&resolving, "http://silent.example/".to_owned(), Reason::ResolveTimeout),
        (&prober, format!("http://{}/", hole.address), Reason::ConnectTimeout),
        (&prober, format!("https://{}/", silent.address), Reason::TlsTimeout),
        (&prober, target.url("/first"), Reason::FirstByteTimeout),
        (&prober, target.url("/head"), Reason::FirstByteTimeout),
        (&prober, target.url("/body"), Reason::TransferTimeout),
    ] {
        let began = Instant::now();
        let seen = look_for(prober, json!({"kind": "http", "url": url}), &[], SHORT).await;
        let took = began.elapsed();
        assert_eq!(seen.reason(), Some(reason), "{url}: {seen:?}");
        assert!(took >= SHORT && took < SHORT + Duration::from_secs(2), "{url}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ten_gigabytes_costs_one_mebibyte() {
    let (target, prober) = (Http::start().await, prober());
    for (head, wanted) in [
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", Reason::BodyTooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n", Reason::BodyTooLarge),
    ] {
        target.answer(move |_| Answer::Endless(head));
        let before = target.written();
        let expect = json!([{"on": "keyword", "text": "needle"}]);
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": expect})).await;
        assert_eq!(seen.reason(), Some(wanted), "{seen:?}");
        // What the sockets' buffers hold was written, too.
        let written = target.written() - before;
        assert!(written < 16 * 1024 * 1024, "{written} bytes were taken");
        // Nobody needs the body: 64 KB of it are enough.
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/")})).await;
        assert!(seen.is_up(), "{seen:?}");
        assert_eq!(seen.http.unwrap().body_bytes, 64 * 1024);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_is_read_up_to_the_limit_of_what_it_becomes() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&[b' '; 1024 * 1024]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let (target, prober) = (Http::start().await, prober());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
    let whole = [head.as_bytes(), &bomb].concat();
    target.answer(move |_| Answer::Bytes(whole.clone()));
    let expect = json!([{"on": "keyword", "text": "needle"}]);
    let seen = look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": expect})).await;
    assert_eq!(seen.reason(), Some(Reason::BodyTooLarge), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drip_ends_at_the_deadline() {
    let (target, prober) = (Http::start().await, prober());
    for bytes in [
        "HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nzzzzzzzzzzzz",
    ] {
        let dripped = bytes.as_bytes().to_vec();
        target.answer(move |_| Answer::Drip(dripped.clone(), Duration::from_millis(30)));
        let began = Instant::now();
        let seen =
            look_for(&prober, json!({"kind": "http", "url": target.url("/")}), &[], Duration::from_millis(1200)).await;
        let reason = seen.reason().unwrap();
        assert!(matches!(reason, Reason::FirstByteTimeout | Reason::TransferTimeout), "{seen:?}");
        assert!(began.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_lengths_that_lie_are_failures_with_names() {
    let (target, prober) = (Http::start().await, prober());
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    let expect = json!([{"on": "keyword", "text": "x"}]);
    for (answer, reason) in [
        (long, Reason::HeadTooLarge),
        (many, Reason::HeadTooLarge),
        ("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort".to_owned(), Reason::Closed),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(), Reason::Protocol),
    ] {
        let bytes = answer.clone().into_bytes();
        target.answer(move |_| Answer::Bytes(bytes.clone()));
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": expect})).await;
        let told = seen.reason();
        let is_near = reason == Reason::Protocol && told == Some(Reason::Closed);
        assert!(told == Some(reason) || is_near, "{}: {seen:?}", &answer[..60.min(answer.len())]);
    }
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\xfa\xfb needle".to_vec();
    target.answer(move |_| Answer::Bytes(bytes.clone()));
    let needle = json!([{"on": "keyword", "text": "needle"}]);
    let seen = look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": needle})).await;
    assert!(seen.is_up(), "invalid UTF-8 is replaced: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_loop_is_named() {
    let (target, prober) = (Http::start().await, prober());
    target.answer(|asked| match asked.path.as_str() {
        "/a" => Answer::redirect("/b"),
        "/b" => Answer::redirect("/a"),
        path => Answer::redirect(&format!("{path}x")),
    });
    let ask = async |path: &str| look(&prober, json!({"kind": "http", "url": target.url(path)})).await;
    assert_eq!(ask("/a").await.reason(), Some(Reason::RedirectLoop));
    let seen = ask("/x").await;
    assert_eq!(seen.reason(), Some(Reason::TooManyRedirects), "{seen:?}");
    let first = json!({"kind": "http", "url": target.url("/a"), "redirects": 0, "status": ["302"]});
    assert!(look(&prober, first).await.is_up(), "not followed: it is the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_follow_a_redirect_elsewhere() {
    let (one, two, prober) = (Http::start().await, Http::start().await, prober());
    let elsewhere = two.url("/there");
    one.answer(move |asked| if asked.path == "/here" { Answer::ok("x") } else { Answer::redirect(&elsewhere) });
    let spec = json!({"kind": "http", "url": one.url("/"), "headers": {"x-key": "{{secret.key}}", "cookie": "a=b"},
        "auth": {"by": "bearer", "token": "key"}});
    let seen = look_for(&prober, spec.clone(), &[("key", "s3cret")], TIMEOUT).await;
    assert!(seen.is_up() && seen.http.as_ref().is_some_and(|facts| facts.redirects == 1), "{seen:?}");
    assert!(one.asked()[0].headers["authorization"].contains("s3cret"));
    let there = two.asked().pop().unwrap();
    assert!(!format!("{there:?}").contains("s3cret") && !there.headers.contains_key("cookie"), "{there:?}");
    one.answer(|asked| if asked.path == "/here" { Answer::ok("x") } else { Answer::redirect("/here") });
    assert!(look_for(&prober, spec, &[("key", "s3cret")], TIMEOUT).await.is_up());
    let here = one.asked().pop().unwrap();
    assert!(here.headers["authorization"].contains("s3cret"), "to the same origin they do: {here:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_a_private_address_is_refused() {
    let (target, inside) = (Http::start().await, Silent::on((Ipv4Addr::new(127, 0, 0, 2), 0).into()).await);
    let prober = prober();
    for host in
        [format!("{}", inside.address), format!("[::ffff:127.0.0.2]:{}", inside.address.port()), "10.0.0.1".into()]
    {
        let to = format!("http://{host}/");
        target.answer(move |_| Answer::redirect(&to));
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/")})).await;
        assert_eq!(seen.reason(), Some(Reason::PrivateAddress), "{host}: {seen:?}");
    }
    assert_eq!(inside.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_changes_to_a_private_address_is_never_connected_to() {
    // 127.0.0.1 stands for the public internet, 127.0.0.2 for what is behind our walls.
    let (outside, inside) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)));
    let target = Http::start().await;
    let port = target.address.port();
    let private = Silent::on((inside, port).into()).await;
    let asked = AtomicUsize::new(0);
    let dns = Dns::start(move |_, kind| {
        // The first question gets the address outside, each later one that inside.
        let is_first = kind != 1 || asked.fetch_add(1, Ordering::SeqCst) == 0;
        Said::Addresses(vec![if is_first { outside } else { inside }])
    })
    .await;
    let prober = asking(dns.address, &["127.0.0.1/32"]);
    let spec = json!({"kind": "http", "url": format!("http://rebinding.example:{port}/")});
    let seen = look(&prober, spec.clone()).await;
    assert!(seen.is_up(), "{seen:?}");
    assert_eq!(dns.asked(1), 1, "resolved once");
    assert_eq!(target.asked()[0].headers["host"], format!("rebinding.example:{port}"));
    assert_eq!(look(&prober, spec.clone()).await.reason(), Some(Reason::PrivateAddress));
    // Of several, only the one that may be asked is.
    dns.answer(move |_, _| Said::Addresses(vec![inside, outside]));
    assert!(look(&prober, spec).await.is_up());
    assert_eq!(private.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_targets_only_by_the_list() {
    let target = Http::start().await;
    let closed = Prober::new(ProbeSettings { policy: open(&["10.0.0.0/8"]), ..settings() });
    let (host, port) = (target.address.ip().to_string(), target.address.port());
    for spec in [
        json!({"kind": "http", "url": target.url("/")}),
        json!({"kind": "flow", "steps": [{"name": "a", "http": {"url": target.url("/")}}]}),
        json!({"kind": "tcp", "host": host, "port": port}),
        json!({"kind": "tls", "host": host, "port": port}),
        json!({"kind": "smtp", "host": host, "port": port}),
        json!({"kind": "imap", "host": host, "port": port}),
        json!({"kind": "postgres", "host": host, "port": port, "database": "a", "user": "b"}),
        json!({"kind": "grpc", "url": target.url("")}),
        json!({"kind": "icmp", "host": host}),
        json!({"kind": "dns", "name": "a.example", "record": "A", "server": target.address.to_string()}),
    ] {
        let seen = look(&closed, spec.clone()).await;
        assert_eq!(seen.reason(), Some(Reason::PrivateAddress), "{spec}: {seen:?}");
    }
    assert_eq!(target.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_tells_its_dates() {
    let root = Root::new("Root");
    let prober = trusting(vec![root.certificate.clone()]);
    for (chain, reason, year) in [
        (root.expired("127.0.0.1"), Reason::CertificateExpired, "2020-01-02"),
        (root.not_yet_valid("127.0.0.1"), Reason::CertificateNotYetValid, "2101-01-01"),
        (root.chain("other.example", &[]), Reason::CertificateName, "2090-01-01"),
        (Root::new("Nobody").chain("127.0.0.1", &[]), Reason::CertificateUntrusted, "2090-01-01"),
    ] {
        let target = Http::with_tls(chain.acceptor()).await;
        let seen = look(&prober, json!({"kind": "http", "url": target.url("/")})).await;
        assert_eq!(seen.reason(), Some(reason), "{seen:?}");
        let certificate = seen.certificate.unwrap();
        assert!(!certificate.is_verified && certificate.ends_at.to_rfc3339().starts_with(year), "{certificate:?}");
        assert!(target.asked().is_empty(), "nothing was sent");
        let anyway = look(&prober, json!({"kind": "http", "url": target.url("/"), "verify": false})).await;
        assert!(anyway.is_up() && anyway.certificate.is_some_and(|found| !found.is_verified));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_cross_signed_root_does_not_matter() {
    let (new, old) = (Root::new("New root"), Root::new("Old root"));
    let between = new.below("Between");
    let crossed = old.cross_signed_and_over(&new);
    let chain = between.chain("127.0.0.1", &[between.certificate.clone(), crossed]);
    let target = Http::with_tls(chain.acceptor()).await;
    let prober = trusting(vec![new.certificate.clone()]);
    let seen = look(&prober, json!({"kind": "http", "url": target.url("/")})).await;
    assert!(seen.is_up(), "{seen:?}");
    let certificate = seen.certificate.unwrap();
    assert!(certificate.ends_at.to_rfc3339().starts_with("2090"), "{certificate:?}");
    let used: Vec<bool> = certificate.chain.iter().map(|entry| entry.is_used).collect();
    assert_eq!(used, [true, true, false], "{certificate:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_intermediate_fails_as_browsers_say() {
    let root = Root::new("Root");
    let between = root.below("Between");
    let prober = trusting(vec![root.certificate.clone()]);
    let without = Http::with_tls(between.chain("127.0.0.1", &[]).acceptor()).await;
    let seen = look(&prober, json!({"kind": "tls", "host": "127.0.0.1", "port": without.address.port()})).await;
    assert_eq!(seen.reason(), Some(Reason::CertificateUntrusted), "{seen:?}");
    let with = Http::with_tls(between.chain("127.0.0.1", std::slice::from_ref(&between.certificate)).acceptor()).await;
    let seen = look(&prober, json!({"kind": "tls", "host": "127.0.0.1", "port": with.address.port()})).await;
    assert!(seen.is_up(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_strangers_have_no_control_characters() {
    let target = Http::with_tls(Root::new("Nobody").with_nul("127.0.0.1").acceptor()).await;
    for verify in [true, false] {
        let spec = json!({"kind": "tls", "host": "127.0.0.1", "port": target.address.port(), "verify": verify});
        let seen = look(&prober(), spec).await;
        let certificate = seen.certificate.as_ref().unwrap();
        assert_eq!((seen.is_up(), certificate.names[0].as_str()), (!verify, "a\u{fffd}b"), "{seen:?}");
        assert!(certificate.subject.contains('\u{fffd}'), "{certificate:?}");
        let stored = serde_json::to_string(&seen).unwrap();
        assert!(!stored.contains("\\u0000"), "{stored}");
    }
}

/// What it says to whoever has said something: without end.
async fn flood(head: &'static [u8], again: &'static [u8]) -> (std::net::SocketAddr, std::sync::Arc<AtomicUsize>, Task) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (listener, address) = listen(Ipv4Addr::LOCALHOST).await;
    let written = std::sync::Arc::<AtomicUsize>::default();
    let count = written.clone();
    let task = Task::run(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (count, many) = (count.clone(), again.repeat(64 * 1024 / again.len()));
            tokio::spawn(async move {
                let mut some = [0; 1024];
                if stream.read(&mut some).await.is_ok_and(|read| read > 0) && stream.write_all(head).await.is_ok() {
                    while stream.write_all(&many).await.is_ok() {
                        count.fetch_add(many.len(), Ordering::SeqCst);
                    }
                }
            });
        }
    });
    (address, written, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_a_database_or_of_grpc_costs_one_mebibyte() {
    // Signed in, then settings without end; the begin of a message of two gigabytes.
    let settings = flood(b"R\0\0\0\x08\0\0\0\0", b"S\0\0\0\x08a\0b\0").await;
    let message = flood(b"R\0\0\0\x08\0\0\0\0S\x7f\xff\xff\xff", b"aaaaaaaa").await;
    // Frames of HTTP/2: its settings, then answers to a ping that nobody sent.
    let frames = flood(b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\x01\0\0\0\0abcdefgh").await;
    for (kind, (address, written, _task)) in [("postgres", settings), ("postgres", message), ("grpc", frames)] {
        let spec = match kind {
            "grpc" => json!({"kind": "grpc", "url": format!("http://{address}")}),
            _ => {
                json!({"kind": kind, "host": "127.0.0.1", "port": address.port(), "database": "x", "user": "x", "tls": "none"})
            }
        };
        let seen = look(&prober(), spec).await;
        assert_eq!(seen.reason(), Some(Reason::BodyTooLarge), "{kind}: {seen:?}");
        // What the sockets' buffers hold was written, too.
        let written = written.load(Ordering::SeqCst);
        assert!(written < 16 * 1024 * 1024, "{kind}: {written} bytes were taken");
    }
}

/// One thread: what holds it up holds up everything.
#[tokio::test]
async fn what_comes_before_a_head_without_end_holds_up_nobody() {
    let (well, prober) = (Http::start().await, prober());
    let hints = flood(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n").await;
    // Frames of HTTP/2: its settings, then answers to a ping that nobody sent.
    let frames = flood(b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\x01\0\0\0\0abcdefgh").await;
    for (version, (address, written, _task)) in [("1.1", hints), ("2", frames)] {
        let began = Instant::now();
        let spec = json!({"kind": "http", "url": format!("http://{address}/"), "version": version});
        let second = json!({"kind": "http", "url": well.url("/")});
        let (seen, other) = tokio::join!(look(&prober, spec), async {
            let seen = look(&prober, second).await;
            (seen, began.elapsed())
        });
        assert_eq!(seen.reason(), Some(Reason::HeadTooLarge), "{version}: {seen:?}");
        assert!(other.0.is_up() && other.1 < Duration::from_secs(2), "{version}: {other:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{version}: {:?}", began.elapsed());
        // What the sockets' buffers hold was written, too.
        let written = written.load(Ordering::SeqCst);
        assert!(written < 16 * 1024 * 1024, "{version}: {written} bytes were taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_judged_beside_the_others() {
    let (target, prober) = (Http::start().await, prober());
    let list = vec!["1"; 200_000].join(",");
    target.answer(move |_| Answer::ok(&format!(r#"{{"list": [{list}], "state": "well"}}"#)));
    let ask = async |condition: serde_json::Value| {
        look(&prober, json!({"kind": "http", "url": target.url("/"), "expect": [condition]})).await
    };
    for (condition, reason) in [
        (json!({"on": "json", "path": "length($.list)", "test": "is", "value": 200_000}), None),
        (json!({"on": "json", "path": "$.state", "test": "matches", "value": "^w.ll$"}), None),
        (json!({"on": "json", "path": "$.state", "test": "matches", "value": "^ill$"}), Some(Reason::Json)),
    ] {
        let seen = ask(condition.clone()).await;
        assert_eq!(seen.reason(), reason, "{condition}: {seen:?}");
    }
    let steps = json!([
        {"name": "one", "http": {"url": target.url("/")}, "take": {
            "by_json": {"from": "json", "path": "$.list[-1]"}, "by_pattern": {"from": "regex", "pattern": "\\[(\\d)", "group": 1}}},
        {"name": "two", "http": {"url": target.url("/{{by_json}}{{by_pattern}}")}},
    ]);
    let seen = look(&prober, json!({"kind": "flow", "steps": steps})).await;
    assert!(seen.is_up(), "{seen:?}");
    assert_eq!(target.asked().last().unwrap().path, "/11");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_does_not_look_into_the_inner_zone() {
    let dns = Dns::start(|_, _| Said::Addresses(vec![IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3))])).await;
    let prober = asking(dns.address, &["127.0.0.1/32"]);
    let tenant = Owner::Org(OrgId(uuid::Uuid::from_u128(7)));
    for (spec, kind, asked) in [
        (json!({"kind": "dns", "name": "db.inner.example", "record": "A", "values": ["192.0.2.1"]}), 1, 1),
        (json!({"kind": "dns", "name": "3.2.1.10.in-addr.arpa", "record": "PTR"}), 12, 0),
        (json!({"kind": "tcp", "host": "db.inner.example", "port": 9}), 28, 1),
    ] {
        let parsed: MonitorSpec = serde_json::from_value(spec.clone()).unwrap();
        let seen = prober.run(tenant, &parsed, &Secrets::default(), TIMEOUT).await;
        assert_eq!((seen.reason(), dns.asked(kind)), (Some(Reason::PrivateAddress), asked), "{spec}: {seen:?}");
        assert!(!seen.error().unwrap().contains("10.1.2.3"), "{seen:?}");
    }
    let own = json!({"kind": "dns", "name": "db.inner.example", "record": "A", "values": ["10.1.2.3"]});
    assert!(look(&prober, own).await.is_up(), "the operator's own monitors may");
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_of_the_installation_can_be_closed_to_organisations() {
    let target = Http::start().await;
    let prober = Prober::new(ProbeSettings { tenant_policy: Some(open(&[])), ..settings() });
    let spec = json!({"kind": "http", "url": target.url("/")});
    assert!(look(&prober, spec.clone()).await.is_up(), "the installation's");
    let parsed: MonitorSpec = serde_json::from_value(spec).unwrap();
    let tenant = Owner::Org(OrgId(uuid::Uuid::from_u128(7)));
    let seen = prober.run(tenant, &parsed, &Secrets::default(), TIMEOUT).await;
    assert_eq!((seen.reason(), target.accepted()), (Some(Reason::PrivateAddress), 1), "{seen:?}");
}
