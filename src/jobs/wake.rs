//! Wakes this process's workers when something was queued. Process-wide, because [`super::enqueue`] knows nothing but
//! the caller's transaction. Only a hint: it is given before the commit, and other processes do not hear it.

use std::sync::LazyLock;

use tokio::sync::watch;

static HINT: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// Something may be due soon.
pub(super) fn hint() {
    HINT.send_replace(());
}

/// Hears hints from now on; several at once are one.
pub(super) fn listen() -> watch::Receiver<()> {
    HINT.subscribe()
}
