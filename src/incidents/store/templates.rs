//! `incident_templates`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ComponentId, IncidentStatus, IncidentTemplateId, Template};
use platform::{http::Slice, ids::OrgId};

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    name: String,
    language: String,
    title: String,
    body: String,
    status: String,
    components: Vec<Uuid>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Template {
    fn from(row: Row) -> Self {
        Self {
            id: IncidentTemplateId(row.id),
            installation: row.org_id.is_none(),
            name: row.name,
            language: row.language,
            title: row.title,
            body: row.body,
            status: row.status.parse().unwrap_or(IncidentStatus::Investigating),
            components: row.components.into_iter().map(ComponentId).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Template>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, name, language, title, body, status, components, created_at, updated_at
         FROM incident_templates
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND ($3::text IS NULL OR strpos(lower(name || ' ' || title), lower($3)) > 0)
         ORDER BY id DESC LIMIT $4",
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Template::from).collect())
}

/// The owner's, locked until the transaction ends.
pub async fn get(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: IncidentTemplateId,
) -> sqlx::Result<Option<Template>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, org_id, name, language, title, body, status, components, created_at, updated_at
         FROM incident_templates WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 FOR NO KEY UPDATE",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Template::from))
}

/// Inserts it, or changes the one with this id. Fails with `incident_templates_name_key` where another has this name and language.
pub async fn save(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    template: &Template,
    created_by: &str,
) -> sqlx::Result<()> {
    let components: Vec<Uuid> = template.components.iter().map(|component| component.0).collect();
    sqlx::query!(
        "INSERT INTO incident_templates (id, org_id, name, language, title, body, status, components, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, language = excluded.language, title = excluded.title, body = excluded.body,
           status = excluded.status, components = excluded.components, updated_at = excluded.updated_at",
        template.id.0,
        org.map(|org| org.0),
        template.name,
        template.language,
        template.title,
        template.body,
        template.status.as_str(),
        &components,
        created_by,
        template.created_at,
        template.updated_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: IncidentTemplateId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM incident_templates WHERE id = $1", id.0).execute(conn).await.map(drop)
}
