//! `incidents`, `incident_impacts`, `incident_log`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{
    ComponentId, ComponentStatus, Impact, Incident, IncidentId, IncidentKind, IncidentStatus, LogEntry, LogId, LogKind,
    Severity,
};
use platform::{
    db::{contains, lock_until_commit},
    http::Slice,
    ids::OrgId,
};
use uptime::WindowId;

/// An incident as stored.
pub struct Row {
    pub id: Uuid,
    pub org_id: Option<Uuid>,
    pub code: String,
    pub kind: String,
    pub name: String,
    pub status: String,
    pub impact: String,
    pub impact_override: bool,
    pub severity: String,
    pub published_at: Option<DateTime<Utc>>,
    pub opened_by: String,
    pub started_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub monitoring_at: Option<DateTime<Utc>>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub scheduled_for: Option<DateTime<Utc>>,
    pub scheduled_until: Option<DateTime<Utc>>,
    pub window_id: Option<Uuid>,
    pub merge_key: Option<String>,
    pub joins_until: Option<DateTime<Utc>>,
    pub merged_into: Option<Uuid>,
    pub flapping: bool,
    pub settles_at: Option<DateTime<Utc>>,
    pub postmortem: Option<String>,
    pub postmortem_published_at: Option<DateTime<Utc>>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<Row> for Incident {
    /// The table's check constraints permit only known texts.
    fn from(row: Row) -> Self {
        Self {
            id: IncidentId(row.id),
            installation: row.org_id.is_none(),
            code: row.code,
            kind: row.kind.parse().unwrap_or(IncidentKind::Incident),
            name: row.name,
            status: row.status.parse().unwrap_or(IncidentStatus::Investigating),
            impact: row.impact.parse().unwrap_or(Impact::None),
            impact_override: row.impact_override,
            severity: row.severity.parse().unwrap_or(Severity::Warning),
            published_at: row.published_at,
            opened_by: row.opened_by,
            started_at: row.started_at,
            acknowledged_at: row.acknowledged_at,
            acknowledged_by: row.acknowledged_by,
            monitoring_at: row.monitoring_at,
            resolved_at: row.resolved_at,
            scheduled_for: row.scheduled_for,
            scheduled_until: row.scheduled_until,
            window_id: row.window_id.map(WindowId),
            merged_into: row.merged_into.map(IncidentId),
            flapping: row.flapping,
            postmortem: row.postmortem,
            postmortem_published_at: row.postmortem_published_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Newest first; what does not exist, or is not to be seen, is left out.
pub async fn rows(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT id, org_id, code, kind, name, status, impact, impact_override, severity, published_at, opened_by, started_at, acknowledged_at,
           acknowledged_by, monitoring_at, resolved_at, scheduled_for, scheduled_until, window_id, merge_key, joins_until, merged_into, flapping,
           settles_at, postmortem, postmortem_published_at, version, created_at, updated_at
         FROM incidents WHERE id = ANY($1) ORDER BY id DESC",
        ids,
    )
    .fetch_all(conn)
    .await
}

/// The owner's, locked until the transaction ends.
pub async fn locked(conn: &mut PgConnection, org: Option<OrgId>, id: IncidentId) -> sqlx::Result<Option<Row>> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM incidents WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE",
        id.0,
        org.map(|org| org.0),
    );
    match found.fetch_optional(&mut *conn).await? {
        Some(id) => Ok(rows(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// Whose it is; `None`: it does not exist. As role `system`.
pub async fn owner(conn: &mut PgConnection, id: IncidentId) -> sqlx::Result<Option<Option<OrgId>>> {
    let found = sqlx::query_scalar!("SELECT org_id FROM incidents WHERE id = $1", id.0);
    Ok(found.fetch_optional(conn).await?.map(|org| org.map(OrgId)))
}

/// Keeps others from opening or joining an incident of this owner at the same time.
pub async fn lock_owner(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<()> {
    let name = org.map_or_else(|| "incidents".to_owned(), |org| format!("incidents/{org}"));
    lock_until_commit(conn, &name).await
}

/// Filter of a list; `None` is no filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub open: Option<bool>,
    pub kind: Option<IncidentKind>,
    pub severity: Option<Severity>,
    pub component: Option<ComponentId>,
    /// A part of the name.
    pub search: Option<&'a str>,
}

/// The ids of a page, newest first.
pub async fn found(
    conn: &mut PgConnection,
    installation: bool,
    filter: &Filter<'_>,
    slice: &Slice,
) -> sqlx::Result<Vec<Uuid>> {
    let pattern = filter.search.map(contains);
    sqlx::query_scalar!(
        r#"SELECT incidents_found($1, $2, $3, $4, $5, $6, $7, $8) AS "id!""#,
        installation,
        filter.open,
        filter.kind.map(IncidentKind::as_str),
        filter.severity.map(Severity::as_str),
        filter.component.map(|component| component.0),
        pattern,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}

/// An incident to insert.
pub struct NewIncident<'a> {
    pub id: IncidentId,
    pub org: Option<OrgId>,
    pub code: &'a str,
    pub kind: IncidentKind,
    pub name: &'a str,
    pub status: IncidentStatus,
    pub impact: Impact,
    pub severity: Severity,
    pub published_at: Option<DateTime<Utc>>,
    pub opened_by: &'a str,
    pub started_at: DateTime<Utc>,
    pub scheduled: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Of a maintenance.
    pub window: Option<WindowId>,
    pub merge_key: Option<&'a str>,
    pub joins_until: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewIncident<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incidents (id, org_id, code, kind, name, status, impact, severity, published_at, opened_by, started_at, scheduled_for,
           scheduled_until, window_id, occurrence, merge_key, joins_until, resolved_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, CASE WHEN $14::uuid IS NOT NULL THEN $12::timestamptz END, $15, $16,
           CASE WHEN $6::text IN ('resolved', 'completed') THEN $17::timestamptz END, $17, $17)",
        new.id.0,
        new.org.map(|org| org.0),
        new.code,
        new.kind.as_str(),
        new.name,
        new.status.as_str(),
        new.impact.as_str(),
        new.severity.as_str(),
        new.published_at,
        new.opened_by,
        new.started_at,
        new.scheduled.map(|(from, _)| from),
        new.scheduled.map(|(_, until)| until),
        new.window.map(|window| window.0),
        new.merge_key,
        new.joins_until,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Moves it, and ends or reopens it with that: whoever had acknowledged it is asked anew then. The settling is over.
pub async fn set_status(
    conn: &mut PgConnection,
    id: IncidentId,
    status: IncidentStatus,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET status = $2, settles_at = NULL,
           monitoring_at = CASE WHEN $2 = 'monitoring' THEN coalesce(monitoring_at, $4) ELSE monitoring_at END,
           acknowledged_at = CASE WHEN resolved_at IS NULL OR $3 THEN acknowledged_at END,
           acknowledged_by = CASE WHEN resolved_at IS NULL OR $3 THEN acknowledged_by END,
           resolved_at = CASE WHEN $3 THEN coalesce(resolved_at, $4) END,
           version = version + 1, updated_at = $4
         WHERE id = $1",
        id.0,
        status.as_str(),
        status.is_over(),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What a person changes.
pub struct Changes<'a> {
    pub name: &'a str,
    pub severity: Severity,
    pub impact: Impact,
    pub impact_override: bool,
    pub scheduled: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

pub async fn change(
    conn: &mut PgConnection,
    id: IncidentId,
    changes: &Changes<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET name = $2, severity = $3, impact = $4, impact_override = $5, scheduled_for = coalesce($6, scheduled_for),
           scheduled_until = coalesce($7, scheduled_until), version = version + 1, updated_at = $8
         WHERE id = $1",
        id.0,
        changes.name,
        changes.severity.as_str(),
        changes.impact.as_str(),
        changes.impact_override,
        changes.scheduled.map(|(from, _)| from),
        changes.scheduled.map(|(_, until)| until),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A further cause: its name and what joins it next.
pub async fn joined(
    conn: &mut PgConnection,
    id: IncidentId,
    name: &str,
    joins_until: Option<DateTime<Utc>>,
    merge_key: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET name = $2, joins_until = $3, merge_key = $4, settles_at = NULL, version = version + 1, updated_at = $5 WHERE id = $1",
        id.0,
        name,
        joins_until,
        merge_key,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_impact(conn: &mut PgConnection, id: IncidentId, impact: Impact) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET impact = $2 WHERE id = $1 AND NOT impact_override", id.0, impact.as_str())
        .execute(conn)
        .await
        .map(drop)
}

/// False: somebody was faster.
pub async fn acknowledge(conn: &mut PgConnection, id: IncidentId, by: &str, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incidents SET acknowledged_at = $3, acknowledged_by = $2, version = version + 1, updated_at = $3
         WHERE id = $1 AND acknowledged_at IS NULL AND resolved_at IS NULL",
        id.0,
        by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn publish(conn: &mut PgConnection, id: IncidentId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incidents SET published_at = $2, version = version + 1, updated_at = $2 WHERE id = $1 AND published_at IS NULL",
        id.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn set_settles(conn: &mut PgConnection, id: IncidentId, at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET settles_at = $2 WHERE id = $1 AND resolved_at IS NULL", id.0, at)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_flapping(
    conn: &mut PgConnection,
    id: IncidentId,
    flapping: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET flapping = $2, updated_at = $3 WHERE id = $1", id.0, flapping, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_merged(
    conn: &mut PgConnection,
    id: IncidentId,
    into: Option<IncidentId>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET merged_into = $2, joins_until = NULL, settles_at = NULL, version = version + 1, updated_at = $3 WHERE id = $1",
        id.0,
        into.map(|into| into.0),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_postmortem(
    conn: &mut PgConnection,
    id: IncidentId,
    text: &str,
    publish: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET postmortem = $2, postmortem_published_at = CASE WHEN $3 THEN coalesce(postmortem_published_at, $4) END,
           version = version + 1, updated_at = $4
         WHERE id = $1",
        id.0,
        text,
        publish,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Those that a new cause may join: opened by a monitor or an alert, youngest first.
pub async fn open(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(IncidentId, Option<String>, Option<DateTime<Utc>>)>> {
    let rows = sqlx::query!(
        "SELECT id, merge_key, joins_until FROM incidents
         WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND joins_until >= $2
         ORDER BY id DESC LIMIT 200",
        org.map(|org| org.0),
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (IncidentId(row.id), row.merge_key, row.joins_until)).collect())
}

/// Incidents of this owner that monitors opened since then and nobody has touched, with the storm that may still be joined, the oldest first.
pub async fn untouched_since(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<IncidentId>> {
    let rows = sqlx::query_scalar!(
        "SELECT id FROM incidents
         WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND opened_by = 'monitor'
           AND (created_at > $2 OR (merge_key = 'storm' AND joins_until >= $3)) AND acknowledged_at IS NULL AND status = 'investigating'
         ORDER BY id",
        org.map(|org| org.0),
        since,
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(IncidentId).collect())
}

/// Those whose causes have been over for long enough, of all owners.
pub async fn settled(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<(Option<OrgId>, IncidentId)>> {
    let rows = sqlx::query!(
        "SELECT id, org_id FROM incidents WHERE settles_at <= $1 AND resolved_at IS NULL ORDER BY settles_at LIMIT 200",
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id.map(OrgId), IncidentId(row.id))).collect())
}

/// Maintenances whose time has come, of all owners.
pub async fn due(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<(Option<OrgId>, IncidentId)>> {
    let rows = sqlx::query!(
        "SELECT id, org_id FROM incidents
         WHERE kind = 'maintenance' AND resolved_at IS NULL AND merged_into IS NULL AND scheduled_for <= $1
           AND (status = 'scheduled' OR (status = 'in_progress' AND scheduled_until <= $1))
         ORDER BY scheduled_for LIMIT 200",
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id.map(OrgId), IncidentId(row.id))).collect())
}

/// Sets what it does to a component.
pub async fn affect(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: IncidentId,
    component: ComponentId,
    status: ComponentStatus,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_impacts (incident_id, component_id, org_id, status) VALUES ($1, $2, $3, $4)
         ON CONFLICT (incident_id, component_id) DO UPDATE SET status = $4",
        id.0,
        component.0,
        org.map(|org| org.0),
        status.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What they affect, and how.
pub async fn affected(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<Vec<(IncidentId, ComponentId, ComponentStatus)>> {
    let rows = sqlx::query!(
        "SELECT incident_id, component_id, status FROM incident_impacts WHERE incident_id = ANY($1) ORDER BY incident_id, component_id",
        ids,
    )
    .fetch_all(conn)
    .await?;
    let read = |status: &str| status.parse().unwrap_or(ComponentStatus::Operational);
    Ok(rows
        .into_iter()
        .map(|row| (IncidentId(row.incident_id), ComponentId(row.component_id), read(&row.status)))
        .collect())
}

/// Ids of those that affect any of these components, are published, and are open or began since then. Newest first.
pub async fn shown(conn: &mut PgConnection, components: &[Uuid], since: DateTime<Utc>) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT i.id AS "id!" FROM incident_impacts a JOIN incidents i ON i.id = a.incident_id
           WHERE a.component_id = ANY($1) AND i.published_at IS NOT NULL AND i.merged_into IS NULL
             AND (i.resolved_at IS NULL OR i.started_at >= $2)
           ORDER BY 1 DESC"#,
        components,
        since,
    )
    .fetch_all(conn)
    .await
}

pub async fn log(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    incident: IncidentId,
    entry: &LogEntry,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_log (id, org_id, incident_id, what, done_by, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        entry.id.0,
        org.map(|org| org.0),
        incident.0,
        entry.what.as_str(),
        entry.done_by,
        entry.detail,
        entry.at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first.
pub async fn log_of(conn: &mut PgConnection, incident: IncidentId, slice: &Slice) -> sqlx::Result<Vec<LogEntry>> {
    let rows = sqlx::query!(
        "SELECT id, what, done_by, detail, at FROM incident_log WHERE incident_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        incident.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LogEntry {
            id: LogId(row.id),
            // A word of a later version is a change, too.
            what: row.what.parse().unwrap_or(LogKind::Changed),
            done_by: row.done_by,
            detail: row.detail,
            at: row.at,
        })
        .collect())
}

/// When the newest cause opened it or joined it, and how often it was reopened.
pub async fn course(conn: &mut PgConnection, incident: IncidentId) -> sqlx::Result<(Option<DateTime<Utc>>, i64)> {
    let row = sqlx::query!(
        r#"SELECT max(at) FILTER (WHERE what IN ('opened', 'joined')) AS joined, count(*) FILTER (WHERE what = 'reopened') AS "reopened!"
           FROM incident_log WHERE incident_id = $1"#,
        incident.0,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.joined, row.reopened))
}

/// Log and causes of one go to another.
pub async fn move_log(conn: &mut PgConnection, from: IncidentId, into: IncidentId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incident_log SET incident_id = $2 WHERE incident_id = $1", from.0, into.0)
        .execute(conn)
        .await
        .map(drop)
}
