//! Real restores, on a host that may have nothing but this program and the key.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{
    Backup, BackupError, BackupId, Destination,
    destination::DestinationError,
    dump,
    keys::KeyFile,
    manifest::{Manifest, ManifestError, Part, Schema, Tree},
    model::{Kind, Status},
    progress::{self, ProgressRange, ProgressReporter},
    reader::Reader,
    schema,
    spool::Spool,
    store,
    tree::{self, Restored},
};
use platform::{
    crypto,
    db::{RoleKind, Target, tools::Tools},
    error::chain,
    pools::CpuPool,
};
use storage::{Participant, Storage};

/// A participant in a restore plan.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PlannedPart {
    pub files: u64,
    pub bytes: u64,
}

/// What a restore would bring back.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub backup: BackupId,
    pub sequence: i64,
    pub taken_at: DateTime<Utc>,
    pub installation: Uuid,
    pub holdfast: String,
    pub server_version: String,
    pub tables: usize,
    pub rows: u64,
    pub database_bytes: u64,
    pub objects: u64,
    pub object_bytes: u64,
    /// Files and bytes of participants, by name.
    pub participants: BTreeMap<String, PlannedPart>,
    /// Bytes of the embedding model; 0 if not included.
    pub model_bytes: u64,
    /// Bytes read from the destination.
    pub total_bytes: u64,
}

/// What a database contains of a backup whose restore was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Other,
    /// All rows, not compared yet: there the backup is still running, as in its own dump.
    Loaded,
    /// All rows, compared.
    Compared,
}

/// A backup that was found and can be decrypted.
#[derive(Debug)]
pub struct Restore {
    reader: Reader,
    pub manifest: Manifest,
}

impl Restore {
    /// Finds a backup (without `id` the newest of this key) and checks that the key decrypts it. Drill, `verify`, `keys check` and `doctor`
    /// use this function, so they accept exactly what a restore accepts.
    pub async fn open(from: Destination, keys: &KeyFile, id: Option<BackupId>) -> Result<Self, BackupError> {
        let trusted = keys.trusted();
        let manifest = match id {
            Some(id) => from.manifest(id, trusted).await?,
            None => newest(&from, keys).await?,
        };
        let restore = Self::of(from, manifest, keys, CpuPool::background(8))?;
        // The smallest part that the key must decrypt.
        restore.settings().await?;
        Ok(restore)
    }

    /// Opens the backup that [`Self::open`] chooses if none is named. Fails if that is not the `expected` one.
    pub(super) async fn open_newest(
        from: Destination,
        keys: &KeyFile,
        expected: BackupId,
    ) -> Result<Self, BackupError> {
        let destination = from.name.clone();
        // A problem of another backup is reported as such.
        let found = match Self::open(from, keys, None).await {
            Ok(found) if found.manifest.id == expected => return Ok(found),
            Ok(found) => found.manifest.id.to_string(),
            Err(error) => chain(&error),
        };
        Err(BackupError::NotTaken { destination, expected, found })
    }

