//! The only SQL on the backup tables.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    manifest::Blob,
    model::{Backup, BackupId, Copy, CopyStatus, Drill, DrillId, DrillReport, DrillStatus, Kind, Status},
    tree::{Known, KnownFile},
};
use platform::http::Slice;
use storage::Entry;

/// A row whose enums are text; check constraints guarantee valid values.
struct Row {
    id: BackupId,
    sequence: i64,
    kind: String,
    status: String,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    step: String,
    database_bytes: i64,
    rows: i64,
    objects: i64,
    vector_files: i64,
    total_bytes: i64,
    added_bytes: i64,
    held: bool,
    error: Option<String>,
    copies: sqlx::types::Json<Vec<Copy>>,
}

impl From<Row> for Backup {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            sequence: row.sequence,
            kind: row.kind.parse().unwrap_or(Kind::Manual),
            status: row.status.parse().unwrap_or(Status::Failed),
            started_at: row.started_at,
            finished_at: row.finished_at,
            step: row.step,
            database_bytes: row.database_bytes,
            rows: row.rows,
            objects: row.objects,
            vector_files: row.vector_files,
            total_bytes: row.total_bytes,
            added_bytes: row.added_bytes,
            held: row.held,
            error: row.error,
            copies: row.copies.0,
        }
    }
}

/// The backups that `$which` names, with their copies.
macro_rules! select {
    ($which:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT b.id AS "id: BackupId", b.sequence, b.kind, b.status, b.started_at, b.finished_at, b.step, b.database_bytes,
                 b.rows, b.objects, b.vector_files, b.total_bytes, b.added_bytes, b.held, b.error,
                 coalesce((SELECT jsonb_agg(jsonb_build_object('destination', c.destination, 'status', c.status,
                   'verified_at', c.verified_at, 'error', c.error) ORDER BY c.destination)
                   FROM backup_copies c WHERE c.backup_id = b.id), '[]') AS "copies!: sqlx::types::Json<Vec<Copy>>"
               FROM backups b WHERE "# + $which,
            $($argument),+
        )
    };
}

/// Newest first: by sequence number, which does not depend on the clock. The slice's key is an id.
pub async fn backups(conn: &mut PgConnection, slice: &Slice) -> sqlx::Result<Vec<Backup>> {
    let rows = select!(
        "b.sequence < coalesce((SELECT o.sequence FROM backups o WHERE o.id = $1), 9223372036854775807) \
         ORDER BY b.sequence DESC LIMIT $2",
        slice.beyond(),
        slice.rows()
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Into::into).collect())
}

pub async fn backup(conn: &mut PgConnection, id: BackupId) -> sqlx::Result<Option<Backup>> {
    Ok(select!("b.id = $1", id.0).fetch_optional(conn).await?.map(Into::into))
}

/// How many that began in `[since, until)` are verified, and how many failed or are not verified. One that runs counts later.
pub async fn outcomes(conn: &mut PgConnection, since: DateTime<Utc>, until: DateTime<Utc>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE status = 'verified') AS "verified!",
             count(*) FILTER (WHERE status IN ('unverified', 'failed')) AS "others!"
           FROM backups WHERE started_at >= $1 AND started_at < $2"#,
        since,
        until
    )
    .fetch_one(conn)
    .await?;
    Ok((row.verified, row.others))
}

/// Sequence number of the next run.
pub async fn next_sequence(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT coalesce(max(sequence), 0) + 1 AS "next!" FROM backups"#).fetch_one(conn).await
}

pub async fn begin(conn: &mut PgConnection, backup: &Backup) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO backups (id, sequence, kind, status, started_at) VALUES ($1, $2, $3, 'running', $4)",
        backup.id.0,
        backup.sequence,
        backup.kind.as_str(),
        backup.started_at
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_step(conn: &mut PgConnection, id: BackupId, step: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE backups SET step = $2 WHERE id = $1", id.0, step).execute(conn).await.map(drop)
}

