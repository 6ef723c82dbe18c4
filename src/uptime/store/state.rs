//! `uptime_state`, `uptime_prober`, and what the prober reads: definitions, windows. Written by the prober; each transaction of it begins with
//! `jobs::Duty::holds`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{GroupId, ManagedBy, MonitorId, SpanId, Window, WindowId};

/// A monitor as the prober needs it.
#[derive(Clone, Debug)]
pub struct DefinitionRow {
    pub id: Uuid,
    pub number: i32,
    pub org_id: Option<Uuid>,
    pub key: String,
    pub name: String,
    pub spec: Value,
    pub secrets: Option<Vec<u8>>,
    pub group_id: Option<Uuid>,
    pub parent_id: Option<Uuid>,
    pub tags: Vec<String>,
    pub interval_seconds: i32,
    pub timeout_ms: i32,
    pub retries: i16,
    pub retry_ms: Option<i32>,
    pub successes: i16,
    pub slow_ms: Option<i32>,
    pub certificate_days: i16,
    pub badge: bool,
    pub is_paused: bool,
    pub is_removed: bool,
    pub revision: i64,
}

/// A page of all monitors, by id.
pub async fn definitions(conn: &mut PgConnection, above: Uuid, most: i64) -> sqlx::Result<Vec<DefinitionRow>> {
    sqlx::query_as!(
        DefinitionRow,
        r#"SELECT id, number, org_id, key, name, spec, secrets, group_id, parent_id, tags, interval_seconds, timeout_ms, retries, retry_ms,
             successes, slow_ms, certificate_days, badge, paused_at IS NOT NULL AS "is_paused!", removed_at IS NOT NULL AS "is_removed!", revision
           FROM uptime_monitors WHERE id > $1 ORDER BY id LIMIT $2"#,
        above,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Monitors that were made or changed after this revision, each with its own.
pub async fn revisions_above(conn: &mut PgConnection, above: i64) -> sqlx::Result<Vec<(Uuid, i64)>> {
    let rows =
        sqlx::query!("SELECT id, revision FROM uptime_monitors WHERE revision > $1", above).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.revision)).collect())
}

/// Those of these monitors that exist.
pub async fn definitions_of(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<DefinitionRow>> {
    sqlx::query_as!(
        DefinitionRow,
        r#"SELECT id, number, org_id, key, name, spec, secrets, group_id, parent_id, tags, interval_seconds, timeout_ms, retries, retry_ms,
             successes, slow_ms, certificate_days, badge, paused_at IS NOT NULL AS "is_paused!", removed_at IS NOT NULL AS "is_removed!", revision
           FROM uptime_monitors WHERE id = ANY ($1)"#,
        ids,
    )
    .fetch_all(conn)
    .await
}

/// Every monitor with its revision.
pub async fn revisions(conn: &mut PgConnection) -> sqlx::Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query!("SELECT id, revision FROM uptime_monitors").fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.revision)).collect())
}

/// The sum of the revisions of windows, and how many there are: whether they must be read again. The newest one would not do: a smaller one may become
/// visible after it.
pub async fn windows_mark(conn: &mut PgConnection) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT coalesce(sum(revision), 0)::bigint AS "sum!", count(*) AS "count!" FROM uptime_windows"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.sum, row.count))
}

