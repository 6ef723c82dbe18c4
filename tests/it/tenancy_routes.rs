//! Every route with an id in it, called by another organisation: 404, always. The API's routes come out of the OpenAPI document, all others
//! (pages, mostly) out of the sources, because they are in no document.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    architecture::{sources, src},
    support::{
        app::{Answer, Client, TestApp},
        documents::{add_document, make_base},
        openapi::{creates, sample},
        watching::Watching,
    },
};

/// What the first organisation has.
struct Theirs {
    base: String,
    document: String,
    agent: String,
    /// `agent/<slug>`
    model: String,
    conversation: String,
    key: String,
    link: String,
    user: String,
    session: String,
    organisation: String,
    job: String,
    webhook: String,
    delivery: String,
    /// Other things, by what stands before the id in their path; and what is below them, with the name of its parameter after that.
    others: BTreeMap<String, String>,
}

/// Backups and alerts are the installation's own: for operators, whatever the id. Runbooks are files. Mail templates are those of the program. What
/// has a token in its address has no other credentials: a wrong one is tried by the room's own tests.
fn is_of_installation(folder: &str, parameter: &str) -> bool {
    matches!(
        (folder, parameter),
        ("jobs" | "queues" | "llm" | "models" | "runbooks", "name")
            | ("assets", "*path")
            | ("backups" | "alerts" | "uptime/badges", "id")
            | ("mail/templates", "name" | "language")
            | ("hooks/mail", "provider" | "token")
            | ("mail/unsubscribe" | "uptime/beats" | "acknowledge", "token")
            // Of Uptime Kuma and Gatus: a push, and monitors that public pages show.
            | ("api", "token" | "*file")
            | ("endpoints", "key")
            // Pages for strangers: their own tests ask for what they may not see.
            | ("status", "slug")
            | ("status-domain", "*rest")
            // Public objects, links, tokens, tus and supabase's addresses, which the tests of files try; and quotas, which operators set.
            | ("f" | "o" | "storage", _)
            | ("files/quotas", "organisation")
    )
}

/// A picture of a few pixels.
const PICTURE: &[u8] = include_bytes!("../../src/files/images/tests/fixtures/palette.png");

/// Pages whose things have another folder in the API.
const PAGES: [(&str, &str); 9] = [
    ("monitors", "uptime/monitors"),
    ("monitors/groups", "uptime/groups"),
    ("monitors/windows", "uptime/windows"),
    ("monitors/import", "uptime/imports"),
    ("on-call", "incident-rotas"),
    ("channels", "incident-channels"),
    ("files/b", "buckets"),
    ("files/keys", "access-keys"),
    ("files/links", "file-links"),
];

/// What a path leads to, `webhooks` or `mail/messages`: its first part, or the first two where no id follows the first. `/api/v1/agents/{agent}` and
/// `/agents/{agent}` name the same thing, so does what stands below `/settings`, and what [`PAGES`] names.
fn folder(path: &str) -> String {
    let own = own_folder(path);
    PAGES.iter().find(|(page, _)| *page == own).map_or(own, |(_, folder)| (*folder).to_owned())
}

fn own_folder(path: &str) -> String {
    let parts = path.trim_start_matches("/api/v1").split('/').filter(|p| !["", "settings", "account"].contains(p));
    let mut parts = parts.take_while(|part| !part.starts_with('{'));
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(second) if ["mail", "hooks", "uptime", "monitors", "files"].contains(&first) => {
            format!("{first}/{second}")
        }
        _ => first.to_owned(),
    }
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

impl Theirs {
    async fn make(app: &TestApp, admin: &Client) -> Self {
        let base = make_base(admin, "Theirs").await;
        let document = add_document(admin, &base, "theirs.md", b"# Theirs\n\nThe vault opens at nine.\n").await;
        app.wait_for_jobs().await;
        let agent = admin.post("/api/v1/agents", &json!({"name": "Theirs"})).await.expect(201);
        let (model, agent) = (format!("agent/{}", agent["slug"].as_str().unwrap()), id(&agent));
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
        // Nobody listens there.
        let webhook = admin.post("/api/v1/webhooks", &json!({"url": "http://127.0.0.1:9/"})).await.expect(201);
        let webhook = id(&webhook);
        let delivery = id(&admin.post(&format!("/api/v1/webhooks/{webhook}/test"), &json!({})).await.expect(202));
        let mut theirs = Self {
            base,
            document,
            agent,
            model,
            conversation,
            key,
            link,
            user,
            session,
            organisation,
            job,
            webhook,
            delivery,
            others: BTreeMap::new(),
        };
        // With a file, which has a path of its own.
        let mail = json!({
            "to": "ada@example.com", "subject": "Theirs", "text": "The vault opens at nine.",
            "attachments": [{"name": "a.txt", "content_type": "text/plain", "content": "YQ=="}],
        });
        let mail = id(&admin.post("/api/v1/mail/messages", &mail).await.expect(201));
        theirs.others.insert("mail/messages".to_owned(), mail);
        theirs.make_watching(admin).await;
        theirs.make_files(admin).await;
        theirs.make_others(admin).await;
        theirs
    }

