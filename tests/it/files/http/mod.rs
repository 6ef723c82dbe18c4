//! Files over HTTP: reading, writing, what is served without an account, and other services' ways.

mod killed;
mod links;
mod public;
mod reading;
mod supabase;
mod tokens;
mod tus;
mod writing;

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use super::{bucket, path, put};
use crate::support::app::{Answer, Client};

/// A request with headers, and a body if there is one.
pub async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = client.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(body.to_owned())).await
}

pub async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(client, Method::GET, path, headers, "").await
}

/// The path of an address that is made of `server.public_url`, which no test listens at.
pub fn local(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest[rest.find('/').unwrap_or_else(|| panic!("no path in {url}"))..].to_owned()
}

pub fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// A public bucket.
pub async fn public_bucket(client: &Client, name: &str) -> Value {
    client.post("/api/v1/buckets", &json!({"name": name, "public": true})).await.expect(201)
}

/// An API key of the organisation.
pub async fn key(client: &Client, scopes: &[&str]) -> Client {
    let made = client.post("/api/v1/api-keys", &json!({"name": "k", "scopes": scopes})).await.expect(201);
    client.with_key(made["secret"].as_str().unwrap())
}

/// Sends a form: fields, each with its name, the name of its file if it is one, and its content.
pub async fn send_form(client: &Client, path: &str, fields: &[(&str, Option<&str>, &str)]) -> Answer {
    let field = |(name, file, content): &(&str, Option<&str>, &str)| {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n")
    };
    let body = format!("{}--limit--\r\n", fields.iter().map(field).collect::<String>());
    ask(client, Method::POST, path, &[("content-type", "multipart/form-data; boundary=limit")], &body).await
}