/// Windows that are not over, each with its owner.
pub async fn windows(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<(Option<Uuid>, Window)>> {
    let rows = sqlx::query!(
        r#"SELECT id, org_id, key, name, starts_at, ends_at, cron, minutes, zone, excluded, every, monitors, groups, tags,
             managed_by IS NOT NULL AS "is_managed!", created_by, created_at, updated_at
           FROM uptime_windows WHERE ends_at IS NULL OR ends_at > $1"#,
        now,
    )
    .fetch_all(conn)
    .await?;
    let window = rows.into_iter().map(|row| {
        let window = Window {
            id: WindowId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            cron: row.cron,
            minutes: row.minutes,
            zone: row.zone,
            excluded: row.excluded,
            every: row.every,
            monitors: row.monitors.into_iter().map(MonitorId).collect(),
            groups: row.groups.into_iter().map(GroupId).collect(),
            tags: row.tags,
            managed_by: row.is_managed.then_some(ManagedBy::File),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        (row.org_id, window)
    });
    Ok(window.collect())
}

/// A row of `uptime_state`, with what its open span and its outage add.
#[derive(Clone, Debug)]
pub struct StateRow {
    pub monitor_id: Uuid,
    pub status: String,
    pub since: DateTime<Utc>,
    pub cause: Option<String>,
    pub because_of: Option<Uuid>,
    pub outage_id: Option<Uuid>,
    pub outage_told: bool,
    pub outage_started_at: Option<DateTime<Utc>>,
    pub degraded: Option<String>,
    pub flapping_since: Option<DateTime<Utc>>,
    pub error: Option<String>,
    pub certificate: Option<Value>,
    pub certificate_ends_at: Option<DateTime<Utc>>,
    pub domain_ends_at: Option<DateTime<Utc>>,
}

/// Where the open span is newer than the state, because a process ended between writing the two, the span is the truth.
pub async fn states(conn: &mut PgConnection, monitors: &[Uuid]) -> sqlx::Result<Vec<StateRow>> {
    sqlx::query_as!(
        StateRow,
        r#"SELECT s.monitor_id AS "monitor_id!", CASE WHEN n.is_newer THEN o.status ELSE s.status END AS "status!",
             CASE WHEN n.is_newer THEN o.starts_at ELSE s.since END AS "since!", o.cause AS "cause?", o.because_of AS "because_of?",
             u.outage_id AS "outage_id?",
             CASE WHEN n.is_newer AND o.status = 'down' THEN o.told OR (s.outage_told AND s.outage_id = o.outage_id) IS TRUE ELSE s.outage_told END
               AS "outage_told!",
             f.starts_at AS "outage_started_at?", s.degraded, s.flapping_since, s.error, s.certificate, s.certificate_ends_at, s.domain_ends_at
           FROM uptime_state s
           LEFT JOIN uptime_spans o ON o.monitor_id = s.monitor_id AND o.ends_at IS NULL
           CROSS JOIN LATERAL (SELECT coalesce(o.starts_at > s.since, false) AS is_newer) n
           CROSS JOIN LATERAL (SELECT CASE WHEN n.is_newer AND o.status IN ('up', 'down') THEN o.outage_id ELSE s.outage_id END AS outage_id) u
           LEFT JOIN uptime_spans f ON f.id = u.outage_id
           WHERE s.monitor_id = ANY ($1)"#,
        monitors,
    )
    .fetch_all(conn)
    .await
}

/// What is written of a state.
#[derive(Clone, Debug)]
pub struct StateWrite {
    pub monitor: MonitorId,
    pub status: &'static str,
    pub because_of: Option<Uuid>,
    pub since: DateTime<Utc>,
    pub outage: Option<SpanId>,
    pub outage_told: bool,
    pub degraded: Option<&'static str>,
    pub flapping_since: Option<DateTime<Utc>>,
    pub error: Option<String>,
    pub certificate: Option<Value>,
    pub certificate_ends_at: Option<DateTime<Utc>>,
    pub domain_ends_at: Option<DateTime<Utc>>,
}

/// Each monitor at most once. What a later term has written stays.
pub async fn write(conn: &mut PgConnection, term: i64, now: DateTime<Utc>, rows: &[StateWrite]) -> sqlx::Result<()> {
    let monitors: Vec<Uuid> = rows.iter().map(|row| row.monitor.0).collect();
    let statuses: Vec<String> = rows.iter().map(|row| row.status.to_owned()).collect();
    let because_of: Vec<Option<Uuid>> = rows.iter().map(|row| row.because_of).collect();
    let since: Vec<DateTime<Utc>> = rows.iter().map(|row| row.since).collect();
    let outages: Vec<Option<Uuid>> = rows.iter().map(|row| row.outage.map(|outage| outage.0)).collect();
    let told: Vec<bool> = rows.iter().map(|row| row.outage_told).collect();
    let degraded: Vec<Option<String>> = rows.iter().map(|row| row.degraded.map(str::to_owned)).collect();
    let flapping: Vec<Option<DateTime<Utc>>> = rows.iter().map(|row| row.flapping_since).collect();
    let errors: Vec<Option<String>> = rows.iter().map(|row| row.error.clone()).collect();
    let certificates: Vec<Option<Value>> = rows.iter().map(|row| row.certificate.clone()).collect();
    let certificate_ends: Vec<Option<DateTime<Utc>>> = rows.iter().map(|row| row.certificate_ends_at).collect();
    let domain_ends: Vec<Option<DateTime<Utc>>> = rows.iter().map(|row| row.domain_ends_at).collect();
    sqlx::query!(
        "UPDATE uptime_state s SET status = n.status, because_of = n.because_of, since = n.since, outage_id = n.outage_id,
           outage_told = n.outage_told, degraded = n.degraded, flapping_since = n.flapping_since, error = n.error,
           certificate = n.certificate, certificate_ends_at = n.certificate_ends_at, domain_ends_at = n.domain_ends_at,
           term = $13, updated_at = $14
         FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[], $5::uuid[], $6::bool[], $7::text[], $8::timestamptz[],
           $9::text[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[])
           AS n (monitor_id, status, because_of, since, outage_id, outage_told, degraded, flapping_since, error, certificate,
             certificate_ends_at, domain_ends_at)
         WHERE s.monitor_id = n.monitor_id AND s.term <= $13",
        &monitors,
        &statuses,
        &because_of as &[Option<Uuid>],
        &since,
        &outages as &[Option<Uuid>],
        &told,
        &degraded as &[Option<String>],
        &flapping as &[Option<DateTime<Utc>>],
        &errors as &[Option<String>],
        &certificates as &[Option<Value>],
        &certificate_ends as &[Option<DateTime<Utc>>],
        &domain_ends as &[Option<DateTime<Utc>>],
        term,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How far the prober has come.
pub async fn alive(
    conn: &mut PgConnection,
    term: i64,
    at: DateTime<Utc>,
    revision: i64,
    figures: Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_prober (term, alive_at, revision, figures) VALUES ($1, $2, $3, $4)
         ON CONFLICT (singleton) DO UPDATE SET term = excluded.term, alive_at = excluded.alive_at, revision = excluded.revision,
           figures = excluded.figures
         WHERE uptime_prober.term <= excluded.term",
        term,
        at,
        revision,
        figures,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// When a prober was last alive.
pub async fn alive_at(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("SELECT alive_at FROM uptime_prober").fetch_optional(conn).await
}
