//! The weekly report: answers, cost, backups, incidents.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Notice, Notices};
use crate::{
    NoticesError,
    model::{LONGEST_NAME, NoticeKind, short},
};
use agents::AnswerCounts;
use alerting::{Alert, Filter};
use backup::{Backup, Status};
use jobs::JobId;
use mail::Owner;
use platform::http::Slice;

/// An installation has far fewer.
const MOST_ORGANISATIONS: i64 = 10_000;
/// A week of backups every five minutes.
const MOST_BACKUPS: i64 = 2016;
/// Incidents that a mail lists.
const MOST_INCIDENTS: i64 = 100;

/// What all organisations used together.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    answers: AnswerCounts,
    answers_before: i64,
    /// `None` if no model has a price.
    cost: Option<f64>,
}

/// Backups of a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backed {
    pub verified: usize,
    /// Failed, or not verified.
    pub others: usize,
}

impl Backed {
    /// Of those that began in `[since, until)`; one that runs still counts with the next week.
    pub(crate) fn of(
        backups: impl IntoIterator<Item = (Status, DateTime<Utc>)>,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        let mut backed = Self::default();
        for (status, began) in backups {
            match status {
                _ if began < since || began >= until => {}
                Status::Running => {}
                Status::Verified => backed.verified += 1,
                Status::Unverified | Status::Failed => backed.others += 1,
            }
        }
        backed
    }
}

impl Notices {
    /// Mails the report about the last seven days. The job is in the key of its mails: an attempt after the first changes nothing.
    pub async fn report(&self, job: JobId) -> Result<(), NoticesError> {
        let (kind, about, until) = (NoticeKind::WeeklyReport, format!("report/{job}"), self.inner.clock.now());
        if !self.is_of_use(kind, &about) {
            return Ok(());
        }
        let to = self.told().await?;
        let expires_at = until + kind.lives();
        let notice = Notice { kind, owner: Owner::Installation, about: &about, to: &to, expires_at };
        let data = self.week(until - TimeDelta::days(7), until).await?;
        self.make(&notice, |_, _| data.clone()).await
    }

    /// Fields of the template `weekly_report`.
    async fn week(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<Value, NoticesError> {
        let rooms = &self.inner.rooms;
        let used = self.used(since, until).await?;
        let backups: Vec<Backup> = rooms.backups.list(&Slice::first(MOST_BACKUPS)).await?;
        let backed = Backed::of(backups.iter().map(|backup| (backup.status, backup.started_at)), since, until);
        let proven = rooms.backups.last_proven().await?.map(|(at, _)| self.time(at));
        let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
        // With those that began before the week and still last.
        let alerts = rooms.alerting.list(&filter, &Slice::first(MOST_INCIDENTS)).await?;
        if i64::try_from(alerts.len()).is_ok_and(|count| count == MOST_INCIDENTS) {
            tracing::warn!(most = MOST_INCIDENTS, "the weekly report lists only the latest incidents");
        }
        Ok(json!({
            "since": self.time(since),
            "until": self.time(until),
            "answers": used.answers.answers,
            "answers_before": used.answers_before,
            "answers_failed": used.answers.failed,
            "people": used.answers.askers,
            "cost": used.cost.map(cost_text),
            "backups": backed.verified,
            "backups_failed": backed.others,
            "restored_at": proven,
            "incidents": alerts.iter().map(|alert| self.incident(alert)).collect::<Vec<_>>(),
            "url": self.page("/"),
        }))
    }

    /// Whoever asks in two organisations counts twice.
    async fn used(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<Used, NoticesError> {
        let rooms = &self.inner.rooms;
        let mut used = Used::default();
        for org in rooms.auth.list_organisations(None, &Slice::oldest(MOST_ORGANISATIONS)).await? {
            let now = rooms.agents.answers_between(org.id, since, until).await?;
            let before = rooms.agents.answers_between(org.id, since - (until - since), since).await?;
            used.answers.answers += now.answers;
            used.answers.failed += now.failed;
            used.answers.askers += now.askers;
            used.answers_before += before.answers;
            if let Some(cost) = rooms.llm.cost_between(org.id, since, until).await? {
                used.cost = Some(used.cost.unwrap_or_default() + cost);
            }
        }
        Ok(used)
    }

    /// An entry of the report. The template reads 0 seconds as an alert that lasts.
    fn incident(&self, alert: &Alert) -> Value {
        json!({
            "alert": short(&alert.name, LONGEST_NAME),
            "severity": alert.severity.as_str(),
            "started_at": self.time(alert.starts_at),
            "seconds": alert.ends_at.map(|end| (end - alert.starts_at).num_seconds().max(1)),
        })
    }
}

/// In the currency of the configured prices, which has no name there.
pub(crate) fn cost_text(cost: f64) -> String {
    format!("{cost:.2}")
}
