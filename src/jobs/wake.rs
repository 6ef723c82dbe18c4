//! Wakes this process's workers when a job was queued. Process-wide, because [`super::enqueue`] has only the caller's
//! transaction. Only a hint: it comes before the commit, and other processes do not see it.

use std::sync::LazyLock;

use tokio::sync::watch;

static HINT: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// A job may be due soon.
pub(super) fn hint() {
    HINT.send_replace(());
}

/// Receives hints from now on; several at once count as one.
pub(super) fn listen() -> watch::Receiver<()> {
    HINT.subscribe()
}
