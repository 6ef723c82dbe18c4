//! Restoring for good, on a host that may have nothing but this program and the key.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{Settings, drill::major, run::fill};
use crate::{
    backup::{
        Backup, BackupError, BackupId, Destination, dump,
        keys::KeyFile,
        manifest::Manifest,
        model::{Copy, CopyStatus, Status},
        schema,
        seal::Identity,
        store, tree,
    },
    platform::{
        crypto::MasterKey,
        db::{Target, tools::Tools},
        pools::CpuPool,
    },
    storage::Storage,
};

/// A part that can be restored by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Database,
    Objects,
    Vectors,
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
    pub vector_tables: usize,
    pub vector_bytes: u64,
    /// What is read from the destination.
    pub total_bytes: u64,
}

/// A backup that was found and can be opened.
#[derive(Debug)]
pub struct Restore {
    from: Destination,
    pub manifest: Manifest,
    identity: Identity,
    pool: CpuPool,
}

impl Restore {
    /// Finds a backup (the newest that is whole to read its manifest of, without `id`) and checks that the key opens it.
    pub async fn open(from: Destination, keys: &KeyFile, id: Option<BackupId>) -> Result<Self, BackupError> {
        let trusted = keys.installation_key.as_ref();
        let manifest = match id {
            Some(id) => from.manifest(id, trusted).await?,
            None => newest(&from, trusted).await?,
        };
        let identity = keys.for_recipients(&manifest.recipients)?.clone();
        let restore = Self { from, manifest, identity, pool: CpuPool::new(8) };
        // The smallest thing that the key must open.
        restore.settings().await?;
        Ok(restore)
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
            vector_tables: m.vector_tables.len(),
            vector_bytes: m.vectors.bytes,
            total_bytes: m.total_bytes,
        }
    }

    async fn settings(&self) -> Result<Settings, BackupError> {
        let bytes = tree::read_blob(&self.pool, &self.from, &self.identity, &self.manifest.settings).await?;
        serde_json::from_slice(&bytes).map_err(|error| BackupError::Damaged(format!("the settings: {error}")))
    }

    /// The master key of the installation.
    pub async fn master_key(&self) -> Result<MasterKey, BackupError> {
        let settings = self.settings().await?;
        MasterKey::parse(&settings.master_key).map_err(|error| BackupError::Damaged(error.to_string()))
    }

    /// The configuration's files as they were: path and content.
    pub async fn settings_files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, BackupError> {
        let damaged = |_| BackupError::Damaged("the settings hold a file that is not base64".to_owned());
        let files = self.settings().await?.files.into_iter();
        files.map(|(path, text)| Ok((path, STANDARD.decode(text).map_err(damaged)?))).collect()
    }

    /// Loads the dump into an empty database and compares the result with the manifest. The roles must be there.
    pub async fn database(&self, target: &Target, tools_dir: Option<&Path>) -> Result<(), BackupError> {
        let (dir, wanted) = (tools_dir.map(Path::to_owned), major(&self.manifest.database.tool_version));
        let tools = self.pool.run(move || Tools::find(dir.as_deref(), wanted)).await;
        let tools = tools.map_err(dump::DumpError::from)?.map_err(dump::DumpError::from)?;
        let data = tree::open_blob(&self.pool, &self.from, &self.identity, &self.manifest.database.dump).await?;
        dump::restore(target, &tools, data).await?;
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        let found = schema::describe(&mut conn).await?;
        let differences = schema::differences(&self.manifest.database.schema, &found);
        if !differences.is_empty() {
            return Err(BackupError::Differs(differences.join("; ")));
        }
        // In the dump the backup that it is part of still runs.
        store::finish(&mut conn, &self.as_row()).await?;
        let _ = conn.close().await;
        Ok(())
    }

    /// Tables that a database holds: one that is restored into holds none.
    pub async fn tables_of(target: &Target) -> Result<i64, BackupError> {
        let mut conn = PgConnection::connect_with(&target.admin).await?;
        let tables = schema::tables(&mut conn).await?;
        let _ = conn.close().await;
        Ok(tables)
    }

    fn as_row(&self) -> Backup {
        let m = &self.manifest;
        let copy = Copy {
            destination: self.from.name.clone(),
            status: CopyStatus::Verified,
            verified_at: Some(m.taken_at),
            error: None,
        };
        let mut backup = Backup {
            id: m.id,
            sequence: m.sequence,
            kind: m.kind,
            status: Status::Verified,
            started_at: m.taken_at,
            finished_at: Some(m.taken_at),
            step: "restored from".to_owned(),
            database_bytes: 0,
            rows: 0,
            objects: 0,
            vector_files: 0,
            total_bytes: 0,
            added_bytes: 0,
            held: false,
            error: None,
            copies: vec![copy],
        };
        fill(&mut backup, m, 0);
        backup
    }

    /// Writes every object. `on_file` hears how many are done, of how many.
    pub async fn objects(&self, to: &Storage, on_file: impl Fn(usize, usize) + Sync) -> Result<(), BackupError> {
        self.tree(&self.manifest.objects, to, on_file).await
    }

    /// Writes every file of the vector store.
    pub async fn vectors(&self, to: &Storage, on_file: impl Fn(usize, usize) + Sync) -> Result<(), BackupError> {
        self.tree(&self.manifest.vectors, to, on_file).await
    }

    async fn tree(
        &self,
        tree: &crate::backup::manifest::Tree,
        to: &Storage,
        on_file: impl Fn(usize, usize) + Sync,
    ) -> Result<(), BackupError> {
        let files = tree::entries(&self.pool, &self.from, &self.identity, tree).await?;
        tree::restore(&self.pool, &self.from, &self.identity, &files, to, |done| on_file(done, files.len())).await
    }
}

/// The backup with the highest number. One whose manifest cannot be trusted stops the search: what is older may have been put in
/// front of us.
async fn newest(from: &Destination, trusted: Option<&[u8; 32]>) -> Result<Manifest, BackupError> {
    let mut ids = from.backups().await?;
    ids.sort_unstable();
    let id = ids.pop().ok_or(BackupError::None)?;
    Ok(from.manifest(id, trusted).await?)
}