/// Records the end of a run. Inserts the row if it is only known from a manifest.
pub async fn finish(conn: &mut PgConnection, backup: &Backup) -> sqlx::Result<()> {
    let b = backup;
    sqlx::query!(
        "INSERT INTO backups (id, sequence, kind, status, started_at, finished_at, step, database_bytes, rows, objects, vector_files, \
           total_bytes, added_bytes, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (id) DO UPDATE SET status = $4, finished_at = $6, step = $7, database_bytes = $8, rows = $9, objects = $10, \
           vector_files = $11, total_bytes = $12, added_bytes = $13, error = $14",
        b.id.0,
        b.sequence,
        b.kind.as_str(),
        b.status.as_str(),
        b.started_at,
        b.finished_at,
        b.step,
        b.database_bytes,
        b.rows,
        b.objects,
        b.vector_files,
        b.total_bytes,
        b.added_bytes,
        b.error
    )
    .execute(&mut *conn)
    .await?;
    for copy in &b.copies {
        set_copy(&mut *conn, b.id, copy).await?;
    }
    Ok(())
}

pub async fn set_copy(conn: &mut PgConnection, id: BackupId, copy: &Copy) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO backup_copies (backup_id, destination, status, verified_at, error) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (backup_id, destination) DO UPDATE SET status = $3, verified_at = coalesce($4, backup_copies.verified_at), error = $5",
        id.0,
        copy.destination,
        copy.status.as_str(),
        copy.verified_at,
        copy.error
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Updates a backup's status from its copies and later findings.
pub async fn set_status(
    conn: &mut PgConnection,
    id: BackupId,
    status: Status,
    error: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE backups SET status = $2, error = $3 WHERE id = $1", id.0, status.as_str(), error)
        .execute(conn)
        .await
        .map(drop)
}

/// Marks abandoned runs and drills as failed; the caller holds the lock that all of them hold. Returns how many.
pub async fn fail_abandoned(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<u64> {
    let words = "it was interrupted: the process ended or was stopped before it was done";
    let runs = sqlx::query!(
        "UPDATE backups SET status = 'failed', finished_at = $1, error = $2 WHERE status = 'running'",
        now,
        words
    );
    let drills = sqlx::query!(
        "UPDATE backup_drills SET status = 'failed', finished_at = $1, error = $2 WHERE status = 'running'",
        now,
        words
    );
    Ok(runs.execute(&mut *conn).await?.rows_affected() + drills.execute(conn).await?.rows_affected())
}

pub async fn set_held(conn: &mut PgConnection, id: BackupId, held: bool) -> sqlx::Result<bool> {
    let done = sqlx::query!("UPDATE backups SET held = $2 WHERE id = $1", id.0, held).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Size of the last verified dump, bytes.
pub async fn last_size(conn: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "SELECT database_bytes FROM backups WHERE status = 'verified' ORDER BY sequence DESC, id DESC LIMIT 1"
    )
    .fetch_optional(conn)
    .await
}

/// Destinations with damaged copies that retention has not removed yet.
pub async fn damaged_destinations(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT DISTINCT destination FROM backup_copies WHERE status = 'damaged'").fetch_all(conn).await
}

/// Per destination: complete copies, time of the last check, last error.
pub async fn destination_states(
    conn: &mut PgConnection,
) -> sqlx::Result<HashMap<String, (i64, Option<DateTime<Utc>>, Option<String>)>> {
    let rows = sqlx::query!(
        r#"SELECT c.destination, count(*) FILTER (WHERE c.status = 'verified') AS "whole!", max(c.verified_at) AS verified_at,
             (array_agg(c.error ORDER BY b.sequence DESC, b.id DESC))[1] AS error
           FROM backup_copies c JOIN backups b ON b.id = c.backup_id GROUP BY c.destination"#
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.destination, (row.whole, row.verified_at, row.error))).collect())
}

pub async fn begin_drill(conn: &mut PgConnection, drill: &Drill) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO backup_drills (id, backup_id, destination, status, started_at) VALUES ($1, $2, $3, 'running', $4)",
        drill.id.0,
        drill.backup_id.0,
        drill.destination,
        drill.started_at
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn finish_drill(conn: &mut PgConnection, drill: &Drill) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE backup_drills SET status = $2, finished_at = $3, seconds = $4, report = $5, error = $6 WHERE id = $1",
        drill.id.0,
        drill.status.as_str(),
        drill.finished_at,
        drill.seconds,
        sqlx::types::Json(&drill.report) as _,
        drill.error
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first.
pub async fn drills(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Drill>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: DrillId", backup_id AS "backup_id: BackupId", destination, status, started_at, finished_at, seconds,
             report AS "report: sqlx::types::Json<DrillReport>", error
           FROM backup_drills ORDER BY id DESC LIMIT $1"#,
        limit
    );
    let rows = rows.fetch_all(conn).await?.into_iter().map(|row| Drill {
        id: row.id,
        backup_id: row.backup_id,
        destination: row.destination,
        status: row.status.parse().unwrap_or(DrillStatus::Failed),
        started_at: row.started_at,
        finished_at: row.finished_at,
        seconds: row.seconds,
        report: row.report.0,
        error: row.error,
    });
    Ok(rows.collect())
}

