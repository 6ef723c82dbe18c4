//! Changing many mails at once: sending again what failed, cancelling what waits.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Filter, Mail, log::forget_secrets};
use crate::{
    MailError, Owner,
    metrics::MessageOutcome,
    model::State,
    store::{
        many::{self, Touched},
        messages,
    },
};
use platform::http::Principal;

/// Mails that are changed in one transaction.
const BATCH: i64 = 500;
/// Mails that are changed at once: about ten seconds of work.
const MOST: usize = 10_000;

/// What became of many mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailChanged)]
pub struct Changed {
    /// Mails that were changed.
    pub changed: usize,
    /// Mails that were found and left as they are: they have no text any more (a link that opens an account), are of no use any more, or were
    /// changed by somebody else at that moment.
    pub skipped: usize,
    /// There may be more of them: repeat it.
    pub more: bool,
}

/// What is done to each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Those in this state are queued again.
    Retry(State),
    Cancel,
}

impl Mail {
    /// The most that [`Self::count`] counts exactly.
    pub const MOST_AT_ONCE: usize = MOST;

    /// How many mails a filter finds, up to one more than are changed at once.
    pub async fn count(&self, owner: Owner, filter: &Filter<'_>) -> Result<usize, MailError> {
        let mut tx = self.begin(owner).await?;
        let filter = Filter { installation: owner == Owner::Installation, ..filter.clone() };
        let most = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
        Ok(messages::found(&mut tx, &filter, Uuid::max(), most).await?.len())
    }

    /// Queues the mails again that the filter finds in this state: `failed`, `suppressed` or `cancelled`.
    pub async fn retry_many(&self, who: &Principal, state: State, filter: &Filter<'_>) -> Result<Changed, MailError> {
        let owner = self.owner(who, filter.installation)?;
        let changed = self.retry_many_of(owner, state, filter, &who.subject()).await?;
        self.try_account_now(who).await?;
        Ok(changed)
    }

    /// As [`Self::retry_many`], for the command line.
    pub async fn retry_many_of(
        &self,
        owner: Owner,
        state: State,
        filter: &Filter<'_>,
        by: &str,
    ) -> Result<Changed, MailError> {
        if !matches!(state, State::Failed | State::Suppressed | State::Cancelled) {
            let text = "only mails that failed, were suppressed or were cancelled are queued again";
            return Err(MailError::invalid("/state", "invalid", text));
        }
        self.change_many(owner, Change::Retry(state), filter, by).await
    }

    /// Cancels the queued mails that the filter finds.
    pub async fn cancel_many(&self, who: &Principal, filter: &Filter<'_>) -> Result<Changed, MailError> {
        self.cancel_many_of(self.owner(who, filter.installation)?, filter, &who.subject()).await
    }

    /// As [`Self::cancel_many`], for the command line.
    pub async fn cancel_many_of(&self, owner: Owner, filter: &Filter<'_>, by: &str) -> Result<Changed, MailError> {
        self.change_many(owner, Change::Cancel, filter, by).await
    }

    /// Newest first, some in each transaction: what was changed before an error stays changed, and is not found again.
    async fn change_many(
        &self,
        owner: Owner,
        change: Change,
        filter: &Filter<'_>,
        by: &str,
    ) -> Result<Changed, MailError> {
        let state = match change {
            Change::Retry(state) => state,
            Change::Cancel => State::Queued,
        };
        let filter = Filter { installation: owner == Owner::Installation, state: Some(state), ..filter.clone() };
        let (mut done, mut beyond) = (Changed::default(), Uuid::max());
        loop {
            let mut tx = self.begin(owner).await?;
            let ids = messages::found(&mut tx, &filter, beyond, BATCH).await?;
            let Some(last) = ids.last() else { break };
            beyond = *last;
            let touched = match change {
                Change::Retry(state) => many::requeue_all(&mut tx, &ids, state, self.inner.clock.now()).await?,
                Change::Cancel => {
                    let touched = many::cancel_all(&mut tx, &ids).await?;
                    let ended: Vec<_> = touched.iter().map(|mail| (mail.id, mail.kind.as_str())).collect();
                    forget_secrets(&mut tx, &ended).await?;
                    touched
                }
            };
            tx.commit().await?;
            self.follow_change(change, &touched).await?;
            done.changed += touched.len();
            done.skipped += ids.len() - touched.len();
            if i64::try_from(ids.len()).is_ok_and(|found| found < BATCH) {
                break;
            }
            if done.changed >= MOST {
                done.more = true;
                break;
            }
        }
        let Changed { changed, skipped, .. } = done;
        tracing::info!(org_id = ?owner.org(), ?change, changed, skipped, by, "many mails changed");
        Ok(done)
    }

    async fn follow_change(&self, change: Change, touched: &[Touched]) -> Result<(), MailError> {
        match change {
            Change::Retry(_) => {
                let lanes: BTreeSet<&str> = touched.iter().map(|mail| mail.lane.as_str()).collect();
                let lanes: Vec<String> = lanes.into_iter().map(str::to_owned).collect();
                self.wake_each(&lanes).await
            }
            Change::Cancel => {
                self.inner.metrics.ended(MessageOutcome::Cancelled, touched.len() as u64);
                Ok(())
            }
        }
    }
}
