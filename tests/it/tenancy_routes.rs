//! Every route with an id in it, out of the OpenAPI document, called by another organisation: 404, always.

use serde_json::{Map, Value, json};

use crate::support::{
    app::{Client, TestApp},
    documents::{add_document, make_base},
};

/// What the first organisation has.
struct Theirs {
    base: String,
    document: String,
    agent: String,
    conversation: String,
    key: String,
    link: String,
    user: String,
    session: String,
    organisation: String,
    job: String,
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

impl Theirs {
    async fn make(app: &TestApp, admin: &Client) -> Self {
        let base = make_base(admin, "Theirs").await;
        let document = add_document(admin, &base, "theirs.md", b"# Theirs\n\nThe vault opens at nine.\n").await;
        app.wait_for_jobs().await;
        let agent = id(&admin.post("/api/v1/agents", &json!({"name": "Theirs"})).await.expect(201));
        let conversation =
            id(&admin.post(&format!("/api/v1/agents/{agent}/conversations"), &json!({})).await.expect(201));
        let key = id(&admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["inference"]})).await.expect(201));
        let link = json!({"email": "new@example.com", "role": "member"});
        admin.post("/api/v1/members/links", &link).await.expect(201);
        let link = id(&admin.get("/api/v1/members/links").await.expect(200)["data"][0]);
        let me = admin.get("/api/v1/auth/me").await.expect(200);
        let member = admin.get("/api/v1/members").await.expect(200)["data"][0].clone();
        let user = member["user_id"]
            .as_str()
            .or_else(|| member["id"].as_str())
            .unwrap_or_else(|| panic!("{member}"))
            .to_owned();
        let organisation = me["organisation_id"].as_str().unwrap_or_else(|| panic!("{me}")).to_owned();
        let session = id(&admin.get("/api/v1/sessions").await.expect(200)["data"][0]);
        let job = id(&admin.get("/api/v1/jobs").await.expect(200)["data"][0]);
        Self { base, document, agent, conversation, key, link, user, session, organisation, job }
    }

    /// The id for a path's parameter; `None` for names, which belong to the whole installation.
    fn of(&self, path: &str, parameter: &str) -> Option<&str> {
        Some(match (path.split('/').nth(3)?, parameter) {
            ("knowledge-bases", "id") => &self.base,
            ("knowledge-bases", "document") => &self.document,
            ("agents", "agent") => &self.agent,
            ("agents", "conversation") => &self.conversation,
            ("api-keys", "id") => &self.key,
            ("members", "id") => &self.link,
            ("members", "user_id") => &self.user,
            ("organisations", "id") => &self.organisation,
            ("sessions", "id") => &self.session,
            ("jobs", "id") => &self.job,
            ("queues" | "llm", "name") => return None,
            (_, other) => panic!("{path}: this test does not know {{{other}}}: give it the id of such a thing"),
        })
    }

    /// The path with their ids; `None` where it has none.
    fn fill(&self, path: &str) -> Option<String> {
        let mut filled = path.to_owned();
        for part in path.split('/').filter(|p| p.starts_with('{')) {
            filled = filled.replacen(part, self.of(path, part.trim_matches(['{', '}']))?, 1);
        }
        (filled != path).then_some(filled)
    }
}

/// A body that the schema accepts: only what is required.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return sample(document, document.pointer(name.trim_start_matches('#')).unwrap());
    }
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(parts) = schema[key].as_array() {
            let mut all = Map::new();
            for part in parts {
                match sample(document, part) {
                    Value::Object(fields) if key == "allOf" => all.extend(fields),
                    other => return other,
                }
            }
            return all.into();
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("string") => json!("sample text"),
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| name.as_str().unwrap());
            fields.map(|name| (name.to_owned(), sample(document, &schema["properties"][name]))).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_404_on_every_route() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let theirs = Theirs::make(&app, &admin).await;
    let document = admin.get("/api/v1/openapi.json").await.expect(200);
    let (mut tried, mut wrong) = (0, Vec::new());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(filled) = path.starts_with("/api/v1/").then(|| theirs.fill(path)).flatten() else { continue };
        for (method, operation) in operations.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<reqwest::Method>() else { continue };
            let mut request = stranger.request(method.clone(), &filled);
            let content = &operation["requestBody"]["content"];
            if let Some(schema) = content["application/json"].get("schema") {
                let mut body = sample(&document, schema);
                // Named by no `required`, but an agent without a name is refused before anybody looks for it.
                if path == "/api/v1/agents/{agent}" {
                    body = json!({"name": "Mine now"});
                }
                request = request.json(&body);
            } else if content.get("multipart/form-data").is_some() {
                let form = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n# A\n\ntext\r\n--cut--\r\n";
                request = request.header("content-type", "multipart/form-data; boundary=cut").body(form);
            }
            let answer = stranger.send(request).await;
            tried += 1;
            if answer.status != 404
                || !answer.headers["content-type"].to_str().unwrap().starts_with("application/problem+json")
            {
                wrong.push(format!("{method} {path}: {} {}", answer.status, answer.text));
            }
            // The other way round: to its owner the thing is there, so that the 404 above means something.
            if method == reqwest::Method::GET {
                let own = admin.get(&filled).await;
                assert!(own.status.is_success(), "{path}: {} {}", own.status, own.text);
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= 30, "only {tried} routes have ids?");
    app.stop().await;
}
