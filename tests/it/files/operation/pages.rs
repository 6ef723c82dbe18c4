//! Pages, without a script.

use holdfast::platform::http::Role;
use reqwest::{Method, header};
use serde_json::json;

use super::super::{bucket, encoded, path, put};
use crate::{
    alerting::pages::{open, submit},
    support::app::{Client, TestApp},
};

async fn page(client: &Client, path: &str) -> String {
    let answer = open(client, path, "en").await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

/// Submits a form, and returns where it leads.
async fn leads_to(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = submit(client, path, fields).await;
    assert_eq!(answer.status, 303, "{path}: {}", answer.text);
    answer.headers[header::LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_filled_looked_at_and_emptied() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert!(page(&admin, "/files").await.contains("No buckets yet"));
    let refused = submit(&admin, "/files", &[("name", "No!")]).await;
    assert!(refused.status == 422 && refused.text.contains("value=\"No!\""), "{}", refused.text);
    assert_eq!(leads_to(&admin, "/files", &[("name", "team")]).await, "/files/b/team");

    // A form with two files, in a folder.
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let csrf = me["user"]["csrf_token"].as_str().unwrap().to_owned();
    let part = |head: &str, content: &str| {
        format!("--mark\r\nContent-Disposition: form-data; name={head}\r\n\r\n{content}\r\n")
    };
    let parts = [
        part("\"csrf\"", &csrf),
        part("\"prefix\"", &encoded("docs/")),
        part("\"file\"; filename=\"a.txt\"", "alpha <b>"),
        part("\"file\"; filename=\"b.txt\"", "beta"),
    ];
    let request = admin.request(Method::POST, "/files/b/team/upload");
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=mark");
    let sent = admin.send(request.body(format!("{}--mark--\r\n", parts.concat()))).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    assert_eq!(admin.get(&path("team", "docs/a.txt")).await.text, "alpha <b>");

    let root = page(&admin, "/files/b/team").await;
    assert!(root.contains("docs</a>") || root.contains("docs/</a>"), "{root}");
    let docs = page(&admin, "/files/b/team?prefix=docs%2F").await;
    assert!(docs.contains("a.txt</a>") && docs.contains("b.txt</a>") && !docs.contains("alpha"), "{docs}");
    let found = page(&admin, "/files/b/team?q=b.tx").await;
    assert!(found.contains("docs/b.txt</a>") && !found.contains("a.txt</a>"), "{found}");

    // What is in it is text of somebody else.
    let object = page(&admin, "/files/b/team/object?key=docs%2Fa.txt").await;
    assert!(object.contains("alpha &#60;b&#62;") || object.contains("alpha &lt;b&gt;"), "{object}");
    let raw = open(&admin, "/files/b/team/object/raw?key=docs%2Fa.txt", "en").await;
    assert_eq!(raw.text, "alpha <b>");
    assert!(raw.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("sandbox"), "{:?}", raw.headers);
    assert!(raw.headers[header::CACHE_CONTROL].to_str().unwrap().contains("private"));
    let fields = [("key", "docs%2Fa%2Etxt"), ("tags", "state=draft"), ("metadata", "author=Ada")];
    leads_to(&admin, "/files/b/team/object", &fields).await;
    let described = page(&admin, "/files/b/team/object?key=docs%2Fa.txt").await;
    assert!(described.contains("state=draft") && described.contains("author=Ada"), "{described}");
    let wrong = submit(&admin, "/files/b/team/object", &[("key", "docs%2Fa%2Etxt"), ("tags", "nonsense")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("nonsense"), "{}", wrong.text);

    // Moved, deleted, put back, purged.
    leads_to(&admin, "/files/b/team/change", &[("item", "docs%2Fb%2Etxt"), ("what", "move"), ("to", "old/")]).await;
    assert_eq!(admin.get(&path("team", "old/b.txt")).await.text, "beta");
    leads_to(&admin, "/files/b/team/change", &[("item", "docs%2F"), ("what", "delete")]).await;
    admin.get(&path("team", "docs/a.txt")).await.problem(404, "object_not_found");
    let trash = page(&admin, "/files/trash?bucket=team").await;
    let id =
        trash.split("name=\"version\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert!(trash.contains("docs/a.txt"), "{trash}");
    leads_to(&admin, "/files/trash/restore", &[("bucket", "team"), ("version", &id)]).await;
    assert_eq!(admin.get(&path("team", "docs/a.txt")).await.text, "alpha <b>");
    leads_to(&admin, "/files/b/team/object/delete", &[("key", "docs%2Fa%2Etxt")]).await;
    leads_to(&admin, "/files/b/team/object/delete", &[("key", "old%2Fb%2Etxt")]).await;
    leads_to(&admin, "/files/trash/purge", &[("bucket", "team")]).await;
    assert!(page(&admin, "/files/trash?bucket=team").await.contains("The trash is empty"));
    assert_eq!(leads_to(&admin, "/files/b/team/delete", &[]).await, "/files");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_keys_survive_every_page() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "odd").await;
    for key in ["../up", "a//b", "line\nbreak", "%2F", " spaces ", "e\u{301}", "\u{202e}txt.exe"] {
        put(&admin, "odd", key, key.to_owned()).await.expect(201);
        let at = format!("/files/b/odd/object?key={}", encoded(key));
        assert!(page(&admin, &at).await.contains("Download"), "{key:?}");
        assert_eq!(open(&admin, &format!("/files/b/odd/object/raw?key={}", encoded(key)), "en").await.text, key);
        leads_to(&admin, "/files/b/odd/object/delete", &[("key", &encoded(key))]).await;
        admin.get(&path("odd", key)).await.problem(404, "object_not_found");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_keys_links_and_who_sees_what() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "team").await;
    put(&admin, "team", "a.txt", "alpha").await.expect(201);
    let settings = page(&admin, "/files/b/team/settings").await;
    let revision = settings.split("name=\"revision\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let fields = [
        ("revision", revision),
        ("versioning", "on"),
        ("trash_days", "3"),
        ("allowed_types", "text/*"),
        ("image_options", "off"),
        ("scan", "default"),
        ("lifecycle", r#"[{"id": "old", "expire": {"days": 30}}]"#),
    ];
    leads_to(&admin, "/files/b/team/settings", &fields).await;
    let changed = admin.get("/api/v1/buckets/team").await.expect(200);
    assert_eq!((&changed["versioning"], &changed["trash_days"]), (&json!("on"), &json!(3)));
    // The page was made before that change.
    let stale = submit(&admin, "/files/b/team/settings", &fields).await;
    assert!(stale.status == 422 && stale.text.contains("changed these settings meanwhile"), "{}", stale.text);
    leads_to(&admin, "/files/b/team/rules", &[("rules", "role:member list,read,write docs/\nrole:viewer read docs/")])
        .await;
    assert!(page(&admin, "/files/b/team/settings").await.contains("role:member list,read,write docs/"));
    let wrong = submit(&admin, "/files/b/team/rules", &[("rules", "role:king dance")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("role:king dance"), "{}", wrong.text);

    // A secret is shown once.
    let made = submit(&admin, "/files/keys", &[("name", "backups"), ("verb", "read"), ("verb", "list")]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let secret = made.text.split("id=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
    assert!(secret.len() >= 40 && made.text.contains("restic"), "{}", made.text);
    let keys = page(&admin, "/files/keys").await;
    assert!(keys.contains("backups") && !keys.contains(&secret), "{keys}");

    let shared = submit(&admin, "/files/b/team/object/share", &[("key", "a%2Etxt"), ("most", "2")]).await;
    assert!(shared.status == 200 && shared.text.contains("/f/l/"), "{}", shared.text);
    assert!(page(&admin, "/files/links").await.contains("team/a.txt"));

    let viewer = app.person("default", Role::Viewer).await;
    for (who, path, status) in [
        (&viewer, "/files", 200),
        (&viewer, "/files/usage", 200),
        (&viewer, "/files/keys", 403),
        (&viewer, "/files/trash", 403),
        (&viewer, "/files/b/team/settings", 403),
        // Its rules give viewers no list.
        (&viewer, "/files/b/team", 403),
    ] {
        assert_eq!(open(who, path, "en").await.status, status, "{path}");
    }
    let stranger = app.other_org("strangers").await;
    for path in ["/files/b/team", "/files/b/team/object?key=a.txt", "/files/b/team/object/raw?key=a.txt"] {
        assert_eq!(open(&stranger, path, "en").await.status, 404, "{path}");
    }
    // Every page in both languages.
    for lang in ["en", "ru"] {
        for path in [
            "/files",
            "/files/b/team",
            "/files/b/team/object?key=a.txt",
            "/files/b/team/settings",
            "/files/keys",
            "/files/links",
            "/files/trash",
            "/files/usage",
        ] {
            let answer = open(&admin, path, lang).await;
            assert!(answer.status == 200 && !answer.text.contains("files-"), "{lang} {path}: {}", answer.text);
        }
    }
    app.stop().await;
}
