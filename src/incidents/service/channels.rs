//! Channels: made, changed, tried.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use utoipa::ToSchema;

use super::{
    Incidents,
    deliver::{Receiver, Telling},
    owners,
};
use crate::{
    IncidentsError,
    channel::{self, PREFIX, Secrets, Words},
    message::Message,
    model::{Channel, ChannelId, ChannelKind, ChannelSettings, DisabledReason, Owner, Told},
    store::{
        channels::{self, Draft, Row},
        told,
    },
};
use console::Lang;
use jobs::Cron;
use platform::{
    crypto,
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};
use uptime::file::is_key;
use webhooks::{Delivery, DeliveryId, DeliveryState};

const LABEL: &str = "incidents.channel";
/// Channels of an owner.
const MOST: i64 = 100;
/// How long the test button waits for an answer.
const TRY: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(250);

/// What a channel is made of. Absent when changing: it stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentChannelDraft)]
pub struct ChannelDraft {
    /// Its identity: 1 to 100 lower-case letters, digits, hyphens and underscores. Only when it is made.
    pub key: Option<String>,
    pub name: Option<String>,
    /// Only when it is made.
    pub kind: Option<ChannelKind>,
    pub settings: Option<ChannelSettings>,
    /// Address with its token; never shown again.
    pub url: Option<String>,
    /// Of a Telegram bot; never shown again.
    pub token: Option<String>,
    /// Of `webhook`: `whsec_...`; absent when it is made: one is made, and shown once.
    pub secret: Option<String>,
    /// `en` or `ru`
    pub language: Option<String>,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: Option<String>,
    pub enabled: Option<bool>,
    /// Of the installation; operators only, and only when it is made.
    pub installation: bool,
}

/// What a test message came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentChannelTried)]
pub struct Tried {
    /// `delivered`, `queued` (no success within ten seconds; it is tried again) or `dead` (refused). Mail is `queued`: see the log of mail.
    pub state: String,
    /// HTTP status of the answer.
    pub status: Option<i32>,
    pub milliseconds: Option<i32>,
    /// What the answer said, if it was no success.
    pub error: Option<String>,
}

impl Incidents {
    pub async fn list_channels(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Channel>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let rows = channels::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(rows.into_iter().map(|row| self.shown_channel(row)).collect())
    }

    pub async fn get_channel(&self, who: &Principal, id: ChannelId) -> Result<Channel, IncidentsError> {
        let (tx, _, row) = self.find_channel(who, id).await?;
        tx.commit().await?;
        Ok(self.shown_channel(row))
    }

    /// Returns it, and the secret that was made for it.
    pub async fn create_channel(
        &self,
        who: &Principal,
        draft: ChannelDraft,
    ) -> Result<(Channel, Option<String>), IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        let (key, kind) = (draft.key.clone().unwrap_or_default(), draft.kind.unwrap_or(ChannelKind::Mail));
        let mut secrets = secrets_of(&draft);
        let mut made = None;
        if kind == ChannelKind::Webhook && secrets.secret.is_empty() {
            secrets.secret = new_secret();
            made = Some(secrets.secret.clone());
        }
        let settings = draft.settings.clone().unwrap_or_default();
        let name = tidy(draft.name.as_deref().unwrap_or_default());
        let (language, zone) = (draft.language.as_deref().unwrap_or("en"), draft.zone.as_deref().unwrap_or("UTC"));
        let mut errors = channel_faults(kind, &name, (language, zone), &settings, &secrets, true);
        if !is_key(&key) {
            errors.push(FieldError::new(
                "/key",
                "invalid",
                "1 to 100 lower-case letters, digits, hyphens and underscores",
            ));
        }
        if draft.kind.is_none() {
            errors.push(FieldError::new("/kind", "required", "a channel has a kind"));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let id = ChannelId::generate(&self.inner.clock);
        let sealed = self.seal_secrets(id, &secrets)?;
        let new = Draft {
            key: &key,
            name: &name,
            kind,
            settings: &settings,
            secrets: sealed.as_deref(),
            language,
            zone,
            managed_by: None,
        };
        let mut tx = self.begin(owner).await?;
        if channels::count(&mut tx, owner.org()).await? >= MOST {
            return Err(IncidentsError::Conflict("too_many_channels", format!("at most {MOST} channels")));
        }
        if !channels::insert(&mut tx, owner.org(), id, &new, &who.subject(), self.inner.clock.now()).await? {
            return Err(IncidentsError::Conflict("taken", format!("there is a channel with the key {key:?}")));
        }
        let row = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop();
        tx.commit().await?;
        let row = row.ok_or(IncidentsError::NotFound("channel"))?;
        tracing::info!(channel_id = %id, kind = kind.as_str(), by = who.subject(), "channel made");
        Ok((self.shown_channel(row), made))
    }

