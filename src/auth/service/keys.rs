//! API keys of an organisation.

use chrono::{DateTime, Utc};

use super::{Auth, text};
use crate::{
    ApiKey, ApiKeyId, AuthError, NewApiKey,
    store::{keys, members},
};
use platform::{
    crypto,
    http::{Actor, Principal, Scope, Slice},
};

/// Digits and lower-case letters. 36 is not a power of two: the slight bias does not matter for a public identifier.
const PREFIX_ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Auth {
    /// Newest first. The caller has checked the scope.
    pub async fn list_api_keys(
        &self,
        who: &Principal,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<ApiKey>, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let list = keys::list(&mut tx, search, slice).await?;
        tx.commit().await?;
        Ok(list)
    }

    /// Keys of the organisation that are neither revoked nor expired.
    pub async fn count_live_api_keys(&self, who: &Principal) -> Result<i64, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let count = keys::count_live(&mut tx, self.now()).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// Creates a key. Nobody can grant a scope that they lack.
    pub async fn create_api_key(
        &self,
        who: &Principal,
        name: &str,
        scopes: &[String],
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewApiKey, AuthError> {
        let name = text("/name", name, 1, 100)?;
        let now = self.now();
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(AuthError::Field("/scopes", "at least one scope".into()));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(AuthError::Field("/expires_at", "must be in the future".into()));
        }
        for name in &scopes {
            let scope = self.scope(name)?;
            if who.require(scope).is_err() {
                return Err(AuthError::Forbidden(format!("a key cannot have the scope {name}, which you lack")));
            }
        }
        let prefix: String =
            crypto::random_bytes::<8>().iter().map(|b| char::from(PREFIX_ALPHABET[usize::from(*b) % 36])).collect();
        let secret = crypto::random_token();
        let id = ApiKeyId::generate(&self.inner.clock);
        let (created_by, made_by_key) = match &who.actor {
            Actor::User(user) => (Some(user.user_id), None),
            Actor::ApiKey(key) => (None, Some(key.key_id.into())),
        };
        let new = keys::NewKey {
            id,
            org_id: who.org_id,
            name: &name,
            prefix: &prefix,
            secret_hash: &crypto::sha256(&secret),
            scopes: &scopes,
            expires_at,
            created_by,
            made_by_key,
            created_at: now,
        };
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        keys::insert(&mut tx, &new).await?;
        tx.commit().await?;
        tracing::info!(org_id = %who.org_id, key_id = %id, by = who.subject(), scopes = ?scopes, "API key created");
        let key = ApiKey {
            id,
            name,
            prefix: format!("hf_{prefix}"),
            scopes,
            expires_at,
            last_used_at: None,
            revoked_at: None,
            created_by: who.user().map(|u| u.email.clone()),
            created_at: now,
        };
        Ok(NewApiKey { key, secret: format!("hf_{prefix}_{secret}") })
    }

    /// The scope of this name; an error for the field that lists them where no room declares it.
    fn scope(&self, name: &str) -> Result<Scope, AuthError> {
        let all = self.scopes();
        all.iter().copied().find(|scope| scope.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|scope| scope.as_str()).collect();
            AuthError::Field("/scopes", format!("{name:?} is none of {}", names.join(", ")))
        })
    }

    /// Revokes a key: at once here, within ten seconds in other processes.
    pub async fn revoke_api_key(&self, who: &Principal, id: ApiKeyId) -> Result<(), AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let name = keys::revoke(&mut tx, id, self.now()).await?;
        tx.commit().await?;
        self.changed();
        let name = name.ok_or(AuthError::NotFound("api_key"))?;
        tracing::info!(org_id = %who.org_id, key_id = %id, name, by = who.subject(), "API key revoked");
        Ok(())
    }

    pub async fn organisation(&self, who: &Principal) -> Result<crate::Organisation, AuthError> {
        let mut tx = self.inner.db.tenant(who.org_id).await?;
        let org = members::organisation(&mut tx).await?;
        tx.commit().await?;
        org.ok_or(AuthError::NotFound("organisation"))
    }
}
