//! Conversations belong to their creator: every route of agents with a mix of one's own and another's ids.

use holdfast::platform::http::Role;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{
    agents::start,
    app::{Client, TestApp},
    upstream::Upstream,
};

async fn make(client: &Client, slug: &str) -> Value {
    let draft = json!({"name": slug, "slug": slug, "model": "mock/cites"});
    client.post("/api/v1/agents", &draft).await.expect(201)
}

/// The routes below a conversation, from the OpenAPI description.
async fn routes(client: &Client) -> Vec<(Method, String)> {
    let document = client.get("/api/v1/openapi.json").await.expect(200);
    let prefix = "/api/v1/agents/{agent}/conversations/{conversation}";
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with(prefix));
    let found: Vec<(Method, String)> = paths
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys().filter_map(|m| m.to_uppercase().parse().ok());
            methods.map(move |method| (method, path.clone()))
        })
        .collect();
    assert!(found.len() >= 7, "{found:?}");
    found
}

fn body(path: &str, method: &Method) -> Value {
    match path.rsplit('/').next().unwrap() {
        "messages" => json!({"content": "Mine?"}),
        "{conversation}" if method == Method::PATCH => json!({"title": "Mine"}),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_answers_to_nobody_else() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (ours, second) = (make(&admin, "ours").await, make(&admin, "second").await);
    let conversation = start(&admin, &ours).await;
    admin.post(&format!("{conversation}/messages"), &json!({"content": "The secret question"})).await.expect(200);
    let before = admin.get(&conversation).await.expect(200);
    let id = conversation.rsplit('/').next().unwrap().to_owned();
    let ours_id = ours["id"].as_str().unwrap();

    let stranger = app.other_org("strangers").await;
    let theirs = make(&stranger, "theirs").await;
    let own = start(&stranger, &theirs).await.rsplit('/').next().unwrap().to_owned();
    let colleague = app.person("default", Role::Member).await;
    let key = admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["inference"]})).await.expect(201);
    let program = admin.with_key(key["secret"].as_str().unwrap());
    let cases = [
        ("both ids of another organisation", &stranger, ours_id, id.as_str()),
        ("one's own agent, another's conversation", &stranger, theirs["id"].as_str().unwrap(), &id),
        ("another's agent, one's own conversation", &stranger, ours_id, &own),
        ("a colleague's conversation", &colleague, ours_id, &id),
        ("a person's conversation, by a key of hers", &program, ours_id, &id),
        ("one's own conversation with another agent", &admin, second["id"].as_str().unwrap(), &id),
    ];
    let mut wrong = Vec::new();
    for (method, path) in routes(&admin).await {
        for (what, client, agent, conversation) in &cases {
            let filled = path.replace("{agent}", agent).replace("{conversation}", conversation);
            let mut request = client.request(method.clone(), &filled);
            if method != Method::GET && method != Method::DELETE {
                request = request.json(&body(&path, &method));
            }
            let answer = client.send(request).await;
            if answer.status != 404 {
                wrong.push(format!("{what}: {method} {path}: {} {}", answer.status, answer.text));
            }
        }
    }
    // The same through the pages' forms.
    for (what, client, agent, conversation) in cases.iter().filter(|(what, ..)| !what.contains("by a key")) {
        let me = client.get("/api/v1/auth/me").await.expect(200);
        let fields = format!("csrf={}&content=Mine&title=Mine", me["user"]["csrf_token"].as_str().unwrap());
        let path = format!("/agents/{agent}/conversations/{conversation}");
        let page = client.send(client.request(Method::GET, &path).header(header::ACCEPT, "text/html")).await;
        if page.status != 404 {
            wrong.push(format!("{what}: GET {path}: {}", page.status));
        }
        for action in ["ask", "regenerate", "continue", "stop", "rename", "delete"] {
            let form = client
                .request(Method::POST, &format!("{path}/{action}"))
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let answer = client.send(form.body(fields.clone())).await;
            if answer.status != 404 {
                wrong.push(format!("{what}: {action}: {} {}", answer.status, answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(admin.get(&conversation).await.expect(200), before, "nothing has changed");
    let listed = admin.get(&format!("/api/v1/agents/{}/conversations", second["id"].as_str().unwrap())).await;
    assert_eq!(listed.expect(200)["data"], json!([]));
    for client in [&colleague, &program] {
        let listed = client.get(&format!("/api/v1/agents/{ours_id}/conversations?q=secret")).await.expect(200);
        assert_eq!(listed["data"], json!([]), "a search looks into nobody else's words");
    }
    app.stop().await;
}
