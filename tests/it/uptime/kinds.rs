//! What each kind of probe says of a target that is well, and of one that is not.

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use holdfast::{
    console::Lang,
    uptime::{Judgement, Observation, ProbeSettings, Prober, Reason, SelfCheck},
};
use serde_json::{Value, json};

use super::probe::{TIMEOUT, asking, look, look_for, postgres_socket, prober, settings, trusting};
use crate::support::{
    certificates::Authority,
    odd_target::{Answer, Dns, Grpc, Http, Lines, Relay, Root, Said, Silent, nobody},
};

#[track_caller]
pub fn assert_up(seen: &Observation, what: &str) {
    assert!(seen.is_up(), "{what}: {seen:?}");
}

#[track_caller]
pub fn assert_down(seen: &Observation, reason: Reason, what: &str) {
    assert_eq!(seen.reason(), Some(reason), "{what}: {seen:?}");
}

fn host(mut spec: Value, address: std::net::SocketAddr) -> Value {
    spec["host"] = json!(address.ip().to_string());
    spec["port"] = json!(address.port());
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_up_and_down_with_the_right_reason() {
    let (target, prober) = (Http::start().await, prober());
    let spec = json!({"kind": "http", "url": target.url("/x?y=1"), "headers": {"X-Own": "{{secret.key}}"},
        "expect": [{"on": "json", "path": "$.status", "test": "is", "value": "ok"}]});
    target.answer(|_| Answer::with(200, "content-type: application/json\r\n", r#"{"status": "ok"}"#));
    let seen = look_for(&prober, spec.clone(), &[("key", "open sesame")], TIMEOUT).await;
    assert_up(&seen, "http");
    let asked = target.asked().pop().unwrap();
    assert_eq!((asked.path.as_str(), asked.headers["x-own"].as_str()), ("/x?y=1", "open sesame"));
    assert!(!format!("{seen:?}").contains("sesame"), "{seen:?}");
    let facts = seen.http.unwrap();
    assert_eq!((facts.version.as_str(), facts.redirects, facts.is_tls, seen.code), ("1.1", 0, false, Some(200)));
    let phases = seen.phases;
    assert!(
        phases.connect.is_some() && phases.first_byte.is_some() && phases.transfer.is_some() && phases.tls.is_none()
    );

    assert_down(&look(&prober, spec.clone()).await, Reason::ValueMissing, "no secret");
    let plain = json!({"kind": "http", "url": target.url("/")});
    target.answer(|_| Answer::status(500));
    assert_down(&look(&prober, plain.clone()).await, Reason::Status, "500");
    target.answer(|_| Answer::Reset);
    assert_down(&look(&prober, plain.clone()).await, Reason::Closed, "reset");
    target.answer(|_| Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()));
    assert_down(&look(&prober, plain).await, Reason::Protocol, "no http");
    let refused = json!({"kind": "http", "url": format!("http://{}/", nobody().await)});
    assert_down(&look(&prober, refused).await, Reason::ConnectRefused, "nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_hands_values_on_and_names_the_step_that_failed() {
    let (target, prober) = (Http::start().await, prober());
    target.answer(|asked| match asked.path.as_str() {
        "/session" => Answer::with(201, "set-cookie: sid=abc; HttpOnly\r\n", r#"{"token": "t-1"}"#),
        "/cart/t-1" if asked.headers.get("cookie").is_some_and(|cookie| cookie == "sid=abc") => Answer::ok("2 items"),
        _ => Answer::status(403),
    });
    let flow = |path: &str| {
        json!({"kind": "flow", "steps": [
            {"name": "sign in", "http": {"url": target.url("/session"), "method": "POST", "status": ["201"]},
             "take": {"token": {"from": "json", "path": "$.token"}, "sid": {"from": "cookie", "name": "sid"}}},
            {"name": "cart", "http": {"url": target.url(path), "expect": [{"on": "keyword", "text": "items"}]}},
        ]})
    };
    assert_up(&look(&prober, flow("/cart/{{token}}")).await, "flow");
    let seen = look(&prober, flow("/cart/other")).await;
    assert_down(&seen, Reason::Status, "flow");
    assert!(seen.failures.iter().all(|failure| failure.text.starts_with("step \"cart\"")), "{seen:?}");
    let missing = json!({"kind": "flow", "steps": [{"name": "a", "http": {"url": target.url("/session"), "status": ["201"]},
        "take": {"x": {"from": "header", "name": "x-none"}}}]});
    assert_down(&look(&prober, missing).await, Reason::ValueMissing, "missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_and_tls_are_up_and_down_with_the_right_reason() {
    let root = Root::new("Root");
    let prober = trusting(vec![root.certificate.clone()]);
    let ssh = Lines::start("SSH-2.0-OpenSSH_9.2\r\n", &[], None).await;
    let tcp = |expect: &str| host(json!({"kind": "tcp", "expect": expect}), ssh.address);
    assert_up(&look(&prober, tcp("SSH-2.0")).await, "tcp");
    let silent = Silent::start().await;
    let waits = host(json!({"kind": "tcp", "expect": "SSH"}), silent.address);
    let seen = look_for(&prober, waits, &[], Duration::from_millis(400)).await;
    assert_down(&seen, Reason::FirstByteTimeout, "silent");
    assert_down(&look(&prober, host(json!({"kind": "tcp"}), nobody().await)).await, Reason::ConnectRefused, "nobody");

    let tls = Http::with_tls(root.chain("127.0.0.1", &[]).acceptor()).await;
    let seen = look(&prober, host(json!({"kind": "tls"}), tls.address)).await;
    assert_up(&seen, "tls");
    let certificate = seen.certificate.unwrap();
    assert!(certificate.is_verified && certificate.names == ["127.0.0.1"] && certificate.tls == "1.3");
    let other = host(json!({"kind": "tls", "server_name": "other.example"}), tls.address);
    assert_down(&look(&prober, other).await, Reason::CertificateName, "other name");
    assert_down(&look(&prober, host(json!({"kind": "tls"}), ssh.address)).await, Reason::TlsFailed, "no TLS");
    let https = json!({"kind": "http", "url": tls.url("/")});
    let seen = look(&prober, https).await;
    assert!(
        seen.is_up() && seen.phases.tls.is_some() && seen.http.as_ref().is_some_and(|facts| facts.is_tls),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_is_up_and_down_with_the_right_reason() {
    let mail = [&[0, 10][..], b"\x04mail\x07example\x00"].concat();
    let dns = Dns::start(move |name, kind| match (name, kind) {
        ("well.example", 1) => Said::Addresses(vec![IpAddr::from([192, 0, 2, 1])]),
        ("well.example", 15) => Said::Record(mail.clone()),
        ("gone.example", _) => Said::Code(3),
        ("broken.example", _) => Said::Code(2),
        _ => Said::Code(0),
    })
    .await;
    let prober = prober();
    let server = dns.address.to_string();
    let spec = |name: &str, record: &str, more: Value| {
        let mut spec = json!({"kind": "dns", "name": name, "record": record, "server": server});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    assert_up(&look(&prober, spec("well.example", "A", json!({"values": ["192.0.2.1"]}))).await, "A");
    assert_up(&look(&prober, spec("well.example", "MX", json!({"values": ["10 mail.example."]}))).await, "MX");
    assert_up(&look(&prober, spec("gone.example", "A", json!({"rcode": "NXDOMAIN"}))).await, "NXDOMAIN");
    for (name, more, reason) in [
        ("well.example", json!({"values": ["192.0.2.9"]}), Reason::DnsValue),
        ("well.example", json!({"values": ["192.0.2.1"], "values_match": "none_of"}), Reason::DnsValue),
        ("gone.example", json!({}), Reason::DnsRcode),
        ("broken.example", json!({}), Reason::DnsRcode),
        ("empty.example", json!({}), Reason::DnsValue),
    ] {
        assert_down(&look(&prober, spec(name, "A", more)).await, reason, name);
    }
}

/// Where the kernel permits echo requests they are answered on loopback; where it does not, nothing is down.
#[tokio::test(flavor = "multi_thread")]
async fn icmp_is_up_or_says_that_it_may_not() {
    let seen = look(&prober(), json!({"kind": "icmp", "host": "127.0.0.1"})).await;
    assert!(seen.is_up() && seen.phases.first_byte.is_some() || seen.is_unable(), "{seen:?}");
    if seen.is_up() {
        // What is answered after the timeout is lost: without any time, one of ten at least. No address is silent in every network.
        let lost = json!({"kind": "icmp", "host": "127.0.0.1", "count": 10, "loss_below": 0.1});
        let seen = look_for(&prober(), lost, &[], Duration::ZERO).await;
        assert_down(&seen, Reason::PacketLoss, "lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_servers_are_up_and_down_with_the_right_reason() {
    let authority = Authority::new();
    let acceptor = authority.acceptor("127.0.0.1");
    let prober = prober();
    let smtp = Lines::start(
        "220 mail.example ESMTP\r\n",
        &[("EHLO", "250-mail.example\r\n250 STARTTLS\r\n"), ("STARTTLS", "220 go\r\n"), ("QUIT", "221 bye\r\n")],
        Some(acceptor.clone()),
    )
    .await;
    let of = |kind: &str, more: Value, address| {
        let mut spec = host(json!({"kind": kind, "verify": false}), address);
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let seen = look(&prober, of("smtp", json!({"tls": "starttls", "expect": "ESMTP"}), smtp.address)).await;
    assert!(seen.is_up() && seen.certificate.is_some() && seen.code == Some(220), "{seen:?}");
    let verifies = of("smtp", json!({"tls": "starttls", "verify": true}), smtp.address);
    assert_down(&look(&prober, verifies).await, Reason::CertificateUntrusted, "untrusted");
    assert_down(
        &look(&prober, of("smtp", json!({"expect": "Exchange"}), smtp.address)).await,
        Reason::Banner,
        "greeting",
    );
    let busy = Lines::start("421 too busy\r\n", &[], None).await;
    assert_down(&look(&prober, of("smtp", json!({}), busy.address)).await, Reason::Banner, "busy");
    let other = Lines::start("HTTP/1.1 400 Bad Request\r\n", &[], None).await;
    assert_down(&look(&prober, of("smtp", json!({}), other.address)).await, Reason::Protocol, "no SMTP");

    let imap = Lines::start(
        "* OK ready\r\n",
        &[("CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"), ("STARTTLS", "a2 OK begin\r\n")],
        Some(acceptor),
    )
    .await;
    assert_up(&look(&prober, of("imap", json!({"tls": "starttls"}), imap.address)).await, "imap");
    let bye = Lines::start("* BYE not now\r\n", &[], None).await;
    assert_down(&look(&prober, of("imap", json!({}), bye.address)).await, Reason::Banner, "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postgresql_is_up_and_down_with_the_right_reason() {
    let (relay, prober) = (Relay::to(postgres_socket().await).await, prober());
    let spec = |more: Value| {
        let mut spec =
            host(json!({"kind": "postgres", "database": "postgres", "user": "postgres", "tls": "none"}), relay.address);
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let ask = async |more: Value| look_for(&prober, spec(more), &[("pw", "x")], TIMEOUT).await;
    assert_up(&ask(json!({})).await, "as far as it goes");
    assert_up(&ask(json!({"password": "pw", "query": "SELECT 40 + 2", "is": "42"})).await, "query");
    for (more, reason) in [
        (json!({"password": "pw", "query": "SELECT 1", "is": "2"}), Reason::Query),
        (json!({"password": "pw", "query": "CREATE TABLE holdfast_was_here (n int)"}), Reason::Query),
        (json!({"database": "nowhere_to_be_found"}), Reason::Query),
        (json!({"tls": "require"}), Reason::TlsFailed),
    ] {
        assert_down(&ask(more.clone()).await, reason, &more.to_string());
    }
    let silent = Silent::start().await;
    let silent = host(json!({"kind": "postgres", "database": "a", "user": "b", "tls": "none"}), silent.address);
    let seen = look_for(&prober, silent, &[], Duration::from_millis(400)).await;
    assert_down(&seen, Reason::FirstByteTimeout, "silent");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_is_up_and_down_with_the_right_reason() {
    let (target, prober) = (Grpc::start().await, prober());
    let spec = json!({"kind": "grpc", "url": format!("http://{}", target.address), "service": "ledger.v1.Ledger"});
    assert_up(&look(&prober, spec.clone()).await, "serving");
    target.status(2);
    let seen = look(&prober, spec).await;
    assert_down(&seen, Reason::GrpcStatus, "not serving");
    assert!(seen.error().unwrap().contains("NOT_SERVING"));
    let http = Http::start().await;
    let spec = json!({"kind": "grpc", "url": format!("http://{}", http.address)});
    let seen = look_for(&prober, spec, &[], Duration::from_secs(2)).await;
    assert!(!seen.is_up(), "HTTP/1.1 is no gRPC: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_refuses_is_unknown_and_an_ended_domain_is_down() {
    let target = Http::start().await;
    let services = json!({"services": [[["example"], [target.url("/rdap/")]]]}).to_string();
    let answer = move |asked: &crate::support::odd_target::Asked| match asked.path.as_str() {
        "/dns.json" => Answer::ok(&services),
        "/rdap/domain/well.example" => {
            Answer::ok(r#"{"events": [{"eventAction": "expiration", "eventDate": "2090-01-01T00:00:00Z"}]}"#)
        }
        "/rdap/domain/over.example" => {
            Answer::ok(r#"{"events": [{"eventAction": "expiration", "eventDate": "2020-01-01T00:00:00Z"}]}"#)
        }
        "/rdap/domain/vague.example" => Answer::ok(r#"{"events": []}"#),
        "/rdap/domain/gone.example" => Answer::status(404),
        _ => Answer::status(429),
    };
    target.answer(answer);
    let prober = Prober::new(ProbeSettings { bootstrap: Some(target.url("/dns.json")), ..settings() });
    let ask = async |name: &str| look(&prober, json!({"kind": "domain", "name": name})).await;
    let well = ask("well.example").await;
    assert!(well.is_up() && well.domain_ends_at.is_some_and(|ends| ends.to_rfc3339().starts_with("2090")), "{well:?}");
    for (name, reason) in [
        ("over.example", Reason::DomainExpired),
        ("gone.example", Reason::DomainExpired),
        ("vague.example", Reason::RegistryRefused),
        ("limited.example", Reason::RegistryRefused),
        ("unknown.test", Reason::RegistryRefused),
    ] {
        let seen = ask(name).await;
        assert_down(&seen, reason, name);
        assert_eq!(seen.is_unable(), reason == Reason::RegistryRefused);
    }
    // Said when such a monitor is saved. Who cannot read the list says nothing.
    assert_eq!(prober.has_registry("Well.example.", TIMEOUT).await, Some(true));
    assert_eq!(prober.has_registry("unknown.test", TIMEOUT).await, Some(false));
    let blind = Prober::new(ProbeSettings { bootstrap: Some(target.url("/none.json")), ..settings() });
    assert_eq!(blind.has_registry("unknown.test", TIMEOUT).await, None);
}

struct Part(Judgement);

#[async_trait]
impl SelfCheck for Part {
    fn key(&self) -> &str {
        match &self.0 {
            Judgement::Well(_) => "well",
            Judgement::Degraded(_) => "degraded",
            Judgement::Down(_) => "down",
            Judgement::Off(_) => "off",
        }
    }

    fn name(&self, _: Lang) -> String {
        self.key().to_owned()
    }

    async fn run(&self) -> Judgement {
        self.0.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_appliance_say_how_they_are() {
    let text = || "a text".to_owned();
    let all =
        [Judgement::Well(Some(text())), Judgement::Degraded(text()), Judgement::Down(text()), Judgement::Off(text())];
    let self_checks = all.into_iter().map(|judgement| Arc::new(Part(judgement)) as Arc<dyn SelfCheck>).collect();
    let prober = Prober::new(ProbeSettings { self_checks, ..settings() });
    let ask = async |check: &str| look(&prober, json!({"kind": "internal", "check": check})).await;
    let (well, degraded) = (ask("well").await, ask("degraded").await);
    assert!(well.is_up() && well.degraded.is_none() && well.note.as_deref() == Some("a text"), "{well:?}");
    assert!(degraded.is_up() && degraded.degraded.is_some(), "{degraded:?}");
    assert_down(&ask("down").await, Reason::SelfCheck, "down");
    for unable in ["off", "none of ours"] {
        assert!(ask(unable).await.is_unable(), "{unable}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_an_address_and_a_resolver_that_fails_are_told_apart() {
    let dns = Dns::start(|name, _| match name {
        "gone.example" => Said::Code(3),
        "broken.example" => Said::Code(2),
        _ => Said::Nothing,
    })
    .await;
    let prober = asking(dns.address, &["127.0.0.1/32"]);
    for (name, reason) in [("gone.example", Reason::NameNotFound), ("broken.example", Reason::ResolverFailed)] {
        assert_down(&look(&prober, json!({"kind": "tcp", "host": name, "port": 80})).await, reason, name);
    }
    let silent = json!({"kind": "tcp", "host": "silent.example", "port": 80});
    let seen = look_for(&prober, silent, &[], Duration::from_millis(500)).await;
    assert_down(&seen, Reason::ResolveTimeout, "silent");
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_of_one_registry_are_asked_in_turn_and_waiting_is_no_failure() {
    let target = Http::start().await;
    let services = json!({"services": [[["example"], [target.url("/rdap/")]]]}).to_string();
    let found = r#"{"events": [{"eventAction": "expiration", "eventDate": "2090-01-01T00:00:00Z"}]}"#;
    target.answer(move |asked| if asked.path == "/dns.json" { Answer::ok(&services) } else { Answer::ok(found) });
    let prober = Prober::new(ProbeSettings { bootstrap: Some(target.url("/dns.json")), ..settings() });
    let ask = async |name: &str| {
        look_for(&prober, json!({"kind": "domain", "name": name}), &[], Duration::from_secs(1)).await
    };
    let began = tokio::time::Instant::now();
    // Who hangs up takes no turn.
    for name in ["x.example", "y.example", "z.example"] {
        drop(tokio::time::timeout(Duration::from_millis(100), ask(name)).await);
    }
    let all = futures::future::join_all(["a.example", "b.example", "c.example"].iter().map(|name| ask(name))).await;
    assert!(all.iter().all(|seen| seen.domain_ends_at.is_some()), "{all:?}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(6), "{took:?}");
}
