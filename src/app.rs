//! The composition root: the whole configuration, and every capability built from it. Imports all capabilities; only `cli` imports it.

mod answers;
mod config;
mod doctor;
mod generated;
mod metrics;
mod rooms;
mod router;
mod self_checks;
mod settings;
mod stores;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::FutureExt as _;

use auth::FirstAdmin;
use jobs::{By, Loops};
use kit::{Context, Module};
use platform::{
    clock::Clock,
    crypto::MasterKey,
    data_dir,
    db::{Db, STATISTICS_EVERY, Target},
    disk::{Disks, Folder},
    error::chain,
    health::Check,
    http::{self, Idempotency, Slice},
    http_client::HttpClients,
    lifecycle::Lifecycle,
    telemetry::{Logger, Telemetry},
};

pub use config::Config;
pub use generated::{events_reference, metrics_reference, openapi};
pub use metrics::Families;
pub use rooms::{ROOMS, Rooms, assets, locales, scopes, tables};
pub use stores::{Stores, participants};

/// Timeout for a store's response at startup.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Inputs from the process: everything that tests replace.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub config: Arc<Config>,
    pub target: Target,
    pub data_dir: PathBuf,
    pub master_key: MasterKey,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    /// The process's logger; detached if it logs nothing.
    pub logger: Logger,
    /// This program's file, for starting children that read documents.
    pub executable: PathBuf,
}

/// Every room, built and wired. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub runtime: Runtime,
    pub db: Db,
    /// The folders that this process writes to.
    pub disks: Disks,
    pub http: HttpClients,
    pub telemetry: Telemetry,
    pub families: Families,
    pub idempotency: Idempotency,
    rooms: Arc<Rooms>,
}

/// The handles of the rooms.
impl std::ops::Deref for App {
    type Target = Rooms;
    fn deref(&self) -> &Rooms {
        &self.rooms
    }
}

impl App {
    /// Builds every room on a migrated database. Starts nothing but what writes usage rows.
    pub fn build(runtime: Runtime) -> anyhow::Result<Self> {
        let telemetry = Telemetry::new();
        let families = Families::register(&telemetry);
        let Runtime { config, target, data_dir, master_key, clock, lifecycle, logger, .. } = runtime.clone();
        let (endpoint, files) = (&config.storage.s3_endpoint, &config.files);
        if s3::is_itself(endpoint, &files.s3_listen, &config.server.base_url(), &files.s3_hosts) {
            anyhow::bail!(
                "storage.s3_endpoint {endpoint} is this installation itself: it would wait for itself to start"
            );
        }
        let db = Db::measured(&target, &config.database, &families.database);
        observe_pools(&telemetry, db.clone());
        let http = HttpClients::new()?;
        let idempotency = Idempotency::new(db.clone(), clock.clone(), master_key.clone(), lifecycle.clone());
        let context = Context {
            db: db.clone(),
            clock,
            lifecycle,
            telemetry: telemetry.clone(),
            http: http.clone(),
            traffic: families.http.traffic.clone(),
            data_dir,
            master_key,
            logger,
            server: config.server.clone(),
        };
        let rooms = Arc::new(Rooms::build(&context, &runtime, &families)?);
        Ok(Self { disks: disks(&runtime), runtime, db, http, telemetry, families, idempotency, rooms })
    }

    /// Creates the first organisation and administrator if there are none.
    pub async fn bootstrap(&self) -> anyhow::Result<Option<FirstAdmin>> {
        Ok(self.auth.bootstrap(&self.runtime.config.admin).await?)
    }

    /// Loads a small demo knowledge base and agent into the first organisation; idempotent.
    pub async fn load_demo(&self) -> anyhow::Result<()> {
        let first = self.auth.list_organisations(None, &Slice::oldest(1)).await?.into_iter().next();
        let org = first.context("there is no organisation")?.id;
        let base = self.knowledge.load_demo(org).await?;
        self.agents.load_demo(org, base.id).await?;
        Ok(())
    }

