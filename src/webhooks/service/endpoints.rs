//! Creating, listing, changing and deleting endpoints.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;

use super::Webhooks;
use crate::{
    WebhooksError,
    model::{DisabledReason, Endpoint, EndpointChanges, EndpointId, EndpointWithSecret, Owner},
    sender::By,
    store::{
        deliveries,
        endpoints::{self, NewEndpoint, Row},
    },
};
use platform::{
    crypto,
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    http_client::AddressError,
    names::tidy,
};

/// Limited because each is matched with every event.
const MOST_ENDPOINTS: i64 = 50;
/// Maximum length of an address.
const LONGEST_URL: usize = 2000;
/// How long the former secret also signs after a rotation: time to give the new one to the receiver.
pub const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Why messages are given up.
pub(super) const DISABLED: &str = "the endpoint was disabled";
/// Purpose of the key that encrypts secrets.
const LABEL: &str = "webhooks.secret";

impl Webhooks {
    pub async fn create_endpoint(
        &self,
        who: &Principal,
        owner: Owner,
        new: EndpointChanges,
    ) -> Result<EndpointWithSecret, WebhooksError> {
        let new = self.checked(owner, EndpointChanges { url: Some(new.url.unwrap_or_default()), ..new })?;
        let (id, now) = (EndpointId::generate(&self.inner.clock), self.inner.clock.now());
        let (secret, sealed) = self.new_secret(id)?;
        let mut tx = self.begin(owner).await?;
        if endpoints::count(&mut tx, owner.org()).await? >= MOST_ENDPOINTS {
            return Err(WebhooksError::TooMany(MOST_ENDPOINTS));
        }
        let row = NewEndpoint {
            id,
            org: owner.org(),
            url: new.url.as_deref().unwrap_or_default(),
            description: new.description.as_deref().unwrap_or_default(),
            topics: new.topics.as_deref().unwrap_or_default(),
            secret: &sealed,
            created_by: &who.subject(),
            now,
        };
        endpoints::insert(&mut tx, &row).await?;
        let endpoint = found(&mut tx, owner, id).await?;
        tx.commit().await?;
        tracing::info!(endpoint_id = %id, by = who.subject(), "webhook endpoint made");
        Ok(EndpointWithSecret { endpoint: endpoint.into(), secret })
    }

