//! The account while it fails: one run tries it, everything else waits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use super::{Mail, log::forget_secrets, upkeep::LANES};
use crate::{
    MailError,
    events::MessageFailed,
    metrics::MessageOutcome,
    smtp::{Account, Answer, Envelope, Failure, Step},
    store::{attempts, lanes},
};
use platform::crypto;

/// Wait after the first failure of the account; doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(15);
/// How long whoever tries a failing account has the right to do so alone.
const TRIAL: TimeDelta = TimeDelta::minutes(5);

/// How a run may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    Freely,
    /// The account has failed, and this run tries it, with one mail.
    ToTry,
}

impl Mail {
    /// Begins a run: queues again what a killed one left, and ends what kills one each time. `None` while the account is not to be tried: its
    /// mail is woken when it is.
    pub(super) async fn admit(&self, lane: &str) -> Result<Option<Admitted>, MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let oldest = now - TimeDelta::hours(self.inner.config.retry_hours.into());
        let cut = attempts::recover(&mut tx, lane, now, oldest).await?;
        let failed: Vec<_> = cut.iter().filter(|cut| cut.failed).collect();
        let ended: Vec<_> = failed.iter().map(|cut| (cut.id, cut.kind.as_str())).collect();
        forget_secrets(&mut tx, &ended).await?;
        for cut in &failed {
            let event = MessageFailed { message_id: cut.id, kind: cut.kind.clone(), status: None, enhanced: None };
            events::publish(&mut tx, &self.inner.clock, cut.org, &event).await?;
        }
        let admitted = match lanes::failing(&mut tx, Account::NAME).await? {
            None => Some(Admitted::Freely),
            Some(_) => lanes::may_try(&mut tx, Account::NAME, now, now + TRIAL).await?.then_some(Admitted::ToTry),
        };
        tx.commit().await?;
        self.inner.metrics.lost(lane, cut.len() as u64);
        self.inner.metrics.ended(MessageOutcome::Failed, failed.len() as u64);
        Ok(admitted)
    }

    /// Notes that the account fails: nothing is sent with it until its next trial.
    pub(super) async fn account_failed(&self, admitted: Admitted, answer: &Answer) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let before = lanes::failing(&mut tx, Account::NAME).await?;
        // Several runs see one failure.
        if admitted == Admitted::Freely && before.is_some() {
            return Ok(());
        }
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        let wait = account_wait(failures);
        let retry_at = now + TimeDelta::from_std(wait).unwrap_or_default();
        lanes::failed(&mut tx, Account::NAME, failures, now, retry_at, &answer.shown()).await?;
        tx.commit().await?;
        self.inner.metrics.account_fails(true);
        let (error, wait) = (answer.shown(), wait.as_secs());
        if failures == 1 {
            tracing::error!(error, wait_seconds = wait, "the SMTP account fails: all mail waits");
        } else {
            tracing::warn!(error, failures, wait_seconds = wait, "the SMTP account still fails");
        }
        Ok(())
    }

    /// Gives the right to try the account back: there was no mail to try it with, or none that was to be sent.
    pub(super) async fn account_untried(&self) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        lanes::retry_now(&mut tx, Account::NAME, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tries a failing account while no mail waits that could: what failed was cancelled or has expired. As far as a recipient; nothing is sent.
    pub(super) async fn try_without_mail(&self, account: &Account) -> Result<(), MailError> {
        let Some(sender) = self.inner.config.sender() else { return Ok(()) };
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let may_try = lanes::may_try(&mut tx, Account::NAME, now, now + TRIAL).await?;
        tx.commit().await?;
        if !may_try {
            return Ok(());
        }
        let bounces = self.inner.config.bounces_to();
        let mail = Envelope { from: &sender, to: &sender, own: true, bounces: bounces.as_ref() };
        match account.rehearse(&mail).await {
            // The server knows the account, whatever it thinks of this recipient.
            Ok(_) | Err((Step::Recipient, Failure::Permanent { .. })) => self.account_works().await,
            Err((_, failure)) => self.account_failed(Admitted::ToTry, failure.answer()).await,
        }
    }

    /// Notes that the account works, and wakes what has waited for it.
    pub(super) async fn account_works(&self) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let has_failed = lanes::works(&mut tx, Account::NAME).await?;
        // What is being sent now is not cut off.
        let waiting = lanes::overdue(&mut tx, now, DateTime::UNIX_EPOCH, LANES).await?;
        tx.commit().await?;
        self.inner.metrics.account_fails(false);
        self.wake_each(&waiting).await?;
        if has_failed {
            tracing::info!(lanes = waiting.len(), "the SMTP account works again");
        }
        Ok(())
    }
}

/// 10 s, 20 s, ... a quarter of an hour, with jitter.
pub(crate) fn account_wait(failures: i32) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(16);
    (BACKOFF * 2_u32.pow(doublings)).min(LONGEST).mul_f64(0.85 + 0.3 * crypto::random_unit())
}
