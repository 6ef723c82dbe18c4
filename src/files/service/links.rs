//! Links that people share. Who has one reads what it leads to, without an account, until it expires, is used up or is revoked; after that it looks as if
//! it had never been.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use super::{Files, permit};
use crate::{
    Bucket, Caller, CallerKind, FileLink, FileLinkId, FilesError, Key, LinkGrant, NewFileLink, Verb, VersionRef, Why,
    store,
};
use platform::{
    crypto,
    error::FieldError,
    http::{RateLimiter, Slice},
    pools::CpuPool,
};
use storage::StorageError;

/// Passwords that are compared or wait for it: more are refused, and nobody waits for ever.
const WAITING: usize = 16;
/// Tries of a password in a minute, of an address at a link.
const TRIES: u32 = 5;
const SHORTEST_PASSWORD: usize = 8;
/// Bytes.
const LONGEST_PASSWORD: usize = 512;
/// How long a password that was right counts.
const UNLOCKED_FOR: TimeDelta = TimeDelta::hours(1);

/// Passwords of links: hashed one at a time, and tried slowly.
pub(crate) struct LinkPasswords {
    pool: CpuPool,
    places: Arc<Semaphore>,
    tries: RateLimiter,
}

impl LinkPasswords {
    pub(super) fn new() -> Self {
        let tries = RateLimiter::new(TRIES, TRIES);
        Self { pool: CpuPool::new(1), places: Arc::new(Semaphore::new(WAITING)), tries }
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, FilesError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| FilesError::Busy)?;
        // The permit moves into the work: a client that goes away does not free it before the work is done.
        let work = move || {
            let result = work();
            drop(place);
            result
        };
        Ok(self.pool.run(work).await.map_err(StorageError::from)?)
    }

    async fn hash(&self, password: &SecretString) -> Result<String, FilesError> {
        let password = normal(password);
        let hashed = self.work(move || {
            let salt = crypto::random_bytes::<16>();
            let hash: Result<PasswordHash, _> = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
        });
        hashed.await?.map_err(|_| unreadable())
    }

    async fn is_right(&self, password: &SecretString, hash: String) -> Result<bool, FilesError> {
        let password = normal(password);
        let compared = self.work(move || -> Result<bool, ()> {
            let parsed = PasswordHash::new(&hash).map_err(|_| ())?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        compared.await?.map_err(|()| unreadable())
    }
}

/// As macOS, which types й as two characters, and others, which type one, mean the same.
fn normal(password: &SecretString) -> String {
    password.expose_secret().nfc().collect()
}

fn unreadable() -> FilesError {
    FilesError::Row("of a password's hash".to_owned())
}

/// A link that somebody has opened.
#[derive(Clone, Debug)]
pub struct OpenedLink {
    pub link: FileLink,
    pub bucket: Bucket,
    /// Who may read what it leads to.
    pub who: Caller,
    password_hash: Option<String>,
}

impl Files {
    /// The link, and the token that is its address: it is told only here.
    pub async fn create_link(&self, who: &Caller, new: NewFileLink) -> Result<(FileLink, String), FilesError> {
        may_share(who)?;
        let now = self.inner.clock.now();
        check(&new, now)?;
        let bucket = self.bucket_by_id(who, new.bucket).await?;
        if new.folder {
            let mut tx = self.inner.db.tenant(who.org).await?;
            permit(&mut tx, who, &bucket, Verb::List, &new.key).await?;
            permit(&mut tx, who, &bucket, Verb::Read, &new.key).await?;
        } else {
            let version = new.version.map(VersionRef::Id);
            self.find(who, &bucket, &Key::parse(new.key.clone())?, version).await?;
        }
        let password_hash = match &new.password {
            Some(password) => Some(self.inner.passwords.hash(password).await?),
            None => None,
        };
        let token = crypto::random_token();
        let link = FileLink {
            id: FileLinkId::generate(&self.inner.clock),
            bucket: bucket.id,
            key: new.key,
            folder: new.folder,
            version: new.version,
            has_password: password_hash.is_some(),
            expires_at: new.expires_at,
            most: new.most,
            used: 0,
            created_by: who.subject.clone(),
            created_at: now,
        };
        let mut tx = self.inner.db.tenant(who.org).await?;
        let hash = crypto::sha256(&token);
        store::links::insert(&mut tx, who.org, &link, &hash, password_hash.as_deref()).await?;
        tx.commit().await?;
        tracing::info!(link = %link.id, bucket = %bucket.id, "link {} made", link.id);
        Ok((link, token))
    }

    /// Newest first; also those that have ended by themselves.
    pub async fn links(&self, who: &Caller, slice: &Slice) -> Result<Vec<FileLink>, FilesError> {
        may_share(who)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::links::list(&mut tx, who.org, slice).await?;
        drop(tx);
        Ok(found)
    }

    /// From now on it leads nowhere.
    pub async fn revoke_link(&self, who: &Caller, id: FileLinkId) -> Result<(), FilesError> {
        may_share(who)?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        if !store::links::delete(&mut tx, id).await? {
            return Err(FilesError::LinkNotFound);
        }
        tx.commit().await?;
        tracing::info!(link = %id, "link {id} revoked");
        Ok(())
    }

    /// What the token of a link leads to; `None`: it leads nowhere, whatever the reason is.
    pub async fn open_link(&self, token: &str) -> Result<Option<OpenedLink>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::links::by_token(&mut tx, &crypto::sha256(token)).await?;
        drop(tx);
        let Some(found) = found else { return Ok(None) };
        let link = found.link;
        let has_expired = link.expires_at.is_some_and(|end| end <= self.inner.clock.now());
        if has_expired || link.most.is_some_and(|most| link.used >= most) {
            return Ok(None);
        }
        let grant = LinkGrant { id: link.id, bucket: link.bucket, key: link.key.clone(), folder: link.folder };
        let subject = format!("link:{}", link.id);
        let who = Caller { kind: CallerKind::Link(grant), subject, ..Caller::anyone(found.org) };
        match self.bucket_by_id(&who, link.bucket).await {
            Ok(bucket) => Ok(Some(OpenedLink { link, bucket, who, password_hash: found.password_hash })),
            // In the trash.
            Err(FilesError::BucketNotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts a download. False: it was the last one's already.
    pub async fn use_link(&self, opened: &OpenedLink) -> Result<bool, FilesError> {
        let mut tx = self.inner.db.tenant(opened.who.org).await?;
        let counted = store::links::count(&mut tx, opened.link.id).await?;
        tx.commit().await?;
        Ok(counted)
    }

    /// Compares a password. `address`: of the client, which may try a few in a minute. The answer, if it is right, is the value of a cookie that opens
    /// the link for an hour.
    pub async fn unlock(
        &self,
        opened: &OpenedLink,
        password: &SecretString,
        address: &str,
    ) -> Result<Option<String>, FilesError> {
        let Some(hash) = &opened.password_hash else { return Ok(None) };
        let tries = format!("{} {address}", opened.link.id);
        self.inner.passwords.tries.check(&tries).map_err(|retry_after| FilesError::Limited { retry_after })?;
        if !self.inner.passwords.is_right(password, hash.clone()).await? {
            return Ok(None);
        }
        let until = (self.inner.clock.now() + UNLOCKED_FOR).timestamp();
        Ok(Some(format!("{until}.{}", self.unlocking(opened.link.id, hash, until))))
    }

    /// Whether the link has no password, or the cookie says that it was given.
    pub fn is_unlocked(&self, opened: &OpenedLink, cookie: Option<&str>) -> bool {
        let Some(hash) = &opened.password_hash else { return true };
        let parts = cookie.and_then(|cookie| cookie.split_once('.'));
        let Some((until, signature)) = parts.and_then(|(until, rest)| Some((until.parse::<i64>().ok()?, rest))) else {
            return false;
        };
        let expected = self.unlocking(opened.link.id, hash, until);
        crypto::constant_time_eq(expected.as_bytes(), signature.as_bytes())
            && until > self.inner.clock.now().timestamp()
    }

    /// Of a link, its password and a time. No claims of a token begin so.
    fn unlocking(&self, id: FileLinkId, hash: &str, until: i64) -> String {
        let text = format!("link {id} {until} {hash}");
        crypto::hex(&crypto::hmac_sha256(&self.inner.token_key, text.as_bytes()))
    }
}

/// Links are made by people and programs of the organisation, not by what they gave away.
fn may_share(who: &Caller) -> Result<(), FilesError> {
    match &who.kind {
        CallerKind::Member { role, .. } if *role >= crate::WRITE.role() => Ok(()),
        CallerKind::ApiKey { scopes, .. } if scopes.contains(crate::WRITE.as_str()) => Ok(()),
        CallerKind::Worker => Ok(()),
        CallerKind::ApiKey { .. } => Err(Why::Scope(crate::WRITE.as_str()).into()),
        CallerKind::Member { .. } | CallerKind::AccessKey(_) => Err(Why::Verb(Verb::Write).into()),
        CallerKind::Token(_) | CallerKind::Link(_) => Err(Why::Token.into()),
        CallerKind::Anyone => Err(Why::Nobody.into()),
    }
}

fn check(new: &NewFileLink, now: DateTime<Utc>) -> Result<(), FilesError> {
    let mut errors = Vec::new();
    if new.folder && !(new.key.is_empty() || new.key.ends_with('/')) {
        errors.push(FieldError::new("/key", "invalid", "a folder's key ends in a slash, or is empty"));
    }
    if new.folder && new.version.is_some() {
        errors.push(FieldError::new("/version_id", "invalid", "a folder has no versions"));
    }
    if new.folder && (new.key.len() > 1024 || new.key.contains('\0')) {
        errors.push(FieldError::new("/key", "invalid", "at most 1024 bytes, without U+0000"));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        errors.push(FieldError::new("/expires_at", "out_of_range", "a time to come"));
    }
    if new.most.is_some_and(|most| most < 1) {
        errors.push(FieldError::new("/most", "out_of_range", "at least 1"));
    }
    if let Some(password) = &new.password {
        let password = password.expose_secret();
        if password.chars().count() < SHORTEST_PASSWORD || password.len() > LONGEST_PASSWORD {
            let text = format!("at least {SHORTEST_PASSWORD} characters, at most {LONGEST_PASSWORD} bytes");
            errors.push(FieldError::new("/password", "out_of_range", text));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(FilesError::Invalid(errors)) }
}
