//! The weekly report: answers, cost, backups, incidents.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Notice, Notices};
use crate::{
    NoticesError,
    model::{LONGEST_NAME, NoticeKind, short},
};
use alerting::{Alert, Filter};
use jobs::JobId;
use mail::Owner;
use platform::http::Slice;

/// Incidents that a mail lists; of the rest it says how many there are.
const MOST_INCIDENTS: i64 = 100;

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

    /// Fields of the template `weekly_report`. Each figure is one statement over all organisations.
    async fn week(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<Value, NoticesError> {
        let rooms = &self.inner.rooms;
        let used = rooms.agents.answers_between(since, until).await?;
        let cost = rooms.llm.cost_between(since, until).await?;
        let (verified, not_verified) = rooms.backups.outcomes(since, until).await?;
        let proven = rooms.backups.last_proven().await?.map(|(at, _)| self.time(at));
        let filter = Filter { since: Some(since), until: Some(until), ..Filter::default() };
        // With those that began before the week and still last.
        let alerts = rooms.alerting.list(&filter, &Slice::first(MOST_INCIDENTS)).await?;
        // One that begins meanwhile may be in one of the two only.
        let listed = i64::try_from(alerts.len()).unwrap_or(MOST_INCIDENTS);
        let fired = rooms.alerting.fired_between(since, until).await?.max(listed);
        Ok(json!({
            "since": self.time(since),
            "until": self.time(until),
            "answers": used.answers,
            "answers_before": used.before,
            "answers_failed": used.failed,
            "people": used.askers,
            "cost": cost.map(cost_text),
            "backups": verified,
            "backups_failed": not_verified,
            "restored_at": proven,
            "incidents": alerts.iter().map(|alert| self.incident(alert)).collect::<Vec<_>>(),
            "incidents_count": fired,
            "incidents_left_out": fired - listed,
            "url": self.page("/"),
        }))
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
