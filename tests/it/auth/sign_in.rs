//! Sign-in, its limits, and the end of sessions.

use std::time::Duration;

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use holdfast::{
    app::scopes,
    auth::{self, AdminConfig, Auth, Config},
    platform::{
        db::{self, Db},
        http::{self},
        telemetry::Telemetry,
    },
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Caller, EMAIL, PASSWORD, World};
use crate::support::cluster::PATIENCE;

#[tokio::test]
async fn the_first_start_makes_an_administrator_with_a_one_time_password() {
    let world = World::empty(Config::default()).await;
    let first = world.auth.bootstrap(&AdminConfig::default()).await.unwrap().unwrap();
    assert_eq!(first.email, "admin@localhost");
    let one_time = first.one_time_password.unwrap().expose_secret().to_owned();
    assert!(world.auth.bootstrap(&AdminConfig::default()).await.unwrap().is_none(), "only once");

    let caller = world.signed_in(" Admin@LOCALHOST ", &one_time).await;
    let me = world.get(&caller, "/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!((&me.body["user"]["must_change_password"], &me.body["role"]), (&json!(true), &json!("owner")));
    for path in ["/api/v1/api-keys", "/api/v1/members", "/api/v1/sessions", "/api/v1/organisations"] {
        let refused = world.get(&caller, path).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refused.code(), "password_change_required", "{path}");
    }
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    for (body, code) in [
        (change("something else", PASSWORD), "wrong_password"),
        (change(&one_time, "short"), "password_too_short"),
        (change(&one_time, "Password123"), "password_common"),
        (change(&one_time, &one_time), "password_unchanged"),
    ] {
        let refused = world.post(&caller, "/api/v1/auth/password", body).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.body["errors"][0]["code"], code);
    }
    world.post(&caller, "/api/v1/auth/password", change(&one_time, PASSWORD)).await.expect(StatusCode::NO_CONTENT);
    world.get(&caller, "/api/v1/api-keys").await.expect(StatusCode::OK);
    world.login("admin@localhost", &one_time).await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

#[tokio::test]
async fn unknown_and_wrong_are_one_answer_and_attempts_are_limited() {
    let world = World::start(Config {
        attempts_per_minute_per_address: 100,
        attempts_per_minute_per_account: 3,
        ..Config::default()
    })
    .await;
    let mut bodies = Vec::new();
    for (email, password) in
        [(EMAIL, "not the password"), ("nobody@example.com", PASSWORD), ("not an e-mail\u{0}", PASSWORD)]
    {
        let refused = world.login(email, password).await.expect(StatusCode::UNAUTHORIZED);
        assert!(refused.headers.get(header::SET_COOKIE).is_none());
        let mut body = refused.body;
        body["request_id"] = Value::Null;
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    assert_eq!(bodies[0]["code"], "invalid_credentials");

    // A stranger uses up the account's allowance; the owner's known address has its own.
    let at = |from: &str| Caller { from: from.into(), ..Caller::default() };
    let body = |password: &str| json!({ "email": EMAIL, "password": password });
    world.post(&at("203.0.113.1"), "/api/v1/auth/login", body(PASSWORD)).await.expect(StatusCode::OK);
    let mut limited = None;
    for _ in 0..5 {
        let answer = world.post(&at("198.51.100.9"), "/api/v1/auth/login", body("guess guess")).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
        }
    }
    let limited = limited.expect("the account's limit");
    let wait: u64 = limited.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    world.post(&at("203.0.113.1"), "/api/v1/auth/login", body(PASSWORD)).await.expect(StatusCode::OK);
    let metrics = world.telemetry.encode();
    assert!(metrics.contains("holdfast_auth_logins_total{outcome=\"limited_by_account\"}"), "{metrics}");
    world.end().await;
}

