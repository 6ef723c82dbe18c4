//! Requests to `/v1` as real clients send them: compressed bodies, slightly wrong addresses, pages of other sites; and
//! invalid vectors.

use std::net::SocketAddr;

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder};
use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdfast::platform::lifecycle::Lifecycle;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::app::{Answer, Client, TestApp};

async fn chat(Json(body): Json<Value>) -> Response {
    let refuse = |message: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({"error": {"message": message, "type": "invalid_request_error"}})))
            .into_response()
    };
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
    match body["model"].as_str().unwrap() {
        // Qwen's template behind vLLM.
        "qwen" if roles.iter().skip(1).any(|role| matches!(*role, "system" | "developer")) => {
            refuse("jinja template rendering failed. System message must be at the beginning.")
        }
        // Ollama.
        "ollama" if messages.iter().any(|m| m["content"].is_null()) => refuse("invalid message content type: <nil>"),
        _ => {
            let text: String =
                messages.iter().map(|m| format!("{}={} ", m["role"].as_str().unwrap(), m["content"])).collect();
            Json(json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})).into_response()
        }
    }
}

async fn embed(Json(body): Json<Value>) -> Response {
    let vector = match body["model"].as_str().unwrap() {
        "null" => json!([1.0, null]),
        "too-large" => json!([1.0, 1e39]),
        "base64-nan" => json!(STANDARD.encode([f32::NAN, 1.0].map(f32::to_le_bytes).concat())),
        "none" => json!([]),
        "nan" => {
            let body = r#"{"object":"list","data":[{"index":0,"embedding":[0.5,NaN]}]}"#;
            return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        }
        _ => json!([1, 0.5]),
    };
    Json(json!({"object": "list", "data": [{"index": 0, "embedding": vector}]})).into_response()
}

struct Fixture {
    app: TestApp,
    admin: Client,
}

async fn start(settings: &[(&str, &str)]) -> Fixture {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/chat/completions", post(chat)).route("/v1/embeddings", post(embed));
    Lifecycle::new().spawn("upstream", async move { axum::serve(listener, router).await.unwrap() });
    let mut all = vec![("HOLDFAST_LLM__PROVIDERS__UP__BASE_URL", url.as_str())];
    all.extend_from_slice(settings);
    let app = TestApp::start_with(&all).await;
    let admin = app.admin().await;
    Fixture { app, admin }
}

fn question(text: &str) -> Value {
    json!({"model": "up/m", "messages": [{"role": "user", "content": text}]})
}

fn error(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["error"].clone();
    let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{key}: {}", answer.text)).to_owned();
    (answer.status.as_u16(), text("code"), text("message"))
}

