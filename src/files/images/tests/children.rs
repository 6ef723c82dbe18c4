//! The child process of these tests is this test program, told to run only `as_child`.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use bytes::Bytes;
use futures::future::join_all;

use super::made::{jpeg, order, quadrants, wanted, written};
use crate::{Accepts, ImageError, Kind, Limit, Limits, Order, Pool, PoolConfig, Want, child};
use platform::lifecycle::Lifecycle;

/// The name of the test [`as_child`].
fn child_name() -> String {
    let module = module_path!();
    format!("{}::as_child", module.split_once("::").map_or(module, |(_, path)| path))
}

#[test]
#[ignore = "the child process of the other tests"]
fn as_child() {
    // Passed over when all ignored tests run: the child's limits would end the whole program.
    if !std::env::args().any(|argument| argument == child_name()) {
        return;
    }
    let _ = child::main(std::io::stdin(), std::io::stdout());
}

fn pool(config: PoolConfig) -> Pool {
    let arguments = ["--exact", &child_name(), "--ignored", "--nocapture"].map(OsString::from).to_vec();
    Pool::with_arguments(std::env::current_exe().unwrap(), arguments, config, Lifecycle::new())
}

/// A pool whose children run this shell script.
fn script(script: &str, config: PoolConfig) -> Pool {
    let arguments = ["-c", script].map(OsString::from).to_vec();
    Pool::with_arguments(PathBuf::from("/bin/sh"), arguments, config, Lifecycle::new())
}

fn picture() -> (Order, Bytes) {
    let content = jpeg(&quadrants(200, 100));
    (order(wanted("width=50", Accepts { webp: true, avif: false }), &content), content.into())
}

#[tokio::test]
async fn one_child_answers_many_orders_as_a_call_would() {
    let pool = pool(PoolConfig { children: 1, ..PoolConfig::default() });
    let (order, content) = picture();
    let expected = crate::make::make(&order, &content).unwrap();
    for _ in 0..5 {
        assert_eq!(pool.run(&order, content.clone()).await.unwrap(), expected);
    }
    let facts = Order { want: Want::Facts, ..order.clone() };
    assert_eq!(pool.run(&facts, content.clone()).await.unwrap().width, 200);
    // A refusal costs no child.
    let narrow = Order { limits: Limits { pixels: 10, ..Limits::default() }, ..order.clone() };
    let refused = pool.run(&narrow, content.clone()).await.unwrap_err();
    assert_eq!(refused, ImageError::Refused { limit: Limit::Pixels, most: 10 });
    let small = Order { limits: Limits { input_bytes: 10, ..Limits::default() }, ..order.clone() };
    let refused = pool.run(&small, content.clone()).await.unwrap_err();
    assert_eq!(refused, ImageError::Refused { limit: Limit::InputBytes, most: 10 });
    let text = pool.run(&order, Bytes::from_static(b"no picture")).await.unwrap_err();
    assert_eq!(text, ImageError::Format);
    assert_eq!((pool.figures().started, pool.figures().idle), (1, 1));
    // What is damaged does.
    let cut = content.slice(..content.len() / 2);
    assert_eq!(pool.run(&order, cut).await.unwrap_err(), ImageError::Malformed);
    assert_eq!(pool.run(&order, content).await.unwrap(), expected);
    assert_eq!(pool.figures().started, 2);
}

#[tokio::test]
async fn memory_is_limited() {
    let content = written(&quadrants(6000, 6000), image::ImageFormat::Png);
    let pool = pool(PoolConfig { children: 1, memory_mib: 60, ..PoolConfig::default() });
    let order = order(wanted("width=100", Accepts::default()), &content);
    let error = pool.run(&order, content.into()).await.unwrap_err();
    assert_eq!(error, ImageError::Refused { limit: Limit::Memory, most: 60 });
    assert_eq!(pool.figures().died, 1);
    // The next one is served by another child.
    let (order, content) = picture();
    assert_eq!(pool.run(&order, content).await.unwrap().format, Kind::WebP);
}