#[tokio::test]
async fn one_address_cannot_try_for_ever_and_too_many_at_once_are_told_to_wait() {
    let world = World::start(Config { attempts_per_minute_per_address: 4, ..Config::default() }).await;
    let mut last = StatusCode::OK;
    for i in 0..5 {
        last = world.login(&format!("user{i}@example.com"), PASSWORD).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    world.end().await;

    let busy = Config { hash_threads: 1, hash_queue: 1, attempts_per_minute_per_account: 100, ..Config::default() };
    let world = World::start(busy).await;
    let answers = futures::future::join_all((0..12).map(|_| world.login(EMAIL, PASSWORD))).await;
    let busy: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert!(!busy.is_empty() && answers.iter().any(|a| a.status == StatusCode::OK), "{answers:?}");
    assert!(busy[0].headers.contains_key(header::RETRY_AFTER));
    world.end().await;
}

#[tokio::test]
async fn hashes_follow_the_parameters_at_sign_in() {
    let world = World::start(Config::default()).await;
    let stronger = Config { hash_iterations: 3, ..Config::default() };
    let database = Db::new(&world.target, &db::Config::default());
    let metrics = Telemetry::new().register("auth", auth::Metrics::register);
    let auth =
        Auth::new(database, world.clock.clone(), &stronger, &http::Config::default(), scopes(), metrics).unwrap();
    let client =
        auth::Client { address: [127, 0, 0, 1].into(), user_agent: String::new(), chosen: None, preferred: None };
    auth.sign_in(EMAIL, &PASSWORD.into(), &client).await.unwrap();
    let hash = world.value("SELECT password_hash FROM users").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=3,p=1$"), "{hash}");
    // Back to the lower parameters with the same password; and a hash that asks for gigabytes is refused uncomputed.
    world.login(EMAIL, PASSWORD).await.expect(StatusCode::OK);
    world
        .value("UPDATE users SET password_hash = replace(password_hash, 'm=19456', 'm=4000000') RETURNING email")
        .await;
    world.login(EMAIL, PASSWORD).await.expect(StatusCode::INTERNAL_SERVER_ERROR);
    world.end().await;
}

#[tokio::test]
async fn sessions_end_when_idle_when_old_and_when_told() {
    let world = World::start(Config::default()).await;
    let idle = world.signed_in(EMAIL, PASSWORD).await;
    let busy = world.signed_in(EMAIL, PASSWORD).await;
    for day in (5..30).step_by(5) {
        world.clock.advance(TimeDelta::days(5));
        world.get(&busy, "/api/v1/auth/me").await.expect(StatusCode::OK);
        let recent = (world.clock.now() - TimeDelta::minutes(5)).to_rfc3339();
        let noted = tokio::time::timeout(PATIENCE, async {
            let seen = format!("SELECT (max(last_seen_at) > '{recent}')::text FROM sessions");
            while world.value(&seen).await.as_deref() != Some("true") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        noted.await.expect("the use is noted");
        // The cached entry has the old time and lives for ten seconds of real time: any change invalidates it.
        world.auth.rename_self(&principal(&world, &busy).await, "Ada").await.unwrap();
        if day >= 7 {
            world.get(&idle, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
        }
    }
    world.clock.advance(TimeDelta::days(5));
    world.get(&busy, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);

    let (one, two) = (world.signed_in(EMAIL, PASSWORD).await, world.signed_in(EMAIL, PASSWORD).await);
    let list = world.get(&one, "/api/v1/sessions").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 2, "{list:?}");
    world.delete(&one, "/api/v1/sessions").await.expect(StatusCode::NO_CONTENT);
    world.get(&two, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.post(&one, "/api/v1/auth/logout", Value::Null).await.expect(StatusCode::NO_CONTENT);
    world.get(&one, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

async fn principal(world: &World, caller: &Caller) -> http::Principal {
    use http::Authenticator as _;
    let token = caller.cookie.split_once('=').unwrap().1;
    world.auth.session(token).await.unwrap().unwrap()
}