#[tokio::test]
async fn a_packed_body_is_read_or_told_that_it_is_not() {
    let f = start(&[("HOLDFAST_LLM__MAX_BODY_BYTES", "100000")]).await;
    let send = |path: &'static str, coding: &'static str, body: Vec<u8>| {
        let request = f.admin.request(Method::POST, path).header("content-type", "application/json");
        f.admin.send(request.header("content-encoding", coding).body(body))
    };
    let plain = question("Привет").to_string().into_bytes();
    let mut gzip = GzipEncoder::new(Vec::new());
    gzip.write_all(&plain).await.unwrap();
    gzip.shutdown().await.unwrap();
    let gzip = gzip.into_inner();
    let mut brotli = BrotliEncoder::new(Vec::new());
    brotli.write_all(&plain).await.unwrap();
    brotli.shutdown().await.unwrap();
    let brotli = brotli.into_inner();
    let chat = "/v1/chat/completions";
    for (coding, body) in
        [("gzip", &gzip), ("GZip", &gzip), ("x-gzip", &gzip), ("br", &brotli), ("identity", &plain), ("", &plain)]
    {
        let answer = send(chat, coding, body.clone()).await.expect(200);
        assert_eq!(answer["choices"][0]["message"]["content"], "user=\"Привет\" ", "{coding}");
    }
    for (coding, body) in [("zstd", b"(\xb5/\xfd".to_vec()), ("gzip, gzip", gzip.clone()), ("x-unknown", plain.clone())]
    {
        let (status, code, message) = error(&send(chat, coding, body).await);
        assert_eq!((status, code.as_str()), (415, "unsupported_media_type"), "{coding}: {message}");
        assert!(message.contains("Content-Encoding"), "{message}");
    }
    for body in [gzip[..gzip.len() - 12].to_vec(), plain.clone()] {
        let (status, code, message) = error(&send(chat, "gzip", body).await);
        assert_eq!((status, code.as_str()), (400, "invalid_encoding"), "{message}");
    }
    // A megabyte of zeros compresses to a kilobyte.
    let mut bomb = GzipEncoder::new(Vec::new());
    bomb.write_all(&vec![b' '; 1_000_000]).await.unwrap();
    bomb.shutdown().await.unwrap();
    assert_eq!(send(chat, "gzip", bomb.into_inner()).await.status, 413);
    let (status, code, _) = error(&send("/v1/embeddings", "deflate", plain.clone()).await);
    assert_eq!((status, code.as_str()), (415, "unsupported_media_type"));
    // Other routes do not decompress, and say so.
    send("/api/v1/agents", "gzip", gzip).await.problem(415, "unsupported_media_type");
    f.app.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_in_openais_shape() {
    let f = start(&[]).await;
    for accept in ["*/*", "text/html,application/xhtml+xml"] {
        for (method, path) in [
            (Method::POST, "/v1/completions"),
            (Method::POST, "/v1/responses"),
            (Method::GET, "/v1/"),
            (Method::GET, "/v1"),
            (Method::POST, "//v1/chat/completions"),
            (Method::GET, "//v1/models"),
            (Method::POST, "/v1//chat/completions"),
            (Method::POST, "/v1/v1/chat/completions"),
            (Method::GET, "/v1/anything/else?x=1"),
        ] {
            let request = f.admin.request(method.clone(), path).header("accept", accept);
            let answer = f.admin.send(request.json(&json!({}))).await;
            let (status, code, message) = error(&answer);
            assert_eq!((status, code.as_str()), (404, "not_found"), "{method} {path}: {message}");
            let named = format!("{method} {}", path.split('?').next().unwrap());
            assert!(message.contains(&named) && message.contains("POST /v1/chat/completions"), "{message}");
            assert_eq!(answer.headers["content-type"], "application/json", "{method} {path}");
        }
    }
    let (status, code, _) = error(&f.admin.get("/v1/chat/completions").await);
    assert_eq!((status, code.as_str()), (405, "method_not_allowed"));
    // With a trailing slash the same is meant.
    assert_eq!(f.admin.get("/v1/models/").await.expect(200)["object"], "list");
    f.admin.post("/v1/chat/completions/", &question("x")).await.expect(200);
    f.admin.post("/v1/embeddings/", &json!({"model": "up/e", "input": "x"})).await.expect(200);
    f.app.stop().await;
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_can_read_why_it_may_not() {
    let f = start(&[("HOLDFAST_SERVER__CORS_ORIGINS", "https://app.example.com")]).await;
    let nobody = f.app.anonymous();
    let post = |client: &Client, origin: &str, key: Option<&str>| {
        let request = client.request(Method::POST, "/v1/chat/completions").json(&question("x"));
        let request = request.header("origin", origin).header("sec-fetch-site", "cross-site");
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let client = client.clone();
        async move { client.send(request).await }
    };
    for key in [None, Some("hf_wrong")] {
        let answer = post(&nobody, "https://app.example.com", key).await;
        let (status, code, message) = error(&answer);
        assert_eq!(status, 401, "{code}: {message}");
        assert_eq!(answer.json()["error"]["type"], "authentication_error");
        assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    // A page of an unlisted origin gets the same answer but cannot read it.
    let answer = post(&nobody, "https://evil.example.com", None).await;
    assert_eq!((answer.status.as_u16(), answer.headers.get("access-control-allow-origin")), (401, None));
    // Sessions still do not work for other sites.
    let request = f.admin.request(Method::POST, "/v1/chat/completions").json(&question("x"));
    let mut forged = request.header("sec-fetch-site", "cross-site").build().unwrap();
    forged.headers_mut().remove("x-csrf-token");
    let forged = nobody
        .send(reqwest::RequestBuilder::from_parts(reqwest::Client::builder().no_proxy().build().unwrap(), forged))
        .await;
    let (status, code, _) = error(&forged);
    assert_eq!((status, code.as_str()), (403, "csrf_refused"));
    f.app.stop().await;
}

#[tokio::test]
async fn a_vector_without_numbers_is_refused_with_the_reason() {
    let f = start(&[]).await;
    for model in ["null", "nan", "too-large", "base64-nan"] {
        let refused = f.admin.post("/v1/embeddings", &json!({"model": format!("up/{model}"), "input": "x"})).await;
        let (status, code, message) = error(&refused);
        assert_eq!((status, code.as_str()), (502, "provider_bad_response"), "{model}: {message}");
        assert!(message.contains("returned NaN or infinity"), "{model}: {message}");
    }
    let (_, _, message) = error(&f.admin.post("/v1/embeddings", &json!({"model": "up/none", "input": "x"})).await);
    assert!(message.contains("embedding 0 is empty"), "{message}");
    let fine = f.admin.post("/v1/embeddings", &json!({"model": "up/e", "input": "x"})).await.expect(200);
    assert_eq!(fine["data"][0]["embedding"], json!([1.0, 0.5]));
    f.app.stop().await;
}

#[tokio::test]
async fn conversations_are_told_as_strict_templates_take_them() {
    let f = start(&[]).await;
    let say = |role: &str, content: Value| json!({"role": role, "content": content});
    for role in ["system", "developer"] {
        let messages = json!([say("user", json!("a")), say(role, json!("be brief")), say("user", json!("b"))]);
        let answer =
            f.admin.post("/v1/chat/completions", &json!({"model": "up/qwen", "messages": messages})).await.expect(200);
        let said = answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        assert_eq!(said, "user=\"a\\n\\nbe brief\\n\\nb\" ", "{role}");
    }
    let call = json!([{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let messages = json!([say("user", json!("a")), {"role": "assistant", "tool_calls": call}, {"role": "tool", "tool_call_id": "a", "content": "x"}]);
    let answer =
        f.admin.post("/v1/chat/completions", &json!({"model": "up/ollama", "messages": messages})).await.expect(200);
    assert_eq!(answer["choices"][0]["message"]["content"], "user=\"a\" assistant=\"\" tool=\"x\" ");
    let providers = f.admin.get("/api/v1/llm/providers").await.expect(200);
    let adapted = providers["data"][0]["adapted"].clone();
    assert_eq!(
        adapted,
        json!([{"model": "ollama", "adaptations": ["plain_content"]}, {"model": "qwen", "adaptations": ["alternate_turns"]}]),
        "{adapted}"
    );
    f.app.stop().await;
}
