//! Unit tests of the rules.

use axum::http::{HeaderMap, HeaderName, Method};

use super::{
    Origins,
    authenticate::{csrf_token, split_key},
    cookie::cookie,
    csrf::is_allowed,
    model::{check_email, check_slug},
    password::{RuleBroken, check_rules, one_time_password},
    service::{may_grant, may_manage},
};
use crate::platform::http::{self, Role};

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

#[test]
fn emails_and_slugs() {
    for good in ["a@b", "ada@example.com", "имя@пример.рф"] {
        assert!(check_email(good).is_ok(), "{good}");
    }
    for bad in ["", "a", "@b", "a@", "a b@c", "a@b@c", "a@.b", "a\0@b"] {
        assert!(check_email(bad).is_err(), "{bad:?}");
    }
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
    let text = |https| cookie(https, "v", 60).unwrap().to_str().unwrap().to_owned();
    assert_eq!(text(true), "__Host-holdfast_session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure");
    assert_eq!(text(false), "holdfast_session=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
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
