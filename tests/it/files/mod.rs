//! Files: buckets and objects.

mod core;
mod http;
mod images;
mod objects;
mod operation;
mod surfaces;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, Client, TestApp};

/// A key as it stands in an address.
pub fn encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub async fn bucket(client: &Client, name: &str) -> Value {
    client.post("/api/v1/buckets", &json!({"name": name})).await.expect(201)
}

pub fn path(bucket: &str, key: &str) -> String {
    format!("/api/v1/buckets/{bucket}/objects/{}", encoded(key))
}

pub async fn put(client: &Client, bucket: &str, key: &str, content: impl Into<reqwest::Body>) -> Answer {
    client.send(client.request(Method::PUT, &path(bucket, key)).body(content)).await
}

/// Keys of a page, prefixes too, and the cursor of the next.
pub async fn page(client: &Client, bucket: &str, query: &str) -> (Vec<String>, Option<String>) {
    let page = client.get(&format!("/api/v1/buckets/{bucket}/objects?{query}")).await.expect(200);
    let keys = page["data"].as_array().unwrap().iter().map(|entry| entry["key"].as_str().unwrap().to_owned());
    (keys.collect(), page["next_cursor"].as_str().map(str::to_owned))
}

/// Files of blobs on the disk, unfinished ones too.
pub fn blobs(app: &TestApp) -> Vec<String> {
    fn files(dir: &std::path::Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.display().to_string()] }).collect()
    }
    files(&app.data_dir.join("objects/files"))
}