    /// Newest first.
    pub async fn list_endpoints(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Endpoint>, WebhooksError> {
        let mut tx = self.begin(owner).await?;
        let rows = endpoints::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(rows.into_iter().map(Endpoint::from).collect())
    }

    /// The endpoint, of the caller's organisation or, for operators, of the installation.
    pub async fn get_endpoint(&self, who: &Principal, id: EndpointId) -> Result<Endpoint, WebhooksError> {
        let (_, _, row) = self.find(who, id).await?;
        Ok(row.into())
    }

    /// `None` leaves a field unchanged.
    pub async fn update_endpoint(
        &self,
        who: &Principal,
        id: EndpointId,
        changes: EndpointChanges,
    ) -> Result<Endpoint, WebhooksError> {
        let (mut tx, owner, row) = self.find(who, id).await?;
        let changes = self.checked(owner, changes)?;
        let now = self.inner.clock.now();
        let url = changes.url.as_deref().unwrap_or(&row.url);
        let moved = url != row.url;
        let description = changes.description.as_deref().unwrap_or(&row.description);
        let topics = changes.topics.as_deref().unwrap_or(&row.topics);
        endpoints::update(&mut tx, id, (url, description, topics), now).await?;
        match changes.enabled {
            Some(true) => endpoints::enable(&mut tx, id, now).await?,
            Some(false) if row.disabled_at.is_none() => {
                endpoints::disable(&mut tx, id, DisabledReason::ByHand, now).await?;
                deliveries::give_up(&mut tx, &id.to_string(), None, DISABLED).await?;
            }
            _ => {}
        }
        // What waits for the next attempt at the former address is tried at once.
        if moved || changes.enabled == Some(true) {
            endpoints::retry_now(&mut tx, id, now).await?;
            self.wake(&mut tx, owner.org(), &id.to_string()).await?;
        }
        let endpoint = found(&mut tx, owner, id).await?;
        tx.commit().await?;
        tracing::info!(endpoint_id = %id, by = who.subject(), "webhook endpoint changed");
        Ok(endpoint.into())
    }

    /// Gives the endpoint a new secret; the former one also signs for [`OVERLAP`].
    pub async fn rotate_secret(&self, who: &Principal, id: EndpointId) -> Result<EndpointWithSecret, WebhooksError> {
        let (mut tx, owner, _) = self.find(who, id).await?;
        let (secret, sealed) = self.new_secret(id)?;
        let now = self.inner.clock.now();
        endpoints::rotate(&mut tx, id, &sealed, now + OVERLAP, now).await?;
        let endpoint = found(&mut tx, owner, id).await?;
        tx.commit().await?;
        tracing::info!(endpoint_id = %id, by = who.subject(), "webhook secret rotated");
        Ok(EndpointWithSecret { endpoint: endpoint.into(), secret })
    }

    /// Deletes the endpoint with its deliveries.
    pub async fn delete_endpoint(&self, who: &Principal, id: EndpointId) -> Result<(), WebhooksError> {
        let (mut tx, _, _) = self.find(who, id).await?;
        deliveries::delete_of(&mut tx, &id.to_string()).await?;
        endpoints::delete(&mut tx, id).await?;
        tx.commit().await?;
        tracing::info!(endpoint_id = %id, by = who.subject(), "webhook endpoint deleted");
        Ok(())
    }

    /// The endpoint, locked, and the transaction that sees it.
    pub(super) async fn find(&self, who: &Principal, id: EndpointId) -> Result<(Tx, Owner, Row), WebhooksError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(row) = endpoints::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, row));
            }
        }
        Err(WebhooksError::NotFound("webhook_endpoint"))
    }

    /// The normalised changes, or the validation errors.
    fn checked(&self, owner: Owner, changes: EndpointChanges) -> Result<EndpointChanges, WebhooksError> {
        let mut errors = Vec::new();
        let changes = EndpointChanges {
            url: changes.url.map(|url| url.trim().to_owned()),
            description: changes.description.map(|text| tidy(&text)),
            ..changes
        };
        if let Some(url) = &changes.url {
            let by = if owner == Owner::Installation { By::Operator } else { By::Organisation };
            if url.len() > LONGEST_URL {
                errors.push(FieldError::new("/url", "too_long", format!("at most {LONGEST_URL} characters")));
            } else if let Err(error) = self.inner.sender.judge(by, url) {
                let code = if matches!(error, AddressError::NotPublic(_)) { "not_public" } else { "invalid" };
                errors.push(FieldError::new("/url", code, error.to_string()));
            }
        }
        if changes.description.as_ref().is_some_and(|text| text.chars().count() > 200) {
            errors.push(FieldError::new("/description", "too_long", "at most 200 characters"));
        }
        let known = self.topics();
        for topic in changes.topics.iter().flatten().filter(|topic| !known.contains(&topic.as_str())) {
            errors.push(FieldError::new(
                "/topics",
                "unknown_topic",
                format!("{topic:?} is none of {}", known.join(", ")),
            ));
        }
        if errors.is_empty() { Ok(changes) } else { Err(WebhooksError::Invalid(errors)) }
    }

    /// A new secret, in plain text and as stored.
    fn new_secret(&self, id: EndpointId) -> Result<(String, Vec<u8>), WebhooksError> {
        let secret = format!("whsec_{}", STANDARD.encode(crypto::random_bytes::<32>()));
        let sealed = self.inner.master_key.seal(LABEL, id.0.as_bytes(), secret.as_bytes())?;
        Ok((secret, sealed))
    }

    pub(super) fn open_secret(&self, id: EndpointId, sealed: &[u8]) -> anyhow::Result<secrecy::SecretString> {
        let plain = self.inner.master_key.open(LABEL, id.0.as_bytes(), sealed)?;
        Ok(String::from_utf8(plain)?.into())
    }
}

/// Owners whose endpoints the caller may see.
pub(super) fn owners(who: &Principal) -> impl Iterator<Item = Owner> {
    [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::Installation)].into_iter().flatten()
}

async fn found(tx: &mut Tx, owner: Owner, id: EndpointId) -> Result<Row, WebhooksError> {
    endpoints::get(tx, owner.org(), id).await?.ok_or(WebhooksError::NotFound("webhook_endpoint"))
}
