//! Members and their roles.

use axum::http::{Method, StatusCode};
use holdfast::{auth::Config, platform::http::Role};
use serde_json::{Value, json};

use super::{EMAIL, PASSWORD, World};

#[tokio::test]
async fn an_organisation_keeps_an_owner_and_roles_keep_their_place() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let owner_path = format!("/api/v1/members/{}", world.id_of(&owner).await);
    let demote = json!({ "role": "member" });
    let refused = world.send(&owner, Method::PATCH, &owner_path, demote.clone()).await.expect(StatusCode::CONFLICT);
    assert_eq!(refused.code(), "last_owner");
    assert_eq!(world.delete(&owner, &owner_path).await.expect(StatusCode::CONFLICT).code(), "last_owner");

    let admin = world.person("admin@example.com", "default", Role::Admin).await;
    let viewer = world.person("viewer@example.com", "default", Role::Viewer).await;
    let admin_path = format!("/api/v1/members/{}", world.id_of(&admin).await);
    let viewer_path = format!("/api/v1/members/{}", world.id_of(&viewer).await);
    world.send(&admin, Method::PATCH, &viewer_path, json!({ "role": "owner" })).await.expect(StatusCode::FORBIDDEN);
    world.send(&admin, Method::PATCH, &owner_path, demote.clone()).await.expect(StatusCode::FORBIDDEN);
    world.send(&admin, Method::PATCH, &admin_path, json!({ "role": "owner" })).await.expect(StatusCode::FORBIDDEN);
    world.get(&viewer, "/api/v1/members").await.expect(StatusCode::FORBIDDEN);
    let list = world.get(&owner, "/api/v1/members?q=VIEWER").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"].as_array().unwrap().len(), 1);
    world.send(&admin, Method::PATCH, &viewer_path, json!({ "role": "admin" })).await.expect(StatusCode::OK);
    world.get(&viewer, "/api/v1/members").await.expect(StatusCode::OK);

    // Two owners demote each other at the same moment: one of them stays.
    world.send(&owner, Method::PATCH, &admin_path, json!({ "role": "owner" })).await.expect(StatusCode::OK);
    let (one, two) = tokio::join!(
        world.send(&owner, Method::PATCH, &admin_path, demote.clone()),
        world.send(&admin, Method::PATCH, &owner_path, demote.clone())
    );
    let owners = world.value("SELECT count(*)::text FROM memberships WHERE role = 'owner'").await.unwrap();
    assert_eq!(owners, "1", "{one:?} {two:?}");

    // A removed member is signed out at once.
    world.delete(&viewer, &viewer_path).await.expect(StatusCode::NO_CONTENT);
    world.get(&viewer, "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    assert_eq!(
        world.login("viewer@example.com", PASSWORD).await.expect(StatusCode::FORBIDDEN).code(),
        "no_organisation"
    );
    world.end().await;
}

#[tokio::test]
async fn ids_of_another_organisation_are_not_found() {
    let world = World::start(Config::default()).await;
    let ours = world.signed_in(EMAIL, PASSWORD).await;
    world.auth.create_organisation("Acme", None, None).await.unwrap();
    let theirs = world.person("carol@example.com", "acme", Role::Owner).await;
    let key = world.post(&ours, "/api/v1/api-keys", json!({ "name": "k", "scopes": ["inference"] })).await;
    let link = world.post(&ours, "/api/v1/members/links", json!({ "email": "x@example.com", "role": "viewer" })).await;
    let sessions = world.get(&ours, "/api/v1/sessions").await;
    let me = world.get(&ours, "/api/v1/auth/me").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (user, org) = (text(&me.body["user"]["id"]), text(&me.body["organisation_id"]));
    for (method, path, body) in [
        (Method::DELETE, format!("/api/v1/api-keys/{}", text(&key.body["id"])), Value::Null),
        (Method::DELETE, format!("/api/v1/members/links/{}", text(&link.body["id"])), Value::Null),
        (Method::DELETE, format!("/api/v1/sessions/{}", text(&sessions.body["data"][0]["id"])), Value::Null),
        (Method::PATCH, format!("/api/v1/members/{user}"), json!({ "role": "viewer" })),
        (Method::DELETE, format!("/api/v1/members/{user}"), Value::Null),
        (Method::POST, format!("/api/v1/members/{user}/reset-link"), Value::Null),
        (Method::PATCH, format!("/api/v1/organisations/{org}"), json!({ "name": "Mine" })),
        (Method::POST, "/api/v1/auth/switch-organisation".to_owned(), json!({ "organisation_id": org })),
        (Method::DELETE, "/api/v1/api-keys/not-an-id".to_owned(), Value::Null),
    ] {
        let answer = world.send(&theirs, method.clone(), &path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {answer:?}");
    }
    let list = world.get(&theirs, "/api/v1/api-keys").await.expect(StatusCode::OK);
    assert_eq!(list.body["data"], json!([]));
    let refused =
        world.post(&theirs, "/api/v1/organisations", json!({ "name": "More" })).await.expect(StatusCode::FORBIDDEN);
    assert_eq!(refused.code(), "forbidden");

    // An operator creates one and switches to it.
    let made =
        world.post(&ours, "/api/v1/organisations", json!({ "name": "More & more" })).await.expect(StatusCode::CREATED);
    assert_eq!(made.body["slug"], "more-more");
    let again =
        world.post(&ours, "/api/v1/organisations", json!({ "name": "More more" })).await.expect(StatusCode::CONFLICT);
    assert_eq!(again.code(), "slug_taken");
    let switch = json!({ "organisation_id": made.body["id"] });
    world.post(&ours, "/api/v1/auth/switch-organisation", switch).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(world.get(&ours, "/api/v1/auth/me").await.body["organisation_id"], made.body["id"]);
    assert_eq!(world.get(&ours, "/api/v1/api-keys").await.body["data"], json!([]));
    world.end().await;
}
