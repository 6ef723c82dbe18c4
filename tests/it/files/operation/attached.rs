//! Mail takes objects of buckets as attachments.

use serde_json::{Value, json};

use super::super::{bucket, put};
use crate::support::app::TestApp;

const MESSAGES: &str = "/api/v1/mail/messages";

#[tokio::test(flavor = "multi_thread")]
async fn mail_attaches_a_file_of_a_bucket() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    bucket(&admin, "orders").await;
    put(&admin, "orders", "2026/order 1.txt", "six kettles").await.expect(201);
    let with = |attachment: Value| json!({"to": "ada@example.com", "subject": "Your order", "text": "Attached.", "attachments": [attachment]});
    let order = with(json!({"bucket": "orders", "key": "2026/order 1.txt"}));
    let sent = admin.post(MESSAGES, &order).await.expect(201);
    let detail = admin.get(&format!("{MESSAGES}/{}", sent["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(detail["attachments"][0]["name"], "order 1.txt");
    assert_eq!(detail["attachments"][0]["size"], 11);
    let errors = |answer: crate::support::app::Answer| -> (String, String) {
        let error = &answer.expect(422)["errors"][0];
        (error["pointer"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned())
    };
    let missing = ("/attachments/0/key".to_owned(), "not_found".to_owned());
    let other = with(json!({"bucket": "orders", "key": "other"}));
    assert_eq!(errors(admin.post(MESSAGES, &other).await), missing);
    assert_eq!(errors(stranger.post(MESSAGES, &order).await), missing, "another organisation has no such bucket");
    let both = with(json!({"bucket": "orders", "key": "2026/order 1.txt", "content": "YQ=="}));
    assert_eq!(errors(admin.post(MESSAGES, &both).await), ("/attachments/0".to_owned(), "invalid".to_owned()));
    // A key that sends does not read what it may not read.
    let key = admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["mail_send"]})).await.expect(201);
    admin.with_key(key["secret"].as_str().unwrap()).post(MESSAGES, &order).await.problem(403, "forbidden");
    // A copy: what becomes of the object is nothing to the mail.
    admin.delete(&super::super::path("orders", "2026/order 1.txt")).await.expect(204);
    let id = sent["id"].as_str().unwrap();
    assert_eq!(admin.get(&format!("{MESSAGES}/{id}/attachments/1")).await.text, "six kettles");
    app.stop().await;
}
