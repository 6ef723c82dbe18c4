//! [`StatusPages`]: the rules.
//!
//! Further files: `pages.rs` (what the API changes), `values/` (what it may be), `subscribers.rs`, `tell.rs` and `closing.rs` (mails to them), `domains.rs`,
//! `reader.rs` (what a page shows), `endpoints.rs` (monitors in Gatus's form), `renderer.rs` and `written.rs` (in the worker that has the prober's duty), `loader.rs`
//! (in every process), `builtin.rs` (the appliance's own page), `section.rs` (pages in the file of monitors), `terminal.rs` (for the command line),
//! `upkeep.rs`.

mod builtin;
mod closing;
mod domains;
mod endpoints;
mod loader;
mod pages;
mod reader;
mod renderer;
mod section;
mod subscribers;
mod tell;
mod terminal;
mod upkeep;
mod values;
mod written;

use std::{sync::Arc, time::Duration};

use super::{
    Config, Metrics, StatusPageError,
    dns::Dns,
    holder::{Holder, Hosts},
    model::Owner,
    words::Words,
};
use console::Lang;
use incidents::Incidents;
use mail::Mail;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::{Principal, RateLimiter},
    lifecycle::Lifecycle,
    pools::CpuPool,
};
use uptime::Uptime;

pub use closing::Closed;
pub use section::PagesSection;
pub use subscribers::{Asked, Purpose};
pub use tell::Place;
pub use terminal::{ComponentState, Following, PageState};
pub use values::{PageUpdate, PutComponent, PutGroup};

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
    pub metrics: Metrics,
    pub rooms: Needs,
}

/// The service of status pages. Cheap to clone.
#[derive(Clone)]
pub struct StatusPages {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    pub holder: Arc<Holder>,
    pub words: Words,
    pub dns: Dns,
    /// Renders, and hashes passwords: at low priority, nobody waits for a page.
    pub rendering: CpuPool,
    pub hashing: CpuPool,
    /// Signs cookies of passwords, and links in mails to subscribers.
    pub signing: [u8; 32],
    pub limits: Limits,
}

/// What strangers may do how often.
pub(super) struct Limits {
    /// By address of origin: five passwords a minute.
    pub passwords: RateLimiter,
    /// By page: sixty passwords a minute, from wherever. Each takes tens of milliseconds of a processor.
    pub by_page: RateLimiter,
    /// By address of origin: five subscriptions an hour.
    pub by_origin: RateLimiter,
    /// By page and mail address: three mails a day.
    pub by_address: RateLimiter,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for StatusPages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusPages").finish_non_exhaustive()
    }
}

impl StatusPages {
    pub fn new(deps: Deps) -> Self {
        let signing = deps.master_key.derive("status_page.links");
        let limits = Limits {
            passwords: RateLimiter::new(5, 5),
            by_page: RateLimiter::new(60, 60),
            by_origin: RateLimiter::sparse(Duration::from_secs(12 * 60), 5),
            by_address: RateLimiter::sparse(Duration::from_secs(8 * 3600), 3),
        };
        let inner = Inner {
            holder: Arc::default(),
            words: Words::new(Lang::En),
            dns: Dns::default(),
            rendering: CpuPool::background(1),
            hashing: CpuPool::new(1),
            signing,
            limits,
            deps,
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Names of hosts that lead to pages, and monitors that they show.
    pub fn hosts(&self) -> Arc<Hosts> {
        Arc::new(Hosts(self.inner.holder.clone()))
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

    /// Whether the console's address is https: then so are pages' own names.
    pub(super) fn is_https(&self) -> bool {
        self.inner.base_url.starts_with("https://")
    }
}
