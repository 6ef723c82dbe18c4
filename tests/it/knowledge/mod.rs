//! Documents from upload to search, with the real router, worker, object store, LanceDB and embedding model.

mod rebuilding;
mod searches;
mod uploads;

use reqwest::{Method, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::app::{Answer, Client, TestApp};

async fn upload(client: &Client, base: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, content) in files {
        let head = format!("--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--cut--\r\n");
    let request = client.request(Method::POST, &format!("/api/v1/knowledge-bases/{base}/documents"));
    client.send(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut").body(body)).await
}

pub async fn document(client: &Client, base: &str, id: &str) -> Value {
    client.get(&format!("/api/v1/knowledge-bases/{base}/documents/{id}")).await.expect(200)
}

pub async fn search(client: &Client, base: &str, query: &str, mode: &str) -> Vec<Value> {
    let body = json!({"query": query, "limit": 5, "mode": mode});
    let found = client.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200);
    found["results"].as_array().unwrap().clone()
}

/// A connection that bypasses row-level security.
pub async fn superuser(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&app.target().admin).await.unwrap()
}
