//! One-time links.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use holdfast::{auth::Config, platform::http::Role};
use serde_json::{Value, json};

use super::{Answer, Caller, EMAIL, PASSWORD, World, caller_of};

/// The `token` of an accept link.
fn token_of(answer: &Answer) -> String {
    answer.body["url"].as_str().unwrap().split_once("token=").unwrap().1.to_owned()
}

#[tokio::test]
async fn links_work_once_for_whom_they_are_made() {
    let world = World::start(Config::default()).await;
    let admin = world.signed_in(EMAIL, PASSWORD).await;
    let nobody = Caller::default();
    let link = async |email: &str, role: &str| {
        world.post(&admin, "/api/v1/members/links", json!({ "email": email, "role": role })).await
    };
    let accept = async |who: &Caller, body: Value| world.post(who, "/api/v1/auth/links/accept", body).await;

    let token = token_of(&link("Bob@Example.com", "member").await.expect(StatusCode::CREATED));
    let weak = json!({ "token": token, "name": "Bob", "password": "short" });
    accept(&nobody, weak).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let fine = json!({ "token": token, "name": "Bob", "password": PASSWORD });
    let joined = accept(&nobody, fine.clone()).await.expect(StatusCode::OK);
    assert_eq!((&joined.body["role"], &joined.body["user"]["email"]), (&json!("member"), &json!("bob@example.com")));
    assert_eq!(accept(&nobody, fine).await.expect(StatusCode::GONE).code(), "link_invalid");
    assert_eq!(link("bob@example.com", "member").await.expect(StatusCode::CONFLICT).code(), "already_member");

    let late = token_of(&link("eve@example.com", "viewer").await);
    world.clock.advance(TimeDelta::hours(72));
    accept(&nobody, json!({ "token": late, "name": "Eve", "password": PASSWORD })).await.expect(StatusCode::GONE);
    let first = token_of(&link("eve@example.com", "viewer").await);
    link("eve@example.com", "viewer").await.expect(StatusCode::CREATED);
    accept(&nobody, json!({ "token": first, "name": "Eve", "password": PASSWORD })).await.expect(StatusCode::GONE);

    // Someone with an account in another organisation signs in and joins.
    world.auth.create_organisation("Acme", None, None).await.unwrap();
    let carol = world.person("carol@example.com", "acme", Role::Owner).await;
    let token = token_of(&link("carol@example.com", "admin").await);
    assert_eq!(
        accept(&nobody, json!({ "token": token })).await.expect(StatusCode::UNAUTHORIZED).code(),
        "sign_in_first"
    );
    assert_eq!(
        accept(&admin, json!({ "token": token })).await.expect(StatusCode::FORBIDDEN).code(),
        "link_for_another_account"
    );
    accept(&carol, json!({ "token": token })).await.expect(StatusCode::NO_CONTENT);
    let me = world.get(&carol, "/api/v1/auth/me").await;
    assert_eq!((&me.body["role"], me.body["user"]["organisations"].as_array().unwrap().len()), (&json!("admin"), 2));

    // An administrator can reset a member's password, but not that of someone who also belongs elsewhere.
    world.person("adele@example.com", "default", Role::Admin).await;
    let adele = world.signed_in("adele@example.com", PASSWORD).await;
    let (carol_id, bob_id) = (world.id_of(&carol).await, joined.body["user"]["id"].as_str().unwrap());
    world
        .post(&adele, &format!("/api/v1/members/{carol_id}/reset-link"), Value::Null)
        .await
        .expect(StatusCode::FORBIDDEN);
    let reset = world
        .post(&adele, &format!("/api/v1/members/{bob_id}/reset-link"), Value::Null)
        .await
        .expect(StatusCode::CREATED);
    let body = json!({ "token": token_of(&reset), "password": "another fine password" });
    accept(&nobody, body).await.expect(StatusCode::OK);
    world.get(&caller_of(&joined), "/api/v1/auth/me").await.expect(StatusCode::UNAUTHORIZED);
    world.login("bob@example.com", PASSWORD).await.expect(StatusCode::UNAUTHORIZED);
    world.login("bob@example.com", "another fine password").await.expect(StatusCode::OK);

    // Choosing a new password revokes unused reset links.
    let path = format!("/api/v1/members/{bob_id}/reset-link");
    let open = world.post(&adele, &path, Value::Null).await.expect(StatusCode::CREATED);
    let bob = world.signed_in("bob@example.com", "another fine password").await;
    let change = json!({ "current_password": "another fine password", "new_password": "the third fine password" });
    world.post(&bob, "/api/v1/auth/password", change).await.expect(StatusCode::NO_CONTENT);
    let body = json!({ "token": token_of(&open), "password": "not by a finder" });
    assert_eq!(accept(&nobody, body).await.expect(StatusCode::GONE).code(), "link_invalid");

    // A link created for a member does not open the account once it is an administrator's.
    let open = world.post(&adele, &path, Value::Null).await.expect(StatusCode::CREATED);
    let promote = json!({ "role": "admin" });
    world.send(&admin, Method::PATCH, &format!("/api/v1/members/{bob_id}"), promote).await.expect(StatusCode::OK);
    let body = json!({ "token": token_of(&open), "password": "taken over by adele" });
    assert_eq!(accept(&nobody, body).await.expect(StatusCode::GONE).code(), "link_invalid");
    world.end().await;
}

/// A link is valid only while its creator may create it: otherwise it would outlive an admin who made one for a
/// stranger.
#[tokio::test]
async fn links_end_with_the_right_of_who_made_them() {
    let world = World::start(Config::default()).await;
    let owner = world.signed_in(EMAIL, PASSWORD).await;
    let nobody = Caller::default();
    world.person("bob@example.com", "default", Role::Member).await;
    let bob = world.value("SELECT id::text FROM users WHERE email = 'bob@example.com'").await.unwrap();
    for (n, end) in ["removed", "lowered", "lowered in the database", "disabled"].into_iter().enumerate() {
        let email = format!("admin{n}@example.com");
        let admin = world.person(&email, "default", Role::Admin).await;
        let id = world.id_of(&admin).await;
        let path = format!("/api/v1/members/{id}");
        let invite = json!({ "email": format!("backdoor{n}@example.com"), "role": "admin" });
        let join = world.post(&admin, "/api/v1/members/links", invite).await.expect(StatusCode::CREATED);
        let reset = world.post(&admin, &format!("/api/v1/members/{bob}/reset-link"), Value::Null).await;
        let (join, reset) = (token_of(&join), token_of(&reset.expect(StatusCode::CREATED)));
        match end {
            "removed" => drop(world.delete(&owner, &path).await.expect(StatusCode::NO_CONTENT)),
            "lowered" => {
                let role = json!({ "role": "member" });
                world.send(&owner, Method::PATCH, &path, role).await.expect(StatusCode::OK);
            }
            "disabled" => {
                world.value(&format!("UPDATE users SET disabled_at = now() WHERE id = '{id}' RETURNING email")).await;
            }
            _ => {
                let sql = format!("UPDATE memberships SET role = 'viewer' WHERE user_id = '{id}' RETURNING role");
                world.value(&sql).await;
            }
        }
        for body in [
            json!({ "token": join, "name": "Mallory", "password": PASSWORD }),
            json!({ "token": reset, "password": "chosen by mallory" }),
        ] {
            let refused = world.post(&nobody, "/api/v1/auth/links/accept", body).await.expect(StatusCode::GONE);
            assert_eq!(refused.code(), "link_invalid", "{end}");
        }
    }
    world.login("bob@example.com", PASSWORD).await.expect(StatusCode::OK);
    world.end().await;
}
