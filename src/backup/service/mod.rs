//! [`Backups`]: the rules.

mod adopt;
mod drill;
mod gauges;
mod keys;
mod prune;
mod restore;
mod run;
mod settings;
mod verify;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::OnceCell;

pub use drill::Choice;
pub use prune::Pruned;
pub use restore::{Found, Plan, Restore};
pub use settings::SettingsFiles;
pub use verify::Verified;

use super::{
    BackupError, BackupId, Config, Metrics,
    destination::Destination,
    keys::{Installation, KeyFile},
    manifest::Manifest,
    model::{Backup, DestinationStatus, Drill},
    seal::Recipients,
    spool::Spool,
    store,
};
use platform::{
    clock::Clock,
    crypto::MasterKey,
    data_dir,
    db::{Db, SessionLock, Target},
    http::Slice,
    lifecycle::Lifecycle,
    pools::{CpuPool, Traffic},
};
use storage::{Deletions, Participant, Storage};

/// Timeout for inspecting folders.
const LOOK: Duration = Duration::from_secs(2);

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub data_dir: PathBuf,
    pub target: Target,
    pub db: Db,
    pub clock: Clock,
    pub master_key: MasterKey,
    pub lifecycle: Lifecycle,
    pub metrics: Metrics,
    pub storage_metrics: storage::Metrics,
    pub deletions: Deletions,
    /// The whole object store; a backup contains the folders of all rooms.
    pub objects: Storage,
    /// Participants in backups.
    pub participants: Vec<Arc<dyn Participant>>,
    /// Folder of the in-process embedding model; `None` if a provider embeds.
    pub model_dir: Option<PathBuf>,
    /// The configuration file and the secret files that it names.
    pub settings_files: Vec<PathBuf>,
    /// Settings from the environment, by variable.
    pub environment: BTreeMap<String, SecretString>,
    /// Server binaries for a scratch cluster.
    pub server_dir: Option<PathBuf>,
    /// Sealing pauses while requests are served.
    pub traffic: Traffic,
}

/// The backup service. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub deps: Deps,
    /// Threads for sealing and opening, separate from those of requests, so that neither waits for the other.
    pub pool: CpuPool,
    /// See [`Backups::has_copies_elsewhere`].
    elsewhere: OnceCell<bool>,
    /// See [`Backups::participant_bytes`].
    participant_bytes: Mutex<Option<(BackupId, u64)>>,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Backups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backups").finish_non_exhaustive()
    }
}

impl Backups {
    pub fn new(deps: Deps) -> Self {
        // A sealing thread mostly waits for the tool, the disk or the network.
        Self {
            inner: Arc::new(Inner {
                deps,
                pool: CpuPool::background(8),
                elsewhere: OnceCell::new(),
                participant_bytes: Mutex::default(),
            }),
        }
    }

    /// The dependencies, to build another service with more participants.
    pub fn deps(&self) -> &Deps {
        &self.inner.deps
    }

    pub(super) fn participant(&self, name: &str) -> Result<&dyn Participant, BackupError> {
        let found = self.inner.participants.iter().find(|participant| participant.name() == name);
        found.map(AsRef::as_ref).ok_or_else(|| BackupError::UnknownParticipant(name.to_owned()))
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Newest first.
    pub async fn list(&self, slice: &Slice) -> Result<Vec<Backup>, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let backups = store::backups(&mut tx, slice).await?;
        tx.commit().await?;
        Ok(backups)
    }

