//! How an attempt ends: failure, retry, timeout, cancellation.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::{Method, StatusCode};
use chrono::{TimeDelta, Utc};
use holdfast::{
    jobs::{Enqueue, JobError, Registry},
    platform::{http::Role, ids::OrgId},
};

use super::bench::{Api, Bench, Hasty, Seen, config, principal, probe, probes};

#[tokio::test]
async fn failures_are_retried_then_given_up_and_run_again_on_request() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let healthy = Arc::new(AtomicBool::new(false));
    let registry = {
        let healthy = healthy.clone();
        probes(&Seen::default(), move |context, tag| {
            let healthy = healthy.load(Ordering::SeqCst);
            async move {
                assert!(tag != "panics" || context.attempt > 1, "out of order");
                match tag.as_str() {
                    _ if healthy => Ok(()),
                    "flaky" if context.attempt > 1 => Ok(()),
                    "panics" => Ok(()),
                    "hopeless" => Err(JobError::permanent(anyhow::anyhow!("bad\0 file").context("cannot extract"))),
                    "snoozes" => Err(JobError::snooze(Duration::from_hours(1))),
                    _ => Err(anyhow::anyhow!("connection refused").context("cannot reach the provider").into()),
                }
            }
        })
    };
    let worker = bench.worker(config(4), registry);
    let mut ids = BTreeMap::new();
    for tag in ["fails", "flaky", "panics", "hopeless", "snoozes"] {
        ids.insert(tag, bench.enqueue(Some(org), &probe(tag), &Enqueue::default()).await.unwrap());
    }
    bench.until("SELECT count(*) FROM job_dead_letters", 2).await;
    bench.until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'", 2).await;
    bench.until("SELECT count(*) FROM jobs WHERE state = 'queued' AND attempt = 0 AND run_at > now()", 1).await;
    let api = Api::new(&worker.jobs, &principal(org, Role::Admin, true));

    let failed = api.get(&format!("/api/v1/jobs/{}", ids["fails"])).await;
    assert_eq!(
        (&failed["state"], &failed["attempts"], &failed["replayable"]),
        (&"dead".into(), &3.into(), &true.into())
    );
    assert_eq!(failed["last_error"], "cannot reach the provider: connection refused");
    let outcomes: Vec<_> =
        failed["history"].as_array().unwrap().iter().map(|a| (a["number"].clone(), a["outcome"].clone())).collect();
    assert_eq!(outcomes, [(1.into(), "failed".into()), (2.into(), "failed".into()), (3.into(), "failed".into())]);
    assert_eq!(failed["payload"]["tag"], "fails");
    let hopeless = api.get(&format!("/api/v1/jobs/{}", ids["hopeless"])).await;
    assert_eq!((&hopeless["attempts"], &hopeless["last_error"]), (&1.into(), &"cannot extract: bad file".into()));
    let panicked = api.get(&format!("/api/v1/jobs/{}", ids["panics"])).await;
    assert!(panicked["history"][0]["error"].as_str().unwrap().contains("panicked: out of order"), "{panicked}");

    // Users see that it failed, but not the internal error, and cannot search for its text either.
    let member = Api::new(&worker.jobs, &principal(org, Role::Owner, false));
    let seen = member.get(&format!("/api/v1/jobs/{}", ids["fails"])).await;
    let reason = "something went wrong here; it has been logged";
    assert_eq!((&seen["last_error"], &seen["history"][0]["error"]), (&reason.into(), &reason.into()));
    let listed = member.get("/api/v1/jobs?state=dead").await;
    assert!(listed["data"].as_array().unwrap().iter().all(|job| job["last_error"] == reason), "{listed}");
    for (api, found) in [(&member, 0), (&api, 2)] {
        let list = api.get("/api/v1/jobs?q=refused").await;
        assert_eq!(list["data"].as_array().unwrap().len(), found, "{list}");
    }

    healthy.store(true, Ordering::SeqCst);
    let (status, again) = api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["fails"])).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(again["id"], failed["id"]);
    bench.until("SELECT count(*) FROM job_history WHERE state = 'succeeded' AND kind = 'test.probe'", 3).await;
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["fails"])).await.0, StatusCode::CONFLICT);
    assert_eq!(api.send(Method::DELETE, &format!("/api/v1/jobs/{}", ids["hopeless"])).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.count("SELECT count(*) FROM job_dead_letters").await, 0);
    // A snoozed job runs at once when asked to.
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{}/retry", ids["snoozes"])).await.0, StatusCode::OK);
    bench.until("SELECT count(*) FROM jobs", 0).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn an_attempt_ends_with_its_time() {
    let bench = Bench::new().await;
    let mut registry = Registry::default();
    registry.register::<Hasty, _, _>(|_, _| async { std::future::pending().await });
    let worker = bench.worker(config(4), registry);
    bench.enqueue(None, &Hasty {}, &Enqueue::default()).await.unwrap();
    bench.until("SELECT count(*) FROM job_attempts WHERE error = 'it took too long: more than 0.5 s'", 2).await;
    bench.until("SELECT count(*) FROM job_dead_letters", 1).await;
    worker.stop().await;
    bench.end().await;
}

#[tokio::test]
async fn a_running_job_shows_progress_and_can_be_cancelled() {
    let bench = Bench::new().await;
    let org = OrgId::generate(&bench.clock);
    let registry = probes(&Seen::default(), |context, _| async move {
        context.progress(40, "page 2 of 5");
        context.cancel.cancelled().await;
        Err(JobError::retry(anyhow::anyhow!("interrupted")))
    });
    let worker = bench.worker(config(4), registry);
    let id = bench.enqueue(Some(org), &probe("x"), &Enqueue::default()).await.unwrap();
    let api = Api::new(&worker.jobs, &principal(org, Role::Admin, false));
    bench.until("SELECT count(*) FROM jobs WHERE progress = 40", 1).await;
    assert_eq!(api.get(&format!("/api/v1/jobs/{id}")).await["progress"]["note"], "page 2 of 5");
    let (status, job) = api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await;
    assert_eq!((status, &job["cancel_requested"]), (StatusCode::OK, &true.into()));
    bench.until("SELECT count(*) FROM job_history WHERE state = 'cancelled'", 1).await;
    let waiting = Enqueue { run_at: Some(Utc::now() + TimeDelta::hours(1)), ..Enqueue::default() };
    let id = bench.enqueue(Some(org), &probe("y"), &waiting).await.unwrap();
    let (status, job) = api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await;
    assert_eq!((status, &job["state"]), (StatusCode::OK, &"cancelled".into()));
    assert_eq!(api.send(Method::POST, &format!("/api/v1/jobs/{id}/cancel")).await.0, StatusCode::CONFLICT);
    worker.stop().await;
    bench.end().await;
}
