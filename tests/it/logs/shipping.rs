//! Lines on their way to Loki.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use holdfast::platform::telemetry::{Level, LossReason, Pushed, lines::Line, loki::LEAST_BUFFER};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{exporter, line};
use crate::support::{
    loki::{Answer, Loki},
    wait::until,
};

fn numbers(loki: &Loki) -> Vec<usize> {
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap()["n"].as_u64().unwrap() as usize;
    loki.received().iter().map(|received| number(&received.line)).collect()
}

/// Letters that do not compress.
fn noise(seed: &mut u64, bytes: usize) -> String {
    let mut next = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        char::from(b'!' + (*seed % 90) as u8)
    };
    (0..bytes).map(|_| next()).filter(|c| !matches!(c, '"' | '\\')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_arrives_once_in_order_under_three_labels() {
    let loki = Loki::start();
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    for n in 0..20_000 {
        exporter.push(&line(n, Level::ALL[n % 5], &"x".repeat(n % 200)));
    }
    exporter.push(&line(20_000, Level::Warn, &"y".repeat(255 * 1024)));
    exporter.push(&Line { is_local: true, ..line(20_001, Level::Warn, "") });
    let began = Instant::now();
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0, "the end sends what is left");
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut seen = numbers(&loki);
    seen.sort_unstable();
    assert_eq!(seen, (0..=20_000).collect::<Vec<_>>());
    let mut last = BTreeMap::new();
    for received in loki.received() {
        let before = last.insert(received.labels.clone(), received.nanos).unwrap_or(0);
        assert!(received.nanos > before, "{} goes back", received.labels);
    }
    let labels: Vec<_> = last.into_keys().collect();
    let expected = ["debug", "error", "info", "trace", "warn"];
    assert_eq!(labels, expected.map(|level| format!(r#"{{env="a \"b\"", level="{level}", service="holdfast"}}"#)));
    assert!(loki.sizes().len() > 4 && loki.sizes().iter().all(|size| *size <= 512 * 1024), "{:?}", loki.sizes());
    let headers = loki.headers();
    assert_eq!(
        (&headers["content-type"], &headers["content-encoding"]),
        (&"application/json".parse().unwrap(), &"gzip".parse().unwrap())
    );
    assert_eq!(metrics.push.buffer.get(), 0);
    assert_eq!(metrics.push.pushes(Pushed::Ok), loki.pushes() as u64);
    exporter.push(&line(1, Level::Info, ""));
    assert_eq!(metrics.push.lost_because(LossReason::Shutdown), 1, "what comes after the end is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loki_that_is_killed_under_load_and_returns_gets_every_line() {
    let mut loki = Loki::start();
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    let writer = exporter.clone();
    let load = tokio::task::spawn_blocking(move || {
        for n in 0..40_000 {
            writer.push(&line(n, Level::Info, &"x".repeat(200)));
            if n % 100 == 0 {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    });
    loki.wait_for(1).await;
    loki.go_away();
    until("nothing is kept and sent again", async || {
        metrics.push.buffer.get() > 0 && metrics.push.pushes(Pushed::Retried) > 0
    })
    .await;
    loki.come_back();
    load.await.unwrap();
    // Lines in flight when it was killed may arrive twice; none is missing.
    let deadline = Instant::now() + Duration::from_secs(60);
    while numbers(&loki).into_iter().collect::<BTreeSet<_>>().len() < 40_000 {
        assert!(Instant::now() < deadline, "{} came", loki.count());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    assert_eq!(LossReason::ALL.iter().map(|reason| metrics.push.lost_because(*reason)).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_what_makes_room_is_counted() {
    let mut loki = Loki::absent();
    let (exporter, shipping, metrics) = exporter(&loki, 2 * LEAST_BUFFER);
    let (total, mut seed, mut most) = (60_000_usize, 7, 0_usize);
    let before = holdfast::platform::telemetry::metrics::resident_bytes().unwrap();
    for n in 0..total {
        exporter.push(&line(n, Level::Info, &noise(&mut seed, 1000)));
        most = most.max(usize::try_from(metrics.push.buffer.get()).unwrap());
        if n % 200 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    let grown = holdfast::platform::telemetry::metrics::resident_bytes().unwrap() - before;
    println!("60 MB of lines: buffer at most {most} bytes, the process grew by {grown}");
    assert!(most <= 2 * LEAST_BUFFER && most > LEAST_BUFFER / 2, "{most}");
    let lost = metrics.push.lost_because(LossReason::BufferFull) as usize;
    assert!(lost > total / 2, "{lost}");
    loki.come_back();
    loki.wait_for(total - lost).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    let seen = numbers(&loki);
    assert_eq!(
        seen.len() + metrics.push.lost_because(LossReason::BufferFull) as usize,
        total,
        "each is there or counted"
    );
    // The batch in flight at the start is the oldest of all. A batch built while others make room may outlive younger
    // lines, on a busy host two of them; after those come the newest lines without a gap.
    let gaps = seen.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert!(seen.last() == Some(&(total - 1)) && gaps <= 3, "{gaps} gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_refused_is_counted_and_holds_up_nothing() {
    for (status, reason) in [(400, LossReason::Rejected), (422, LossReason::Rejected), (413, LossReason::TooLarge)] {
        let loki = Loki::start();
        loki.answer([Answer::Refuse(status, None)]);
        let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
        (0..10).for_each(|n| exporter.push(&line(n, Level::Info, "")));
        until("the loss is not counted", async || metrics.push.lost_because(reason) > 0).await;
        (10..20).for_each(|n| exporter.push(&line(n, Level::Info, "")));
        assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
        let lost = metrics.push.lost_because(reason) as usize;
        assert_eq!(numbers(&loki), (lost..20).collect::<Vec<_>>(), "{status}");
        assert!((1..=10).contains(&lost) && metrics.push.pushes(Pushed::Rejected) == 1, "{status}: {lost}");
    }
}

/// A proxy before its backend is up, a changed token, a login page: none of these answers means that the lines are bad.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_to_loki_loses_no_line() {
    let loki = Loki::start();
    loki.answer([401, 403, 404, 302].map(|status| Answer::Refuse(status, Some(0))).into_iter().chain([Answer::Page]));
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    (0..10).for_each(|n| exporter.push(&line(n, Level::Info, "")));
    loki.wait_for(10).await;
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    assert_eq!(numbers(&loki), (0..10).collect::<Vec<_>>());
    assert_eq!(metrics.push.pushes(Pushed::Retried), 5);
    assert_eq!(LossReason::ALL.iter().map(|reason| metrics.push.lost_because(*reason)).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_put_back_is_followed() {
    let loki = Loki::start();
    let (exporter, shipping, _) = exporter(&loki, 64 << 20);
    let ahead = Line { nanos: line(0, Level::Info, "").nanos + 86_400_000_000_000, ..line(0, Level::Info, "") };
    exporter.push(&ahead);
    let right = line(1, Level::Info, "");
    exporter.push(&right);
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
    let times: Vec<i64> = loki.received().iter().map(|line| line.nanos).collect();
    assert_eq!(times, [ahead.nanos, right.nanos], "Loki refuses what lies in the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loki_that_asks_for_patience_gets_it() {
    let loki = Loki::start();
    loki.answer([Answer::Refuse(429, Some(2)), Answer::Refuse(503, None), Answer::Refuse(500, None)]);
    let (exporter, shipping, metrics) = exporter(&loki, 64 << 20);
    exporter.push(&line(1, Level::Info, ""));
    loki.wait_for(1).await;
    let times = loki.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] >= Duration::from_secs(2) && waits[0] < Duration::from_secs(4), "Retry-After: {waits:?}");
    // Half of each doubled wait is random.
    assert!(waits[1] >= Duration::from_millis(500) && waits[2] >= Duration::from_millis(1000), "{waits:?}");
    assert_eq!((metrics.push.pushes(Pushed::Retried), metrics.push.pushes(Pushed::Ok)), (3, 1));
    assert_eq!(shipping.close(Duration::from_secs(5)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_loki_holds_up_nobody_and_a_dead_one_not_the_end() {
    let loki = Loki::start();
    loki.answer(std::iter::repeat_n(Answer::Take(Duration::from_millis(300)), 1000));
    let (exporter, shipping, _) = exporter(&loki, 64 << 20);
    let began = Instant::now();
    (0..5000).for_each(|n| exporter.push(&line(n, Level::Info, &"x".repeat(500))));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    loki.wait_for(5000).await;
    loki.answer([Answer::Take(Duration::from_secs(60))]);
    (0..7).for_each(|n| exporter.push(&line(n, Level::Info, "")));
    let began = Instant::now();
    assert_eq!(shipping.close(Duration::from_secs(1)).await, 7, "what was not taken is counted");
    assert!(began.elapsed() < Duration::from_secs(2));
}
