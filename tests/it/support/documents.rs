//! Knowledge bases and documents through the API.

use std::{path::Path, time::Duration};

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    app::{Answer, Client},
    cluster::PATIENCE,
};

/// A file of `tests/fixtures/documents`.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Makes a knowledge base and gives its id.
pub async fn make_base(client: &Client, name: &str) -> String {
    let base = client.post("/api/v1/knowledge-bases", &json!({"name": name})).await.expect(201);
    base["id"].as_str().unwrap().to_owned()
}

/// Sends one file, whatever becomes of it.
pub async fn send_file(client: &Client, base: &str, name: &str, content: &[u8]) -> Answer {
    let mut body =
        format!("--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--cut--\r\n");
    let request = client.request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"));
    client.send(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut").body(body)).await
}

/// Adds a document and gives its id.
pub async fn add_document(client: &Client, base: &str, name: &str, content: &[u8]) -> String {
    let document = send_file(client, base, name, content).await.expect(201);
    document["id"].as_str().unwrap_or_else(|| panic!("{document}")).to_owned()
}

/// Waits until nothing more happens to a document by itself.
pub async fn wait_for_document(client: &Client, base: &str, id: &str) -> Value {
    let deadline = tokio::time::Instant::now() + PATIENCE * 2;
    loop {
        let answer = client.get(&format!("/api/v1/knowledge-bases/{base}/documents/{id}")).await;
        // The database may be away for a moment.
        if answer.status.is_success() {
            let document = answer.json();
            if matches!(document["status"].as_str(), Some("ready" | "failed")) {
                return document;
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "the document does not end: {}", answer.text);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Every file below a folder.
pub fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