    /// The newest backup at a destination that was made before a migration and contains only migrations in `known`.
    pub async fn before_migration(
        from: Destination,
        keys: &KeyFile,
        known: &BTreeSet<i64>,
    ) -> Result<Option<Self>, BackupError> {
        let mut newest: Option<Manifest> = None;
        for id in from.backups().await? {
            // Never roll back to an untrusted one.
            let Ok(manifest) = from.manifest(id, keys.trusted()).await else { continue };
            let fits = manifest.kind == Kind::BeforeMigration && manifest.database.schema.is_known(known);
            if fits && newest.as_ref().is_none_or(|other| other.sequence < manifest.sequence) {
                newest = Some(manifest);
            }
        }
        newest.map(|manifest| Self::of(from, manifest, keys, CpuPool::background(8))).transpose()
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub fn plan(&self) -> Plan {
        let m = &self.manifest;
        Plan {
            backup: m.id,
            sequence: m.sequence,
            taken_at: m.taken_at,
            installation: m.installation,
            holdfast: m.holdfast.clone(),
            server_version: m.database.server_version.clone(),
            tables: m.database.schema.rows.len(),
            rows: m.database.schema.rows.values().sum(),
            database_bytes: m.database.dump.size,
            objects: m.objects.files,
            object_bytes: m.objects.bytes,
            participants: m
                .participants
                .iter()
                .map(|(name, Part { tree, .. })| (name.clone(), PlannedPart { files: tree.files, bytes: tree.bytes }))
                .collect(),
            model_bytes: m.model.as_ref().map_or(0, |model| model.bytes),
            total_bytes: m.total_bytes,
        }
    }

    /// As [`Self::open`], from a manifest that was read already.
    pub(super) fn of(
        from: Destination,
        manifest: Manifest,
        keys: &KeyFile,
        pool: CpuPool,
    ) -> Result<Self, BackupError> {
        let identity = keys.for_recipients(&manifest.recipients)?.clone();
        Ok(Self { reader: Reader { from, identity, pool }, manifest })
    }

    /// Fails if the database has migrations that are not in `known`. Called before anything is moved aside.
    pub fn check_version(&self, known: &BTreeSet<i64>) -> Result<(), BackupError> {
        let schema = &self.manifest.database.schema;
        if schema.is_known(known) {
            return Ok(());
        }
        let newest = known.last().copied().unwrap_or_default();
        let holdfast = self.manifest.holdfast.clone();
        Err(BackupError::NewerHoldfast { holdfast, migration: schema.migration, known: newest })
    }

    /// Fails if the tools for this dump are missing, or a server of this version cannot load their dumps. Called before anything is moved
    /// aside.
    pub fn check_tools(&self, tools_dir: Option<&Path>, server_major: Option<u32>) -> Result<(), BackupError> {
        let tools =
            Tools::find(tools_dir, major(&self.manifest.database.tool_version)).map_err(dump::DumpError::from)?;
        match server_major.filter(|server| !tools.restore_into(*server)) {
            Some(server) => Err(BackupError::OldServer { server, tool: tools.version }),
            None => Ok(()),
        }
    }

    /// Loads the dump into an empty database, compares the result with the manifest and returns it. The roles must exist.
    pub(super) async fn load(
        &self,
        target: &Target,
        tools_dir: Option<&Path>,
        (range, progress): (ProgressRange, &ProgressReporter),
    ) -> Result<Schema, BackupError> {
        let (dir, wanted) = (tools_dir.map(Path::to_owned), major(&self.manifest.database.tool_version));
        let tools = self.reader.pool.run(move || Tools::find(dir.as_deref(), wanted)).await;
        let tools = tools.map_err(dump::DumpError::from)?.map_err(dump::DumpError::from)?;
        let data = self.reader.open(&self.manifest.database.dump).await?;
        let (mut read, size) = (0, self.manifest.database.dump.size);
        let mut on_bytes = progress::each_mib(size, |bytes, step| progress.report(range.at(bytes, size), step));
        let data = data.inspect_ok(|bytes| {
            read += bytes.len() as u64;
            on_bytes(read);
        });
        dump::restore(target, &tools, &self.manifest.database.schema, data).await?;
        self.compare(target).await
    }

    /// Compares a database with the manifest. Returns what was found.
    async fn compare(&self, target: &Target) -> Result<Schema, BackupError> {
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        let found = schema::describe(&mut conn).await?;
        let _ = conn.close().await;
        let differences = schema::differences(&self.manifest.database.schema, &found);
        if differences.is_empty() { Ok(found) } else { Err(BackupError::Differs(differences.join("; "))) }
    }

    /// Restores the database, or what remains of that. Returns the search indexes that its server cannot have.
    pub async fn database(
        &self,
        target: &Target,
        tools_dir: Option<&Path>,
        found: Found,
        progress: &ProgressReporter,
    ) -> Result<Vec<&str>, BackupError> {
        progress.report(0, "database");
        let found = match found {
            Found::Other => self.load(target, tools_dir, (ProgressRange::WHOLE, progress)).await?,
            Found::Loaded => self.compare(target).await?,
            Found::Compared => return Ok(Vec::new()),
        };
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        // In the dump, its own backup is still running.
        store::finish(&mut conn, &Backup::of_manifest(&self.manifest, &self.reader.from.name)).await?;
        let _ = conn.close().await;
        Ok(schema::unindexed(&self.manifest.database.schema, &found))
    }

    /// What a database contains of this backup. Asked as the owner role, which does not exist before a restore.
    pub async fn found_in(&self, target: &Target) -> Result<Found, BackupError> {
        let mut conn = match PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await {
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("28")) => {
                return Ok(Found::Other);
            }
            conn => conn?,
        };
        // Not query!: the database may be empty.
        let tables = "SELECT to_regclass('installation') IS NOT NULL AND to_regclass('backups') IS NOT NULL";
        let ours = "SELECT status FROM backups WHERE id = $2 AND EXISTS (SELECT FROM installation WHERE id = $1)";
        let mut status: Option<String> = None;
        if sqlx::query_scalar(tables).fetch_one(&mut conn).await? {
            let asked = sqlx::query_scalar(ours).bind(self.manifest.installation).bind(self.manifest.id.0);
            status = asked.fetch_optional(&mut conn).await?;
        }
        let _ = conn.close().await;
        Ok(match status {
            None => Found::Other,
            Some(status) if status == Status::Running.as_str() => Found::Loaded,
            Some(_) => Found::Compared,
        })
    }

