//! Unit tests of the rules.

use axum::http::{HeaderMap, HeaderName, Method};

use super::{
    Config, Metrics, Origins,
    authenticate::{csrf_token, split_key},
    cookie::cookie,
    csrf::is_allowed,
    model::check_slug,
    password::{Hasher, RuleBroken, Verified, check_rules, one_time_password},
    service::{may_grant, may_manage},
};
use platform::http::{self, Role};

fn cheap() -> Config {
    Config { hash_memory_kib: 64, hash_iterations: 1, ..Config::default() }
}

fn metrics() -> Metrics {
    Metrics::register(&mut prometheus_client::registry::Registry::default())
}

#[test]
fn passwords_follow_the_rules() {
    let check = |password: &str| check_rules(password, "ada.lovelace@example.com");
    assert_eq!(check("short"), Err(RuleBroken::TooShort));
    assert_eq!(check("Ada.Lovelace@Example.com"), Err(RuleBroken::IsEmail));
    assert_eq!(check("ada.lovelace"), Err(RuleBroken::IsEmail));
    assert_eq!(check("Password123"), Err(RuleBroken::Common));
    assert_eq!(check("aaaaaaaaaaaa"), Err(RuleBroken::Common));
    assert_eq!(check(&"x1".repeat(300)), Err(RuleBroken::TooLong));
    assert_eq!(check("короткие слова"), Ok(()));
    assert_eq!(check("correct horse"), Ok(()));
}

#[test]
fn one_time_passwords_are_long_different_and_legible() {
    let (a, b) = (one_time_password(), one_time_password());
    assert_ne!(a, b);
    assert_eq!(a.len(), 23);
    assert!(!a.contains(['l', 'o', '0', '1']), "{a}");
    assert_eq!(check_rules(&a, "a@b"), Ok(()));
}

/// Stored as NFC, whatever the keyboard; older versions' hashes, made of what was typed, still work.
#[tokio::test]
async fn a_password_is_one_however_it_is_typed() {
    let hasher = Hasher::new(&cheap(), metrics()).unwrap();
    let (composed, decomposed) = ("ёлка и йод café", "е\u{308}лка и и\u{306}од cafe\u{301}");
    assert_ne!(composed, decomposed);
    for (typed, stored) in [(composed, decomposed), (decomposed, composed), (decomposed, decomposed)] {
        let hash = hasher.hash(stored).await.unwrap();
        assert!(matches!(hasher.verify(typed, Some(&hash)).await.unwrap(), Verified::Yes), "{typed} for {stored}");
    }
    let old = hasher.hash_as_typed(decomposed).await.unwrap();
    for typed in [composed, decomposed] {
        assert!(matches!(hasher.verify(typed, Some(&old)).await.unwrap(), Verified::Rehashed(_)), "{typed}");
    }
    let once = one_time_password();
    let hash = hasher.hash(&once).await.unwrap();
    for pasted in [format!(" {once}"), format!("{once}\r\n"), format!("\u{a0}{once}\t")] {
        assert!(matches!(hasher.verify(&pasted, Some(&hash)).await.unwrap(), Verified::Yes), "{pasted:?}");
    }
    // In a password chosen by the person, space counts.
    let own = hasher.hash("ends with a space ").await.unwrap();
    assert!(matches!(hasher.verify("ends with a space", Some(&own)).await.unwrap(), Verified::No));
}

#[test]
fn slugs() {
    assert!(check_slug("acme-2").is_ok());
    for bad in ["", "-a", "a-", "A", "a_b", "ж", &"a".repeat(65)] {
        assert!(check_slug(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn who_may_change_whom() {
    use Role::{Admin, Member, Owner, Viewer};
    for role in Role::ALL {
        assert!(may_grant(Owner, role) && may_manage(Owner, role));
        assert!(!may_grant(Member, role) && !may_manage(Member, role) && !may_grant(Viewer, role));
    }
    assert!(may_grant(Admin, Admin) && !may_grant(Admin, Owner));
    assert!(may_manage(Admin, Member) && !may_manage(Admin, Admin) && !may_manage(Admin, Owner));
}

#[test]
fn keys_are_told_from_anything_else_without_a_look_up() {
    let secret = "s".repeat(42) + "_";
    let key = format!("hf_abcd1234_{secret}");
    assert_eq!(split_key(&key), Some(("abcd1234", secret.as_str())));
    for bad in
        ["", "hf_", "hf_abcd1234", "hf_ABCD1234_x", "sk-123", &format!("hf_abcd123_{secret}"), &format!("{key}x")]
    {
        assert_eq!(split_key(bad), None, "{bad}");
    }
}

#[test]
fn cookies_carry_the_prefix_only_over_https() {
    let text = |url: &str| {
        let server = http::Config { public_url: url.to_owned(), ..http::Config::default() };
        cookie(&server.session_cookie(), server.is_https(), "v", 60).unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(text("https://h"), "__Host-holdfast_session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
    assert_eq!(text(""), "holdfast_session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
}

#[test]
fn two_appliances_on_one_host_have_cookies_of_their_own() {
    let name = |url: &str| http::Config { public_url: url.to_owned(), ..http::Config::default() }.session_cookie();
    assert_eq!(name("http://10.0.0.5:8080"), "holdfast_session");
    assert_eq!(name("http://10.0.0.5:8081/"), "holdfast_session_8081");
    assert_eq!(name("http://10.0.0.5"), "holdfast_session_80");
    assert_eq!(name("https://[::1]:8443/base"), "__Host-holdfast_session_8443");
    assert_eq!(name("https://[fe80::1]"), "__Host-holdfast_session");
    let other = http::Config { listen: "0.0.0.0:9000".parse().unwrap(), ..http::Config::default() };
    assert_eq!(other.session_cookie(), "holdfast_session_9000");
}

#[test]
fn requests_that_another_site_causes_are_refused() {
    let origins =
        Origins::new(&http::Config { public_url: "https://ai.example.com/base".into(), ..http::Config::default() });
    let token = csrf_token("session");
    let ask = |method: Method, session: bool, headers: &[(&'static str, &str)]| {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect();
        is_allowed(&method, &headers, session.then_some(token.as_str()), &origins)
    };
    let wrong = csrf_token("other");
    for (session, headers, expected) in [
        (true, vec![], false),
        (true, vec![("x-csrf-token", token.as_str())], true),
        (true, vec![("x-csrf-token", wrong.as_str())], false),
        (true, vec![("x-csrf-token", wrong.as_str()), ("sec-fetch-site", "cross-site")], false),
        (true, vec![("sec-fetch-site", "same-origin")], true),
        (true, vec![("sec-fetch-site", "same-site")], false),
        (true, vec![("sec-fetch-site", "cross-site"), ("origin", "https://ai.example.com")], false),
        (true, vec![("origin", "https://ai.example.com")], true),
        (true, vec![("origin", "http://10.0.0.5:8080"), ("host", "10.0.0.5:8080")], true),
        (true, vec![("origin", "https://evil.example"), ("host", "ai.example.com")], false),
        (true, vec![("origin", "null"), ("host", "ai.example.com")], false),
        (false, vec![], true),
        (false, vec![("sec-fetch-site", "cross-site")], false),
        (false, vec![("origin", "https://evil.example"), ("host", "ai.example.com")], false),
        (false, vec![("authorization", "Bearer x"), ("origin", "https://evil.example")], true),
    ] {
        assert_eq!(ask(Method::POST, session, &headers), expected, "session {session}, {headers:?}");
        assert!(ask(Method::GET, session, &headers));
    }
}
