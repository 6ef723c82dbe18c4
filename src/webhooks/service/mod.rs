//! [`Webhooks`]: the rules.

mod deliveries;
mod endpoints;
mod fan_out;
mod sending;
mod upkeep;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{Config, Configured, Metrics, WebhooksError, model::Owner, receivers::Receivers, sender::Sender};
use events::EventType;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http_client::{HttpClients, TenantClient},
};

pub use endpoints::OVERLAP;
#[cfg(test)]
pub(super) use sending::backoff;

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub http: HttpClients,
    /// Client for addresses of organisations.
    pub tenant: TenantClient,
    pub master_key: MasterKey,
    pub metrics: Metrics,
    /// Every kind of event: what an endpoint can subscribe to.
    pub types: Vec<EventType>,
    /// Configured receivers, by name.
    pub configured: BTreeMap<String, Configured>,
}

/// The webhooks service. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    sender: Sender,
    /// Of other rooms.
    receivers: RwLock<Vec<Arc<dyn Receivers>>>,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").finish_non_exhaustive()
    }
}

impl Webhooks {
    pub fn new(deps: Deps) -> Self {
        let sender = Sender::new(deps.http.clone(), deps.tenant.clone());
        Self { inner: Arc::new(Inner { deps, sender, receivers: RwLock::default() }) }
    }

    /// Further receivers: those whose names begin with their prefix.
    pub fn add_receivers(&self, receivers: Arc<dyn Receivers>) {
        self.inner.receivers.write().unwrap_or_else(PoisonError::into_inner).push(receivers);
    }

    /// The topics that an endpoint can subscribe to, sorted.
    pub fn topics(&self) -> Vec<&'static str> {
        let mut topics: Vec<_> = self.inner.types.iter().map(|kind| kind.topic).collect();
        topics.sort_unstable();
        topics
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, WebhooksError> {
        Ok(match owner {
            Owner::Org(org) => self.inner.db.tenant(org).await?,
            Owner::Installation => self.inner.db.system().await?,
        })
    }
}