    pub async fn update_channel(
        &self,
        who: &Principal,
        id: ChannelId,
        draft: ChannelDraft,
    ) -> Result<Channel, IncidentsError> {
        let (mut tx, owner, row) = self.find_channel(who, id).await?;
        let only_enables = draft.name.is_none()
            && draft.settings.is_none()
            && secrets_of(&draft).is_empty()
            && draft.language.is_none()
            && draft.zone.is_none();
        if row.is_managed() && !only_enables {
            return Err(IncidentsError::Managed);
        }
        let now = self.inner.clock.now();
        if !only_enables {
            let settings = draft.settings.clone().unwrap_or_else(|| row.settings());
            let mut secrets = secrets_of(&draft);
            if !secrets.is_empty() {
                // A single one is replaced, the others stay.
                let old = self.open_secrets(&row)?;
                for (new, old) in
                    [(&mut secrets.url, old.url), (&mut secrets.token, old.token), (&mut secrets.secret, old.secret)]
                {
                    if new.is_empty() {
                        *new = old;
                    }
                }
            }
            let name = tidy(draft.name.as_deref().unwrap_or(&row.name));
            let language = draft.language.as_deref().unwrap_or(&row.language);
            let zone = draft.zone.as_deref().unwrap_or(&row.zone);
            let errors = channel_faults(row.kind(), &name, (language, zone), &settings, &secrets, false);
            if !errors.is_empty() {
                return Err(IncidentsError::Invalid(errors));
            }
            let sealed = self.seal_secrets(id, &secrets)?;
            let changed = Draft {
                key: &row.key,
                name: &name,
                kind: row.kind(),
                settings: &settings,
                secrets: sealed.as_deref(),
                language,
                zone,
                managed_by: None,
            };
            channels::update(&mut tx, id, &changed, now).await?;
        }
        match draft.enabled {
            Some(true) => channels::disable(&mut tx, id, None, now).await?,
            Some(false) => channels::disable(&mut tx, id, Some(DisabledReason::ByHand), now).await?,
            None => false,
        };
        let row = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop();
        tx.commit().await?;
        // What waits is tried at the new address.
        self.inner.rooms.webhooks.try_now(owner, &format!("{PREFIX}{id}")).await?;
        Ok(self.shown_channel(row.ok_or(IncidentsError::NotFound("channel"))?))
    }

    pub async fn delete_channel(&self, who: &Principal, id: ChannelId) -> Result<(), IncidentsError> {
        let (mut tx, _, row) = self.find_channel(who, id).await?;
        if row.is_managed() {
            return Err(IncidentsError::Managed);
        }
        channels::delete(&mut tx, id).await?;
        tx.commit().await?;
        self.inner.rooms.webhooks.forget(&format!("{PREFIX}{id}")).await?;
        tracing::info!(channel_id = %id, by = who.subject(), "channel deleted");
        Ok(())
    }

    /// Sends a test message past grouping and quiet hours, and waits for the answer.
    pub async fn try_channel(&self, who: &Principal, id: ChannelId) -> Result<Tried, IncidentsError> {
        let (tx, owner, row) = self.find_channel(who, id).await?;
        tx.commit().await?;
        self.try_in(owner, &row).await
    }

    /// As [`Self::try_channel`], for who has found the channel.
    pub(super) async fn try_in(&self, owner: Owner, row: &Row) -> Result<Tried, IncidentsError> {
        let id = row.id();
        if row.disabled_at.is_some() {
            return Err(IncidentsError::Conflict(
                "channel_disabled",
                "this channel is disabled: enable it first".into(),
            ));
        }
        if row.kind() == ChannelKind::Mail && !self.inner.rooms.mail.is_configured() {
            let why = "no mail server is configured: an operator sets one up in [mail]";
            return Err(IncidentsError::Conflict("mail_off", why.to_owned()));
        }
        let people = self.people(owner, &[]).await?;
        let words = Words::new(self.inner.texts.clone(), &row.language, &row.zone);
        let url = format!("{}/settings/channels/{id}", self.inner.base_url);
        let message = Message::test(words.text("incidents-test-name"), self.inner.clock.now(), url);
        let telling = Telling { owner, incident: None, rule: None, once: "test".to_owned(), message: &message };
        // What waits for a receiver that failed would hold it up.
        let receiver = format!("{PREFIX}{id}");
        self.inner.rooms.webhooks.try_now(owner, &receiver).await?;
        let mut tx = self.begin(owner).await?;
        let reached = self.deliver(&mut tx, &telling, &[Receiver::Channel(id)], &people).await?;
        let newest = told::of_channel(&mut tx, id, &Slice::first(1)).await?.pop();
        tx.commit().await?;
        if reached == 0 {
            return Err(IncidentsError::Conflict(
                "no_address",
                "nobody has an address that this channel could use".into(),
            ));
        }
        if row.kind() == ChannelKind::Mail {
            return Ok(Tried { state: "queued".into(), status: None, milliseconds: None, error: None });
        }
        let Some(delivery) = newest.and_then(|told| told.delivery_id) else {
            return Err(IncidentsError::NotFound("delivery"));
        };
        self.wait_for(owner, DeliveryId(delivery)).await
    }

