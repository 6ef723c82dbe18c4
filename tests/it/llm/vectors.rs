//! Embeddings, and the cache of vectors.

use base64::Engine as _;
use holdfast::{
    llm::{self, CallContext, InputKind, LlmError},
    platform::{clock::Clock, ids::OrgId},
};
use serde_json::{Value, json};

use super::{Fixture, start, start_with};

#[tokio::test]
async fn the_embedding_model_does_not_chat() {
    let f = start().await;
    let (status, error, _) = f.error("embed").await;
    assert_eq!(
        (status, &error["code"], &error["param"]),
        (400, &json!("model_not_supported"), &json!("model")),
        "{error}"
    );
}

#[tokio::test]
async fn old_usage_and_vectors_that_nobody_asks_for_are_removed() {
    let f = start_with("[embedding]\nmodel = 'up/e'\ndimensions = 3").await;
    let model = f.llm.embedder().await.unwrap();
    let texts = ["one".to_owned(), "two".to_owned(), "three".to_owned()];
    f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    f.rows(1).await;
    let mut tx = f.db.tenant(f.org).await.unwrap();
    // More than one batch, and one row that is young enough.
    sqlx::query(
        "INSERT INTO llm_usage (id, org_id, actor, operation, provider, model, prompt_tokens, completion_tokens, estimated, duration_ms, outcome, streamed, created_at) \
         SELECT gen_random_uuid(), $1, 'job:test', 'chat', 'up', 'old', 1, 1, false, 1, 'ok', false, now() - interval '1 day' * CASE WHEN n = 0 THEN 399 ELSE 401 END \
         FROM generate_series(0, 5001) AS n",
    )
    .bind(f.org.0)
    .execute(&mut *tx)
    .await
    .unwrap();
    let aged =
        sqlx::query("UPDATE embedding_cache SET last_used_at = now() - interval '91 days'").execute(&mut *tx).await;
    assert_eq!(aged.unwrap().rows_affected(), 3);
    tx.commit().await.unwrap();
    // A look-up counts as use.
    f.llm.embed_passages(&f.call(), &model, &texts[..1]).await.unwrap();
    f.llm.remove_expired(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    let mut tx = f.db.tenant(f.org).await.unwrap();
    let usage: i64 = sqlx::query_scalar("SELECT count(*) FROM llm_usage").fetch_one(&mut *tx).await.unwrap();
    let vectors: i64 = sqlx::query_scalar("SELECT count(*) FROM embedding_cache").fetch_one(&mut *tx).await.unwrap();
    assert_eq!((usage, vectors), (2, 1), "what is young or in use stays");
    let text = f.telemetry.encode();
    for (kept, rows) in [("usage", 5001), ("vectors", 2)] {
        let line = format!("holdfast_llm_expired_rows_total{{kept=\"{kept}\"}} {rows}");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn base64_embeddings_are_the_floats() {
    let f = start().await;
    let ask = |more: Value| {
        let mut body = json!({"model": "up/e", "input": ["one", "three"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        f.post("/v1/embeddings", body)
    };
    let floats: Value = ask(json!({"encoding_format": null})).await.json().await.unwrap();
    assert_eq!(floats["data"][0]["embedding"], json!([3.0, 0.5, -1.25]));
    assert_eq!((&floats["data"][1]["index"], &floats["data"][1]["embedding"][0]), (&json!(1), &json!(5.0)));
    assert_eq!(floats["usage"]["prompt_tokens"], 4);
    let packed: Value = ask(json!({"encoding_format": "base64", "dimensions": 3})).await.json().await.unwrap();
    for i in 0..2 {
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(packed["data"][i]["embedding"].as_str().unwrap()).unwrap();
        let numbers: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        assert_eq!(json!(numbers), floats["data"][i]["embedding"]);
    }
    assert_eq!(f.seen.bodies.lock().unwrap()[1]["dimensions"], 3);
    for (input, code) in [
        (json!([1, "two"]), "invalid_value"),
        (json!([[1], []]), "input_empty"),
        (json!([[-1]]), "invalid_value"),
        (json!([]), "invalid_value"),
        (json!([""]), "input_empty"),
        (json!(["fine", "long ".repeat(300_000)]), "context_length_exceeded"),
    ] {
        let response = f.post("/v1/embeddings", json!({"model": "up/e", "input": input})).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code);
    }
    let missing = f.post("/v1/embeddings", json!({"model": "embed", "input": "x"})).await;
    assert_eq!(missing.status(), 503, "no model folder");
    let rows = f.rows(2).await;
    assert_eq!((&rows[0]["operation"], &rows[0]["model"]), (&json!("embedding"), &json!("e")));
}

#[tokio::test]
async fn vectors_are_cached_for_one_organisation_and_forgotten_with_the_document() {
    let f = start_with("[embedding]\nmodel = 'up/e'\ndimensions = 3\nquery_prefix = 'q: '").await;
    let model = f.llm.embedder().await.unwrap();
    let asked = || f.seen.bodies.lock().unwrap().len();
    let texts: Vec<String> = (0..40).map(|i| format!("text {}", i % 39)).collect();
    let first = f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    assert_eq!((first.len(), asked()), (40, 2), "39 different texts in batches of 32");
    assert!((first[0].iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5, "unit vectors");
    assert_eq!(f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap(), first);
    assert_eq!(asked(), 2, "all of them known");
    let other = CallContext::job(make_org_beside(&f).await, "test");
    f.llm.embed_passages(&other, &model, &texts[..1]).await.unwrap();
    assert_eq!(asked(), 3, "not shared between organisations");
    let mut tx = f.db.tenant(f.org).await.unwrap();
    let gone = f.llm.forget_passages(&mut tx, &[llm::text_hash("text 0"), llm::text_hash("text 1")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(gone, 2);
    f.llm.embed_passages(&f.call(), &model, &texts).await.unwrap();
    assert_eq!(f.seen.bodies.lock().unwrap()[3]["input"].as_array().unwrap().len(), 2);

    let question = ["what".to_owned()];
    let one = f.llm.embed(&f.call(), &model, InputKind::Query, &question).await.unwrap();
    assert_eq!(f.llm.embed(&f.call(), &model, InputKind::Query, &question).await.unwrap(), one);
    assert_eq!((asked(), &f.seen.bodies.lock().unwrap()[4]["input"]), (5, &json!(["q: what"])));
    let old = llm::EmbedModel { id: "another".into(), ..model };
    assert!(matches!(
        f.llm.embed(&f.call(), &old, InputKind::Query, &question).await,
        Err(LlmError::OtherEmbeddingModel { .. })
    ));
}

async fn make_org_beside(f: &Fixture) -> OrgId {
    let mut tx = f.db.system().await.unwrap();
    let org = OrgId::generate(&Clock::system());
    sqlx::query("INSERT INTO organisations (id, slug, name, created_at) VALUES ($1, 'beside', 'B', now())")
        .bind(org.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    org
}