#[tokio::test]
async fn a_child_that_hangs_is_ended_at_the_deadline() {
    let config = PoolConfig { children: 1, deadline: Duration::from_millis(300), ..PoolConfig::default() };
    let pool = script("cat >/dev/null & sleep 86399.31", config);
    let (order, content) = picture();
    let error = pool.run(&order, content).await.unwrap_err();
    assert_eq!(error, ImageError::Refused { limit: Limit::Time, most: 0 });
    assert_eq!((pool.figures().overdue, pool.figures().idle), (1, 0));
    assert_none_left("86399.31").await;
}

#[tokio::test]
async fn a_child_that_crashes_says_how() {
    let (order, content) = picture();
    for (text, expected) in [
        ("kill -SEGV $$", ImageError::Malformed),
        ("head -c 100 >/dev/null; kill -ABRT $$", ImageError::Malformed),
        ("echo 'memory allocation of 5 bytes failed' >&2; kill -ABRT $$", ImageError::refused(Limit::Memory, 768_u64)),
    ] {
        assert_eq!(
            script(text, PoolConfig::default()).run(&order, content.clone()).await.unwrap_err(),
            expected,
            "{text}"
        );
    }
    for text in ["kill -9 $$", "exit 3", "echo holdfast-image-1 nonsense"] {
        let error = script(text, PoolConfig::default()).run(&order, content.clone()).await.unwrap_err();
        assert!(error.is_transient(), "{text}: {error}");
    }
    let missing = Pool::new(PathBuf::from("/nonexistent"), PoolConfig::default(), Lifecycle::new());
    assert!(missing.run(&order, content.clone()).await.unwrap_err().is_transient());
    // A child that promises more than it may make.
    let promise = r#"{"Ok":{"format":"png","width":1,"height":1,"frames":1,"bytes":99999999999}}"#;
    let greedy = script(&format!("echo 'holdfast-image-1 {promise}'; sleep 60"), PoolConfig::default());
    let error = greedy.run(&order, content).await.unwrap_err();
    assert!(matches!(error, ImageError::Refused { limit: Limit::OutputBytes, .. }), "{error}");
}

#[tokio::test]
async fn nobody_waits_for_ever_and_some_are_refused() {
    let config = PoolConfig { children: 1, waiting: 2, deadline: Duration::from_millis(200), ..PoolConfig::default() };
    let pool = script("cat >/dev/null & sleep 60", config);
    let (order, content) = picture();
    let answers = join_all((0..6).map(|_| pool.run(&order, content.clone()))).await;
    let busy = answers.iter().filter(|answer| **answer == Err(ImageError::Busy)).count();
    assert_eq!((busy, pool.figures().refused, pool.figures().waiting), (3, 3, 0));
}

#[tokio::test]
async fn whoever_goes_away_ends_the_work() {
    let pool = script("cat >/dev/null & sleep 86399.37", PoolConfig { children: 1, ..PoolConfig::default() });
    let (order, content) = picture();
    assert!(tokio::time::timeout(Duration::from_millis(300), pool.run(&order, content)).await.is_err());
    assert_none_left("86399.37").await;
    assert_eq!(pool.figures().waiting, 0);
}

#[tokio::test]
async fn idle_children_end() {
    let pool = pool(PoolConfig { idle: Duration::from_millis(100), ..PoolConfig::default() });
    let (order, content) = picture();
    pool.run(&order, content.clone()).await.unwrap();
    assert_eq!(pool.figures().idle, 1);
    for _ in 0..100 {
        if pool.figures().idle == 0 {
            pool.run(&order, content).await.unwrap();
            assert_eq!(pool.figures().started, 2);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("an idle child is kept for ever");
}

/// No living process has `marker` on its command line.
async fn assert_none_left(marker: &str) {
    for _ in 0..50 {
        let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            line.starts_with(b"sleep") && line.windows(marker.len()).any(|window| window == marker.as_bytes())
        });
        if !left {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a process of the child's group is still running");
}
