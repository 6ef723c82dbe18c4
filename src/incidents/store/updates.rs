//! `incident_updates`: the timeline.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{IncidentId, IncidentStatus, Update, UpdateId};
use platform::{http::Slice, ids::OrgId};

struct Row {
    id: Uuid,
    code: String,
    incident_id: Uuid,
    status: String,
    body: String,
    affected: serde_json::Value,
    display_at: DateTime<Utc>,
    published: bool,
    notify: bool,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Update {
    fn from(row: Row) -> Self {
        Self {
            id: UpdateId(row.id),
            code: row.code,
            incident_id: IncidentId(row.incident_id),
            status: row.status.parse().unwrap_or(IncidentStatus::Investigating),
            body: row.body,
            affected: serde_json::from_value(row.affected).unwrap_or_default(),
            display_at: row.display_at,
            published: row.published,
            notify: row.notify,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub async fn insert(conn: &mut PgConnection, org: Option<OrgId>, update: &Update) -> sqlx::Result<()> {
    let affected = serde_json::to_value(&update.affected).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "INSERT INTO incident_updates (id, org_id, code, incident_id, status, body, affected, display_at, published, notify, created_by,
           created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        update.id.0,
        org.map(|org| org.0),
        update.code,
        update.incident_id.0,
        update.status.as_str(),
        update.body,
        affected,
        update.display_at,
        update.published,
        update.notify,
        update.created_by,
        update.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, incident: IncidentId, slice: &Slice) -> sqlx::Result<Vec<Update>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, code, incident_id, status, body, affected, display_at, published, notify, created_by, created_at, updated_at
         FROM incident_updates WHERE incident_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        incident.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Update::from).collect())
}

/// Published ones of these incidents, newest first by the time that they show.
pub async fn published(conn: &mut PgConnection, incidents: &[Uuid]) -> sqlx::Result<Vec<Update>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, code, incident_id, status, body, affected, display_at, published, notify, created_by, created_at, updated_at
         FROM incident_updates WHERE incident_id = ANY($1) AND published ORDER BY display_at DESC, id DESC",
        incidents,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Update::from).collect())
}

/// Locked until the transaction ends.
pub async fn get(conn: &mut PgConnection, incident: IncidentId, id: UpdateId) -> sqlx::Result<Option<Update>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, code, incident_id, status, body, affected, display_at, published, notify, created_by, created_at, updated_at
         FROM incident_updates WHERE incident_id = $1 AND id = $2 FOR NO KEY UPDATE",
        incident.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Update::from))
}

pub async fn change(
    conn: &mut PgConnection,
    id: UpdateId,
    body: &str,
    display_at: DateTime<Utc>,
    published: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incident_updates SET body = $2, display_at = $3, published = $4, updated_at = $5 WHERE id = $1",
        id.0,
        body,
        display_at,
        published,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether anybody but `by` has written about it.
pub async fn has_any_but(conn: &mut PgConnection, incident: IncidentId, by: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM incident_updates WHERE incident_id = $1 AND created_by <> $2) AS "any!""#,
        incident.0,
        by,
    )
    .fetch_one(conn)
    .await
}

/// All of one incident go to another.
pub async fn move_to(conn: &mut PgConnection, from: IncidentId, into: IncidentId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incident_updates SET incident_id = $2 WHERE incident_id = $1", from.0, into.0)
        .execute(conn)
        .await
        .map(drop)
}
