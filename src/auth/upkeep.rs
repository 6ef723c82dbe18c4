//! Background work: recording when sessions and keys were used, and removing expired rows.

use std::{collections::HashSet, sync::Mutex, time::Duration};

use chrono::TimeDelta;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    Auth, AuthError,
    store::{keys, sessions},
};
use jobs::{By, Loops};
use platform::lifecycle::Lifecycle;

/// Uses are collected for this long and written in one batch.
const COLLECT: Duration = Duration::from_secs(1);
const PURGE_EVERY: Duration = Duration::from_secs(3600);
/// How long expired links are kept, so that "this link has expired" can still be looked into.
const LINKS_KEPT: TimeDelta = TimeDelta::days(30);

/// A session or key that was just used.
#[derive(Clone, Copy, Debug)]
pub enum Used {
    Session(Uuid),
    ApiKey(Uuid),
}

/// Channel from requests to the writer. A full channel drops the event: the next request sends it again.
pub struct Usage {
    sender: mpsc::Sender<Used>,
    receiver: Mutex<Option<mpsc::Receiver<Used>>>,
}

impl Default for Usage {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(4096);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Usage {
    pub fn note(&self, used: Used) {
        let _ = self.sender.try_send(used);
    }
}

impl Auth {
    /// Starts the writer. Call once; calling again does nothing.
    pub fn spawn_upkeep(&self, lifecycle: &Lifecycle) {
        let receiver = self.inner.usage.receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let (auth, stop) = (self.clone(), lifecycle.soft().clone());
        lifecycle.spawn("auth.upkeep", async move {
            loop {
                tokio::select! {
                    used = receiver.recv() => {
                        let Some(first) = used else { return };
                        tokio::select! { () = tokio::time::sleep(COLLECT) => {}, () = stop.cancelled() => {} }
                        auth.write_usage(first, &mut receiver).await;
                    }
                    () = stop.cancelled() => return,
                }
            }
        });
    }

    /// Starts the removal of expired sessions and links, and of a first password that no longer opens the account.
    pub fn start_loops(&self, loops: &Loops) {
        let auth = self.clone();
        // Another process may have changed the password or removed the account; the file is on this host.
        loops.every("auth.first_password", PURGE_EVERY, By::EveryProcess, move || {
            let auth = auth.clone();
            async move {
                auth.review_first_password().await;
                Ok(())
            }
        });
        let auth = self.clone();
        loops.every("auth.purge", PURGE_EVERY, By::Leader, move || {
            let auth = auth.clone();
            async move { Ok(auth.purge().await?) }
        });
    }

    async fn write_usage(&self, first: Used, receiver: &mut mpsc::Receiver<Used>) {
        let (mut session_ids, mut key_ids) = (HashSet::new(), HashSet::new());
        let mut next = Some(first);
        while let Some(used) = next {
            match used {
                Used::Session(id) => session_ids.insert(id),
                Used::ApiKey(id) => key_ids.insert(id),
            };
            next = receiver.try_recv().ok();
        }
        let (session_ids, key_ids): (Vec<_>, Vec<_>) =
            (session_ids.into_iter().collect(), key_ids.into_iter().collect());
        let written = async {
            let mut tx = self.inner.db.system().await?;
            sessions::touch(&mut tx, &session_ids, self.now()).await?;
            keys::touch(&mut tx, &key_ids, self.now()).await?;
            tx.commit().await?;
            Ok::<_, AuthError>(())
        };
        if let Err(error) = written.await {
            tracing::warn!(error = %anyhow::Error::from(error), "cannot record when sessions and keys were used");
        }
    }

    /// Removes expired sessions, and links that expired a month ago.
    async fn purge(&self) -> Result<(), AuthError> {
        let now = self.now();
        let mut tx = self.inner.db.system().await?;
        let count = sessions::purge(&mut tx, now, self.idle_since(now), now - LINKS_KEPT).await?;
        tx.commit().await?;
        if count > 0 {
            tracing::info!(count, "removed expired sessions and links");
        }
        Ok(())
    }
}
