//! `incidents`, `incident_impacts`, `incident_log`.

mod changes;
mod course;
mod due;
mod impacts;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ComponentId, Impact, Incident, IncidentId, IncidentKind, IncidentStatus, Severity};
use platform::{
    db::{contains, lock_until_commit},
    http::Slice,
    ids::OrgId,
};
use uptime::WindowId;

pub use changes::*;
pub use course::{course, log, log_of, move_log};
pub use due::*;
pub use impacts::{affect, affect_as, affected, lasting, shown};

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

impl Row {
    pub fn kind(&self) -> IncidentKind {
        self.kind.parse().unwrap_or(IncidentKind::Incident)
    }
}

impl From<Row> for Incident {
    /// The table's check constraints permit only known texts.
    fn from(row: Row) -> Self {
        Self {
            id: IncidentId(row.id),
            installation: row.org_id.is_none(),
            kind: row.kind(),
            code: row.code,
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

/// Whose it is. As role `system`.
pub async fn org(conn: &mut PgConnection, id: IncidentId) -> sqlx::Result<Option<OrgId>> {
    let found = sqlx::query_scalar!("SELECT org_id FROM incidents WHERE id = $1", id.0);
    Ok(found.fetch_optional(conn).await?.flatten().map(OrgId))
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
