//! The composition root: the whole configuration, and every capability built out of it. Knows everybody; only `cli`
//! knows it.

mod answers;
mod config;
mod doctor;
mod generated;
mod metrics;
mod overview;
mod router;
mod stores;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::FutureExt as _;

use crate::{
    agents::{self, Agents},
    alerting::{self, Alerting},
    auth::{self, Auth, FirstAdmin},
    backup::{self, Backups},
    jobs::{self, Jobs},
    knowledge::{self, Knowledge},
    llm::{self, Llm},
    logs::{self, Logs},
    platform::{
        clock::Clock,
        crypto::MasterKey,
        db::{Db, STATISTICS_EVERY, Target},
        disk::{Disks, Folder},
        health::Check,
        http::{self, Idempotency},
        http_client::HttpClients,
        lifecycle::Lifecycle,
        pools::CpuPool,
        telemetry::{Logger, Telemetry},
    },
    storage::{self, Deletions, Storage},
};

pub use config::Config;
pub use generated::{metrics_reference, openapi};
pub use metrics::Families;
pub use stores::{Stores, participants};

/// A start waits no longer than this for the answer of a store.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// What the process gives to the application: everything that tests replace.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub config: Arc<Config>,
    pub target: Target,
    pub data_dir: PathBuf,
    pub master_key: MasterKey,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    /// Of this process; detached where it logs nothing.
    pub logger: Logger,
    /// This program: it starts itself as a child to read documents.
    pub executable: PathBuf,
}

/// Every capability, built and wired. Cheap to clone.
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
    pub auth: Auth,
    pub jobs: Jobs,
    pub storage: Storage,
    pub deletions: Deletions,
    pub llm: Llm,
    pub knowledge: Knowledge,
    pub agents: Agents,
    pub backups: Backups,
    pub logs: Logs,
    pub alerting: Alerting,
}