    pub async fn get(&self, id: BackupId) -> Result<Backup, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let backup = store::backup(&mut tx, id).await?;
        tx.commit().await?;
        backup.ok_or(BackupError::NotFound(id))
    }

    /// How many that began in `[since, until)` are verified, and how many failed or are not verified.
    pub async fn outcomes(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(i64, i64), BackupError> {
        let mut tx = self.inner.db.system().await?;
        let outcomes = store::outcomes(&mut tx, since, until).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    /// The newest that is not running.
    pub async fn newest(&self) -> Result<Backup, BackupError> {
        let found =
            self.list(&Slice::first(50)).await?.into_iter().find(|backup| backup.status != super::Status::Running);
        found.ok_or(BackupError::None)
    }

    /// Newest first.
    pub async fn drills(&self, limit: i64) -> Result<Vec<Drill>, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let drills = store::drills(&mut tx, limit).await?;
        tx.commit().await?;
        Ok(drills)
    }

    /// Time and duration (seconds) of the last successful drill.
    pub async fn last_proven(&self) -> Result<Option<(DateTime<Utc>, f64)>, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let proven = store::last_proven(&mut tx).await?;
        tx.commit().await?;
        Ok(proven)
    }

    /// When this installation's database was made.
    pub async fn installed_at(&self) -> Result<DateTime<Utc>, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let at = store::installed_at(&mut tx).await?;
        tx.commit().await?;
        Ok(at)
    }

    /// Excludes a backup from retention, or includes it again.
    pub async fn hold(&self, id: BackupId, held: bool) -> Result<Backup, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let known = store::set_held(&mut tx, id, held).await?;
        tx.commit().await?;
        if known { self.get(id).await } else { Err(BackupError::NotFound(id)) }
    }

    /// The configured destinations and their state after the last runs.
    pub async fn destinations(&self) -> Result<Vec<DestinationStatus>, BackupError> {
        let mut tx = self.inner.db.system().await?;
        let mut found = store::destination_states(&mut tx).await?;
        tx.commit().await?;
        let configured = self.inner.config.destinations.iter().map(|(name, config)| {
            let state = found.remove(name);
            let (backups, last_verified_at, last_error) = state.unwrap_or_default();
            DestinationStatus { name: name.clone(), url: config.url.clone(), backups, last_verified_at, last_error }
        });
        Ok(configured.collect())
    }

    /// Recipients: as configured, or the newest key of the key file.
    pub(super) fn recipients(&self) -> Result<Recipients, BackupError> {
        let config = &self.inner.config;
        if !config.is_on() {
            return Err(BackupError::Off);
        }
        if !config.recipients.is_empty() {
            return Ok(Recipients::parse(&config.recipients)?);
        }
        let newest = self.key_file(None)?.identities.into_iter().next().ok_or(BackupError::NoKey)?;
        Ok(Recipients::parse(&[newest.recipient()])?)
    }

    /// Opens a configured destination. An error if a folder lacks its expected backups: see [`Destination::check_mounted`].
    pub(super) async fn open_destination(&self, name: &str) -> Result<Destination, BackupError> {
        let opened = self.find_destination(name)?;
        if opened.folder().is_some() {
            let mut tx = self.inner.db.system().await?;
            let whole = store::destination_states(&mut tx).await?.get(name).map_or(0, |(whole, ..)| *whole);
            tx.commit().await?;
            opened.check_mounted(whole)?;
        }
        Ok(opened)
    }

    /// As [`Self::open_destination`], without that check.
    fn find_destination(&self, name: &str) -> Result<Destination, BackupError> {
        let config = &self.inner.config;
        let Some(destination) = config.destinations.get(name) else {
            let known = config.destinations.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(BackupError::NoDestination { name: name.to_owned(), known });
        };
        let Inner { deps, .. } = self.inner.as_ref();
        Ok(Destination::open(name, destination, config.timeouts(), &deps.lifecycle, &deps.storage_metrics)?)
    }

    /// The key for drills: from a file outside the data directory, for this installation.
    pub(super) fn key_file(&self, given: Option<&Path>) -> Result<KeyFile, BackupError> {
        let path = given.or(self.inner.config.key_file.as_deref()).ok_or(BackupError::NoKey)?;
        let keys = KeyFile::read_outside(path, &self.inner.data_dir)?;
        self.check_is_ours(&keys)?;
        Ok(keys)
    }

    /// This installation, as its key file should name it.
    pub(super) fn installation_named(&self) -> Result<Installation, BackupError> {
        let key = Installation::public_key(&self.inner.master_key);
        let key = key.map_err(|error| BackupError::Damaged(error.to_string()))?;
        Ok(Installation { id: data_dir::installation_id(&self.inner.data_dir), key })
    }

    pub(super) fn is_in_data_dir(&self, folder: &Path) -> bool {
        let canonical = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        canonical(folder).starts_with(canonical(&self.inner.data_dir))
    }

    /// Whether a destination survives the loss of this host's disk: it is not a folder, or on another file system.
    pub(super) fn is_elsewhere(&self, destination: &Destination) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
        destination.folder().is_none_or(|folder| device(folder) != device(&self.inner.data_dir))
    }

    /// Whether any destination survives the loss of this host's disk. One that does not respond counts as such; other checks report it.
    /// Determined once: destinations do not change while we run, and a hanging mount must not delay every page.
    pub async fn has_copies_elsewhere(&self) -> bool {
        let look = async {
            let this = self.clone();
            let looked = self.inner.pool.run(move || {
                let mut names = this.config().destinations.keys();
                names.any(|name| this.find_destination(name).map_or(true, |there| this.is_elsewhere(&there)))
            });
            tokio::time::timeout(LOOK, looked).await.map_or(true, |found| found.unwrap_or(true))
        };
        *self.inner.elsewhere.get_or_init(|| look).await
    }

    /// Work folder for the holder of [`Self::lock`].
    pub(super) fn spool(&self) -> Result<Spool, BackupError> {
        Spool::make(&self.work_dir())
    }

    pub(super) fn work_dir(&self) -> PathBuf {
        self.inner.config.work_dir(&self.inner.data_dir)
    }

    /// Lock for one run, drill or clean-up at a time, over all processes.
    pub(super) async fn lock(&self) -> Result<SessionLock, BackupError> {
        self.inner.db.try_session_lock("backup.lock").await?.ok_or(BackupError::Busy)
    }

    /// The newest backup with a complete copy at any destination.
    pub(super) async fn newest_whole(&self) -> Result<Backup, BackupError> {
        let whole = |backup: &Backup| self.inner.config.destinations.keys().any(|name| backup.is_whole_at(name));
        self.list(&Slice::first(1000)).await?.into_iter().find(whole).ok_or(BackupError::None)
    }

    pub(super) async fn manifest(&self, from: &Destination, id: BackupId) -> Result<Manifest, BackupError> {
        let ours = self.installation_named()?;
        Ok(from.manifest(id, Some(&ours.key)).await?)
    }
}
