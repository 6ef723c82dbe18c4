//! `uptime_monitors`, with what `uptime_state` says. `org` selects the owner (`None`: the installation), because role `system` sees all rows.

mod facts;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    model::{Degraded, GroupId, Kind, ManagedBy, Monitor, MonitorDetail, MonitorId, Status},
    settings::Settings,
    spec::{InternalSpec, MonitorSpec},
};
use platform::{db::contains, http::Slice, ids::OrgId};

pub use facts::{badge, by_status, choices, count, count_of_kind, ending, numbers, target, urls};

/// Filter of monitors; `None` is no filter.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Those that the file no longer has, instead of the others.
    pub removed: bool,
    pub status: Option<Status>,
    pub kind: Option<Kind>,
    pub group: Option<GroupId>,
    pub tag: Option<&'a str>,
    /// Substring of the name, the key or the description.
    pub search: Option<&'a str>,
}

/// A monitor to insert.
pub struct NewRow<'a> {
    pub id: MonitorId,
    pub org: Option<OrgId>,
    pub key: &'a str,
    pub settings: &'a Settings,
    /// Sealed.
    pub secrets: Option<&'a [u8]>,
    pub token_hash: Option<&'a [u8]>,
    pub paused: bool,
    pub managed_by: Option<ManagedBy>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// Inserts it with its state. Violates `uptime_monitors_key` if the owner has the key already.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<()> {
    let set = new.settings;
    sqlx::query!(
        "INSERT INTO uptime_monitors (id, org_id, key, name, description, kind, spec, secrets, token_hash, group_id, parent_id, tags,
           interval_seconds, timeout_ms, retries, retry_ms, successes, slow_ms, certificate_days, target, badge, paused_at, paused_by, managed_by,
           created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
           CASE WHEN $22 THEN $25::timestamptz END, CASE WHEN $22 THEN $24::text END, $23, $24, $25, $25)",
        new.id.0,
        new.org.map(|org| org.0),
        new.key,
        set.name,
        set.description,
        set.spec.kind().as_str(),
        Json(&set.spec) as _,
        new.secrets,
        new.token_hash,
        set.group_id.map(|id| id.0),
        set.parent_id.map(|id| id.0),
        set.tags.as_slice(),
        set.interval_seconds,
        set.timeout_ms,
        set.retries,
        set.retry_ms,
        set.successes,
        set.slow_ms,
        set.certificate_days,
        set.target,
        set.badge,
        new.paused,
        new.managed_by.map(ManagedBy::as_str),
        new.created_by,
        new.now,
    )
    .execute(&mut *conn)
    .await?;
    // The prober, which alone changes it from now on, begins its first span.
    sqlx::query!(
        "INSERT INTO uptime_state (monitor_id, org_id, status, since, updated_at) VALUES ($1, $2, 'unknown', $3, $3)",
        new.id.0,
        new.org.map(|org| org.0),
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Replaces what is set. `secrets`: sealed.
pub async fn update(
    conn: &mut PgConnection,
    id: MonitorId,
    set: &Settings,
    secrets: Option<&[u8]>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE uptime_monitors SET name = $2, description = $3, kind = $4, spec = $5, secrets = $6, group_id = $7, parent_id = $8, tags = $9,
           interval_seconds = $10, timeout_ms = $11, retries = $12, retry_ms = $13, successes = $14, slow_ms = $15, certificate_days = $16,
           target = $17, badge = $18, updated_at = $19
         WHERE id = $1",
        id.0,
        set.name,
        set.description,
        set.spec.kind().as_str(),
        Json(&set.spec) as _,
        secrets,
        set.group_id.map(|id| id.0),
        set.parent_id.map(|id| id.0),
        set.tags.as_slice(),
        set.interval_seconds,
        set.timeout_ms,
        set.retries,
        set.retry_ms,
        set.successes,
        set.slow_ms,
        set.certificate_days,
        set.target,
        set.badge,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// `by`: `None` resumes it.
pub async fn pause(conn: &mut PgConnection, id: MonitorId, by: Option<&str>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE uptime_monitors SET paused_at = CASE WHEN $2::text IS NOT NULL THEN $3::timestamptz END, paused_by = $2 WHERE id = $1",
        id.0,
        by,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_token(conn: &mut PgConnection, id: MonitorId, hash: Option<&[u8]>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_monitors SET token_hash = $2 WHERE id = $1", id.0, hash).execute(conn).await.map(drop)
}

pub async fn set_managed(conn: &mut PgConnection, id: MonitorId, by: Option<ManagedBy>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_monitors SET managed_by = $2 WHERE id = $1", id.0, by.map(ManagedBy::as_str))
        .execute(conn)
        .await
        .map(drop)
}

/// Marks it as gone from the file; `None`: it is there again.
pub async fn set_removed(conn: &mut PgConnection, id: MonitorId, at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_monitors SET removed_at = $2 WHERE id = $1", id.0, at).execute(conn).await.map(drop)
}

/// With its state, its spans and its days; single checks go with their partitions.
pub async fn delete(conn: &mut PgConnection, id: MonitorId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM uptime_monitors WHERE id = $1", id.0).execute(conn).await.map(drop)
}

/// Deletes those that the file has not had for long. As role `system`.
pub async fn delete_removed(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    Ok(sqlx::query!("DELETE FROM uptime_monitors WHERE removed_at < $1", before).execute(conn).await?.rows_affected())
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    name: String,
    description: String,
    kind: String,
    group_id: Option<Uuid>,
    parent_id: Option<Uuid>,
    tags: Vec<String>,
    interval_seconds: i32,
    status: Option<String>,
    since: Option<DateTime<Utc>>,
    degraded: Option<String>,
    flapping_since: Option<DateTime<Utc>>,
    error: Option<String>,
    certificate_ends_at: Option<DateTime<Utc>>,
    domain_ends_at: Option<DateTime<Utc>>,
    managed_by: Option<String>,
    removed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Monitor {
    fn from(row: Row) -> Self {
        Self {
            id: MonitorId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            description: row.description,
            // The table's check constraints permit only known values.
            kind: row.kind.parse().unwrap_or(Kind::Internal),
            group_id: row.group_id.map(GroupId),
            parent_id: row.parent_id.map(MonitorId),
            tags: row.tags,
            interval_seconds: row.interval_seconds,
            status: row.status.as_deref().map_or(Status::Unknown, status),
            since: row.since.unwrap_or(row.created_at),
            degraded: row.degraded.and_then(|text| text.parse::<Degraded>().ok()),
            flapping_since: row.flapping_since,
            error: row.error,
            certificate_ends_at: row.certificate_ends_at,
            domain_ends_at: row.domain_ends_at,
            managed_by: row.managed_by.and_then(|text| text.parse().ok()),
            removed_at: row.removed_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn status(text: &str) -> Status {
    text.parse().unwrap_or(Status::Unknown)
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    filter: &Filter<'_>,
    slice: &Slice,
) -> sqlx::Result<Vec<Monitor>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT m.id AS "id!", m.org_id, m.key AS "key!", m.name AS "name!", m.description AS "description!", m.kind AS "kind!", m.group_id, m.parent_id,
             m.tags AS "tags!", m.interval_seconds AS "interval_seconds!",
             s.status AS "status?", s.since AS "since?", s.degraded, s.flapping_since, s.error, s.certificate_ends_at, s.domain_ends_at,
             m.managed_by, m.removed_at, m.created_at AS "created_at!", m.updated_at AS "updated_at!"
           FROM uptime_monitors m LEFT JOIN uptime_state s ON s.monitor_id = m.id
           WHERE m.id = ANY (ARRAY(SELECT uptime_monitors_found($1, $2, $3, $4, $5, $6, $7, $8, $9))) ORDER BY m.id DESC"#,
        org.is_none(),
        filter.removed,
        filter.status.map(Status::as_str),
        filter.kind.map(Kind::as_str),
        filter.group.map(|id| id.0),
        filter.tag,
        filter.search.map(contains),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Monitor::from).collect())
}

/// In no order; what does not exist, or is not visible, is left out.
pub async fn of_ids(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Monitor>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT m.id AS "id!", m.org_id, m.key AS "key!", m.name AS "name!", m.description AS "description!", m.kind AS "kind!", m.group_id, m.parent_id,
             m.tags AS "tags!", m.interval_seconds AS "interval_seconds!",
             s.status AS "status?", s.since AS "since?", s.degraded, s.flapping_since, s.error, s.certificate_ends_at, s.domain_ends_at,
             m.managed_by, m.removed_at, m.created_at AS "created_at!", m.updated_at AS "updated_at!"
           FROM uptime_monitors m LEFT JOIN uptime_state s ON s.monitor_id = m.id WHERE m.id = ANY ($1)"#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Monitor::from).collect())
}

/// A monitor as its owner changes it.
#[derive(Debug)]
pub struct Whole {
    pub detail: MonitorDetail,
    /// By which the history knows it.
    pub number: i32,
    /// Sealed.
    pub secrets: Option<Vec<u8>>,
}

impl Whole {
    /// What is set of it.
    pub fn settings(&self) -> Settings {
        let (detail, monitor) = (&self.detail, &self.detail.monitor);
        Settings {
            name: monitor.name.clone(),
            description: monitor.description.clone(),
            spec: detail.spec.clone(),
            group_id: monitor.group_id,
            parent_id: monitor.parent_id,
            tags: monitor.tags.clone(),
            interval_seconds: monitor.interval_seconds,
            timeout_ms: detail.timeout_ms,
            retries: detail.retries,
            retry_ms: detail.retry_ms,
            successes: detail.successes,
            slow_ms: detail.slow_ms,
            certificate_days: detail.certificate_days,
            target: detail.target,
            badge: detail.badge,
        }
    }
}

/// Locked until the transaction ends, but not for rows that point to it: spans are written meanwhile. The names of the secrets are left empty: who has the key fills them in.
pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: MonitorId) -> sqlx::Result<Option<Whole>> {
    let found = sqlx::query!(
        r#"SELECT number, spec, secrets, timeout_ms, retries, retry_ms, successes, slow_ms,
             certificate_days, target, badge, paused_at, paused_by, created_by
           FROM uptime_monitors WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE"#,
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let Some(monitor) = of_ids(conn, &[id.0]).await?.pop() else { return Ok(None) };
    // Of a newer version: it cannot be shown as it is, and is not checked (cause `unable`).
    let unknown = || MonitorSpec::Internal(InternalSpec { check: "unknown".to_owned() });
    let spec = serde_json::from_value(row.spec).unwrap_or_else(|_| unknown());
    let detail = MonitorDetail {
        monitor,
        spec,
        secrets: Vec::new(),
        timeout_ms: row.timeout_ms,
        retries: row.retries,
        retry_ms: row.retry_ms,
        successes: row.successes,
        slow_ms: row.slow_ms,
        certificate_days: row.certificate_days,
        target: row.target,
        badge: row.badge,
        paused_at: row.paused_at,
        paused_by: row.paused_by,
        created_by: row.created_by,
    };
    Ok(Some(Whole { detail, number: row.number, secrets: row.secrets }))
}

pub async fn find(conn: &mut PgConnection, org: Option<OrgId>, key: &str) -> sqlx::Result<Option<MonitorId>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM uptime_monitors WHERE key = $1 AND org_id IS NOT DISTINCT FROM $2",
        key,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(MonitorId))
}

/// Keys of the owner that begin so: what is free is found without asking again and again.
pub async fn keys_like(conn: &mut PgConnection, org: Option<OrgId>, begin: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT key FROM uptime_monitors WHERE org_id IS NOT DISTINCT FROM $1 AND starts_with(key, $2)",
        org.map(|org| org.0),
        begin,
    )
    .fetch_all(conn)
    .await
}

/// Whether `parent`, or one that it depends on, is `id`: then `id` cannot depend on it.
pub async fn is_above(conn: &mut PgConnection, id: MonitorId, parent: MonitorId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"WITH RECURSIVE above AS (
             SELECT id, parent_id FROM uptime_monitors WHERE id = $2
             UNION SELECT m.id, m.parent_id FROM uptime_monitors m JOIN above a ON m.id = a.parent_id)
           SELECT EXISTS (SELECT FROM above WHERE id = $1) AS "is_above!""#,
        id.0,
        parent.0,
    )
    .fetch_one(conn)
    .await
}
