//! The database of a restore: what it may be loaded into, loading it, comparing it with the manifest.

use std::{collections::BTreeSet, path::Path};

use futures::TryStreamExt as _;
use sqlx::{Connection as _, PgConnection};

use super::Restore;
use crate::{
    Backup, BackupError, dump,
    manifest::Schema,
    model::Status,
    progress::{self, ProgressRange, ProgressReporter},
    schema, store,
};
use platform::db::{RoleKind, Target, tools::Tools};

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

impl Restore {
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
    pub(crate) async fn load(
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
}

/// Major version of `15.18` or `18devel`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or_default()
}
