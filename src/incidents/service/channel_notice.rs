//! An organisation's channel that does not work any more is told to its administrators by mail: the operator's alerts are about the installation's channels.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{Incidents, ROOM_ITSELF};
use crate::{
    IncidentsError,
    channel::{PREFIX, Words},
    model::{ChannelId, Owner},
};
use console::Lang;
use mail::{Address, Content, NewMail, kinds};
use platform::{crypto, error::chain, ids::OrgId};

/// A channel that has failed for this long is told.
const TOLD_AFTER: TimeDelta = TimeDelta::minutes(15);
/// The mail is of no use later.
const LIVES: TimeDelta = TimeDelta::days(1);
/// Longest answer of a service that is told, characters.
const LONGEST: usize = 500;

impl Incidents {
    /// An attempt has failed. Whether that is told goes wrong for itself: messages to the channel go on.
    pub(super) async fn tell_if_it_fails(&self, owner: Owner, id: ChannelId, why: &str) {
        let Owner::Org(org) = owner else { return };
        let told = async {
            let name = format!("{PREFIX}{id}");
            let known = self.inner.rooms.webhooks.failing(&name).await?;
            let since = known.into_iter().find(|(receiver, _)| *receiver == name).map(|(_, since)| since);
            match since.filter(|since| self.inner.clock.now() - *since >= TOLD_AFTER) {
                Some(since) => self.tell_of_channel(org, id, since, "incidents-channel-fails", why).await,
                None => Ok(()),
            }
        };
        said(id, told.await);
    }

    /// It has said that it does not exist any more.
    pub(super) async fn tell_that_it_is_gone(&self, owner: Owner, id: ChannelId, why: &str) {
        let Owner::Org(org) = owner else { return };
        let since = self.inner.clock.now();
        said(id, self.tell_of_channel(org, id, since, "incidents-channel-gone", why).await);
    }

    async fn tell_of_channel(
        &self,
        org: OrgId,
        id: ChannelId,
        since: DateTime<Utc>,
        what: &str,
        why: &str,
    ) -> Result<(), IncidentsError> {
        let mail = &self.inner.rooms.mail;
        if !mail.is_configured() {
            return Ok(());
        }
        let admins = self.inner.rooms.auth.admins(org).await?;
        let mut to: Vec<Address> = admins.iter().filter_map(|admin| Address::parse(&admin.email).ok()).collect();
        // In one order: two transactions that write to the same domains would wait for each other.
        to.sort_by_key(|address| (address.domain().to_owned(), address.key()));
        let keys: Vec<String> = to.iter().map(Address::key).collect();
        let languages = self.inner.rooms.auth.languages(&keys).await?;
        let owner = Owner::Org(org);
        let mut tx = self.begin(owner).await?;
        let found = crate::store::channels::read(&mut tx, Some(org), &[id.0]).await?.pop();
        let Some(channel) = found else { return Ok(tx.commit().await?) };
        let why: String = why.chars().take(LONGEST).collect();
        for to in &to {
            let lang = languages.get(&to.key()).copied().unwrap_or(Lang::En);
            let words = Words::new(self.inner.texts.clone(), lang.code(), &channel.zone);
            let title = self.inner.texts.text(lang, what).with("name", channel.name.as_str()).to_string();
            let about = crypto::sha256_hex(format!("{what}/{id}/{since}/{}", to.key()));
            let new = NewMail {
                kind: &kinds::ALERT,
                to,
                language: lang.code(),
                content: Content::Template {
                    name: kinds::ALERT.name,
                    data: json!({
                        "state": "firing",
                        "alert": title,
                        "severity": "warning",
                        "summary": words.text("incidents-channel-fails-text"),
                        "description": why,
                        "started_at": words.mail_time(since),
                        "ended_at": null,
                        "url": format!("{}/settings/channels/{id}", self.inner.base_url),
                        "runbook_url": "",
                    }),
                },
                attachments: Vec::new(),
                send_at: None,
                expires_at: Some(self.inner.clock.now() + LIVES),
                // Once for each time that it fails.
                idempotency_key: Some(format!("channel/{id}/{}", &about[..32])),
                reply_to: None,
                from: None,
                created_by: ROOM_ITSELF.to_owned(),
            };
            mail.enqueue(&mut tx, owner, &new).await?;
        }
        tx.commit().await?;
        tracing::info!(channel_id = %id, org_id = %org, mails = to.len(), "a channel that does not work is told to its administrators");
        Ok(())
    }
}

fn said(id: ChannelId, told: Result<(), IncidentsError>) {
    if let Err(error) = told {
        tracing::warn!(channel_id = %id, error = chain(&error), "that a channel does not work could not be told");
    }
}
