//! One event, one notice.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Notice, Notices};
use crate::{
    NoticesError,
    model::{
        AboutBackup, AboutDevice, AboutEndpoint, AboutMember, LONGEST_TEXT, NoticeKind, Recipients, Unmade, about,
        short,
    },
    store,
};
use alerting::{AlertFiring, AlertResolved};
use auth::{DeviceAdded, MemberAdded};
use backup::{Backup, BackupError, BackupFailed, BackupFinished, Status};
use events::{Event as _, Occurred};
use mail::Owner;
use webhooks::EndpointDisabled;

/// A verified backup is reported once in this time, and after one that was not; others once in an hour.
const VERIFIED_EVERY: TimeDelta = TimeDelta::hours(20);
const FAILED_EVERY: TimeDelta = TimeDelta::hours(1);
/// Names of the counts.
const VERIFIED: &str = "backups verified";
const FAILED: &str = "backups failed";
/// What is disabled stays so.
const DISABLED_LIVES: TimeDelta = TimeDelta::days(7);

impl Notices {
    /// Makes the notice about an event.
    pub async fn tell(&self, event: &Occurred) -> Result<(), NoticesError> {
        if !self.config().enabled {
            tracing::debug!(event_id = %event.id, topic = event.topic, "no notice: they are off");
            return Ok(());
        }
        match event.topic.as_str() {
            MemberAdded::TOPIC => self.welcome(event).await,
            DeviceAdded::TOPIC => self.tell_device(event).await,
            BackupFinished::TOPIC | BackupFailed::TOPIC => self.tell_backup(event).await,
            AlertFiring::TOPIC | AlertResolved::TOPIC => self.tell_alert(event).await,
            EndpointDisabled::TOPIC => self.tell_disabled(event).await,
            topic => Err(NoticesError::Unreadable(event.id.to_string(), format!("no notice is about {topic}"))),
        }
    }

    /// To the person who has joined.
    async fn welcome(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutMember { user_id }, id, kind) = (about(event)?, event.id.to_string(), NoticeKind::Welcome);
        let Some(org) = event.org_id else {
            return Err(NoticesError::Unreadable(id, "it has no organisation".to_owned()));
        };
        let Some((member, organisation)) = self.inner.rooms.auth.membership(org, user_id).await? else {
            self.inner.metrics.unmade(kind, &id, Unmade::Gone, 1);
            return Ok(());
        };
        let to = self.with_languages(Recipients::of([(member.name.as_str(), member.email.as_str())])).await?;
        let expires_at = event.created_at + kind.lives();
        let notice = Notice { kind, owner: Owner::Org(org), about: &id, to: &to, expires_at };
        self.make(&notice, |_, _| {
            json!({
                "name": member.name,
                "email": member.email,
                "organisation": organisation.name,
                "url": self.page("/login"),
            })
        })
        .await
    }

    /// To the person who signed in. The mail is the installation's: a person may belong to several organisations, whose administrators need not
    /// know where from.
    async fn tell_device(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutDevice { user_id, session_id }, id) = (about(event)?, event.id.to_string());
        let kind = NoticeKind::NewDevice;
        let Some(device) = self.inner.rooms.auth.device(user_id, session_id).await? else {
            self.inner.metrics.unmade(kind, &id, Unmade::Gone, 1);
            return Ok(());
        };
        let to = self.with_languages(Recipients::of([(device.name.as_str(), device.email.as_str())])).await?;
        let expires_at = event.created_at + kind.lives();
        let notice = Notice { kind, owner: Owner::Installation, about: &id, to: &to, expires_at };
        let browser = device.user_agent.as_deref().and_then(console::browser);
        self.make(&notice, |_, lang| {
            json!({
                "name": device.name,
                "device": browser.clone().unwrap_or_else(|| self.text(lang, "notices-device-unknown")),
                "ip": device.address,
                "at": self.time(event.created_at),
                "url": self.page("/account"),
            })
        })
        .await
    }

    /// To whoever is told about the installation.
    async fn tell_backup(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutBackup { backup_id }, id, kind) = (about(event)?, event.id.to_string(), NoticeKind::BackupReport);
        let backups = &self.inner.rooms.backups;
        let backup = match backups.get(backup_id).await {
            Err(BackupError::NotFound(_)) => {
                self.inner.metrics.unmade(kind, &id, Unmade::Gone, 1);
                return Ok(());
            }
            found => found?,
        };
        let proven = backups.last_proven().await?.map(|(at, _)| self.time(at));
        let to = self.told().await?;
        let expires_at = event.created_at + kind.lives();
        let notice = Notice { kind, owner: Owner::Installation, about: &id, to: &to, expires_at };
        if self.is_late(&notice) || !self.reaches(&notice) {
            return Ok(());
        }
        let status = if event.topic == BackupFailed::TOPIC { Status::Failed } else { backup.status };
        let began = self.time(backup.started_at);
        let data = backup_data(&backup, &began, status.as_str(), proven.as_deref(), &self.page("/backups"));
        let (counted, every) =
            if status == Status::Verified { (VERIFIED, VERIFIED_EVERY) } else { (FAILED, FAILED_EVERY) };
        let now = self.inner.clock.now();
        let mut tx = self.begin(notice.owner).await?;
        if store::count(&mut tx, counted, now, now - every).await?.count > 1 {
            tx.commit().await?;
            self.inner.metrics.unmade(kind, &id, Unmade::Often, 1);
            return Ok(());
        }
        if counted == FAILED {
            // That it works again is news.
            store::count_anew(&mut tx, VERIFIED).await?;
        }
        let mails = self.write(&mut tx, &notice, |_, _| data.clone()).await?;
        tx.commit().await?;
        self.inner.metrics.made(kind, &id, mails);
        Ok(())
    }

    /// To the organisation's owners and admins; of a webhook of the installation to whoever is told about that.
    async fn tell_disabled(&self, event: &Occurred) -> Result<(), NoticesError> {
        let (AboutEndpoint { endpoint_id, reason }, id) = (about(event)?, event.id.to_string());
        let (owner, to) = match event.org_id {
            Some(org) => {
                let admins = self.inner.rooms.auth.admins(org).await?;
                let people = admins.iter().map(|member| (member.name.as_str(), member.email.as_str()));
                let to = Recipients::of(people);
                (Owner::Org(org), self.with_languages(to).await?)
            }
            None => (Owner::Installation, self.told().await?),
        };
        let expires_at = event.created_at + DISABLED_LIVES;
        let notice = Notice { kind: NoticeKind::Alert, owner, about: &id, to: &to, expires_at };
        let why = if reason == "gone" { "notices-webhook-gone" } else { "notices-webhook-failing" };
        self.make(&notice, |_, lang| {
            json!({
                "state": "firing",
                "alert": self.text(lang, "notices-webhook-disabled"),
                "severity": "warning",
                "summary": self.text(lang, why),
                "description": "",
                "started_at": self.time(event.created_at),
                "ended_at": null,
                "url": self.page(&format!("/settings/webhooks/{endpoint_id}")),
                "runbook_url": "",
            })
        })
        .await
    }
}

/// Fields of the template `backup_report`.
fn backup_data(backup: &Backup, began: &str, status: &str, proven: Option<&str>, url: &str) -> Value {
    let seconds = backup.finished_at.map(|end| (end - backup.started_at).num_seconds());
    json!({
        "status": status,
        "started_at": began,
        "seconds": seconds,
        "bytes": Some(backup.total_bytes).filter(|bytes| *bytes > 0),
        "error": backup.error.as_deref().map(|error| short(error, LONGEST_TEXT)),
        "restored_at": proven,
        "url": url,
    })
}