    /// Decrypts and hashes `count` random objects. Returns how many there were to check. The index is spooled below `work_dir`.
    pub(super) async fn sample_objects(&self, count: usize, work_dir: &Path) -> Result<usize, BackupError> {
        let all = usize::try_from(self.manifest.objects.files).unwrap_or(usize::MAX);
        let mut chosen = BTreeSet::new();
        while chosen.len() < count.min(all) {
            chosen.insert(crypto::random_below(all));
        }
        let spool = Spool::make(work_dir)?;
        let files = self.reader.files(&self.manifest.objects, &spool).await?.enumerate();
        let mut files = std::pin::pin!(files);
        while let Some((at, file)) = files.next().await {
            let file = file?;
            if chosen.contains(&at) {
                self.reader.check(&file.blob).await?;
            }
        }
        Ok(chosen.len())
    }

    /// Major version of a server.
    pub async fn server_major(target: &Target) -> Result<u32, BackupError> {
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        let number: i32 =
            sqlx::query_scalar("SELECT current_setting('server_version_num')::int").fetch_one(&mut conn).await?;
        let _ = conn.close().await;
        Ok(u32::try_from(number / 10_000).unwrap_or_default())
    }

    /// Number of tables in a database; it must be 0 before a restore.
    pub async fn tables_of(target: &Target) -> Result<i64, BackupError> {
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        let tables = schema::tables(&mut conn).await?;
        let _ = conn.close().await;
        Ok(tables)
    }

