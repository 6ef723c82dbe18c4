//! Access keys of the S3 API.
//!
//! A look-up is kept for ten seconds, also of a key that is not there: another process may have revoked or made it, and takes effect here after that.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::Files;
use crate::{AccessKey, AccessKeyId, AccessKeyInfo, Caller, FilesError, NewAccessKey, access::may_make, store};
use platform::{
    crypto::{self, MasterKey},
    error::FieldError,
    http::Slice,
};

const FOUND_FOR: Duration = Duration::from_secs(10);
/// Precision of "last used".
const NOTED_EVERY: TimeDelta = TimeDelta::seconds(60);
/// Keys of an organisation that can be used at the same time.
const MOST_KEYS: i64 = 1000;
/// Label of the secrets' key under the master key.
const SEALED_AS: &str = "files access keys";
/// Capital letters and the digits that are no letters' doubles: 32, so that a byte gives each with the same probability.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What opens secrets, and keys that were looked up lately.
pub(crate) struct AccessKeys {
    master_key: MasterKey,
    found: Cache<String, Option<Arc<AccessKey>>>,
}

impl AccessKeys {
    pub fn new(master_key: MasterKey) -> Self {
        Self { master_key, found: Cache::builder().max_capacity(20_000).time_to_live(FOUND_FOR).build() }
    }
}

impl Files {
    /// The key that a signature names; `None`: there is none, it is revoked or has expired.
    pub async fn access_key(&self, access_key_id: &str) -> Result<Option<Arc<AccessKey>>, FilesError> {
        // What no key can be called is not looked up, and not kept.
        if access_key_id.len() != 20 || !access_key_id.starts_with("HF") {
            return Ok(None);
        }
        let keys = &self.inner.keys;
        let found = match keys.found.get(access_key_id) {
            Some(found) => found,
            None => {
                let found = self.load_access_key(access_key_id).await?;
                keys.found.insert(access_key_id.to_owned(), found.clone());
                found
            }
        };
        let now = self.inner.clock.now();
        Ok(found.filter(|key| key.expires_at.is_none_or(|at| now < at)))
    }

    async fn load_access_key(&self, access_key_id: &str) -> Result<Option<Arc<AccessKey>>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let Some(row) = store::keys::by_access_key_id(&mut tx, access_key_id).await? else { return Ok(None) };
        let now = self.inner.clock.now();
        if row.last_used_at.is_none_or(|at| now - at >= NOTED_EVERY) {
            store::keys::note_use(&mut tx, row.id, now).await?;
        }
        tx.commit().await?;
        let plain = self.inner.keys.master_key.open(SEALED_AS, row.id.0.as_bytes(), &row.sealed)?;
        let secret = String::from_utf8(plain).map_err(|_| FilesError::Row("a secret that is no text".to_owned()))?;
        Ok(Some(Arc::new(AccessKey {
            id: row.id,
            org: row.org,
            name: row.name,
            access_key_id: access_key_id.to_owned(),
            secret: SecretString::from(secret),
            verbs: row.verbs,
            buckets: row.buckets,
            prefix: row.prefix,
            expires_at: row.expires_at,
        })))
    }

    /// The secret is in the answer, and never again.
    pub async fn create_key(&self, who: &Caller, new: NewAccessKey) -> Result<(AccessKey, SecretString), FilesError> {
        may_make(who)?;
        let now = self.inner.clock.now();
        let new = checked(new, now)?;
        let id = AccessKeyId::generate(&self.inner.clock);
        let access_key_id = format!("HF{}", letters::<18>());
        // 40 characters, as Amazon's: some programs check the length.
        let secret = SecretString::from(letters::<40>());
        let sealed = self.inner.keys.master_key.seal(SEALED_AS, id.0.as_bytes(), secret.expose_secret().as_bytes())?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        if store::keys::count_live(&mut tx, who.org, now).await? >= MOST_KEYS {
            return Err(FilesError::Quota { what: "access keys", limit: MOST_KEYS, trash: 0 });
        }
        if let Some(buckets) = &new.buckets {
            let ids: Vec<Uuid> = buckets.iter().map(|id| id.0).collect();
            let there = store::keys::count_buckets(&mut tx, who.org, &ids).await?;
            if usize::try_from(there).unwrap_or_default() != ids.len() {
                return Err(FilesError::BucketNotFound);
            }
        }
        let row = store::keys::NewRow {
            id,
            org: who.org,
            access_key_id: &access_key_id,
            sealed: &sealed,
            new: &new,
            created_by: &who.subject,
            now,
        };
        store::keys::insert(&mut tx, &row).await?;
        tx.commit().await?;
        tracing::info!(access_key = %id, "access key {id} created");
        let NewAccessKey { name, verbs, buckets, prefix, expires_at } = new;
        let key = AccessKey {
            id,
            org: who.org,
            name,
            access_key_id,
            secret: secret.clone(),
            verbs,
            buckets,
            prefix,
            expires_at,
        };
        Ok((key, secret))
    }

    /// Newest first, revoked ones too.
    pub async fn list_keys(&self, who: &Caller, slice: &Slice) -> Result<Vec<AccessKeyInfo>, FilesError> {
        may_make(who)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::keys::list(&mut tx, slice).await?;
        drop(tx);
        Ok(found)
    }

    /// Takes effect here at once, and in other processes after ten seconds.
    pub async fn revoke_key(&self, who: &Caller, id: AccessKeyId) -> Result<(), FilesError> {
        may_make(who)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let revoked = store::keys::revoke(&mut tx, id, self.inner.clock.now()).await?;
        let access_key_id = revoked.ok_or(FilesError::AccessKeyNotFound)?;
        tx.commit().await?;
        self.inner.keys.found.invalidate(&access_key_id);
        tracing::info!(access_key = %id, "access key {id} revoked");
        Ok(())
    }
}