impl App {
    /// Builds every capability on a migrated database. Starts nothing but what writes usage rows.
    pub fn build(runtime: Runtime) -> anyhow::Result<Self> {
        let Runtime { config, target, data_dir, master_key, clock, lifecycle, executable, .. } = runtime.clone();
        let telemetry = Telemetry::new();
        let families = Families::register(&telemetry);
        let db = Db::measured(&target, &config.database, &families.database);
        observe_pools(&telemetry, db.clone());
        let http = HttpClients::new()?;
        let logs = log_search(&runtime, &http);
        let alerting = alerting(&runtime, &db, &http, &families);
        let idempotency = Idempotency::new(db.clone(), clock.clone(), master_key, lifecycle.clone());
        let auth = Auth::new(db.clone(), clock.clone(), &config.auth, &config.server, families.auth.clone())?;
        auth.keeps_first_password_in(&data_dir);
        let jobs = Jobs::new(db.clone(), clock.clone(), config.jobs.clone(), families.jobs.clone());
        let Stores { objects: storage, index, index_files, participants } =
            Stores::open(&config, &data_dir, &lifecycle, &families.storage)?;
        let deletions = Deletions::new(db.clone());
        let llm = gateway(&runtime, &db, &http, &families);
        let deps = knowledge::Deps {
            db: db.clone(),
            clock: clock.clone(),
            storage: storage.room(knowledge::OBJECTS)?,
            deletions: deletions.clone(),
            index,
            index_files,
            llm: llm.clone(),
            cpu: CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from)),
            traffic: families.http.traffic.clone(),
            metrics: families.knowledge.clone(),
            extractor: executable,
        };
        let knowledge = Knowledge::new(config.knowledge.clone(), deps);
        let agents = Agents::new(agents::Deps {
            db: db.clone(),
            clock: clock.clone(),
            config: config.agents.clone(),
            lifecycle: lifecycle.clone(),
            metrics: families.agents.clone(),
            knowledge: knowledge.clone(),
            llm: llm.clone(),
        });
        let embedding = &config.llm.embedding;
        let model_dir = embedding.is_local().then(|| embedding.dir(&data_dir));
        let backups = Backups::new(backup::Deps {
            config: backup::Config { tools_dir: config.tools_dir(), ..config.backup.clone() },
            data_dir,
            target,
            db: db.clone(),
            clock,
            master_key: runtime.master_key.clone(),
            lifecycle,
            metrics: families.backup.clone(),
            storage_metrics: families.storage.clone(),
            deletions: deletions.clone(),
            objects: storage.clone(),
            participants,
            model_dir,
            settings_files: config.files.clone(),
            environment: config.environment.clone(),
            server_dir: config.database.bin_dir.clone(),
            traffic: families.http.traffic.clone(),
        });
        Ok(Self {
            disks: disks(&runtime),
            runtime,
            db,
            http,
            telemetry,
            families,
            idempotency,
            auth,
            jobs,
            storage,
            deletions,
            llm,
            knowledge,
            agents,
            backups,
            logs,
            alerting,
        })
    }

    /// Makes the first organisation and administrator where there is nobody.
    pub async fn bootstrap(&self) -> anyhow::Result<Option<FirstAdmin>> {
        Ok(self.auth.bootstrap(&self.runtime.config.admin).await?)
    }

    /// Loads a small knowledge base and an agent on it into the first organisation; doing it twice is doing it once.
    pub async fn load_demo(&self) -> anyhow::Result<()> {
        let first = self.auth.list_organisations(None, None, 1).await?.into_iter().next();
        let org = first.context("there is no organisation")?.id;
        let base = self.knowledge.load_demo(org).await?;
        self.agents.load_demo(org, base.id).await?;
        Ok(())
    }

    /// Fails where the object store or the vector store refuses us: wrong keys or no such bucket do not mend themselves. One that
    /// cannot be reached is only reported, since it may come back, and much works without it.
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

    /// Works on jobs from now on.
    pub fn start_worker(&self) -> anyhow::Result<()> {
        self.jobs.start_worker(self.registry()?, &self.runtime.lifecycle)?;
        Ok(())
    }

    /// Every kind of job that this build runs.
    fn registry(&self) -> anyhow::Result<jobs::Registry> {
        let mut registry = jobs::Registry::default();
        llm::register(&mut registry, &self.llm)?;
        knowledge::register(&mut registry, &self.knowledge)?;
        backup::register(&mut registry, &self.backups)?;
        alerting::register(&mut registry, &self.alerting)?;
        Ok(registry)
    }

    /// Starts what every role needs beside its listeners.
    pub fn start_background(&self) {
        let lifecycle = &self.runtime.lifecycle;
        match self.registry() {
            Ok(registry) => {
                if let Err(error) = self.jobs.start_figures(registry, lifecycle) {
                    tracing::warn!(error = format!("{error:#}"), "cannot read the queues' figures");
                }
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "cannot list the queues"),
        }
        self.db.start_statistics(STATISTICS_EVERY, self.runtime.clock.clone(), lifecycle);
        self.disks.start(self.families.disk.clone(), lifecycle);
        http::probe::start(&self.runtime.config.server, &self.http, &self.families.http, lifecycle);
        self.auth.spawn_upkeep(lifecycle);
        self.idempotency.start_sweep();
        self.knowledge.start_gauges(lifecycle);
        self.agents.start_sweep(lifecycle);
        self.backups.start_gauges();
        self.alerting.start_gauges();
        let app = self.clone();
        lifecycle.spawn("app.start", async move {
            if let Err(error) = app.knowledge.reconcile_soon().await {
                tracing::warn!(%error, "cannot compare the search index with the database");
            }
        });
    }

    /// Everything that `holdfast doctor` looks at.
    pub fn checks(&self) -> anyhow::Result<Vec<Box<dyn Check>>> {
        let mut checks = doctor::checks(self);
        checks.extend(auth::checks(&self.auth));
        checks.extend(storage::checks(&self.storage));
        checks.extend(jobs::doctor::checks(&self.jobs, &self.registry()?));
        checks.extend(llm::checks(&self.llm));
        checks.extend(knowledge::checks(&self.knowledge));
        checks.extend(agents::checks(&self.agents));
        checks.extend(backup::checks(&self.backups));
        checks.extend(logs::checks(&self.logs));
        checks.extend(alerting::checks(&self.alerting));
        Ok(checks)
    }

    /// Ends what is left after the drain.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.db.close()).await;
    }
}

/// The pools' gauges are read when somebody asks.
fn observe_pools(telemetry: &Telemetry, db: Db) {
    telemetry.on_scrape(move || db.observe_pools());
}

/// The local folders, each of which may be a mount of its own.
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

fn log_search(runtime: &Runtime, http: &HttpClients) -> Logs {
    let Runtime { config, logger, clock, lifecycle, .. } = runtime.clone();
    Logs::new(logs::Deps {
        config: config.logs.clone(),
        telemetry: config.telemetry.clone(),
        ops: config.ops.local(),
        ops_token: http::ops_token(&runtime.master_key),
        http: http.clone(),
        logger,
        clock,
        lifecycle,
    })
}

fn gateway(runtime: &Runtime, db: &Db, http: &HttpClients, families: &Families) -> Llm {
    Llm::new(llm::Deps {
        config: runtime.config.llm.clone(),
        data_dir: runtime.data_dir.clone(),
        clock: runtime.clock.clone(),
        db: db.clone(),
        http: http.clone(),
        metrics: families.llm.clone(),
        lifecycle: runtime.lifecycle.clone(),
    })
}

fn alerting(runtime: &Runtime, db: &Db, http: &HttpClients, families: &Families) -> Alerting {
    Alerting::new(alerting::Deps {
        config: runtime.config.alerting.clone(),
        base_url: runtime.config.server.base_url(),
        db: db.clone(),
        clock: runtime.clock.clone(),
        http: http.clone(),
        lifecycle: runtime.lifecycle.clone(),
        metrics: families.alerting.clone(),
    })
}
