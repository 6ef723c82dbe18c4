//! What a process holds of pages.

use std::sync::Arc;

use axum::http::HeaderValue;

use super::*;
use crate::{
    holder::{Access, Served},
    model::{Render, Set},
    restrict::Restriction,
};

fn access(page: Page) -> Arc<Access> {
    let root = format!("/status/{}", page.slug);
    Arc::new(Access {
        page,
        restriction: Restriction::default(),
        url: format!("https://holdfast.example{root}"),
        links: root.clone(),
        root,
        policy: HeaderValue::from_static("default-src 'none'"),
        revision: 1,
    })
}

/// An answer of this path.
fn answer(path: &str, body: &str) -> Render {
    Render {
        set: Set::Current,
        path: path.to_owned(),
        content_type: "application/json; charset=utf-8",
        etag: "\"1\"".to_owned(),
        body: Bytes::from(body.to_owned()),
        gzip: None,
        br: None,
    }
}

#[test]
fn a_page_that_was_never_rendered_is_as_old_as_it_is() {
    let page = model(Vec::new()).page;
    let mut served = Served::new(access(page.clone()));
    assert!(!served.is_rendered());
    assert_eq!(served.old_since(), page.created_at);
    served.take(vec![answer("summary.json", "{}")]);
    served.as_of = now();
    assert_eq!(served.old_since(), now());
}
