//! [`Uptime`]: the rules.

mod badges;
mod file;
mod groups;
mod history;
mod hosts;
mod imports;
mod judged;
mod monitors;
mod recent;
mod reports;
mod rollup;
mod saving;
mod trials;
mod upkeep;
mod windows;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
};

use anyhow::ensure;
use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};

use super::{
    Config, Metrics, UptimeError,
    file::Section,
    model::{LiveView, MonitorId, Owner},
    outside::{Published, SelfCheck, Witness},
    prober::{Command, Handle},
};
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::Principal,
    lifecycle::Lifecycle,
    pools::CpuPool,
};

pub use file::FileState;
pub use imports::Choices;
pub(crate) use monitors::given_secrets;
pub use monitors::{MonitorWithToken, NewMonitor};
pub use windows::NewWindow;

use saving::free;
use trials::Trials;

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
    /// Where the file of monitors is, or may appear; `None`: nothing is managed by one.
    pub monitors_file: Option<PathBuf>,
    /// Parts of the appliance: the built-in monitors.
    pub self_checks: Vec<Arc<dyn SelfCheck>>,
    /// Somebody outside hears regularly that this appliance lives: `alerting.heartbeat_url` is set.
    pub is_watched: bool,
    pub metrics: Metrics,
}

/// The uptime service. Cheap to clone.
#[derive(Clone)]
pub struct Uptime {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    pub witness: OnceLock<Arc<dyn Witness>>,
    pub published: OnceLock<Arc<dyn Published>>,
    pub sections: Mutex<Vec<Arc<dyn Section>>>,
    /// What asks targets, and checks the monitors where this process has the duty.
    pub prober: Handle,
    /// Checks by hand.
    trials: Arc<Trials>,
    /// The file of monitors was there: if it is gone, that is told.
    had_file: AtomicBool,
    /// Reads files of other monitor programs.
    files: CpuPool,
    /// What the prober of this process knows; empty where it does not check.
    pub live: ArcSwapOption<LiveView>,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Uptime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uptime").finish_non_exhaustive()
    }
}

impl Uptime {
    pub fn new(deps: Deps) -> Self {
        let (witness, published) = (OnceLock::new(), OnceLock::new());
        let prober = Handle::new(Self::probe_settings(&deps), deps.metrics.prober.clone());
        let inner = Inner {
            deps,
            witness,
            published,
            sections: Mutex::default(),
            prober,
            trials: Arc::default(),
            had_file: AtomicBool::new(false),
            files: CpuPool::new(1),
            live: ArcSwapOption::empty(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Who is told of changes of status, in the transaction that writes them.
    pub fn set_witness(&self, witness: Arc<dyn Witness>) -> anyhow::Result<()> {
        ensure!(self.inner.witness.set(witness).is_ok(), "there is a witness of monitors already");
        Ok(())
    }

    /// Who says what strangers may see. Until then they see nothing.
    pub fn set_published(&self, published: Arc<dyn Published>) -> anyhow::Result<()> {
        ensure!(self.inner.published.set(published).is_ok(), "it is said already which monitors are published");
        Ok(())
    }

    /// Another part of the file of monitors. They are applied in the order in which they are added, after this room's own.
    pub fn add_section(&self, section: Arc<dyn Section>) {
        self.inner.sections.lock().unwrap_or_else(PoisonError::into_inner).push(section);
    }

    /// The parts of the appliance that have a built-in monitor, in the order in which they are shown.
    pub fn self_checks(&self) -> &[Arc<dyn SelfCheck>] {
        &self.inner.self_checks
    }

    /// What the prober knows now; `None` where this process does not check: the database knows it then.
    pub fn live(&self) -> Option<Arc<LiveView>> {
        self.inner.live.load_full()
    }

    /// Whether a public page shows this monitor: strangers may see its badge, too.
    pub fn is_published(&self, monitor: MonitorId) -> bool {
        self.inner.published.get().is_some_and(|published| published.shows(monitor))
    }

    /// Whose monitors the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, UptimeError> {
        if installation && !who.is_operator() {
            return Err(UptimeError::NotFound("monitor"));
        }
        Ok(if installation { Owner::Installation } else { Owner::Org(who.org_id) })
    }

    /// Monitors, groups or windows have changed: the prober of this process need not find out by itself.
    pub(crate) fn changed(&self) {
        self.tell_prober(Command::Reload);
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, UptimeError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => self.system().await,
        }
    }

    /// For the installation's monitors, and for what is about monitors of all organisations: the prober, beats, rollups, the file, retention.
    pub(super) async fn system(&self) -> Result<Tx, UptimeError> {
        Ok(self.inner.db.system().await?)
    }
}

/// Owners whose monitors the caller may see.
pub(super) fn owners(who: &Principal) -> impl Iterator<Item = Owner> {
    [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::Installation)].into_iter().flatten()
}
