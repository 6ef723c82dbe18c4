//! One event, one notice.

use serde_json::{Value, json};

use super::{Notice, Notices, rfc3339};
use crate::{
    NoticesError,
    model::{
        AboutAlert, AboutBackup, AboutEndpoint, AboutMember, Item, LONGEST_NAME, LONGEST_SUMMARY, LONGEST_TEXT,
        NoticeKind, Recipients, Unmade, about, link, short,
    },
    store,
};
use alerting::{Alert, AlertFiring, AlertResolved, AlertingError, Severity};
use auth::MemberAdded;
use backup::{Backup, BackupError, BackupFailed, BackupFinished};
use events::{Event as _, Occurred};
use mail::{Address, Owner};
use webhooks::EndpointDisabled;

impl Notices {
    /// Makes the notice about an event.
    pub async fn tell(&self, event: &Occurred) -> Result<(), NoticesError> {
        if !self.config().enabled {
            tracing::debug!(event_id = %event.id, topic = event.topic, "no notice: they are off");
            return Ok(());
        }
        if !self.has_mail() {
            let kind = kind_of(event)?;
            self.inner.metrics.unmade(kind, &event.id.to_string(), Unmade::MailOff, 1);
            return Ok(());
        }
        match event.topic.as_str() {
            MemberAdded::TOPIC => self.welcome(event).await,
            BackupFinished::TOPIC | BackupFailed::TOPIC => self.tell_backup(event).await,
            AlertFiring::TOPIC | AlertResolved::TOPIC => self.tell_alert(event).await,
            EndpointDisabled::TOPIC => self.tell_disabled(event).await,
            _ => Err(unknown(event)),
        }
    }

