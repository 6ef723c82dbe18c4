//! Reports of providers that come to nothing: what they hide, and who sees it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use holdfast::platform::crypto;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{
    bounces::{KEY, NOW, SOURCES, event, mailgun, mark, org, post, post_with, sent, source},
    outbox::execute,
};
use crate::{alerting::pages::open, support::app::TestApp};

/// One event that cannot be stored, or that lies in another age, is left out; those behind it count.
#[tokio::test(flavor = "multi_thread")]
async fn odd_events_do_not_hide_those_behind_them() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let path = source(&admin, "postmark", "", false).await;
    let bounce = |id: i64, to: &str, at: &Value, provider_id: &str| {
        json!({"RecordType": "Bounce", "ID": id, "Type": "HardBounce", "Email": to, "MessageID": provider_id,
            "Details": "smtp;550 5.1.1 no such user", "BouncedAt": at})
        .to_string()
    };
    for (id, at) in
        [(1, json!(-8_334_601_228_800_i64)), (2, json!(8_210_266_876_799_i64)), (3, json!("0001-01-01T00:00:00Z"))]
    {
        let name = format!("odd{id}");
        let to = format!("{name}@example.com");
        sent(&app, Some(org), &name, &to, "1 hour").await;
        assert_eq!(post(&app, &path, &bounce(id, &to, &at, "x")).await.status, 200, "{at}");
        assert_eq!(mark(&app, &name).await.as_deref(), Some("hard"), "{at}");
    }
    let long = bounce(4, "nobody@example.com", &json!(null), &"x".repeat(8000));
    assert_eq!(post(&app, &path, &long).await.status, 200);
    // Resend's Message-ID goes into an index.
    let secret = format!("whsec_{}", STANDARD.encode([7_u8; 24]));
    let path = source(&admin, "resend", &secret, false).await;
    sent(&app, Some(org), "long", "long@example.com", "1 hour").await;
    let body = json!({"type": "email.bounced", "created_at": app.clock.now().to_rfc3339(),
        "data": {"email_id": "x", "message_id": format!("<{}@example.net>", "y".repeat(8000)), "to": ["long@example.com"]}})
    .to_string();
    let timestamp = app.clock.now().timestamp().to_string();
    let mac = crypto::hmac_sha256(&[7; 24], format!("msg_1.{timestamp}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac));
    let signed = |request: RequestBuilder| {
        request.header("svix-id", "msg_1").header("svix-timestamp", &timestamp).header("svix-signature", &signature)
    };
    assert_eq!(post_with(&app, &path, &body, signed).await.status, 200);
    assert_eq!(mark(&app, "long").await.as_deref(), Some("hard"));
    app.stop().await;
}

/// The database refuses the first of two events: the second counts, and the provider is asked to repeat them.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_stored_does_not_hide_the_next() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let org = org(&app, "default").await;
    let secret = format!("whsec_{}", STANDARD.encode([7_u8; 24]));
    let path = source(&admin, "resend", &secret, false).await;
    for name in ["first", "second"] {
        sent(&app, Some(org), name, &format!("{name}@example.com"), "1 hour").await;
    }
    let refuse = "ALTER TABLE mail_bounces ADD CONSTRAINT refused CHECK (address <> 'first@example.com')";
    execute(&app, refuse.into()).await;
    let body = json!({"type": "email.complained", "created_at": app.clock.now().to_rfc3339(),
        "data": {"email_id": "x", "to": ["first@example.com", "second@example.com"]}})
    .to_string();
    let timestamp = app.clock.now().timestamp().to_string();
    let mac = crypto::hmac_sha256(&[7; 24], format!("msg_1.{timestamp}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac));
    let signed = |request: RequestBuilder| {
        request.header("svix-id", "msg_1").header("svix-timestamp", &timestamp).header("svix-signature", &signature)
    };
    assert_eq!(post_with(&app, &path, &body, signed).await.status, 500);
    assert_eq!((mark(&app, "first").await, mark(&app, "second").await.as_deref()), (None, Some("complaint")));
    execute(&app, "ALTER TABLE mail_bounces DROP CONSTRAINT refused".into()).await;
    assert_eq!(post_with(&app, &path, &body, signed).await.status, 200);
    assert_eq!(mark(&app, "first").await.as_deref(), Some("complaint"));
    app.stop().await;
}

/// One webhook that works does not hide another one of the same provider.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_takes_nothing_is_seen() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (works, wrong) = (source(&admin, "mailgun", KEY, false).await, source(&admin, "mailgun", "other", false).await);
    let refused_of = async || {
        let listed = admin.get(SOURCES).await.expect(200);
        let all: Vec<bool> =
            listed["data"].as_array().unwrap().iter().map(|one| one["refused_since"].is_string()).collect();
        app.app.mail.refresh_gauges().await.unwrap();
        (all, app.metric("holdfast_mail_sources_failing{source=\"mailgun\"}"))
    };
    let delivered = |n: i32| {
        let event = event(&app, &format!("e{n}"), "none", &json!({"event": "delivered"}));
        mailgun(&app, KEY, &format!("t{n}"), NOW, &event)
    };
    for n in 0..4 {
        assert_eq!(refused_of().await.1, 0.0, "a few may be somebody else's");
        assert_eq!(post(&app, &works, &delivered(n)).await.status, 200);
        post(&app, &wrong, &delivered(n)).await.problem(401, "unauthorized");
    }
    // The newest first.
    assert_eq!(refused_of().await, (vec![true, false], 1.0));
    let page = open(&admin, "/settings/mail/sources", "en").await.text;
    assert!(page.contains("not taken") && page.contains("the signature is not that of this request"), "{page}");
    // What is signed with its key is taken, and the last refusal is forgotten.
    let event = event(&app, "last", "none", &json!({"event": "delivered"}));
    assert_eq!(post(&app, &wrong, &mailgun(&app, "other", "t9", NOW, &event)).await.status, 200);
    assert_eq!(refused_of().await, (vec![false, false], 0.0));
    // Nobody has used it for hours: it may have been given up.
    for n in 10..14 {
        post(&app, &wrong, &delivered(n)).await.problem(401, "unauthorized");
    }
    assert_eq!(refused_of().await.1, 1.0);
    app.clock.advance(TimeDelta::hours(7));
    app.app.mail.refresh_gauges().await.unwrap();
    assert_eq!(app.metric("holdfast_mail_sources_failing{source=\"mailgun\"}"), 0.0);
    app.stop().await;
}
