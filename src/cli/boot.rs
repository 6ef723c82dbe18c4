//! Start of every command that touches data: lock the data directory, find or start the database.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::THIS_PROGRAM;
use crate::app::{App, Config, Runtime};
use backup::Unfinished;
use platform::{
    clock::Clock,
    data_dir::{self, DataDir},
    db::{Target, managed::Managed, migrate},
    lifecycle::Lifecycle,
    telemetry::Logger,
};

/// The opened data directory and its database.
#[derive(Debug)]
pub struct Booted {
    pub config: Arc<Config>,
    pub data_dir: DataDir,
    pub target: Target,
    pub logger: Logger,
    managed: Option<Managed>,
}

impl Booted {
    /// Opens the data directory exclusively and connects to the database, starting the private cluster if needed.
    pub async fn open(config: impl Into<Arc<Config>>) -> anyhow::Result<Self> {
        let config = config.into();
        let data_dir = DataDir::open(&config.data_dir, config.secret_key_file.as_deref())?;
        Self::reach(config, data_dir).await
    }

    /// As [`Self::open_or_join`], but only for an existing installation: commands that inspect or maintain one must not create it.
    pub async fn existing(config: impl Into<Arc<Config>>) -> anyhow::Result<Self> {
        let config = config.into();
        let there = data_dir::existing_key(&config.data_dir, config.secret_key_file.as_deref())?.is_some();
        anyhow::ensure!(
            there,
            "there is no installation in {}: set HOLDFAST_DATA_DIR (or data_dir) to where it is, or start one with `holdfast serve`",
            config.data_dir.display()
        );
        Self::open_or_join(config).await
    }

    /// As [`Self::open`], or joins the appliance that runs on the same directory.
    pub async fn open_or_join(config: impl Into<Arc<Config>>) -> anyhow::Result<Self> {
        let config = config.into();
        let data_dir = DataDir::open_or_join(&config.data_dir, config.secret_key_file.as_deref())?;
        Self::reach(config, data_dir).await
    }

    async fn reach(config: Arc<Config>, data_dir: DataDir) -> anyhow::Result<Self> {
        let database = &config.database;
        let (prefix, key, bin_dir) = (&database.role_prefix, &data_dir.master_key, database.bin_dir.as_deref());
        let (target, managed) = match &database.url {
            Some(url) => {
                (Target::from_url(url.expose_secret(), prefix.clone(), key.clone()).context("database.url")?, None)
            }
            None if data_dir.is_locked() => {
                let managed = Managed::start(&data_dir.path, bin_dir, prefix, key).await?;
                (managed.target().clone(), Some(managed))
            }
            None => (Managed::attach(&data_dir.path, prefix, key)?, None),
        };
        let logger = Logger::detached(&config.telemetry);
        Ok(Self { config, data_dir, target, logger, managed })
    }

    /// Migrates the database and verifies tenancy. If backups are configured, makes one first; if that fails, the database is not migrated.
    pub async fn migrate(&self) -> anyhow::Result<migrate::Migrated> {
        Unfinished::refuse(&self.data_dir.path)?;
        if self.config.backup.is_on() && self.config.backup.before_migration {
            let state = migrate::state(&self.target).await?;
            // A database that is too new is refused below, before anything is changed.
            if !state.applied.is_empty() && !state.missing.is_empty() && state.serves() {
                // The backup needs these roles.
                migrate::ready_roles(&self.target, &self.data_dir.path).await?;
                Box::pin(self.back_up_before_migration(&state)).await?;
            }
        }
        self.migrate_restored().await
    }

    /// As [`Self::migrate`], for a freshly restored database: a backup made now would be the newest but lack the objects, which are
    /// restored later.
    pub async fn migrate_restored(&self) -> anyhow::Result<migrate::Migrated> {
        let migrated = migrate::run(&self.target, &self.data_dir.path).await?;
        if migrated.applied > 0 {
            tracing::info!(applied = migrated.applied, total = migrated.total, "database migrated");
        }
        Ok(migrated)
    }

    async fn back_up_before_migration(&self, state: &migrate::State) -> anyhow::Result<()> {
        let missing = state.missing.len();
        if !state.applied.contains(&backup::FIRST_MIGRATION) {
            tracing::warn!(missing, "this database is older than backups are: it is migrated without one");
            return Ok(());
        }
        tracing::info!(missing, "making a backup before the database is migrated");
        let made = self.back_up(backup::Kind::BeforeMigration, |_, _| {}).await;
        let made = made.context("cannot make the backup before the migration")?;
        anyhow::ensure!(
            made.status != backup::Status::Failed,
            "no backup could be made before the migration, so nothing was changed: {}. Fix that, or set \
             backup.before_migration = false",
            made.error.unwrap_or_default()
        );
        Ok(())
    }

    /// Makes a backup; `on_step` gets its progress.
    pub async fn back_up(
        &self,
        kind: backup::Kind,
        on_step: impl Fn(u8, &str) + Send + Sync + 'static,
    ) -> anyhow::Result<backup::Backup> {
        let lifecycle = Lifecycle::new();
        let app = App::build(self.runtime(lifecycle.clone()))?;
        let made = app.backups.run(kind, &backup::ProgressReporter::new(lifecycle.soft().clone(), on_step)).await;
        lifecycle.drain(Duration::from_secs(5)).await;
        app.close().await;
        Ok(made?)
    }

    /// Runtime for building the application.
    pub fn runtime(&self, lifecycle: Lifecycle) -> Runtime {
        Runtime {
            config: self.config.clone(),
            target: self.target.clone(),
            data_dir: self.data_dir.path.clone(),
            master_key: self.data_dir.master_key.clone(),
            clock: Clock::system(),
            lifecycle,
            logger: self.logger.clone(),
            executable: THIS_PROGRAM.into(),
        }
    }

    /// Stops the private cluster, if any.
    pub async fn close(mut self) {
        self.stop_database().await;
    }

    /// As [`Self::close`], keeping the data directory locked.
    pub async fn stop_database(&mut self) {
        if let Some(managed) = self.managed.take() {
            managed.stop().await;
        }
    }
}