    /// To the person who has joined.
    async fn welcome(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutMember { user_id }, id) = (about(event)?, event.id.to_string());
        let Some(org) = event.org_id else {
            return Err(NoticesError::Unreadable(id, "it has no organisation".to_owned()));
        };
        let Some((member, organisation)) = self.inner.rooms.auth.membership(org, user_id).await? else {
            self.inner.metrics.unmade(NoticeKind::Welcome, &id, Unmade::Gone, 1);
            return Ok(());
        };
        let to = Recipients::of([(member.name.as_str(), member.email.as_str())]);
        let notice = Notice { kind: NoticeKind::Welcome, owner: Owner::Org(org), about: &id, to: &to };
        self.make(&notice, |_| {
            json!({
                "name": member.name,
                "email": member.email,
                "organisation": organisation.name,
                "url": self.page("/login"),
            })
        })
        .await
    }

    /// To whoever is told about the installation.
    async fn tell_backup(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutBackup { backup_id }, id) = (about(event)?, event.id.to_string());
        let backups = &self.inner.rooms.backups;
        let backup = match backups.get(backup_id).await {
            Err(BackupError::NotFound(_)) => {
                self.inner.metrics.unmade(NoticeKind::BackupReport, &id, Unmade::Gone, 1);
                return Ok(());
            }
            found => found?,
        };
        let proven = backups.last_proven().await?.map(|(at, _)| rfc3339(at));
        let to = self.told().await?;
        let notice = Notice { kind: NoticeKind::BackupReport, owner: Owner::Installation, about: &id, to: &to };
        let status = if event.topic == BackupFailed::TOPIC { "failed" } else { backup.status.as_str() };
        self.make(&notice, |_| backup_data(&backup, status, proven.as_deref(), &self.page("/backups"))).await
    }

    /// A critical alert is told at once, another one with the next digest.
    async fn tell_alert(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutAlert { alert_id }, id) = (about(event)?, event.id.to_string());
        let alert = match self.inner.rooms.alerting.get(alert_id).await {
            Err(AlertingError::NotFound) => {
                self.inner.metrics.unmade(NoticeKind::Alert, &id, Unmade::Gone, 1);
                return Ok(());
            }
            found => found?.alert,
        };
        let resolved = event.topic == AlertResolved::TOPIC;
        let state = if resolved { "resolved" } else { "firing" };
        if alert.severity != Severity::Critical {
            return self.keep_for_digest(event, &alert, state).await;
        }
        let ended_at = alert.ends_at.filter(|_| resolved).map(rfc3339);
        let (url, runbook_url) = self.inner.rooms.alerting.links(&alert);
        let to = self.told().await?;
        let notice = Notice { kind: NoticeKind::Alert, owner: Owner::Installation, about: &id, to: &to };
        self.make(&notice, |_| {
            json!({
                "state": state,
                "alert": short(&alert.name, LONGEST_NAME),
                "severity": alert.severity.as_str(),
                "summary": short(alert.summary(), LONGEST_SUMMARY),
                "description": short(alert.annotation("description"), LONGEST_TEXT),
                "started_at": rfc3339(alert.starts_at),
                "ended_at": ended_at,
                "url": url,
                "runbook_url": link(&runbook_url),
            })
        })
        .await
    }

    async fn keep_for_digest(&self, event: &Occurred, alert: &Alert, state: &str) -> Result<(), NoticesError> {
        if !self.config().has_digest() {
            tracing::debug!(event_id = %event.id, "no notice: the digest is off");
            return Ok(());
        }
        let at = if state == "resolved" { alert.ends_at.unwrap_or(event.created_at) } else { alert.starts_at };
        let item = Item {
            event_id: event.id,
            alert_id: alert.id,
            state: state.to_owned(),
            name: short(&alert.name, LONGEST_NAME),
            severity: alert.severity.as_str().to_owned(),
            summary: short(alert.summary(), LONGEST_SUMMARY),
            at,
            created_at: event.created_at,
        };
        let mut tx = self.begin(Owner::Installation).await?;
        store::keep(&mut tx, &item).await?;
        tx.commit().await?;
        Ok(())
    }

    /// To the organisation's owners and admins; of a webhook of the installation to whoever is told about that.
    async fn tell_disabled(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutEndpoint { endpoint_id, reason }, id) = (about(event)?, event.id.to_string());
        let (owner, to) = match event.org_id {
            Some(org) => {
                let admins = self.inner.rooms.auth.admins(org).await?;
                let people = admins.iter().map(|member| (member.name.as_str(), member.email.as_str()));
                (Owner::Org(org), Recipients::of(people))
            }
            None => (Owner::Installation, self.told().await?),
        };
        let notice = Notice { kind: NoticeKind::Alert, owner, about: &id, to: &to };
        let why = if reason == "gone" { "notices-webhook-gone" } else { "notices-webhook-failing" };
        self.make(&notice, |_: &Address| {
            json!({
                "state": "firing",
                "alert": self.text("notices-webhook-disabled"),
                "severity": "warning",
                "summary": self.text(why),
                "description": "",
                "started_at": rfc3339(event.created_at),
                "ended_at": null,
                "url": self.page(&format!("/settings/webhooks/{endpoint_id}")),
                "runbook_url": "",
            })
        })
        .await
    }
}

/// The kind of notice that an event becomes.
fn kind_of(event: &Occurred) -> Result<NoticeKind, NoticesError> {
    Ok(match event.topic.as_str() {
        MemberAdded::TOPIC => NoticeKind::Welcome,
        BackupFinished::TOPIC | BackupFailed::TOPIC => NoticeKind::BackupReport,
        AlertFiring::TOPIC | AlertResolved::TOPIC | EndpointDisabled::TOPIC => NoticeKind::Alert,
        _ => return Err(unknown(event)),
    })
}

fn unknown(event: &Occurred) -> NoticesError {
    NoticesError::Unreadable(event.id.to_string(), format!("no notice is about {}", event.topic))
}

/// Fields of the template `backup_report`.
fn backup_data(backup: &Backup, status: &str, proven: Option<&str>, url: &str) -> Value {
    let seconds = backup.finished_at.map(|end| (end - backup.started_at).num_seconds());
    json!({
        "status": status,
        "started_at": rfc3339(backup.started_at),
        "seconds": seconds,
        "bytes": Some(backup.total_bytes).filter(|bytes| *bytes > 0),
        "error": backup.error.as_deref().map(|error| short(error, LONGEST_TEXT)),
        "restored_at": proven,
        "url": url,
    })
}
