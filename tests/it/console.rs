//! The console over the whole appliance: what the first page says and where it leads, live parts, and lists by pages.

use std::{collections::BTreeSet, time::Instant};

use chrono::TimeDelta;
use holdfast::platform::http::Role;
use reqwest::{Method, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    app::{ADMIN_EMAIL, ADMIN_PASSWORD, Answer, Client, TestApp},
    documents::make_base,
};

async fn page(client: &Client, path: &str) -> String {
    let answer = client.send(client.request(Method::GET, path).header(header::ACCEPT, "text/html")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.text
}

/// The figure of a tile of the first page.
fn figure<'a>(page: &'a str, label: &str) -> &'a str {
    let mut tiles = page.split("class=\"stat-label\">").skip(1);
    let tile = tiles.find(|tile| tile.split("class=\"stat-value\">").next().unwrap().contains(label));
    let value = tile.and_then(|tile| tile.split("class=\"stat-value\">").nth(1));
    value.unwrap_or_else(|| panic!("{label}: {page}")).split('<').next().unwrap()
}

/// What the page at `path` sends with its questions for its live part.
async fn stamp(client: &Client, path: &str) -> String {
    let page = page(client, path).await;
    let stamp = page.split("data-live-page=\"").nth(1).unwrap_or_else(|| panic!("{path} has no live part: {page}"));
    stamp.split('"').next().unwrap().to_owned()
}

/// The live part of a page, as its script asks for it.
async fn live(client: &Client, path: &str, stamp: &str, etag: Option<&str>) -> Answer {
    let request = client.request(Method::GET, path).header("x-live", stamp);
    client.send(etag.into_iter().fold(request, |request, etag| request.header(header::IF_NONE_MATCH, etag))).await
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
    // A search field takes as much as the server does, no more.
    let lists =
        ["/agents", "/knowledge", "/jobs", "/alerts", "/settings/members", "/settings/api-keys", "/settings/mail"];
    for path in lists {
        let found = page(&admin, &format!("{path}?q={}", "x".repeat(200))).await;
        let field = found.split("name=\"q\"").nth(1).unwrap_or_else(|| panic!("{path}: no search"));
        assert!(field.split('>').next().unwrap().contains("maxlength=\"200\""), "{path}");
    }
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
    assert_eq!(figure(&page(&admin, "/").await, "API keys"), "3");
    admin.delete(&format!("/api/v1/api-keys/{}", ids[0])).await.expect(204);
    app.clock.advance(TimeDelta::hours(2));
    assert_eq!(figure(&page(&admin, "/").await, "API keys"), "1");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_waits_for_a_lock_says_so_on_its_tile_and_the_others_show_their_figures() {
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    make_base(&admin, "One").await;
    let mut holder = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE llm_usage IN ACCESS EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let first = page(&admin, "/").await;
    assert!(first.contains("could not be read") && first.contains("in 1 knowledge base"), "{first}");
    assert_eq!((figure(&first, "Tokens today"), figure(&first, "API keys")), ("–", "0"));
    // The same with many pages open: the slow room does not take the others' turns. Each has an address, so that none shares.
    let many = futures::future::join_all((0..8).map(|n| {
        let admin = &admin;
        async move { page(admin, &format!("/?n={n}")).await }
    }));
    for other in many.await {
        assert_eq!((figure(&other, "Tokens today"), figure(&other, "API keys")), ("–", "0"));
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    assert_eq!(figure(&page(&admin, "/").await, "Tokens today"), "0");
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_part_comes_alone_until_its_page_is_another_ones() {
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Handbook").await;
    let of_base = format!("/knowledge/{base}");
    for path in ["/", "/jobs", "/alerts", "/backups", of_base.as_str()] {
        let stamp = stamp(&admin, path).await;
        let part = live(&admin, path, &stamp, None).await;
        assert!(part.status == 200 && part.text.contains("data-live="), "{path}: {} {}", part.status, part.text);
        assert!(!part.text.contains("<nav class=\"nav\"") && !part.text.contains("<html"), "{path}: {}", part.text);
        let etag = part.headers[header::ETAG].to_str().unwrap();
        let same = live(&admin, path, &stamp, Some(etag)).await;
        assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""), "{path}");
    }

    let own = stamp(&admin, "/").await;
    let before = live(&admin, "/", &own, None).await;
    admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["inference"]})).await.expect(201);
    let anew = admin.request(Method::GET, "/").header("x-live", &own).header(header::CACHE_CONTROL, "no-cache");
    let anew = anew.header(header::IF_NONE_MATCH, &before.headers[header::ETAG]);
    let after = admin.send(anew).await;
    assert_eq!((after.status.as_u16(), figure(&after.text, "API keys")), (200, "1"));

    // Another organisation sees its own, even within the second in which the part is shared, and the page of nobody else.
    let other = app.other_org("other").await;
    let theirs = stamp(&other, "/").await;
    assert_eq!(figure(&live(&other, "/", &theirs, None).await.text, "API keys"), "0");
    live(&other, "/", &own, None).await.problem(409, "page_outdated");
    live(&other, &of_base, &theirs, None).await.problem(404, "knowledge_base_not_found");
    let viewer = app.person("default", Role::Viewer).await;
    let theirs = stamp(&viewer, "/").await;
    live(&viewer, "/jobs", &theirs, None).await.problem(403, "forbidden");

    admin.post("/api/v1/auth/logout", &Value::Null).await.expect(204);
    live(&admin, "/", &own, None).await.problem(401, "unauthorized");
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_open_pages_ask_the_database_as_one() {
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    let stamp = stamp(&admin, "/jobs").await;
    let transactions = || {
        let metrics = app.app.telemetry.encode();
        let count =
            metrics.split("holdfast_database_transaction_duration_seconds_count{pool=\"app\"} ").nth(1).unwrap();
        count.lines().next().unwrap().parse::<u32>().unwrap()
    };
    let (before, began) = (transactions(), Instant::now());
    let parts = futures::future::join_all((0..100).map(|_| live(&admin, "/jobs", &stamp, None))).await;
    assert!(parts.iter().all(|part| part.status == 200));
    // A few for each second that the hundred took.
    let (reads, seconds) = (transactions() - before, began.elapsed().as_secs_f64());
    assert!(f64::from(reads) <= 10.0 * (1.0 + seconds.floor()), "{reads} reads in {seconds} s");
    app.kill().await;
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
