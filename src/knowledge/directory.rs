//! Names of knowledge bases and documents, for the pages of other rooms.

use std::collections::HashMap;

use async_trait::async_trait;
use uuid::Uuid;

use super::{Knowledge, store};
use console::{Directory, Found, Named, Shell};
use platform::{db::DbError, error::ApiError, ids::OrgId};

#[async_trait]
impl Directory for Knowledge {
    fn kinds(&self) -> &'static [&'static str] {
        &["base", "document"]
    }

    async fn names(&self, org: OrgId, kind: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>, ApiError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let found = match kind {
            "base" => store::bases::names(&mut tx, ids).await.map_err(DbError::from)?,
            _ => store::documents::names(&mut tx, ids).await.map_err(DbError::from)?,
        };
        drop(tx);
        let named = found.into_iter().map(|found| {
            let href = match found.base {
                None => format!("/knowledge/{}", found.id),
                Some(base) => format!("/knowledge/{base}/documents/{}", found.id),
            };
            (found.id, Named { label: found.name, href: Some(href), by: Some(found.created_by) })
        });
        Ok(named.collect())
    }

    async fn find(&self, _: &Shell, _: &str, _: usize) -> Result<Vec<Found>, ApiError> {
        Ok(Vec::new())
    }

    async fn newest(&self, org: OrgId, kind: &str) -> Result<Option<Uuid>, ApiError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let newest = match kind {
            "base" => store::bases::newest(&mut tx).await.map_err(DbError::from)?,
            _ => store::documents::newest(&mut tx).await.map_err(DbError::from)?,
        };
        drop(tx);
        Ok(newest)
    }
}
