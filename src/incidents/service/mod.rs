//! [`Incidents`]: the rules.
//!
//! Further files: `witness.rs` (monitors open and resolve incidents), `incidents.rs`, `components.rs`, `timeline.rs` (what the API changes),
//! `rota.rs`, `escalation.rs`, `tell.rs` (who is told when), `channels.rs`, `alerts.rs`, `preview.rs`, `upkeep.rs`. What room `status_page` reads
//! is in `pages.rs`.

mod pages;
mod upkeep;

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{
    Config, IncidentsError,
    model::{ComponentId, IncidentId, Owner},
};
use alerting::Alerting;
use auth::Auth;
use mail::Mail;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::Principal,
    http_client::HttpClients,
};
use uptime::Uptime;
use webhooks::Webhooks;

/// Changes that wait for a slow reader, which then reads everything anew.
const CHANGES: usize = 256;

/// The rooms that it asks.
#[derive(Clone)]
pub struct Needs {
    pub webhooks: Webhooks,
    pub mail: Mail,
    /// Names and addresses of people on call.
    pub auth: Auth,
    pub alerting: Alerting,
    pub uptime: Uptime,
}

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub master_key: MasterKey,
    pub http: HttpClients,
    /// Our public address, without a trailing slash: for links.
    pub base_url: String,
    pub rooms: Needs,
}

/// Something that pages show has changed, in a transaction of this process that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Component(ComponentId),
    Incident(IncidentId),
}

/// The incidents service. Cheap to clone.
#[derive(Clone)]
pub struct Incidents {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    pub changes: broadcast::Sender<Changed>,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Incidents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incidents").finish_non_exhaustive()
    }
}

impl Incidents {
    pub fn new(deps: Deps) -> Self {
        Self { inner: Arc::new(Inner { deps, changes: broadcast::Sender::new(CHANGES) }) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What this process changes. Others' changes are seen in the database.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.inner.changes.subscribe()
    }

    /// Whose incidents the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, IncidentsError> {
        if installation && !who.is_operator() {
            return Err(IncidentsError::NotFound("incident"));
        }
        Ok(if installation { Owner::Installation } else { Owner::Org(who.org_id) })
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, IncidentsError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => self.system().await,
        }
    }

    /// For the installation's incidents, and for what is about those of all organisations: settling, figures, retention.
    pub(super) async fn system(&self) -> Result<Tx, IncidentsError> {
        Ok(self.inner.db.system().await?)
    }
}
