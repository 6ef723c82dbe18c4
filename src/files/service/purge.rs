//! Caches in front: a bucket may name an address that is told which of its addresses have changed. Deliveries, retries and their log are room webhooks'.

use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{Files, permit};
use crate::{Bucket, BucketId, Caller, FilesError, Key, Verb, store};
use platform::{db::Tx, ids::Owner};
use webhooks::{DeliveryId, Form, Message, Receivers, Target, WebhooksError, by_status};

/// What stands before a bucket's id in the name of its receiver.
const PREFIX: &str = "files.";
const TOPIC: &str = "files.object.changed";
/// What is told after this long is of no use any more, hours.
const GIVE_UP: u32 = 24;
/// What stays as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Files {
    /// Tells the bucket's address, if it has one, that what a key leads to has changed; `None`: that of all keys. In the transaction of the change.
    pub(super) async fn tell_of_change(
        &self,
        tx: &mut Tx,
        bucket: &Bucket,
        key: Option<&str>,
    ) -> Result<(), FilesError> {
        if bucket.purge_url.is_none() {
            return Ok(());
        }
        let slug = store::public::slug(tx, bucket.org).await?;
        let base = format!("{}/f/o/{slug}/{}/", self.inner.public_url, bucket.name);
        let urls = key.map(|key| vec![format!("{base}{}", utf8_percent_encode(key, PATH))]).unwrap_or_default();
        let prefix = key.is_none().then_some(base);
        let data = json!({"bucket": bucket.name, "key": key, "prefix": prefix, "urls": urls});
        let body = json!({"type": TOPIC, "timestamp": self.inner.clock.now(), "data": data});
        let subject: String = key.unwrap_or(&bucket.name).chars().take(200).collect();
        let message = Message { topic: TOPIC, subject, body: body.to_string() };
        let receiver = format!("{PREFIX}{}", bucket.id);
        let id = DeliveryId::generate(&self.inner.clock);
        self.inner.webhooks.post(tx, Owner::Org(bucket.org), &receiver, id, &message).await.map_err(passed)
    }

    /// Forgets what was made of an object, or tells of a whole bucket, and tells whoever keeps copies in front.
    pub async fn purge_copies(&self, who: &Caller, bucket: &Bucket, key: Option<&Key>) -> Result<(), FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        if let Some(key) = key
            && let Some(object) = store::objects::current(&mut tx, bucket.id, key).await?
        {
            self.forget_variants(&object).await;
        }
        self.tell_of_change(&mut tx, bucket, key.map(Key::as_str)).await?;
        Ok(tx.commit().await?)
    }

    async fn purge_target(&self, owner: Owner, name: &str) -> Result<Option<Target>, FilesError> {
        let (Some(org), Ok(id)) = (owner.org(), name.parse::<BucketId>()) else { return Ok(None) };
        let mut tx = self.inner.db.tenant(org).await?;
        let bucket = store::buckets::by_id(&mut tx, id).await?;
        drop(tx);
        let url = bucket.and_then(|bucket| bucket.purge_url);
        Ok(url.map(|url| Target {
            url: url.into(),
            form: Form::Plain(Vec::new()),
            judge: by_status,
            gap: Duration::ZERO,
            longest: Duration::from_secs(600),
            give_up_hours: GIVE_UP,
        }))
    }
}

fn passed(error: WebhooksError) -> FilesError {
    match error {
        WebhooksError::Db(error) => error.into(),
        WebhooksError::Jobs(error) => error.into(),
        WebhooksError::Seal(error) => error.into(),
        WebhooksError::Message(error) => error.into(),
        other => FilesError::Row(other.to_string()),
    }
}

/// Room webhooks asks here where the messages of a bucket go.
#[derive(Clone, Debug)]
pub struct PurgeReceivers(pub Files);

#[async_trait]
impl Receivers for PurgeReceivers {
    fn prefix(&self) -> &'static str {
        PREFIX
    }

    async fn get(&self, owner: Owner, name: &str) -> Result<Option<Target>, WebhooksError> {
        self.0.purge_target(owner, name).await.map_err(|error| match error {
            FilesError::Db(error) => error.into(),
            _ => WebhooksError::NotFound("bucket"),
        })
    }

    async fn failed(&self, _owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError> {
        tracing::info!(bucket = name, why, "files.purge_failed");
        Ok(())
    }

    async fn gone(&self, _owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError> {
        tracing::warn!(bucket = name, why, "files.purge_address_gone");
        Ok(())
    }
}