    /// Restores the objects that are missing or differ. The index is spooled below `work_dir`.
    pub async fn objects(
        &self,
        to: &Storage,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Restored, BackupError> {
        self.tree(("objects", &self.manifest.objects), to, work_dir, (ProgressRange::WHOLE, progress)).await
    }

    /// Restores the files of a participant likewise; `None` if it has none in this backup.
    pub async fn participant(
        &self,
        participant: &dyn Participant,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Option<Restored>, BackupError> {
        let name = participant.name();
        let Some(part) = self.manifest.participants.get(name) else { return Ok(None) };
        let to = participant.target().await.map_err(BackupError::of(name))?;
        let restored = self.tree((name, &part.tree), &to, work_dir, (ProgressRange::WHOLE, progress)).await?;
        if restored.damaged == 0 {
            participant.restored(&part.state).await.map_err(BackupError::of(name))?;
        }
        Ok(Some(restored))
    }

    /// Restores the embedding model's files likewise; `None` if the backup has none.
    pub async fn model(
        &self,
        to: &Storage,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Option<Restored>, BackupError> {
        let Some(tree) = &self.manifest.model else { return Ok(None) };
        self.tree(("embedding model", tree), to, work_dir, (ProgressRange::WHOLE, progress)).await.map(Some)
    }

    /// Decrypts and hashes every file of the embedding model. Returns how many there are.
    pub(super) async fn check_model(&self, work_dir: &Path) -> Result<u64, BackupError> {
        let Some(tree) = &self.manifest.model else { return Ok(0) };
        let spool = Spool::make(work_dir)?;
        let mut files = std::pin::pin!(self.reader.files(tree, &spool).await?);
        while let Some(file) = files.try_next().await? {
            self.reader.check(&file.blob).await?;
        }
        Ok(tree.files)
    }

    pub(super) async fn tree(
        &self,
        (name, tree): (&str, &Tree),
        to: &Storage,
        work_dir: &Path,
        (range, progress): (ProgressRange, &ProgressReporter),
    ) -> Result<Restored, BackupError> {
        progress.report(range.0, name);
        let spool = Spool::make(work_dir)?;
        let (files, all) = (self.reader.files(tree, &spool).await?, tree.files);
        let on_file = |done| progress.report(range.at(done, all), &format!("{name}, {done} of {all}"));
        tree::restore(&self.reader, files, to, on_file).await
    }
}

/// The backup with the highest sequence number for this key; clocks can be wrong, and ids follow them. An unreadable manifest that looks
/// newer is an error, because otherwise an attacker could make us restore an older backup.
async fn newest(from: &Destination, keys: &KeyFile) -> Result<Manifest, BackupError> {
    let (mut newest, mut unreadable): (Option<Manifest>, Vec<(BackupId, BackupError)>) = (None, Vec::new());
    let (mut ours, mut others) = (BTreeSet::new(), BTreeSet::new());
    for id in from.backups().await? {
        match from.manifest(id, keys.trusted()).await {
            // A key that names no installation tells backups apart by whether it decrypts them.
            Ok(manifest) if keys.for_recipients(&manifest.recipients).is_err() => {
                others.insert(manifest.installation);
            }
            Ok(manifest) => {
                ours.insert(manifest.installation);
                if newest.as_ref().is_none_or(|other| other.sequence < manifest.sequence) {
                    newest = Some(manifest);
                }
            }
            Err(DestinationError::Manifest { source: ManifestError::OtherInstallation(other), .. }) => {
                others.insert(other);
            }
            Err(error) => unreadable.push((id, error.into())),
        }
    }
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        let (destination, installations) = (from.name.clone(), others.join(", "));
        tracing::warn!(destination, installations, "backups of other installations are here too and were skipped");
        if newest.is_none() && unreadable.is_empty() {
            return Err(BackupError::OnlyOthers { destination, installations });
        }
    }
    if ours.len() > 1 {
        let installations = ours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(BackupError::Ambiguous { destination: from.name.clone(), installations });
    }
    let younger = unreadable.into_iter().find(|(id, _)| newest.as_ref().is_none_or(|manifest| manifest.id < *id));
    match younger {
        Some((id, error)) => Err(BackupError::NewestUnreadable {
            destination: from.name.clone(),
            id,
            readable: newest.map(|manifest| manifest.id),
            source: Box::new(error),
        }),
        None => newest.ok_or_else(|| BackupError::NothingThere { place: from.url.clone() }),
    }
}

/// Major version of `15.18` or `18devel`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or_default()
}