    /// Monitors, incidents and status pages.
    async fn make_watching(&mut self, admin: &Client) {
        let watching = Watching::make(admin, &self.user).await;
        let domain = "status.example.com".to_owned();
        let domains = format!("/api/v1/status-pages/{}/domains", watching.page);
        admin.post(&domains, &json!({"domain": domain})).await.expect(201);
        let things = [
            ("uptime/monitors", watching.monitor),
            ("incidents", watching.incident),
            ("incidents/update", watching.update),
            ("incident-components", watching.component),
            ("incident-channels", watching.channel),
            // Written only: another thing's does.
            ("incident-channels/delivery", self.delivery.clone()),
            ("incident-rotas", watching.rota),
            ("incident-rotas/override", watching.shift),
            ("incident-rules", watching.rule),
            ("incident-templates", watching.template),
            ("status-pages", watching.page.clone()),
            ("status-pages/domain", domain),
            // As above.
            ("status-pages/subscriber", watching.page),
            ("status-pages/*rest", "history".to_owned()),
        ];
        self.others.extend(things.map(|(folder, id)| (folder.to_owned(), id)));
    }

    /// A bucket with an object, which is an image: whatever can be asked of one.
    async fn make_files(&mut self, admin: &Client) {
        let bucket = id(&admin.post("/api/v1/buckets", &json!({"name": "theirs"})).await.expect(201));
        let key = "vault/opens at nine.png".to_owned();
        let path = format!("/api/v1/buckets/{bucket}/objects/{key}");
        admin.send(admin.request(Method::PUT, &path).body(PICTURE)).await.expect(201);
        let upload = json!({"key": "vault/opens at ten.txt"});
        let upload = id(&admin.post(&format!("/api/v1/buckets/{bucket}/uploads"), &upload).await.expect(201));
        let link = json!({"bucket": bucket, "key": key});
        let link = id(&admin.post("/api/v1/file-links", &link).await.expect(201));
        let access_key = json!({"name": "theirs", "verbs": ["read"]});
        let access_key = id(&admin.post("/api/v1/access-keys", &access_key).await.expect(201));
        admin.post(&format!("/api/v1/buckets/{bucket}/image-report"), &json!({})).await.expect(202);
        let things = [
            ("trash/bucket", bucket.clone()),
            ("buckets/bucket", bucket),
            ("buckets/*key", key),
            ("uploads", upload),
            ("uploads/number", "1".to_owned()),
            ("file-links", link),
            ("access-keys", access_key),
        ];
        self.others.extend(things.map(|(folder, id)| (folder.to_owned(), id)));
    }

    /// Makes one of each thing at `/api/v1/<folder>/{id}` that has no field here, with the body that the OpenAPI document describes. A folder may
    /// be `mail/messages`.
    async fn make_others(&mut self, admin: &Client) {
        let document = admin.get("/api/v1/openapi.json").await.expect(200);
        for path in document["paths"].as_object().unwrap().keys() {
            let folder = path.strip_prefix("/api/v1/").and_then(|rest| rest.strip_suffix("/{id}"));
            let Some(folder) = folder.filter(|folder| *folder == self::folder(folder)) else { continue };
            if is_of_installation(folder, "id") || self.known(folder, "id").is_some() {
                continue;
            }
            let collection = format!("/api/v1/{folder}");
            if let Some(body) = creates(&document, &collection) {
                let made = id(&admin.post(&collection, &body).await.expect(201));
                self.others.insert(folder.to_owned(), made);
            }
        }
    }

    /// The id for a path's parameter; `None` for names, which belong to the whole installation.
    fn of(&self, path: &str, parameter: &str) -> Option<&str> {
        let folder = folder(path);
        if folder.is_empty() || is_of_installation(&folder, parameter) {
            return None;
        }
        let known = self.known(&folder, parameter);
        Some(known.unwrap_or_else(|| {
            panic!("{path}: this test does not know {{{parameter}}}: give it the id of such a thing")
        }))
    }

    /// The id of such a thing; `None` where this test has none.
    fn known(&self, folder: &str, parameter: &str) -> Option<&str> {
        Some(match (folder, parameter) {
            ("knowledge-bases", "id") | ("knowledge", "base") => &self.base,
            ("knowledge-bases" | "knowledge", "document") => &self.document,
            ("agents", "agent") => &self.agent,
            ("agents", "conversation") => &self.conversation,
            ("api-keys", "id") => &self.key,
            ("members", "id") => &self.link,
            ("members", "user_id") => &self.user,
            ("organisations", "id") => &self.organisation,
            ("sessions", "id") => &self.session,
            ("jobs", "id") => &self.job,
            ("webhooks", "id") => &self.webhook,
            ("webhook-deliveries", "id") => &self.delivery,
            ("v1", "*id") => &self.model,
            // Of the mail that has one.
            ("mail/messages", "number") => "1",
            (_, "id" | "incident" | "component" | "channel" | "rota" | "rule" | "template") => {
                self.others.get(folder)?
            }
            _ => self.others.get(&format!("{folder}/{parameter}"))?,
        })
    }

