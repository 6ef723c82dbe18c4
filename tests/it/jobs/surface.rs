//! The queue through its API and pages: who sees and changes what.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use chrono::{TimeDelta, Utc};
use holdfast::{
    app::{assets, locales},
    console::{Console, Parts},
    jobs::{Enqueue, JobError, pages},
    platform::{
        crypto::MasterKey,
        http::{Principal, Role},
        ids::OrgId,
    },
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::bench::{Api, Bench, Seen, config, fine, principal, probe, probes};

#[tokio::test]
async fn members_see_their_organisations_jobs_and_only_operators_the_systems() {
    let bench = Bench::new().await;
    let (ours, theirs) = (OrgId::generate(&bench.clock), OrgId::generate(&bench.clock));
    let jobs = bench.jobs(config(4));
    let mut mine = Vec::new();
    for n in 0..5 {
        mine.push(bench.enqueue(Some(ours), &probe(&n.to_string()), &Enqueue::default()).await.unwrap().to_string());
    }
    let foreign = bench.enqueue(Some(theirs), &probe("x"), &Enqueue::default()).await.unwrap();
    let system = bench.probe("x").await;
    bench.execute("INSERT INTO job_queues (name) VALUES ('test')").await;

    let member = Api::new(&jobs, &principal(ours, Role::Admin, false));
    let (mut seen, mut path) = (Vec::new(), "/api/v1/jobs?limit=2".to_owned());
    loop {
        let page = member.get(&path).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|j| j["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/jobs?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    mine.reverse();
    assert_eq!(seen, mine);
    assert_eq!(member.get("/api/v1/jobs?state=dead").await["data"], Value::Array(vec![]));
    assert_eq!(
        member.get("/api/v1/jobs?q=PROBE&queue=test&kind=test.probe&state=queued").await["data"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    for id in [foreign, system] {
        for (method, tail) in
            [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/cancel"), (Method::POST, "/retry")]
        {
            let (status, _) = member.send(method.clone(), &format!("/api/v1/jobs/{id}{tail}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {tail}");
        }
    }
    assert_eq!(member.send(Method::GET, "/api/v1/jobs?system=true").await.0, StatusCode::FORBIDDEN);
    assert_eq!(member.get("/api/v1/queues").await["data"][0]["depth"], 5);
    assert_eq!(member.send(Method::POST, "/api/v1/queues/test/pause").await.0, StatusCode::FORBIDDEN);
    let viewer = Api::new(&jobs, &principal(ours, Role::Viewer, false));
    assert_eq!(viewer.send(Method::GET, "/api/v1/jobs").await.0, StatusCode::FORBIDDEN);

    let operator = Api::new(&jobs, &principal(ours, Role::Admin, true));
    assert_eq!(operator.get("/api/v1/jobs?system=true").await["data"][0]["id"], system.to_string());
    assert_eq!(operator.get("/api/v1/queues").await["data"][0]["depth"], 7);
    assert_eq!(operator.send(Method::GET, &format!("/api/v1/jobs/{foreign}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/nothing/pause").await.0, StatusCode::NOT_FOUND);
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/test/pause").await.0, StatusCode::NO_CONTENT);
    let registry = probes(&Seen::default(), fine());
    let worker = bench.worker(config(4), registry);
    // Several polls long: enough to take one, which it must not.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.count("SELECT count(*) FROM jobs WHERE queue = 'test'").await, 7, "a paused queue starts nothing");
    assert_eq!(operator.send(Method::POST, "/api/v1/queues/test/resume").await.0, StatusCode::NO_CONTENT);
    bench.until("SELECT count(*) FROM job_history WHERE queue = 'test'", 7).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn the_pages_show_and_change_what_the_reader_may() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let registry = probes(&Seen::default(), |_, tag| async move {
        if tag == "bad" { Err(JobError::permanent(anyhow::anyhow!("<b>broken</b> file"))) } else { Ok(()) }
    });
    let worker = bench.worker(config(4), registry);
    let dead = bench.enqueue(Some(org), &probe("bad"), &Enqueue::default()).await.unwrap();
    let later = Enqueue { run_at: Some(Utc::now() + TimeDelta::hours(1)), ..Enqueue::default() };
    let waiting = bench.enqueue(Some(org), &probe("later"), &later).await.unwrap();
    bench.until("SELECT count(*) FROM job_dead_letters", 1).await;
    let key = MasterKey::parse(&"5e".repeat(32)).unwrap();
    let parts = Parts { locales: locales(), assets: assets(), openapi: serde_json::json!({}), ..Parts::new(key) };
    let console = Console::new(parts).wrap(pages::router().with_state(worker.jobs.clone()));
    let send = async |who: &Principal, method: Method, path: &str, lang: &str| {
        let mut request =
            Request::builder().method(method.clone()).uri(path).header("accept-language", lang).extension(who.clone());
        if method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let response = console.clone().oneshot(request.body(Body::from("csrf=token")).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    };
    let (admin, operator) = (principal(org, Role::Admin, false), principal(org, Role::Admin, true));

    let (status, page) = send(&admin, Method::GET, "/jobs", "en").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    for expected in ["test.probe", "Given up", "Waiting", "Something went wrong here", &dead.to_string()] {
        assert!(page.contains(expected), "{expected} is missing in {page}");
    }
    for (who, sees) in [(&admin, false), (&operator, true)] {
        for path in ["/jobs".to_owned(), format!("/jobs/{dead}")] {
            let (_, page) = send(who, Method::GET, &path, "en").await;
            assert_eq!(page.contains("&#60;b&#62;broken"), sees, "{path}: {page}");
        }
    }
    assert!(!page.contains("/pause"), "only operators pause");
    let (_, page) = send(&admin, Method::GET, "/jobs?state=dead", "ru").await;
    assert!(
        page.contains("Не удалось") && page.contains(&dead.to_string()) && !page.contains(&waiting.to_string()),
        "{page}"
    );
    let (_, page) = send(&admin, Method::GET, "/jobs?q=nothing+like+it", "en").await;
    assert!(page.contains("Nothing found"), "{page}");
    let (_, page) = send(&operator, Method::GET, "/jobs?whose=system", "en").await;
    assert!(page.contains("jobs.maintain") || page.contains("Nothing found"), "{page}");
    assert!(page.contains("/jobs/queues/test/pause"), "{page}");
    let (status, page) = send(&admin, Method::GET, &format!("/jobs/{dead}"), "en").await;
    assert!(
        status == StatusCode::OK && page.contains("/retry") && page.contains("/delete") && page.contains("bad"),
        "{page}"
    );

    assert_eq!(send(&admin, Method::POST, "/jobs/queues/test/pause", "en").await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(&operator, Method::POST, "/jobs/queues/test/pause", "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_queues WHERE paused").await, 1);
    assert_eq!(send(&operator, Method::POST, "/jobs/queues/test/resume", "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(send(&admin, Method::POST, &format!("/jobs/{waiting}/cancel"), "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_history WHERE state = 'cancelled'").await, 1);
    assert_eq!(send(&admin, Method::POST, &format!("/jobs/{dead}/delete"), "en").await.0, StatusCode::SEE_OTHER);
    assert_eq!(bench.count("SELECT count(*) FROM job_dead_letters").await, 0);
    let stranger = principal(OrgId::generate(&bench.clock), Role::Owner, false);
    assert_eq!(send(&stranger, Method::GET, &format!("/jobs/{dead}"), "en").await.0, StatusCode::NOT_FOUND);
    assert_eq!(send(&principal(org, Role::Viewer, false), Method::GET, "/jobs", "en").await.0, StatusCode::FORBIDDEN);
    worker.stop().await;
    bench.end().await;
}
