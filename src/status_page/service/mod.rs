//! [`StatusPages`]: the rules.
//!
//! Further files: `pages.rs` (what the API changes), `subscribers.rs`, `renderer.rs` (in the worker that has the prober's duty), `domains.rs`,
//! `upkeep.rs`.

mod upkeep;

use std::sync::Arc;

use super::{Config, StatusPageError, model::Owner};
use incidents::Incidents;
use mail::Mail;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::Principal,
    lifecycle::Lifecycle,
};
use uptime::Uptime;

/// The rooms that it asks.
#[derive(Clone)]
pub struct Needs {
    pub mail: Mail,
    pub uptime: Uptime,
    pub incidents: Incidents,
}

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub master_key: MasterKey,
    /// Our public address, without a trailing slash: for links.
    pub base_url: String,
    pub rooms: Needs,
}

/// The service of status pages. Cheap to clone.
#[derive(Clone)]
pub struct StatusPages {
    pub(super) inner: Arc<Deps>,
}

impl std::fmt::Debug for StatusPages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusPages").finish_non_exhaustive()
    }
}

impl StatusPages {
    pub fn new(deps: Deps) -> Self {
        Self { inner: Arc::new(deps) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Whose pages the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, StatusPageError> {
        if installation && !who.is_operator() {
            return Err(StatusPageError::NotFound("status_page"));
        }
        Ok(if installation { Owner::Installation } else { Owner::Org(who.org_id) })
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, StatusPageError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => self.system().await,
        }
    }

    /// For the installation's pages, and for what is about pages of all organisations: rendering, loading, subscribers' links, retention.
    pub(super) async fn system(&self) -> Result<Tx, StatusPageError> {
        Ok(self.inner.db.system().await?)
    }
}
