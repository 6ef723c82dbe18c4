//! Waiting for something that can be observed, instead of for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cluster::PATIENCE;

/// Asks until it is true; fails the test with `otherwise` if it does not become true.
pub async fn until(otherwise: &str, mut is_it: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_it().await {
        assert!(Instant::now() < deadline, "{otherwise}");
        sleep(Duration::from_millis(20)).await;
    }
}