/// End and duration of the last passed drill.
pub async fn last_proven(conn: &mut PgConnection) -> sqlx::Result<Option<(DateTime<Utc>, f64)>> {
    let row = sqlx::query!(
        r#"SELECT finished_at AS "finished_at!", seconds AS "seconds!" FROM backup_drills
           WHERE status = 'passed' AND finished_at IS NOT NULL AND seconds IS NOT NULL ORDER BY id DESC LIMIT 1"#
    );
    Ok(row.fetch_optional(conn).await?.map(|row| (row.finished_at, row.seconds)))
}

/// Known files of a tree with these keys.
pub async fn known_files(conn: &mut PgConnection, tree: &str, keys: &[String]) -> sqlx::Result<Known> {
    let rows = sqlx::query!(
        "SELECT key, size, modified_at, sha256 FROM backup_known_files WHERE tree = $1 AND key = ANY($2)",
        tree,
        keys
    );
    let known = rows.fetch_all(conn).await?.into_iter().filter_map(|row| {
        let (size, modified) = (u64::try_from(row.size).ok()?, row.modified_at.timestamp_micros());
        // Unreadable entries count as unknown.
        Some((row.key, KnownFile { size, modified, sha256: row.sha256.parse().ok()? }))
    });
    Ok(known.collect())
}

/// Number of known files.
pub async fn count_known_files(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM backup_known_files"#).fetch_one(conn).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Forgets a tree's files after the key `after`, up to `last` or the end, that are not in `keys`.
pub async fn forget_files(
    conn: &mut PgConnection,
    tree: &str,
    (after, last): (&str, Option<&str>),
    keys: &[String],
) -> sqlx::Result<()> {
    // The order of the listing, which migration 72 made that of the column.
    sqlx::query!(
        r#"DELETE FROM backup_known_files
           WHERE tree = $1 AND key COLLATE "C" > $2 AND ($3::text IS NULL OR key COLLATE "C" <= $3) AND key <> ALL($4)"#,
        tree,
        after,
        last,
        keys
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Replaces the entries of these files.
pub async fn remember_files(
    conn: &mut PgConnection,
    tree: &str,
    known: &Known,
    files: &[(Entry, Blob)],
) -> sqlx::Result<()> {
    let found: HashMap<&str, KnownFile> =
        files.iter().map(|(entry, blob)| (entry.key.as_str(), KnownFile::new(entry, blob.sha256))).collect();
    let new: Vec<_> =
        files.iter().filter(|(entry, _)| known.get(&entry.key) != found.get(entry.key.as_str())).collect();
    if new.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = new.iter().map(|(entry, _)| entry.key.clone()).collect();
    let sizes: Vec<i64> = new.iter().map(|(entry, _)| i64::try_from(entry.size).unwrap_or(i64::MAX)).collect();
    let times: Vec<DateTime<Utc>> = new.iter().map(|(entry, _)| entry.modified).collect();
    let hashes: Vec<String> = new.iter().map(|(_, blob)| blob.sha256.to_string()).collect();
    sqlx::query!(
        "INSERT INTO backup_known_files (tree, key, size, modified_at, sha256) \
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::timestamptz[], $5::text[]) \
         ON CONFLICT (tree, key) DO UPDATE SET size = excluded.size, modified_at = excluded.modified_at, sha256 = excluded.sha256",
        tree,
        &keys,
        &sizes,
        &times,
        &hashes
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Updates the status of copies, after retention or a check.
pub async fn set_copy_status(
    conn: &mut PgConnection,
    id: BackupId,
    destination: &str,
    status: CopyStatus,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE backup_copies SET status = $3, error = NULL WHERE backup_id = $1 AND destination = $2",
        id.0,
        destination,
        status.as_str()
    )
    .execute(conn)
    .await
    .map(drop)
}

/// When this installation was made.
pub async fn installed_at(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!("SELECT created_at FROM installation").fetch_one(conn).await
}

/// The id of this installation.
pub async fn installation(conn: &mut PgConnection) -> sqlx::Result<uuid::Uuid> {
    sqlx::query_scalar!("SELECT id FROM installation").fetch_one(conn).await
}