    async fn wait_for(&self, owner: Owner, id: DeliveryId) -> Result<Tried, IncidentsError> {
        let mut waited = Duration::ZERO;
        loop {
            let found = self.inner.rooms.webhooks.sent(owner, id).await?.ok_or(IncidentsError::NotFound("delivery"))?;
            let Delivery { state, status, milliseconds, error, attempts, .. } = found.delivery;
            if state != DeliveryState::Queued || attempts > 0 || waited >= TRY {
                return Ok(Tried { state: state.as_str().to_owned(), status, milliseconds, error });
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// What was sent to a channel by room webhooks, newest first.
    pub async fn deliveries_of(
        &self,
        who: &Principal,
        id: ChannelId,
        slice: &Slice,
    ) -> Result<Vec<Delivery>, IncidentsError> {
        let (tx, owner, _) = self.find_channel(who, id).await?;
        tx.commit().await?;
        Ok(self.inner.rooms.webhooks.sent_to(owner, &format!("{PREFIX}{id}"), slice).await?)
    }

    /// Sends one of them again, with the same id and body.
    pub async fn replay(
        &self,
        who: &Principal,
        id: ChannelId,
        delivery: DeliveryId,
    ) -> Result<Delivery, IncidentsError> {
        let (tx, owner, _) = self.find_channel(who, id).await?;
        tx.commit().await?;
        let found = self.inner.rooms.webhooks.sent(owner, delivery).await?;
        if found.is_none_or(|found| found.delivery.receiver != format!("{PREFIX}{id}")) {
            return Err(IncidentsError::NotFound("delivery"));
        }
        Ok(self.inner.rooms.webhooks.replay(who, delivery).await?)
    }

    /// Messages for a channel that were decided on, newest first: mail, and what was held back, too.
    pub async fn told_to(&self, who: &Principal, id: ChannelId, slice: &Slice) -> Result<Vec<Told>, IncidentsError> {
        let (mut tx, _, _) = self.find_channel(who, id).await?;
        let found = told::of_channel(&mut tx, id, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn find_channel(&self, who: &Principal, id: ChannelId) -> Result<(Tx, Owner, Row), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(row) = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop() {
                return Ok((tx, owner, row));
            }
        }
        Err(IncidentsError::NotFound("channel"))
    }

    fn shown_channel(&self, row: Row) -> Channel {
        // A secret that cannot be read any more is none that could be shown.
        let ends_with = self.open_secrets(&row).ok().and_then(|secrets| secrets.ends_with());
        row.channel(ends_with)
    }

    pub(super) fn open_secrets(&self, row: &Row) -> Result<Secrets, IncidentsError> {
        let Some(sealed) = &row.secrets else { return Ok(Secrets::default()) };
        let plain = self.inner.master_key.open(LABEL, row.id.as_bytes(), sealed)?;
        Ok(serde_json::from_slice(&plain)?)
    }

    /// `None`: there is nothing secret.
    pub(super) fn seal_secrets(&self, id: ChannelId, secrets: &Secrets) -> Result<Option<Vec<u8>>, IncidentsError> {
        if secrets.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(secrets)?;
        Ok(Some(self.inner.master_key.seal(LABEL, id.0.as_bytes(), &plain)?))
    }
}

/// What is wrong with a channel.
pub(super) fn channel_faults(
    kind: ChannelKind,
    name: &str,
    (language, zone): (&str, &str),
    settings: &ChannelSettings,
    secrets: &Secrets,
    is_new: bool,
) -> Vec<FieldError> {
    let mut errors = channel::check(kind, settings, secrets, is_new);
    if !(1..=200).contains(&name.chars().count()) {
        errors.push(FieldError::new("/name", "invalid", "1 to 200 characters"));
    }
    if Lang::from_code(language).is_none() {
        errors.push(FieldError::new("/language", "invalid", "en or ru"));
    }
    if !Cron::is_zone(zone) {
        errors.push(FieldError::new("/zone", "invalid", "a time zone such as Europe/Berlin"));
    }
    let parsed = secrets.url.parse::<reqwest::Url>();
    if !secrets.url.is_empty() && !parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        errors.push(FieldError::new("/url", "invalid", "an http or https address"));
    }
    errors
}

fn secrets_of(draft: &ChannelDraft) -> Secrets {
    let read = |text: Option<&str>| text.unwrap_or_default().trim().to_owned();
    Secrets {
        url: read(draft.url.as_deref()),
        token: read(draft.token.as_deref()),
        secret: read(draft.secret.as_deref()),
    }
}

pub(super) fn new_secret() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("whsec_{}", STANDARD.encode(crypto::random_bytes::<32>()))
}