    /// The path with their ids; `None` where it has none.
    fn fill(&self, path: &str) -> Option<String> {
        let mut filled = path.to_owned();
        for part in path.split('/').filter(|p| p.starts_with('{')) {
            filled = filled.replacen(part, self.of(path, part.trim_matches(['{', '}']))?, 1);
        }
        // Their key is in the query.
        if ["/object", "/object-info", "/object/raw", "/object/picture"].iter().any(|end| path.ends_with(end)) {
            filled.push_str("?key=vault/opens%20at%20nine.png");
        }
        (filled != path).then_some(filled)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_404_on_every_route() {
    let app = TestApp::start_with(&[("HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.1/32")]).await;
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

/// The paths of `.route("...")` in the sources, tests apart.
fn routes_in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources(&src()).iter().filter(|p| !p.ends_with("tests.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        // The gateway has a method of that name: `self.route(`.
        for (at, call) in text.match_indices(".route(").filter(|(at, _)| !text[..*at].ends_with("self")) {
            let argument = text[at + call.len()..].trim_start();
            let literal = argument.strip_prefix('"').map(|rest| rest.split('"').next().unwrap().to_owned());
            // Some pages are named by a constant of their file.
            let name: String = argument.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let constant = text.split_once(&format!("const {name}: &str = \"")).map(|(_, rest)| rest.split('"').next());
            let literal = literal.or_else(|| constant.flatten().map(str::to_owned));
            let known = literal.is_some();
            assert!(known, "{}: the path of a route that is no literal", path.display());
            found.extend(literal);
        }
    }
    found
}

/// What a page's form may ask for: each takes what it knows.
const FIELDS: &str = "name=Mine&title=Mine&filename=mine.md&content=Hello&role=member&version=1&description=&slug=mine&enabled=true&status=automatic&\
     delivery=0190b5a0-0000-7000-8000-000000000000&into=0190b5a0-0000-7000-8000-000000000000";

/// As the browser sends it.
async fn submit(client: &Client, path: &str, csrf: &str) -> Answer {
    let request = client.request(Method::POST, path).header(header::ACCEPT, "text/html");
    let request = if path.ends_with("/documents") || path.ends_with("/logo") {
        let part = |name: &str, content: &str| {
            format!("--cut\r\nContent-Disposition: form-data; name={name}\r\n\r\n{content}\r\n")
        };
        let body =
            format!("{}{}--cut--\r\n", part("\"csrf\"", csrf), part("\"file\"; filename=\"a.md\"", "# A\n\ntext"));
        request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut").body(body)
    } else {
        let form = "application/x-www-form-urlencoded";
        request.header(header::CONTENT_TYPE, form).body(format!("csrf={csrf}&{FIELDS}"))
    };
    client.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_404_on_every_page() {
    let app = TestApp::start_with(&[("HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.1/32")]).await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    let theirs = Theirs::make(&app, &admin).await;
    let me = stranger.get("/api/v1/auth/me").await.expect(200);
    let csrf = me["user"]["csrf_token"].as_str().unwrap().to_owned();
    let (mut tried, mut wrong) = (0, Vec::new());
    for path in routes_in_sources() {
        let Some(filled) = theirs.fill(&path) else { continue };
        let read = stranger.send(stranger.request(Method::GET, &filled).header(header::ACCEPT, "text/html")).await;
        let written = submit(&stranger, &filled, &csrf).await;
        let is_read = read.status != 405;
        for (method, answer) in [("GET", &read), ("POST", &written)] {
            tried += usize::from(answer.status != 405);
            if ![404, 405].contains(&answer.status.as_u16()) {
                wrong.push(format!("{method} {path}: {} {}", answer.status, answer.text));
            }
        }
        if read.status == 405 && written.status == 405 {
            wrong.push(format!("{path}: neither read nor written, so not tried"));
        }
        // To its owner it is there, so that the 404 means something. What can only be written is left alone.
        if is_read {
            let own = admin.get(&filled).await;
            assert!(own.status.is_success(), "{path}: {} {}", own.status, own.text);
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried >= 30, "only {tried} pages have ids?");

    // A model's name is an id that a body can carry.
    let question = json!({"model": theirs.model, "messages": [{"role": "user", "content": "Hello"}]});
    let asked = stranger.post("/v1/chat/completions", &question).await.expect(404);
    assert_eq!(asked["error"]["code"], "model_not_found", "{asked}");
    app.stop().await;
}
