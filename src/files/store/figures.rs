//! Figures of all organisations, for gauges and checks.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What is stored, and how it is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub objects: i64,
    pub bytes: i64,
    pub versions: i64,
    pub version_bytes: i64,
    pub trashed: i64,
    pub trashed_bytes: i64,
    /// By the planner's statistics; `None`: there are none yet.
    pub blobs: Option<f64>,
    pub garbage: i64,
    pub uploads: i64,
    pub orphans: i64,
    pub orphan_bytes: i64,
    /// Objects with wrong bytes.
    pub damaged: i64,
    pub missing: i64,
    /// Damaged once, and brought back.
    pub repaired: i64,
    /// Seconds since a scrub ended, or since there was something to scrub.
    pub scrub_age: Option<f64>,
    pub scrub_running: bool,
    /// What the newest scrub has read.
    pub scrub_bytes: Option<f64>,
    /// Seconds since the folder was swept that was swept first.
    pub sweep_age: Option<f64>,
    /// Largest share of a quota that is used; 0 without quotas.
    pub quota_ratio: f64,
    /// Seconds since the rules of the bucket ran where that is longest ago; `None`: no bucket has rules.
    pub lifecycle_age: Option<f64>,
    /// What the rules did when they ran last.
    pub expired: i64,
    pub moved: i64,
    pub aborted: i64,
    pub scan_pending: i64,
}

/// Quotas of the settings; `None`: no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub bytes: Option<i64>,
    pub objects: Option<i64>,
}

pub(crate) async fn read(conn: &mut PgConnection, limits: Limits, now: DateTime<Utc>) -> sqlx::Result<Figures> {
    let usage = sqlx::query!(
        r#"SELECT coalesce(sum(objects), 0)::bigint AS "objects!", coalesce(sum(bytes), 0)::bigint AS "bytes!",
             coalesce(sum(versions), 0)::bigint AS "versions!", coalesce(sum(version_bytes), 0)::bigint AS "version_bytes!",
             coalesce(sum(trashed), 0)::bigint AS "trashed!", coalesce(sum(trashed_bytes), 0)::bigint AS "trashed_bytes!"
           FROM files_usage"#
    )
    .fetch_one(&mut *conn)
    .await?;
    let kept = sqlx::query!(
        r#"SELECT (SELECT reltuples FROM pg_class WHERE oid = 'files_blobs'::regclass AND reltuples >= 0)::float8 AS blobs,
             (SELECT count(*) FROM files_garbage) AS "garbage!",
             (SELECT count(*) FROM files_uploads WHERE ended_at IS NULL) AS "uploads!",
             (SELECT coalesce(sum(orphans), 0)::bigint FROM files_sweeps) AS "orphans!",
             (SELECT coalesce(sum(orphan_bytes), 0)::bigint FROM files_sweeps) AS "orphan_bytes!",
             (SELECT extract(epoch FROM $1 - min(swept_at))::float8 FROM files_sweeps) AS sweep_age,
             (SELECT count(*) FROM files_damage WHERE repaired_at IS NULL AND kind <> 'missing') AS "damaged!",
             (SELECT count(*) FROM files_damage WHERE repaired_at IS NULL AND kind = 'missing') AS "missing!",
             (SELECT count(*) FROM files_damage WHERE repaired_at IS NOT NULL) AS "repaired!",
             (SELECT coalesce(sum(expired), 0)::bigint FROM files_lifecycle_runs) AS "expired!",
             (SELECT coalesce(sum(moved), 0)::bigint FROM files_lifecycle_runs) AS "moved!",
             (SELECT coalesce(sum(aborted), 0)::bigint FROM files_lifecycle_runs) AS "aborted!",
             (SELECT count(*) FROM files_objects WHERE scan = 'pending') AS "scan_pending!",
             (SELECT extract(epoch FROM $1 - min(coalesce(r.ran_at, b.updated_at)))::float8
              FROM files_buckets b LEFT JOIN files_lifecycle_runs r ON r.bucket_id = b.id
              WHERE b.lifecycle <> '[]' AND b.trashed_at IS NULL) AS lifecycle_age"#,
        now,
    )
    .fetch_one(&mut *conn)
    .await?;
    let scrub = sqlx::query!(
        r#"SELECT extract(epoch FROM $1 - coalesce((SELECT max(ended_at) FROM files_scrubs), (SELECT min(created_at) FROM files_buckets)))::float8 AS age,
             EXISTS (SELECT FROM files_scrubs WHERE ended_at IS NULL) AS "running!",
             (SELECT bytes FROM files_scrubs ORDER BY started_at DESC LIMIT 1)::float8 AS bytes"#,
        now,
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(Figures {
        objects: usage.objects,
        bytes: usage.bytes,
        versions: usage.versions,
        version_bytes: usage.version_bytes,
        trashed: usage.trashed,
        trashed_bytes: usage.trashed_bytes,
        blobs: kept.blobs,
        garbage: kept.garbage,
        uploads: kept.uploads,
        orphans: kept.orphans,
        orphan_bytes: kept.orphan_bytes,
        damaged: kept.damaged,
        missing: kept.missing,
        repaired: kept.repaired,
        scrub_age: scrub.age,
        scrub_running: scrub.running,
        scrub_bytes: scrub.bytes,
        sweep_age: kept.sweep_age,
        quota_ratio: fullest(conn, limits).await?.map_or(0.0, |(_, ratio)| ratio),
        lifecycle_age: kept.lifecycle_age,
        expired: kept.expired,
        moved: kept.moved,
        aborted: kept.aborted,
        scan_pending: kept.scan_pending,
    })
}

/// The organisation that has used most of its quota: its slug, and the share. `None`: no organisation has a quota.
pub(crate) async fn fullest(conn: &mut PgConnection, limits: Limits) -> sqlx::Result<Option<(String, f64)>> {
    let row = sqlx::query!(
        r#"SELECT o.slug, greatest(u.bytes / nullif(coalesce(q.bytes, $1), 0), u.objects / nullif(coalesce(q.objects, $2), 0))::float8 AS "ratio!"
           FROM (SELECT org_id, sum(bytes + version_bytes + trashed_bytes) AS bytes, sum(objects) AS objects FROM files_usage GROUP BY org_id) u
           JOIN organisations o ON o.id = u.org_id
           LEFT JOIN files_quotas q ON q.org_id = u.org_id
           WHERE coalesce(q.bytes, $1) > 0 OR coalesce(q.objects, $2) > 0
           ORDER BY 2 DESC LIMIT 1"#,
        limits.bytes,
        limits.objects,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.slug, row.ratio)))
}

/// The upload that has been open for longest.
pub(crate) async fn oldest_upload(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("SELECT min(created_at) FROM files_uploads WHERE ended_at IS NULL").fetch_one(conn).await
}

/// What lifecycle rules could not do, newest first: the bucket's name and why.
pub(crate) async fn lifecycle_problems(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "SELECT b.name, r.problem FROM files_lifecycle_runs r JOIN files_buckets b ON b.id = r.bucket_id
         WHERE r.problem <> '' ORDER BY r.ran_at DESC LIMIT 5"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.problem)).collect())
}
