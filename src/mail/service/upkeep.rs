//! Periodic work: waking lanes whose mail has become due, ending mail that is of no use any more, gauges, partitions, attachments of old mail,
//! idle connections.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt as _;
use tokio::time::Instant;

use super::{MAILBOX, Mail, log::forget_secrets, outbox::week};
use crate::{
    MailError,
    bounces::ReportSource,
    events::MessageFailed,
    metrics::Figures,
    model::errors::EXPIRED,
    smtp::Account,
    store::{
        attempts, lanes, mailboxes,
        messages::{self, Maintained},
        sources, suppressions,
    },
};
use jobs::{By, Loops};
use platform::db::Tx;

/// Longest delay until mail that has become due is sent, while there is a leader.
const WAKE_EVERY: Duration = Duration::from_secs(1);
/// How often lanes are looked for whose job was lost, and mail that is of no use any more.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
const GAUGES_EVERY: Duration = Duration::from_secs(15);
const COUNT_EVERY: Duration = Duration::from_mins(5);
const CLOSE_EVERY: Duration = Duration::from_secs(15);
/// Mail that is due for longer has no job: an operator cancelled it, or it became a dead letter.
const OVERDUE: TimeDelta = TimeDelta::minutes(1);
/// Mail that is being sent for longer may be of a process that was killed, and its job with it. A job is enqueued, which starts when no other
/// run of the lane goes on.
const CUT: TimeDelta = TimeDelta::minutes(2);
/// Lanes that are woken at once.
pub(super) const LANES: i64 = 1000;
/// Lanes that are woken to try a failing account; one of them does.
const TRIERS: i64 = 3;
/// A source whose last report came to nothing longer ago may have been given up.
const REFUSED_WITHIN: TimeDelta = TimeDelta::hours(6);
/// Mails that are ended in one transaction.
const ENDED: i64 = 500;

