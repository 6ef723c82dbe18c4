//! Maps cookies and API keys to principals, with a cache in front of the database.
//!
//! The cache key includes a generation that every change in this process increments: a value read before a change is
//! not used after it, even when the read was in flight. Changes in other processes take effect within ten seconds, the
//! lifetime of an entry. Expiry is checked on each request.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;

use super::{
    Auth, AuthError,
    metrics::{Credential, Lookup},
    model::{KeyRow, current_org},
    store::{accounts, keys, sessions},
    upkeep::Used,
};
use platform::{
    crypto,
    error::ApiError,
    http::{Actor, Authenticator, KeyActor, Principal, Role, SessionUser},
};

const CACHED_FOR: Duration = Duration::from_secs(10);
/// Precision of "last seen" and "last used".
const NOTED_EVERY: TimeDelta = TimeDelta::seconds(60);

/// Cached look-ups, misses included.
pub(super) struct Caches {
    sessions: Cache<([u8; 32], u64), Option<Arc<CachedSession>>>,
    /// By prefix: guessing one key's secret costs one look-up.
    keys: Cache<(String, u64), Option<Arc<CachedKey>>>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            sessions: Cache::builder().max_capacity(20_000).time_to_live(CACHED_FOR).build(),
            keys: Cache::builder().max_capacity(20_000).time_to_live(CACHED_FOR).build(),
        }
    }
}

struct CachedSession {
    principal: Principal,
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

struct CachedKey {
    principal: Principal,
    row: KeyRow,
}

#[async_trait]
impl Authenticator for Auth {
    async fn session(&self, token: &str) -> Result<Option<Principal>, ApiError> {
        let key = (crypto::sha256(token), self.inner.generation.load(Ordering::SeqCst));
        let found = match self.inner.caches.sessions.get(&key).await {
            Some(found) => self.hit(Credential::Session, found),
            None => {
                self.inner.metrics.lookup(Credential::Session, Lookup::Miss);
                self.inner.caches.sessions.try_get_with(key, self.load_session(token)).await.map_err(shared)?
            }
        };
        let now = self.now();
        let Some(session) = found.filter(|s| s.expires_at > now && s.last_seen_at > self.idle_since(now)) else {
            return Ok(None);
        };
        if let (true, Some(user)) = (now - session.last_seen_at >= NOTED_EVERY, session.principal.user()) {
            self.inner.usage.note(Used::Session(user.session_id));
        }
        Ok(Some(session.principal.clone()))
    }

    async fn api_key(&self, presented: &str) -> Result<Option<Principal>, ApiError> {
        let Some((prefix, secret)) = split_key(presented) else { return Ok(None) };
        let key = (prefix.to_owned(), self.inner.generation.load(Ordering::SeqCst));
        let found = match self.inner.caches.keys.get(&key).await {
            Some(found) => self.hit(Credential::ApiKey, found),
            None => {
                self.inner.metrics.lookup(Credential::ApiKey, Lookup::Miss);
                self.inner.caches.keys.try_get_with(key, self.load_key(prefix)).await.map_err(shared)?
            }
        };
        let now = self.now();
        let Some(key) = found else { return Ok(None) };
        let right = crypto::constant_time_eq(&crypto::sha256(secret), &key.row.secret_hash);
        if !right || key.row.expires_at.is_some_and(|at| at <= now) {
            return Ok(None);
        }
        if key.row.last_used_at.is_none_or(|at| now - at >= NOTED_EVERY) {
            self.inner.usage.note(Used::ApiKey(key.row.id.0));
        }
        Ok(Some(key.principal.clone()))
    }
}

impl Auth {
    fn hit<T>(&self, credential: Credential, found: T) -> T {
        self.inner.metrics.lookup(credential, Lookup::Hit);
        found
    }

    async fn load_session(&self, token: &str) -> Result<Option<Arc<CachedSession>>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let Some(row) = sessions::by_token(&mut tx, &crypto::sha256(token)).await? else { return Ok(None) };
        let orgs = accounts::organisations_of(&mut tx, row.user_id).await?;
        tx.commit().await?;
        // Removed from the session's organisation: switch to another one of theirs; without any, nobody is signed in.
        let Some(org) = current_org(&orgs, row.current_org_id) else { return Ok(None) };
        let (org_id, role) = (org.id, org.role);
        let user = SessionUser {
            user_id: row.user_id,
            email: row.email,
            name: row.name,
            session_id: row.id.0,
            csrf: csrf_token(token),
            orgs: orgs.into(),
            is_operator: row.is_operator,
            must_change_password: row.must_change_password,
        };
        let principal = Principal { org_id, role, actor: Actor::User(user) };
        Ok(Some(Arc::new(CachedSession { principal, last_seen_at: row.last_seen_at, expires_at: row.expires_at })))
    }

    async fn load_key(&self, prefix: &str) -> Result<Option<Arc<CachedKey>>, AuthError> {
        let mut tx = self.inner.db.system().await?;
        let row = keys::by_prefix(&mut tx, prefix).await?;
        tx.commit().await?;
        Ok(row.map(|row| {
            let actor =
                KeyActor { key_id: row.id.0, name: row.name.clone(), scopes: row.scopes.iter().cloned().collect() };
            let principal =
                Principal { org_id: row.org_id, role: self.role_of(&row.scopes), actor: Actor::ApiKey(actor) };
            Arc::new(CachedKey { principal, row })
        }))
    }

    /// The role that a key with these scopes corresponds to, for rules that compare roles. Never owner.
    fn role_of(&self, scopes: &[String]) -> Role {
        let known = self.scopes().iter().filter(|scope| scopes.iter().any(|name| name == scope.as_str()));
        known.map(|scope| scope.role()).max().unwrap_or(Role::Viewer)
    }
}

/// Derived from the cookie's value, so nothing is stored, and the cookie cannot be derived from it.
pub(super) fn csrf_token(session_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(crypto::hmac_sha256(session_token.as_bytes(), b"holdfast csrf"))
}

/// `hf_<prefix>_<secret>`; `None` for malformed keys, which then cost no look-up.
pub(super) fn split_key(presented: &str) -> Option<(&str, &str)> {
    let (prefix, secret) = presented.strip_prefix("hf_")?.split_once('_')?;
    let fine =
        prefix.len() == 8 && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) && secret.len() == 43;
    fine.then_some((prefix, secret))
}

/// Requests that waited for the same look-up share its error, which cannot be cloned.
fn shared(error: Arc<AuthError>) -> ApiError {
    match Arc::try_unwrap(error) {
        Ok(error) => error.into(),
        Err(error) => match &*error {
            AuthError::Db(db) if db.is_locked() => ApiError::unavailable(
                Duration::from_secs(5),
                "another database session holds a lock that this request needs: try again",
            ),
            AuthError::Db(db) if db.is_unavailable() => ApiError::unavailable(
                Duration::from_secs(2),
                "the database does not answer: it is unreachable or overloaded",
            ),
            other => ApiError::internal(anyhow::anyhow!("{other}")),
        },
    }
}
