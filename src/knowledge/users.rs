//! Who uses a knowledge base. Rooms above this one do, and say so through a trait, so that nobody deletes a base that agents answer from without
//! being told.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Knowledge, KnowledgeBaseId};
use platform::{error::ApiError, ids::OrgId};

/// Something that uses a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUser {
    pub label: String,
    pub href: String,
}

/// Knows the users of a base.
#[async_trait]
pub trait Users: Send + Sync {
    async fn using(&self, org: OrgId, base: KnowledgeBaseId) -> Result<Vec<BaseUser>, ApiError>;
}

impl Knowledge {
    /// Has users of bases named by `users`. The first call counts.
    pub fn used_by(&self, users: Arc<dyn Users>) {
        let _ = self.inner.users.set(users);
    }

    /// What uses a base now; nothing where nobody was asked to know it.
    pub async fn users_of(&self, org: OrgId, base: KnowledgeBaseId) -> Result<Vec<BaseUser>, ApiError> {
        match self.inner.users.get() {
            Some(users) => users.using(org, base).await,
            None => Ok(Vec::new()),
        }
    }
}
