//! Subscribing by mail: asked for on a page, confirmed by a link in a mail, managed by a link in each further one.
//!
//! A link is `<id>.<signature>`, one to confirm `<id>.<microseconds>.<signature>`: signed are the id, what it is for, and when it was asked for. Nothing of
//! it is stored, and nobody can make that of another. Who asks twice may open either link.

use std::{collections::HashMap, net::IpAddr};

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{StatusPages, upkeep::CONFIRM_WITHIN};
use crate::{
    StatusPageError, Subscriber, SubscriberId,
    holder::Served,
    metrics::Told,
    model::Owner,
    store::subscribers::{self, Asking},
};
use console::Lang;
use incidents::ComponentId;
use mail::{Address, Content, NewMail, kinds};
use platform::{crypto, http::address_key};

/// Hex digits of a signature: 128 bits cannot be guessed.
const DIGITS: usize = 32;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Confirm,
    Manage,
}

impl Purpose {
    pub fn path(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Manage => "manage",
        }
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub address: &'a str,
    pub lang: Lang,
    /// Empty: everything.
    pub components: Vec<ComponentId>,
    pub from: IpAddr,
}

impl StatusPages {
    fn signature(&self, id: SubscriberId, purpose: Purpose, asked_at: DateTime<Utc>) -> String {
        let of_time = if purpose == Purpose::Confirm { asked_at.timestamp_micros() } else { 0 };
        let signed = format!("{}/{id}/{of_time}", purpose.path());
        let mut hex = crypto::hex(&crypto::hmac_sha256(&self.inner.signing, signed.as_bytes()));
        hex.truncate(DIGITS);
        hex
    }

    /// The link in a mail to a subscriber.
    pub(crate) fn link(&self, served_url: &str, subscriber: &Subscriber, purpose: Purpose) -> String {
        let signature = self.signature(subscriber.id, purpose, subscriber.asked_at);
        let time = match purpose {
            Purpose::Confirm => format!("{}.", subscriber.asked_at.timestamp_micros()),
            Purpose::Manage => String::new(),
        };
        format!("{served_url}/{}/{}.{time}{signature}", purpose.path(), subscriber.id)
    }

    /// Whom a link is for, of whichever page; `None`: it was not made by us, or has ended. Asks nobody: what strangers guess does not reach the database.
    pub(crate) fn signed(&self, purpose: Purpose, token: &str) -> Option<SubscriberId> {
        let (id, rest) = token.split_once('.')?;
        let id = id.parse::<SubscriberId>().ok()?;
        let (asked_at, signature) = match purpose {
            Purpose::Manage => (DateTime::UNIX_EPOCH, rest),
            Purpose::Confirm => {
                let (micros, signature) = rest.split_once('.')?;
                (DateTime::from_timestamp_micros(micros.parse().ok()?)?, signature)
            }
        };
        let right = self.signature(id, purpose, asked_at);
        let is_ours = crypto::constant_time_eq(right.as_bytes(), signature.as_bytes());
        (is_ours && !self.is_late(purpose, asked_at)).then_some(id)
    }

    fn is_late(&self, purpose: Purpose, asked_at: DateTime<Utc>) -> bool {
        purpose == Purpose::Confirm && self.inner.clock.now() - asked_at > CONFIRM_WITHIN
    }

    /// Whom a link is for; `None`: it is none of this page's, or does not work any more.
    pub(crate) async fn open_link(
        &self,
        served: &Served,
        purpose: Purpose,
        token: &str,
    ) -> Result<Option<Subscriber>, StatusPageError> {
        let Some(id) = self.signed(purpose, token) else { return Ok(None) };
        let mut tx = self.system().await?;
        let found = subscribers::get(&mut tx, served.access.page.id, id).await?;
        Ok(found.filter(|found| !self.is_late(purpose, found.asked_at)))
    }

