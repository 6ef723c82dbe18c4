//! Alerts: critical ones at once, as long as they are few; others with the next digest.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Notice, Notices};
use crate::{
    NoticesError,
    jobs::Together,
    model::{AboutAlert, Item, LONGEST_NAME, LONGEST_SUMMARY, LONGEST_TEXT, NoticeKind, Unmade, about, link, short},
    store,
};
use alerting::{Alert, AlertResolved, AlertingError, Severity};
use events::{Event as _, Occurred};
use jobs::Enqueue;
use mail::Owner;

/// Critical alerts that are mailed one by one within a window; further ones are mailed together at its end.
const MOST_AT_ONCE: i32 = 5;
const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// While the server fails, few mails are to wait.
const WINDOW_WHILE_FAILING: TimeDelta = TimeDelta::hours(6);
/// Name of the count.
const COUNTED: &str = "alerts";

impl Notices {
    pub(super) async fn tell_alert(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutAlert { alert_id }, id) = (about(event)?, event.id.to_string());
        if !self.is_of_use(NoticeKind::Alert, &id) {
            return Ok(());
        }
        let alert = match self.inner.rooms.alerting.get(alert_id).await {
            Err(AlertingError::NotFound) => {
                self.inner.metrics.unmade(NoticeKind::Alert, &id, Unmade::Gone, 1);
                return Ok(());
            }
            found => found?.alert,
        };
        let state = if event.topic == AlertResolved::TOPIC { "resolved" } else { "firing" };
        if alert.severity == Severity::Critical {
            self.tell_critical(event, &id, &alert, state).await
        } else {
            self.keep_for_digest(event, &alert, state).await
        }
    }

    async fn tell_critical(
        &self,
        event: &Occurred,
        id: &str,
        alert: &Alert,
        state: &'static str,
    ) -> Result<(), NoticesError> {
        // Before the transaction: it would hold one connection and ask for a second.
        let (to, window) = (self.told().await?, self.window().await?);
        let expires_at = event.created_at + NoticeKind::Alert.lives();
        let notice = Notice { kind: NoticeKind::Alert, owner: Owner::Installation, about: id, to: &to, expires_at };
        if self.is_late(&notice) || !self.reaches(&notice) {
            return Ok(());
        }
        let now = self.inner.clock.now();
        let mut tx = self.begin(Owner::Installation).await?;
        let counted = store::count(&mut tx, COUNTED, now, now - window).await?;
        if counted.count > MOST_AT_ONCE {
            store::keep(&mut tx, &item(event, alert, state, true)).await?;
            // One job waits, however many alerts there are.
            let options = Enqueue {
                run_at: Some(counted.since + window),
                unique_key: Some(COUNTED.to_owned()),
                ..Enqueue::default()
            };
            jobs::enqueue(&mut tx, &self.inner.clock, None, &Together {}, &options).await?;
            tx.commit().await?;
            tracing::info!(event_id = id, "many critical alerts: this one is mailed together with others");
            return Ok(());
        }
        let data = self.alert_data(alert, state);
        let mails = self.write(&mut tx, &notice, |_, _| data.clone()).await?;
        tx.commit().await?;
        self.inner.metrics.made(notice.kind, id, mails);
        Ok(())
    }

    async fn window(&self) -> Result<TimeDelta, NoticesError> {
        let works = self.inner.rooms.mail.account().await?.failing_since.is_none();
        Ok(if works { WINDOW } else { WINDOW_WHILE_FAILING })
    }

    /// Fields of the template `alert`.
    fn alert_data(&self, alert: &Alert, state: &str) -> Value {
        let (url, runbook_url) = self.inner.rooms.alerting.links(alert);
        json!({
            "state": state,
            "alert": short(&alert.name, LONGEST_NAME),
            "severity": alert.severity.as_str(),
            "summary": short(alert.summary(), LONGEST_SUMMARY),
            "description": short(alert.annotation("description"), LONGEST_TEXT),
            "started_at": self.time(alert.starts_at),
            "ended_at": alert.ends_at.filter(|_| state == "resolved").map(|at| self.time(at)),
            "url": url,
            "runbook_url": link(&runbook_url),
        })
    }

    async fn keep_for_digest(&self, event: &Occurred, alert: &Alert, state: &'static str) -> Result<(), NoticesError> {
        if !self.config().has_digest() {
            tracing::debug!(event_id = %event.id, "no notice: the digest is off");
            return Ok(());
        }
        let mut tx = self.begin(Owner::Installation).await?;
        store::keep(&mut tx, &item(event, alert, state, false)).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn item(event: &Occurred, alert: &Alert, state: &str, urgent: bool) -> Item {
    let at = if state == "resolved" { alert.ends_at.unwrap_or(event.created_at) } else { alert.starts_at };
    Item {
        event_id: event.id,
        alert_id: alert.id,
        state: state.to_owned(),
        name: short(&alert.name, LONGEST_NAME),
        severity: alert.severity.as_str().to_owned(),
        summary: short(alert.summary(), LONGEST_SUMMARY),
        at,
        urgent,
        created_at: event.created_at,
    }
}