/// All that is wrong at once.
fn checked(mut new: NewAccessKey, now: DateTime<Utc>) -> Result<NewAccessKey, FilesError> {
    let mut errors = Vec::new();
    new.name = new.name.trim().to_owned();
    if !(1..=100).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        errors.push(FieldError::new("/name", "invalid", "1 to 100 characters, without control characters"));
    }
    new.verbs = new.verbs.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    if new.verbs.is_empty() {
        errors.push(FieldError::new("/verbs", "required", "at least one of list, read, write, delete, admin"));
    }
    new.buckets = new.buckets.map(|ids| ids.into_iter().collect::<BTreeSet<_>>().into_iter().collect());
    if new.buckets.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > 100) {
        errors.push(FieldError::new("/buckets", "invalid", "1 to 100 buckets, or nothing for all of them"));
    }
    if new.prefix.len() > 1024 || new.prefix.contains('\0') {
        errors.push(FieldError::new("/prefix", "invalid", "at most 1024 bytes, without U+0000"));
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        errors.push(FieldError::new("/expires_at", "invalid", "must be in the future"));
    }
    if errors.is_empty() { Ok(new) } else { Err(FilesError::Invalid(errors)) }
}

/// So many random letters.
fn letters<const N: usize>() -> String {
    crypto::random_bytes::<N>().iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BucketId, Verb};

    fn new() -> NewAccessKey {
        let verbs = vec![Verb::Write, Verb::Read, Verb::Write];
        NewAccessKey { name: " k ".to_owned(), verbs, buckets: None, prefix: String::new(), expires_at: None }
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said_at_once() {
        let now = DateTime::UNIX_EPOCH;
        let fine = checked(new(), now).unwrap();
        assert_eq!((fine.name.as_str(), fine.verbs), ("k", vec![Verb::Read, Verb::Write]));
        let twice = BucketId(Uuid::nil());
        let once = checked(NewAccessKey { buckets: Some(vec![twice, twice]), ..new() }, now).unwrap();
        assert_eq!(once.buckets.map(|list| list.len()), Some(1));
        let wrong = NewAccessKey {
            name: "\u{1}".to_owned(),
            verbs: Vec::new(),
            buckets: Some(Vec::new()),
            prefix: "a\0".to_owned(),
            expires_at: Some(now),
        };
        match checked(wrong, now) {
            Err(FilesError::Invalid(errors)) => assert_eq!(errors.len(), 5, "{errors:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_are_as_the_table_wants_them() {
        let (id, secret) = (letters::<18>(), letters::<40>());
        assert_eq!((id.len(), secret.len()), (18, 40));
        assert!(id.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{id}");
        assert_ne!(letters::<18>(), id);
    }
}
