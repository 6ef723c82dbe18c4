//! Channels as room webhooks sees them.

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};

use super::Incidents;
use crate::{
    IncidentsError,
    channel::{self, GIVE_UP_HOURS, LONGEST_WAIT, PREFIX},
    model::{ChannelId, ChannelKind, DisabledReason, Owner},
    store::channels,
};
use webhooks::{Form, Receivers, SigningKey, Target, WebhooksError};

/// Asked by room webhooks.
pub struct ChannelReceivers(pub Incidents);

#[async_trait]
impl Receivers for ChannelReceivers {
    fn prefix(&self) -> &'static str {
        PREFIX
    }

    async fn get(&self, owner: Owner, name: &str) -> Result<Option<Target>, WebhooksError> {
        self.0.target(owner, name).await.map_err(passed)
    }

    async fn failed(&self, owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError> {
        self.0.channel_failed(owner, name, why).await.map_err(passed)
    }

    async fn gone(&self, owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError> {
        self.0.channel_gone(owner, name, why).await.map_err(passed)
    }
}

/// Room webhooks knows errors of the database and of keys.
fn passed(error: IncidentsError) -> WebhooksError {
    match error {
        IncidentsError::Db(error) => error.into(),
        IncidentsError::Seal(error) => error.into(),
        IncidentsError::Json(error) => error.into(),
        IncidentsError::Webhooks(error) => error,
        _ => WebhooksError::NotFound("channel"),
    }
}

impl Incidents {
    async fn target(&self, owner: Owner, name: &str) -> Result<Option<Target>, IncidentsError> {
        let Ok(id) = name.parse::<ChannelId>() else { return Ok(None) };
        let mut tx = self.begin(owner).await?;
        let row = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop();
        tx.commit().await?;
        let Some(row) = row.filter(|row| row.disabled_at.is_none() && row.kind() != ChannelKind::Mail) else {
            return Ok(None);
        };
        let secrets = self.open_secrets(&row)?;
        let kind = row.kind();
        let form = match kind {
            ChannelKind::Webhook => {
                let keys = SigningKey::parse(&secrets.secret.clone().into()).into_iter().collect();
                Form::Signed(keys)
            }
            _ => Form::Plain(Vec::<(HeaderName, HeaderValue)>::new()),
        };
        Ok(Some(Target {
            url: channel::address(kind, &row.settings(), &secrets, &self.inner.config.telegram_url),
            form,
            judge: channel::judge(kind),
            gap: channel::gap(kind),
            longest: LONGEST_WAIT,
            give_up_hours: GIVE_UP_HOURS,
        }))
    }

    /// A group of Telegram has become a supergroup, which has another id: what waits goes there. What goes on failing is told.
    async fn channel_failed(&self, owner: Owner, name: &str, why: &str) -> Result<(), IncidentsError> {
        let Ok(id) = name.parse::<ChannelId>() else { return Ok(()) };
        let Some(chat) = channel::migrated(why) else {
            self.tell_if_it_fails(owner, id, why).await;
            return Ok(());
        };
        let mut tx = self.begin(owner).await?;
        if let Some(row) = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop()
            && row.kind() == ChannelKind::Telegram
        {
            let mut settings = row.settings();
            settings.chat = Some(chat.to_string());
            channels::set_settings(&mut tx, id, &settings, self.inner.clock.now()).await?;
            tracing::info!(channel_id = %id, "the chat of a channel has become a supergroup: its new id is stored");
        }
        tx.commit().await?;
        Ok(())
    }

    async fn channel_gone(&self, owner: Owner, name: &str, why: &str) -> Result<(), IncidentsError> {
        let Ok(id) = name.parse::<ChannelId>() else { return Ok(()) };
        let mut tx = self.begin(owner).await?;
        let disabled = channels::disable(&mut tx, id, Some(DisabledReason::Gone), self.inner.clock.now()).await?;
        tx.commit().await?;
        if disabled {
            self.inner.metrics.channel_gone(&id.to_string(), why);
            self.tell_that_it_is_gone(owner, id, why).await;
        }
        Ok(())
    }
}
