//! The console over the whole appliance: what the first page says and where it leads, and lists by pages.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use holdfast::platform::http::Role;
use reqwest::{Method, header};
use serde_json::json;

use crate::support::app::{ADMIN_EMAIL, ADMIN_PASSWORD, Client, TestApp};

async fn page(client: &Client, path: &str) -> String {
    let answer = client.send(client.request(Method::GET, path).header(header::ACCEPT, "text/html")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_of_the_first_page_leads_where_the_reader_may_go() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let for_admins = ["/knowledge/new", "/agents/new", "/settings/api-keys", "/jobs"];
    for (reader, expected) in [(&admin, &for_admins[..]), (&app.person("default", Role::Viewer).await, &["/agents"])] {
        let first = page(reader, "/").await;
        let links: BTreeSet<_> = first
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|l| l.starts_with('/'))
            .collect();
        assert!(expected.iter().all(|link| links.contains(link)), "{expected:?} are not among {links:?}");
        for link in links {
            assert_eq!(reader.get(link).await.status, 200, "{link}");
        }
    }
    // Where a longer link fits, its prefix is not current: only the sub-page is.
    let members = page(&admin, "/settings/members").await;
    let nav = members.split("<nav").nth(1).unwrap().split("</nav>").next().unwrap();
    assert_eq!(nav.matches("aria-current").count(), 1, "{nav}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_counts_keys_that_work() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let soon = app.clock.now() + TimeDelta::hours(1);
    let mut ids = Vec::new();
    for expires_at in [None, None, Some(soon)] {
        let body = json!({"name": "k", "scopes": ["inference"], "expires_at": expires_at});
        ids.push(admin.post("/api/v1/api-keys", &body).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let counts = |page: &str, keys: &str| page.contains(&format!("API keys</a></p><p class=\"stat-value\">{keys}</p>"));
    let all = page(&admin, "/").await;
    assert!(counts(&all, "3"), "{all}");
    admin.delete(&format!("/api/v1/api-keys/{}", ids[0])).await.expect(204);
    app.clock.advance(TimeDelta::hours(2));
    let now = page(&admin, "/").await;
    assert!(counts(&now, "1"), "{now}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_come_in_pages_newest_first() {
    let app = TestApp::start().await;
    let mut admin = app.admin().await;
    for _ in 0..4 {
        app.clock.advance(TimeDelta::seconds(1));
        admin = app.anonymous().sign_in(ADMIN_EMAIL, ADMIN_PASSWORD).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/sessions?limit=2".to_owned());
    loop {
        let answer = admin.get(&path).await.expect(200);
        let rows = answer["data"].as_array().unwrap();
        assert!(rows.len() <= 2, "{answer}");
        seen.extend(rows.iter().map(|s| (s["created_at"].as_str().unwrap().to_owned(), s["current"] == true)));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        path = format!("/api/v1/sessions?limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.iter().rev().is_sorted() && seen[0].1, "{seen:?}");
    admin.get("/api/v1/sessions?limit=0").await.problem(422, "validation_failed");
    assert!(page(&admin, "/account").await.contains("/account/sessions/"));
    app.stop().await;
}