    /// Fails if the object store or the vector store refuses access, because wrong keys or a missing bucket do not fix themselves. An
    /// unreachable store is only reported, since it may come back and much works without it.
    pub async fn probe_stores(&self) -> anyhow::Result<()> {
        let config = &self.runtime.config;
        let stores = [
            ("storage.url", &config.storage.url, self.storage.probe().boxed()),
            ("knowledge.index_url", &config.knowledge.index_url, self.knowledge.probe_index_files().boxed()),
        ];
        for (setting, url, probe) in stores {
            match tokio::time::timeout(PROBE_TIME, probe).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.is_refusal() => {
                    return Err(anyhow::Error::new(error)
                        .context(format!("{setting} {url}: check the bucket and the keys in [storage]")));
                }
                Ok(Err(error)) => {
                    tracing::warn!(
                        setting,
                        url,
                        error = &error as &dyn std::error::Error,
                        "the store cannot be used right now"
                    );
                }
                Err(_) => tracing::warn!(setting, url, "the store does not answer"),
            }
        }
        Ok(())
    }

    /// Fails if the object store belongs to another installation: two that swept one store would delete each other's files. A store that cannot be asked
    /// now is only reported.
    pub async fn claim_store(&self) -> anyhow::Result<()> {
        let Some(id) = data_dir::installation_id(&self.runtime.data_dir) else { return Ok(()) };
        match tokio::time::timeout(PROBE_TIME, self.storage.claim(&id.to_string())).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(owner))) => anyhow::bail!(
                "storage.url: this object store belongs to installation {owner}, and this is {id}: give each its own bucket or prefix. If the other one is \
                 gone for good, delete the object doctor/installation in the store"
            ),
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "the object store does not say whose it is"),
            Err(_) => tracing::warn!("the object store does not say in time whose it is"),
        }
        Ok(())
    }

    /// Starts working on jobs.
    pub fn start_worker(&self) -> anyhow::Result<()> {
        self.jobs.start_worker(self.registry.clone(), &self.runtime.lifecycle)?;
        Ok(())
    }

    /// Starts what every role needs beside its listeners.
    pub fn start_background(&self) {
        let lifecycle = &self.runtime.lifecycle;
        let loops = self.jobs.start_loops(lifecycle);
        self.db.start_statistics(STATISTICS_EVERY, self.runtime.clock.clone(), lifecycle);
        self.disks.start(self.families.disk.clone(), lifecycle);
        http::probe::start(&self.runtime.config.server, &self.http, &self.families.http, lifecycle);
        self.sweep_idempotency_keys(&loops);
        self.modules.iter().for_each(|module| module.start(&loops));
    }

    fn sweep_idempotency_keys(&self, loops: &Loops) {
        let idempotency = self.idempotency.clone();
        loops.every("http.idempotency_sweep", http::PURGE_KEYS_EVERY, By::Leader, move || {
            let idempotency = idempotency.clone();
            async move { idempotency.purge().await.map(drop) }
        });
    }

    /// Everything that `holdfast doctor` looks at.
    pub fn checks(&self) -> Vec<Box<dyn Check>> {
        let mut checks = doctor::checks(self);
        checks.extend(self.modules.iter().flat_map(Module::doctor));
        checks
    }

    /// Closes what remains after the drain.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.db.close()).await;
    }
}

/// Updates the gauges of the pools on each scrape.
fn observe_pools(telemetry: &Telemetry, db: Db) {
    telemetry.on_scrape(move || db.observe_pools());
}

/// The local folders, each possibly a mount of its own.
fn disks(runtime: &Runtime) -> Disks {
    let (config, data_dir) = (&runtime.config, &runtime.data_dir);
    let mut folders = vec![(Folder::Data, data_dir.clone())];
    if config.storage.url.is_empty() {
        folders.push((Folder::Objects, storage::Config::local_folder(data_dir)));
    }
    if config.knowledge.is_local() {
        folders.push((Folder::Vectors, knowledge::Config::local_folder(data_dir)));
    }
    if config.database.url.is_none() {
        folders.push((Folder::Postgres, data_dir.join("postgres")));
    }
    if config.backup.is_on() {
        folders.push((Folder::Work, config.backup.work_dir(data_dir)));
    }
    Disks::new(folders)
}
