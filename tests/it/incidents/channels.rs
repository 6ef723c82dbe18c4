//! Channels: what arrives, in which order, and what answers mean.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::Query, http::StatusCode, routing::post};
use serde_json::{Value, json};

use super::{channel, id, list, one, organisation, rule, start, watched, witness};
use crate::support::{receiver::Receiver, stand_in::StandIn, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_is_caught_up_once_and_in_order() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    receiver.answer_with(503);
    let shop = watched(&app, owner, 1, Some("a.example"));
    witness(&app, &[shop.down(&app)]).await;
    until("no attempt", async || receiver.seen().len() == 1).await;
    witness(&app, &[shop.up(&app)]).await;
    let incident = id(&list(&admin, "").await[0]);
    until("not resolved", async || one(&admin, &incident).await["status"] == "resolved").await;
    let waiting = format!("/api/v1/incident-channels/{chat}/deliveries");
    until("the end does not wait", async || {
        admin.get(&waiting).await.expect(200)["data"].as_array().unwrap().len() == 2
    })
    .await;
    receiver.answer_with(200);
    let tried = admin.post(&format!("/api/v1/incident-channels/{chat}/test"), &json!({})).await.expect(200);
    assert_eq!((tried["state"].clone(), tried["status"].clone()), (json!("delivered"), json!(200)), "{tried}");
    app.wait_for_jobs().await;
    let bodies: Vec<String> = receiver.seen().into_iter().skip(1).map(|seen| seen.body).collect();
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    for (body, word) in bodies.iter().zip(["Began: Monitor 1", "Resolved: Monitor 1", "Test: "]) {
        assert!(body.contains(word), "{word}: {body}");
    }
    // Its address is a secret.
    let shown = admin.get(&format!("/api/v1/incident-channels/{chat}")).await;
    assert!(!shown.text.contains(&receiver.url) && !shown.text.contains("http"), "{}", shown.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_disabled_and_what_is_refused_is_not_in_the_way() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    receiver.answer_with(400);
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("no attempt", async || receiver.seen().len() == 1).await;
    receiver.answer_with(200);
    witness(&app, &[watched(&app, owner, 2, Some("b.example")).down(&app)]).await;
    until("the next one waits", async || receiver.seen().len() == 2).await;
    receiver.answer_with(404);
    witness(&app, &[watched(&app, owner, 3, Some("c.example")).down(&app)]).await;
    until("it is not disabled", async || {
        admin.get(&format!("/api/v1/incident-channels/{chat}")).await.expect(200)["disabled_reason"] == "gone"
    })
    .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_webhook_has_the_standards_headers() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let body = json!({"key": "crm", "name": "CRM", "kind": "webhook", "url": receiver.url});
    let made = admin.post("/api/v1/incident-channels", &body).await.expect(201);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [id(&made)]}]})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("nothing was sent", async || receiver.seen().len() == 1).await;
    let seen = receiver.seen().remove(0);
    assert!(!seen.header("webhook-signature").is_empty() && !seen.header("webhook-id").is_empty(), "{seen:?}");
    let said: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(
        (said["type"].clone(), said["data"]["kind"].clone()),
        (json!("incidents.incident.opened"), json!("opened"))
    );
    assert_eq!(said["data"]["monitors"][0]["error"], "the connection was refused");
    app.stop().await;
}

#[derive(serde::Deserialize)]
struct Chat {
    chat_id: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_moves_to_a_supergroup() {
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let noted = seen.clone();
    let send = async move |Query(chat): Query<Chat>, Json(body): Json<Value>| {
        let is_old = chat.chat_id == "-1001";
        noted.lock().unwrap().push((chat.chat_id, body));
        if is_old {
            let moved = json!({"ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -2002}});
            (StatusCode::BAD_REQUEST, Json(moved))
        } else {
            (StatusCode::OK, Json(json!({"ok": true})))
        }
    };
    let mut telegram = StandIn::absent();
    telegram.come_back(Router::new().route("/bot123:ABC/sendMessage", post(send)));
    let url = telegram.url();
    let app = start(&[("HOLDFAST_INCIDENTS__TELEGRAM_URL", &url)]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let body =
        json!({"key": "tg", "name": "Telegram", "kind": "telegram", "settings": {"chat": "-1001"}, "token": "123:ABC"});
    let chat = id(&admin.post("/api/v1/incident-channels", &body).await.expect(201));
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    let path = format!("/api/v1/incident-channels/{chat}");
    until("the new chat is not stored", async || admin.get(&path).await.expect(200)["settings"]["chat"] == "-2002")
        .await;
    until("it was not sent there", async || seen.lock().unwrap().len() == 2).await;
    let all = seen.lock().unwrap().clone();
    assert_eq!((all[0].0.as_str(), all[1].0.as_str()), ("-1001", "-2002"));
    assert_eq!((all[0].1.clone(), all[1].1["parse_mode"].clone()), (all[1].1.clone(), json!("HTML")));
    app.stop().await;
}