/// What the loop has looked at.
#[derive(Debug, Default)]
pub(super) struct Woken {
    looked: Mutex<Looked>,
    /// The list of suppressions, when and how long it was.
    suppressed: Mutex<Option<(Instant, i64)>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Looked {
    /// Mail that became due until then was seen.
    until: Option<DateTime<Utc>>,
    swept: Option<Instant>,
}

impl Mail {
    /// Starts the loops.
    pub fn start_loops(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("mail.wake", WAKE_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.wake_due().await?) }
        });
        let this = self.clone();
        loops.every("mail.close_idle", CLOSE_EVERY, By::EveryProcess, move || {
            let this = this.clone();
            async move {
                if let Some(account) = &this.inner.account {
                    account.close_idle().await;
                }
                Ok(())
            }
        });
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_gauges().await?) }
        };
        loops.figures("mail.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
    }

    /// Enqueues a job for each lane with mail that has become due since the last look: scheduled mail, and next attempts. Now and then also for
    /// lanes with mail that is due but has no job; at the first look for all that is due, because it may have waited for a server to be
    /// configured.
    async fn wake_due(&self) -> Result<(), MailError> {
        let looked = *self.inner.woken.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let sweeps = looked.swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY);
        let due_for = match looked.until {
            None => Some(TimeDelta::zero()),
            Some(_) if sweeps => Some(OVERDUE),
            Some(_) => None,
        };
        if sweeps {
            self.expire().await?;
        }
        let until = self.wake_lanes(looked.until, due_for).await?;
        let swept = if sweeps { Some(Instant::now()) } else { looked.swept };
        *self.inner.woken.looked.lock().unwrap_or_else(PoisonError::into_inner) = Looked { until: Some(until), swept };
        Ok(())
    }

    /// Enqueues a job for each lane with mail that is due.
    pub async fn wake_waiting(&self) -> Result<(), MailError> {
        self.wake_lanes(None, Some(TimeDelta::zero())).await.map(drop)
    }

    /// Lanes with mail that has become due after `since`, and those with mail that is due for longer than `due_for`. While the account fails, a few
    /// lanes when it is to be tried again. Returns until when it has looked.
    async fn wake_lanes(
        &self,
        since: Option<DateTime<Utc>>,
        due_for: Option<TimeDelta>,
    ) -> Result<DateTime<Utc>, MailError> {
        let Some(account) = &self.inner.account else { return Ok(self.inner.clock.now()) };
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let mut is_idle = false;
        let lanes = match lanes::failing(&mut tx, Account::NAME).await? {
            Some(failing) if failing.retry_at > now => Vec::new(),
            Some(_) => {
                let lanes = lanes::overdue(&mut tx, now, now - CUT, TRIERS).await?;
                is_idle = lanes.is_empty() && !lanes::has_failed_mail(&mut tx).await?;
                lanes
            }
            None => {
                let mut lanes = Vec::new();
                if let Some(since) = since {
                    lanes.extend(lanes::fallen_due(&mut tx, since, now).await?);
                }
                if let Some(due_for) = due_for {
                    lanes.extend(lanes::overdue(&mut tx, now - due_for, now - CUT, LANES).await?);
                }
                lanes
            }
        };
        drop(tx);
        if is_idle {
            self.try_without_mail(account).await?;
        }
        self.wake_each(&lanes).await?;
        Ok(now)
    }

    /// Each in its own transaction: with the jobs of several in one, this and whoever writes mail to several domains could wait for each other.
    pub(super) async fn wake_each(&self, lanes: &[String]) -> Result<(), MailError> {
        for lane in lanes {
            let mut tx = self.system().await?;
            self.wake(&mut tx, None, lane).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Ends mail that waits and is of no use any more, also while nothing can be sent.
    pub async fn expire(&self) -> Result<(), MailError> {
        loop {
            let mut tx = self.system().await?;
            let now = self.now(&mut tx).await?;
            let late = attempts::expire(&mut tx, now, EXPIRED, ENDED).await?;
            let ended: Vec<_> = late.iter().map(|mail| (mail.id, mail.kind.as_str())).collect();
            forget_secrets(&mut tx, &ended).await?;
            for mail in &late {
                let event =
                    MessageFailed { message_id: mail.id, kind: mail.kind.clone(), status: None, enhanced: None };
                events::publish(&mut tx, &self.inner.clock, mail.org, &event).await?;
            }
            tx.commit().await?;
            self.inner.metrics.expired(late.len() as u64);
            if i64::try_from(late.len()).is_ok_and(|ended| ended < ENDED) {
                return Ok(());
            }
        }
    }

    /// Reads the tables into the gauges.
    pub async fn refresh_gauges(&self) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        let now = self.now(&mut tx).await?;
        let figures = Figures {
            waiting: lanes::waiting(&mut tx, now).await?,
            suppressed: self.count_suppressions(&mut tx).await?,
            // A row of the time when there was an account says nothing.
            account_failing: self.is_configured() && lanes::failing(&mut tx, Account::NAME).await?.is_some(),
            sources_failing: self.failing_sources(&mut tx, now).await?,
        };
        tx.commit().await?;
        self.inner.metrics.set(&figures);
        Ok(())
    }

    /// Providers whose reports come to nothing, and the mailbox if it cannot be read.
    async fn failing_sources(&self, tx: &mut Tx, now: DateTime<Utc>) -> Result<Vec<(ReportSource, i64)>, MailError> {
        let failing = sources::failing(tx, now - REFUSED_WITHIN).await?.into_iter();
        let mut failing: Vec<_> = failing.map(|(provider, sources)| (provider.into(), sources)).collect();
        // A row of the time when there was a mailbox says nothing.
        if !self.inner.config.imap_host.is_empty() {
            let reading = mailboxes::get(tx, MAILBOX).await?.unwrap_or_default();
            failing.push((ReportSource::Mailbox, i64::from(reading.failing_since.is_some())));
        }
        Ok(failing)
    }

    /// Now and then: the list only grows, and nobody waits for the figure.
    async fn count_suppressions(&self, tx: &mut Tx) -> Result<i64, MailError> {
        let counted = *self.inner.woken.suppressed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = counted.filter(|(at, _)| at.elapsed() < COUNT_EVERY) {
            return Ok(count);
        }
        let count = suppressions::count(tx).await?;
        *self.inner.woken.suppressed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), count));
        Ok(count)
    }

    pub(crate) async fn maintain(&self) -> Result<Maintained, MailError> {
        let mut tx = self.system().await?;
        let done = messages::maintain(&mut tx, self.inner.config.retention_days).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Deletes attachments of weeks that are gone; returns how many.
    pub(crate) async fn purge(&self) -> Result<usize, MailError> {
        let Some(oldest) = self.maintain().await?.oldest else { return Ok(0) };
        // A file is stored before its mail is written, which may be in the week after.
        let oldest = week(oldest - TimeDelta::weeks(1));
        // `<owner>/<week>/<id>`
        let is_old = |key: &str| key.split('/').nth(1).is_some_and(|week| week < oldest.as_str());
        let (mut entries, mut old) = (self.inner.objects.list(""), Vec::new());
        while let Some(entry) = entries.try_next().await? {
            if is_old(&entry.key) {
                old.push(entry.key);
            }
        }
        if old.is_empty() {
            return Ok(0);
        }
        let mut guard = self.inner.deletions.permit().await?;
        for key in &old {
            self.inner.objects.delete(key, &mut guard).await?;
        }
        Ok(old.len())
    }
}
