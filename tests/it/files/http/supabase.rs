use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, bucket, get, key, path, public_bucket, put, send_form, text};
use crate::{
    files::page,
    support::app::{Answer, Client, TestApp},
};

const ALL: [&str; 3] = ["files_read", "files_write", "files_admin"];

#[track_caller]
fn error(answer: &Answer, status: u16, error: &str, code: &str) {
    let body = answer.expect(status);
    let of = |field: &str| body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned();
    assert_eq!((of("statusCode"), of("error"), of("code")), (status.to_string(), error.to_owned(), code.to_owned()));
    assert!(!of("message").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_errors_have_its_shape() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "shaped").await;
    put(&admin, "shaped", "a", "A").await.expect(201);
    let (program, reader) = (key(&admin, &ALL).await, key(&admin, &["files_read"]).await);
    error(&program.get("/storage/v1/object/shaped/nothing").await, 404, "not_found", "NoSuchKey");
    error(&program.get("/storage/v1/bucket/nowhere").await, 404, "Bucket not found", "NoSuchBucket");
    let duplicate = ask(&program, Method::POST, "/storage/v1/object/shaped/a", &[], "B").await;
    error(&duplicate, 409, "Duplicate", "KeyAlreadyExists");
    let refused = ask(&reader, Method::POST, "/storage/v1/object/shaped/b", &[], "B").await;
    error(&refused, 403, "Unauthorized", "AccessDenied");
    // Raised before any route of this surface.
    let wrong = admin.with_key("hf_wrong").get("/storage/v1/bucket").await;
    error(&wrong, 401, "Unauthorized", "InvalidJWT");
    error(&app.anonymous().get("/storage/v1/bucket").await, 401, "Unauthorized", "InvalidJWT");
    error(&program.get("/storage/v1/nothing/here").await, 404, "not_found", "not_found");
    error(&program.get("/storage/v1/object/sign/shaped/a?token=x").await, 403, "InvalidJWT", "InvalidJWT");
    let beyond = get(&program, "/storage/v1/object/shaped/a", &[("range", "bytes=9-")]).await;
    error(&beyond, 416, "InvalidRange", "InvalidRange");
    assert_eq!(text(&beyond.headers, "content-range"), "bytes */1");
    // Other surfaces keep theirs.
    program.get("/api/v1/buckets/nowhere").await.problem(404, "bucket_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_writes_copies_and_removes() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let program = key(&admin, &ALL).await;
    let made = json!({"id": "avatars", "name": "avatars", "public": false, "file_size_limit": "1MB"});
    assert_eq!(program.post("/storage/v1/bucket", &made).await.expect(200)["name"], "avatars");
    let shown = program.get("/storage/v1/bucket/avatars").await.expect(200);
    assert_eq!((&shown["id"], &shown["file_size_limit"]), (&json!("avatars"), &json!(1_000_000)));
    let headers = [
        ("content-type", "text/plain;charset=UTF-8"),
        ("cache-control", "max-age=3600"),
        ("x-metadata", &STANDARD.encode(r#"{"from": "Ada", "n": 1}"#)),
    ];
    let at = "/storage/v1/object/avatars/folder/a.txt";
    let written = ask(&program, Method::POST, at, &headers, "one").await.expect(200);
    assert_eq!(written["Key"], "avatars/folder/a.txt");
    ask(&program, Method::PUT, at, &headers, "two").await.expect(200);
    ask(&program, Method::POST, at, &[("x-upsert", "true")], "three").await.expect(200);
    ask(&program, Method::PUT, at, &headers, "four").await.expect(200);
    let read = program.get(at).await;
    assert_eq!((read.text.as_str(), text(&read.headers, "cache-control")), ("four", "max-age=3600"));
    let info = program.get("/storage/v1/object/info/avatars/folder/a.txt").await.expect(200);
    assert_eq!((&info["size"], &info["metadata"]), (&json!(4), &json!({"from": "Ada", "n": "1"})));
    // As browsers send it.
    let fields = [("cacheControl", None, "60"), ("", Some("blob"), "form")];
    let by_form = send_form(&program, "/storage/v1/object/avatars/b", &fields).await;
    assert_eq!(by_form.expect(200)["Key"], "avatars/b");
    assert_eq!(text(&program.get("/storage/v1/object/avatars/b").await.headers, "cache-control"), "max-age=60");

    let place = |from: &str, to: &str| json!({"bucketId": "avatars", "sourceKey": from, "destinationKey": to});
    let copied = program.post("/storage/v1/object/copy", &place("b", "c")).await.expect(200);
    assert_eq!(copied["Key"], "avatars/c");
    error(&program.post("/storage/v1/object/copy", &place("b", "c")).await, 409, "Duplicate", "KeyAlreadyExists");
    assert_eq!(
        program.post("/storage/v1/object/move", &place("c", "d")).await.expect(200)["message"],
        "Successfully moved"
    );
    let body = json!({"prefixes": ["b", "nothing", "d"]});
    let request = program.request(Method::DELETE, "/storage/v1/object/avatars").json(&body);
    let removed = program.send(request).await.expect(200);
    let names: Vec<_> = removed.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["b", "d"]);
    assert_eq!(page(&admin, "avatars", "").await.0, ["folder/a.txt"]);
    error(&program.delete("/storage/v1/bucket/avatars").await, 409, "InvalidRequest", "BucketNotEmpty");
    app.stop().await;
}

async fn list(client: &Client, bucket: &str, body: Value) -> Vec<String> {
    let found = client.post(&format!("/storage/v1/object/list/{bucket}"), &body).await.expect(200);
    found.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_list_orders() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "listed").await;
    for key in ["b", "a", "dir/x", "dir/y", "dir/sub/z", "c"] {
        put(&admin, "listed", key, key).await.expect(201);
    }
    let program = key(&admin, &["files_read"]).await;
    assert_eq!(list(&program, "listed", json!({"prefix": ""})).await, ["a", "b", "c", "dir"]);
    assert_eq!(list(&program, "listed", json!({"prefix": "dir"})).await, ["sub", "x", "y"]);
    assert_eq!(list(&program, "listed", json!({"prefix": "dir/", "search": "x"})).await, ["x"]);
    assert_eq!(list(&program, "listed", json!({"prefix": "", "limit": 2, "offset": 1})).await, ["b", "c"]);
    let sorted = |column: &str, order: &str| json!({"prefix": "", "sortBy": {"column": column, "order": order}});
    assert_eq!(list(&program, "listed", sorted("name", "desc")).await, ["dir", "c", "b", "a"]);
    assert_eq!(list(&program, "listed", sorted("created_at", "asc")).await, ["dir", "b", "a", "c"]);
    let wrong = program.post("/storage/v1/object/list/listed", &sorted("colour", "asc")).await;
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    let folder = &program.post("/storage/v1/object/list/listed", &json!({"prefix": ""})).await.expect(200)[3];
    assert_eq!((&folder["id"], &folder["metadata"]), (&Value::Null, &Value::Null));
    // The second form of lists, page by page.
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let body = json!({"prefix": "", "limit": 2, "with_delimiter": true, "cursor": cursor});
        let page = program.post("/storage/v1/object/list-v2/listed", &body).await.expect(200);
        for part in ["folders", "objects"] {
            names.extend(page[part].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        }
        if page["hasNext"] == false {
            break;
        }
        cursor = page["nextCursor"].as_str().map(str::to_owned);
    }
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c", "dir/"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_signed_urls() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "signed").await;
    put(&admin, "signed", "a b?.txt", "A").await.expect(201);
    let program = key(&admin, &ALL).await;
    let address = format!("/storage/v1/object/sign/signed/{}", crate::files::encoded("a b?.txt"));
    let signed = program.post(&address, &json!({"expiresIn": 60})).await.expect(200);
    let url = signed["signedURL"].as_str().unwrap().replace(' ', "%20");
    assert_eq!(client.get(&format!("/storage/v1{url}")).await.text, "A");
    let kept = client.get(&format!("/o/default/storage/v1{url}&download=b.txt")).await;
    assert!(text(&kept.headers, "content-disposition").starts_with("attachment; filename=\"b.txt\""));
    let too_long = program.post(&address, &json!({"expiresIn": 31_536_000})).await;
    assert_eq!(too_long.status, 400, "{}", too_long.text);
    let many = json!({"expiresIn": 60, "paths": ["a b?.txt", "nothing"]});
    let many = program.post("/storage/v1/object/sign/signed", &many).await.expect(200);
    assert!(many[0]["signedURL"].is_string() && many[0]["error"].is_null(), "{many}");
    assert!(many[1]["signedURL"].is_null() && many[1]["error"].is_string(), "{many}");

    let at = "/storage/v1/object/upload/sign/signed/new.txt";
    let upload = program.post(at, &json!({})).await.expect(200);
    let url = format!("/storage/v1{}", upload["url"].as_str().unwrap());
    assert_eq!(ask(&client, Method::PUT, &url, &[], "one").await.expect(200)["Key"], "signed/new.txt");
    // Whether it replaces is in the token, whatever the request says.
    let again = ask(&client, Method::PUT, &url, &[("x-upsert", "true")], "two").await;
    error(&again, 409, "Duplicate", "KeyAlreadyExists");
    let elsewhere = url.replace("new.txt", "other.txt");
    error(&ask(&client, Method::PUT, &elsewhere, &[], "x").await, 403, "Unauthorized", "AccessDenied");
    let upsert = ask(&program, Method::POST, at, &[("x-upsert", "true")], "").await.expect(200);
    let url = format!("/storage/v1{}", upsert["url"].as_str().unwrap());
    ask(&client, Method::PUT, &url, &[], "two").await.expect(200);
    assert_eq!(admin.get(&path("signed", "new.txt")).await.text, "two");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn supabase_organisations() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    public_bucket(&admin, "shown").await;
    put(&admin, "shown", "a", "ours").await.expect(201);
    let at = "/storage/v1/object/public/shown/a";
    assert_eq!(client.get(at).await.text, "ours", "there is one organisation");
    let other = app.other_org("others").await;
    let several = client.get(at).await;
    assert!(several.status == 404 && several.text.contains("/o/"), "it says how: {}", several.text);
    assert_eq!(client.get(&format!("/o/default{at}")).await.text, "ours");
    error(&client.get(&format!("/o/others{at}")).await, 404, "not_found", "NoSuchKey");
    let theirs = key(&other, &ALL).await;
    assert_eq!(theirs.get("/storage/v1/bucket").await.expect(200), json!([]));
    let wrong = theirs.get("/o/default/storage/v1/bucket").await;
    assert_eq!(wrong.status, 404, "a key of another organisation: {}", wrong.text);
    assert_eq!(client.get("/storage/v1/vector/x").await.status, 501);
    app.stop().await;
}
