//! Names of people and API keys, for the pages of other rooms.

use std::collections::HashMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Auth, store};
use console::{Directory, Found, Named, Shell};
use platform::{db::DbError, error::ApiError, ids::OrgId};

#[async_trait]
impl Directory for Auth {
    fn kinds(&self) -> &'static [&'static str] {
        &["user", "key"]
    }

    /// Who has left the organisation has no name any more.
    async fn names(&self, org: OrgId, kind: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>, ApiError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let named = match kind {
            "user" => store::members::names(&mut tx, ids).await.map_err(DbError::from)?,
            _ => store::keys::names(&mut tx, ids).await.map_err(DbError::from)?,
        };
        drop(tx);
        let named = named.into_iter().map(|(id, label, by)| {
            let by = by.map(|user| format!("user:{user}"));
            (id, Named { label, href: None, by })
        });
        Ok(named.collect())
    }

    /// The pages of members and keys have a search of their own.
    async fn find(&self, _: &Shell, _: &str, _: usize) -> Result<Vec<Found>, ApiError> {
        Ok(Vec::new())
    }

    async fn newest(&self, _: OrgId, _: &str) -> Result<Option<Uuid>, ApiError> {
        Ok(None)
    }
}
