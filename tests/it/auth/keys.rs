//! API keys.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use holdfast::{app::scopes, auth::Config, platform::http::Role};
use serde_json::{Value, json};

use super::{Answer, Caller, EMAIL, PASSWORD, World};
use crate::support::cluster::PATIENCE;

#[tokio::test]
async fn api_keys_have_scopes_and_end() {
    let world = World::start(Config::default()).await;
    let admin = world.signed_in(EMAIL, PASSWORD).await;
    let create = async |who: &Caller, scopes: Value, expires_at: Option<DateTime<Utc>>| {
        world
            .post(who, "/api/v1/api-keys", json!({ "name": "website", "scopes": scopes, "expires_at": expires_at }))
            .await
    };
    let with_key = |answer: &Answer| Caller {
        key: format!("Bearer {}", answer.body["secret"].as_str().unwrap()),
        ..Caller::default()
    };
    let made = create(&admin, json!(["inference", "inference"]), None).await.expect(StatusCode::CREATED);
    let (reader, id) = (with_key(&made), made.body["id"].as_str().unwrap().to_owned());
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with(made.body["prefix"].as_str().unwrap()));
    let me = world.get(&reader, "/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!(me.body["api_key"]["scopes"], json!(["inference"]));

    let list = world.get(&admin, "/api/v1/api-keys").await.expect(StatusCode::OK);
    assert!(!list.body.to_string().contains(&secret[12..]), "the secret is shown once");
    world.get(&reader, "/api/v1/api-keys").await.expect(StatusCode::FORBIDDEN);
    let refused = world.get(&reader, "/api/v1/sessions").await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "session_required");
    create(&admin, json!([]), None).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    create(&admin, json!(["inference"]), Some(world.clock.now())).await.expect(StatusCode::UNPROCESSABLE_ENTITY);

    // A key cannot grant scopes that it lacks.
    let manager = with_key(&create(&admin, json!(["admin"]), None).await.expect(StatusCode::CREATED));
    create(&manager, json!(["knowledge_write"]), None).await.expect(StatusCode::FORBIDDEN);
    create(&manager, json!(["admin"]), None).await.expect(StatusCode::CREATED);

    let short = with_key(&create(&admin, json!(["inference"]), Some(world.clock.now() + TimeDelta::hours(1))).await);
    world.get(&short, "/api/v1/auth/me").await.expect(StatusCode::OK);
    world.clock.advance(TimeDelta::hours(1));
    world.get(&short, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);

    let mut guess = reader.clone();
    let last = if guess.key.ends_with('A') { 'B' } else { 'A' };
    guess.key.pop();
    guess.key.push(last);
    let refused = world.get(&guess, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(refused.code(), "invalid_api_key");

    let used = tokio::time::timeout(PATIENCE, async {
        while world.value(&format!("SELECT last_used_at::text FROM api_keys WHERE id = '{id}'")).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    used.await.expect("its use is noted");
    world.delete(&admin, &format!("/api/v1/api-keys/{id}")).await.expect(StatusCode::NO_CONTENT);
    world.get(&reader, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.end().await;
}

/// A key cannot give anyone more than its own scopes: with the role a person could do what the key may not.
#[tokio::test]
async fn a_key_does_not_become_a_person() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let admin = world.person("admin@example.com", "default", Role::Admin).await;
    let viewer = world.person("viewer@example.com", "default", Role::Viewer).await;
    let viewer_path = format!("/api/v1/members/{}", world.id_of(&viewer).await);
    let key = async |who: &Caller, scopes: Value| {
        let made = world.post(who, "/api/v1/api-keys", json!({ "name": "k", "scopes": scopes })).await;
        let secret = made.expect(StatusCode::CREATED).body["secret"].as_str().unwrap().to_owned();
        Caller { key: format!("Bearer {secret}"), ..Caller::default() }
    };
    let all: Value = scopes().iter().map(|scope| scope.as_str()).collect();
    let manager = key(&admin, json!(["admin"])).await;
    for caller in [&manager, &key(&admin, all.clone()).await] {
        let invite = json!({ "email": "new@example.com", "role": "viewer" });
        let refused = world.post(caller, "/api/v1/members/links", invite).await.expect(StatusCode::FORBIDDEN);
        assert_eq!(refused.code(), "session_required");
        let refused = world.post(caller, &format!("{viewer_path}/reset-link"), Value::Null).await;
        assert_eq!(refused.expect(StatusCode::FORBIDDEN).code(), "session_required");
    }
    let promote = json!({ "role": "admin" });
    world.send(&manager, Method::PATCH, &viewer_path, promote.clone()).await.expect(StatusCode::FORBIDDEN);
    world.send(&key(&admin, all).await, Method::PATCH, &viewer_path, promote).await.expect(StatusCode::OK);
    world.send(&owner, Method::PATCH, &viewer_path, json!({ "role": "viewer" })).await.expect(StatusCode::OK);

    // A removed member leaves keys behind, and keys created with those; they are revoked only on request.
    let second = key(&manager, json!(["admin"])).await;
    let admin_path = format!("/api/v1/members/{}", world.id_of(&admin).await);
    world.delete(&viewer, &format!("{viewer_path}?revoke_keys=true")).await.expect(StatusCode::FORBIDDEN);
    world.delete(&owner, &format!("{admin_path}?revoke_keys=true")).await.expect(StatusCode::NO_CONTENT);
    for caller in [&manager, &second] {
        world.get(caller, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    }
    world.end().await;
}
