//! Console pages of knowledge: bases, their documents, the search test, a document with its cited passage.

mod bases;
mod documents;
mod report;
mod search;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

#[cfg(test)]
pub(super) use {
    documents::split,
    report::{part_key, ranges},
    search::highlight,
};

use super::Knowledge;

pub fn router() -> Router<Knowledge> {
    // Each file has its own limit, and so has their number: `[knowledge]`.
    let upload = post(documents::upload).layer(DefaultBodyLimit::disable());
    Router::new()
        .route("/knowledge", get(bases::list).post(bases::create))
        .route("/knowledge/new", get(bases::new))
        .route("/knowledge/{base}", get(documents::list))
        .route("/knowledge/{base}/search", get(search::search))
        .route("/knowledge/{base}/settings", get(bases::settings).post(bases::update))
        .route("/knowledge/{base}/delete", post(bases::delete))
        .route("/knowledge/{base}/documents", upload)
        .route("/knowledge/{base}/documents/{document}", get(documents::open).post(documents::rename))
        .route("/knowledge/{base}/documents/{document}/delete", post(documents::delete))
        .route("/knowledge/{base}/documents/{document}/retry", post(documents::retry))
        .route("/knowledge/{base}/documents/{document}/read", post(documents::read_again))
}