    /// Notes the wish and mails a link. What is answered does not say whether the address is known.
    pub(crate) async fn subscribe(&self, served: &Served, asked: &Asked<'_>) -> Result<(), StatusPageError> {
        let page = &served.access.page;
        let address = Address::new("", asked.address.trim())
            .map_err(|error| StatusPageError::invalid("/address", "invalid", error.to_string()))?;
        let limits = &self.inner.limits;
        let refused = || {
            StatusPageError::Conflict("too_many_requests", "too many subscriptions from here: try again later".into())
        };
        limits.by_origin.check(&address_key(asked.from)).map_err(|_| refused())?;
        let known: Vec<Uuid> = page.components.iter().map(|place| place.component_id.0).collect();
        let components: Vec<Uuid> = asked.components.iter().map(|id| id.0).filter(|id| known.contains(id)).collect();
        // Silently: who asks for another's address is not told that somebody did before.
        if limits.by_address.check(&format!("{}/{}", page.id, asked.address.trim().to_lowercase())).is_err() {
            return Ok(());
        }
        let owner = if page.installation { Owner::Installation } else { self.owner_of(page.id).await? };
        let mut tx = self.system().await?;
        let asking = Asking {
            id: SubscriberId::generate(&self.inner.clock),
            page: page.id,
            org: owner.org(),
            address: asked.address.trim(),
            language: asked.lang.code(),
            components: &components,
            from: &asked.from.to_string(),
            now: self.inner.clock.now(),
        };
        let subscriber = subscribers::ask(&mut tx, &asking).await?;
        // Also to those who have confirmed before: the page behind the link leads on to what they are told of.
        let link = self.link(&served.access.url, &subscriber, Purpose::Confirm);
        let mail = NewMail {
            kind: &kinds::STATUS_CONFIRM,
            to: &address,
            language: asked.lang.code(),
            content: Content::Template {
                name: "status_confirm",
                data: json!({ "page": page.name, "url": link, "valid_seconds": CONFIRM_WITHIN.num_seconds() }),
            },
            attachments: Vec::new(),
            send_at: None,
            expires_at: Some(self.inner.clock.now() + CONFIRM_WITHIN),
            idempotency_key: None,
            reply_to: None,
            from: None,
            created_by: "status_page".to_owned(),
        };
        self.inner.rooms.mail.enqueue(&mut tx, owner, &mail).await?;
        tx.commit().await?;
        self.inner.metrics.told(Told::Queued, 1);
        Ok(())
    }

    /// Names of the page's components.
    pub(crate) async fn component_names(
        &self,
        served: &Served,
    ) -> Result<HashMap<ComponentId, String>, StatusPageError> {
        let ids: Vec<ComponentId> = served.access.page.components.iter().map(|place| place.component_id).collect();
        let mut tx = self.system().await?;
        let all = self.inner.rooms.incidents.components(&mut tx, &ids).await?;
        Ok(all.into_iter().map(|component| (component.id, component.name)).collect())
    }

    async fn owner_of(&self, page: crate::PageId) -> Result<Owner, StatusPageError> {
        let mut tx = self.system().await?;
        let stored = crate::store::pages::of_ids(&mut tx, &[page]).await?.pop();
        Ok(Owner::of(stored.ok_or(StatusPageError::NotFound("status_page"))?.org))
    }

    /// From now on updates are mailed.
    pub(crate) async fn confirm(&self, served: &Served, subscriber: &Subscriber) -> Result<(), StatusPageError> {
        let mut tx = self.system().await?;
        let is_new =
            subscribers::confirm(&mut tx, served.access.page.id, subscriber.id, self.inner.clock.now()).await?;
        tx.commit().await?;
        if is_new {
            self.inner.metrics.confirmed();
        }
        Ok(())
    }

    /// What they want to know of; empty: everything.
    pub(crate) async fn choose(
        &self,
        served: &Served,
        subscriber: &Subscriber,
        components: &[ComponentId],
    ) -> Result<(), StatusPageError> {
        let known: Vec<Uuid> = served.access.page.components.iter().map(|place| place.component_id.0).collect();
        let mut chosen: Vec<Uuid> = components.iter().map(|id| id.0).filter(|id| known.contains(id)).collect();
        if chosen.len() == known.len() {
            // All of them now is everything, also what is added later.
            chosen.clear();
        }
        let mut tx = self.system().await?;
        subscribers::choose(&mut tx, served.access.page.id, subscriber.id, &chosen).await?;
        Ok(tx.commit().await?)
    }

    /// Nothing more is mailed, and nothing is kept of them.
    pub(crate) async fn unsubscribe(&self, served: &Served, subscriber: &Subscriber) -> Result<(), StatusPageError> {
        let mut tx = self.system().await?;
        subscribers::delete(&mut tx, served.access.page.id, subscriber.id).await?;
        Ok(tx.commit().await?)
    }
}
