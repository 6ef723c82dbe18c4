//! What a process holds of pages.

use std::sync::Arc;

use axum::http::HeaderValue;

use super::*;
use crate::{
    gatus::Endpoint,
    holder::{Access, Badges, Holder, Served},
    model::{Render, Set},
    render::GATUS,
    restrict::Restriction,
};
use uptime::MonitorId;

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

fn endpoint(number: usize, key: &str) -> Endpoint {
    Endpoint {
        monitor: MonitorId(id(number)),
        key: key.to_owned(),
        name: format!("Monitor {number}"),
        group: String::new(),
        results: Vec::new(),
        windows: Vec::new(),
        hours: Vec::new(),
        days: Vec::new(),
    }
}

/// A public page with these monitors.
fn shown(number: usize, installation: bool, endpoints: &[Endpoint]) -> Arc<Served> {
    let page = model(Vec::new()).page;
    let page = Page { id: PageId(id(number)), slug: format!("page-{number}"), installation, ..page };
    let mut served = Served::new(access(page));
    served.take(vec![answer(GATUS, &serde_json::to_string(endpoints).unwrap())]);
    Arc::new(served)
}

/// A page that is older than another's cannot take a key from it, and neither can the installation's be taken.
#[test]
fn nobody_answers_for_anothers_monitor() {
    let holder = Holder::default();
    let pages = [
        shown(1, false, &[endpoint(11, "shop"), endpoint(12, "database")]),
        shown(2, false, &[endpoint(21, "shop"), endpoint(22, "mail")]),
        shown(3, true, &[endpoint(31, "database")]),
        // The same monitor on two pages is the same one.
        shown(4, false, &[endpoint(22, "mail")]),
    ];
    holder.change(|held| pages.iter().for_each(|served| drop(held.insert(served.access.page.id, served.clone()))));
    let badges = vec![endpoint(41, "night"), endpoint(42, "night"), endpoint(43, "day")];
    holder.set_badges(Badges { endpoints: badges, ..Badges::default() });
    let held = holder.held();
    let found = |key: &str| held.endpoint(key).map(|endpoint| endpoint.monitor);
    assert_eq!(found("shop"), None);
    assert_eq!(found("database"), Some(MonitorId(id(31))));
    assert_eq!(found("mail"), Some(MonitorId(id(22))));
    assert_eq!(found("night"), None);
    assert_eq!(found("day"), Some(MonitorId(id(43))));
    let listed: Vec<_> = held.endpoints().into_iter().map(|endpoint| endpoint.key.as_str()).collect();
    assert_eq!(listed, ["database"], "those of organisations are listed below their pages");
    let of_page = held.by_slug("page-1").unwrap();
    assert_eq!(of_page.endpoints.len(), 2);
}
