//! Names of agents for the pages of other rooms, and which agents use a knowledge base.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Agents, service::WeakAgents, store};
use console::{Directory, Found, Named, Shell};
use knowledge::{BaseUser, KnowledgeBaseId, Users};
use platform::{db::DbError, error::ApiError, ids::OrgId};

#[async_trait]
impl Directory for Agents {
    fn kinds(&self) -> &'static [&'static str] {
        &["agent"]
    }

    async fn names(&self, org: OrgId, _: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>, ApiError> {
        let mut tx = self.db().tenant(org).await?;
        let named = store::agents::names(&mut tx, ids).await.map_err(DbError::from)?;
        drop(tx);
        let named = named.into_iter().map(|(id, label, by)| {
            let href = Some(format!("/agents/{id}"));
            (id, Named { label, href, by })
        });
        Ok(named.collect())
    }

    async fn find(&self, _: &Shell, _: &str, _: usize) -> Result<Vec<Found>, ApiError> {
        Ok(Vec::new())
    }

    async fn newest(&self, org: OrgId, _: &str) -> Result<Option<Uuid>, ApiError> {
        let mut tx = self.db().tenant(org).await?;
        let newest = store::agents::newest(&mut tx).await.map_err(DbError::from)?;
        drop(tx);
        Ok(newest)
    }
}

/// Tells knowledge who uses its bases. A weak reference: the service holds knowledge, which holds this.
struct BaseUsers(WeakAgents);

#[async_trait]
impl Users for BaseUsers {
    async fn using(&self, org: OrgId, base: KnowledgeBaseId) -> Result<Vec<BaseUser>, ApiError> {
        let Some(agents) = self.0.upgrade() else { return Ok(Vec::new()) };
        let using = agents.using(org, base).await?.into_iter();
        Ok(using.map(|(id, label)| BaseUser { label, href: format!("/agents/{id}") }).collect())
    }
}

impl Agents {
    /// For [`knowledge::Knowledge::used_by`].
    pub fn users(&self) -> Arc<dyn Users> {
        Arc::new(BaseUsers(self.downgrade()))
    }
}
