//! `mail_own_templates`

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    model::OwnTemplateId,
    render::{Override, OwnTemplate, OwnTemplateSummary, OwnText},
};
use platform::{http::Slice, ids::OrgId};

/// A template to save.
pub struct NewRow<'a> {
    pub id: OwnTemplateId,
    pub org: OrgId,
    pub name: &'a str,
    pub content: &'a OwnText,
    pub updated_by: &'a str,
    pub now: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    name: String,
    example: Json<Value>,
    texts: Json<BTreeMap<String, Override>>,
    updated_by: String,
    updated_at: DateTime<Utc>,
}

impl From<Row> for OwnTemplate {
    fn from(row: Row) -> Self {
        Self {
            id: OwnTemplateId(row.id),
            name: row.name,
            content: OwnText { example: row.example.0, texts: row.texts.0 },
            updated_at: row.updated_at,
            updated_by: row.updated_by,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: OrgId, slice: &Slice) -> sqlx::Result<Vec<OwnTemplateSummary>> {
    let rows = sqlx::query!(
        r#"SELECT id, name, ARRAY(SELECT jsonb_object_keys(texts) ORDER BY 1) AS "languages!", updated_by, updated_at
           FROM mail_own_templates WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        org.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    let summary = rows.into_iter().map(|row| OwnTemplateSummary {
        id: OwnTemplateId(row.id),
        name: row.name,
        languages: row.languages,
        updated_at: row.updated_at,
        updated_by: row.updated_by,
    });
    Ok(summary.collect())
}

pub async fn count(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM mail_own_templates WHERE org_id = $1"#, org.0)
        .fetch_one(conn)
        .await
}

pub async fn get(conn: &mut PgConnection, org: OrgId, id: OwnTemplateId) -> sqlx::Result<Option<OwnTemplate>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, name, example AS "example: Json<Value>", texts AS "texts: Json<BTreeMap<String, Override>>", updated_by, updated_at
           FROM mail_own_templates WHERE id = $1 AND org_id = $2"#,
        id.0,
        org.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(OwnTemplate::from))
}

pub async fn named(conn: &mut PgConnection, org: OrgId, name: &str) -> sqlx::Result<Option<OwnTemplate>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, name, example AS "example: Json<Value>", texts AS "texts: Json<BTreeMap<String, Override>>", updated_by, updated_at
           FROM mail_own_templates WHERE name = $1 AND org_id = $2"#,
        name,
        org.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(OwnTemplate::from))
}

/// False if the organisation has one of this name.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO mail_own_templates (id, org_id, name, example, texts, updated_by, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (org_id, name) DO NOTHING",
        new.id.0,
        new.org.0,
        new.name,
        Json(&new.content.example) as _,
        Json(&new.content.texts) as _,
        new.updated_by,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False if there is none.
pub async fn update(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE mail_own_templates SET name = $3, example = $4, texts = $5, updated_by = $6, updated_at = $7 WHERE id = $1 AND org_id = $2",
        new.id.0,
        new.org.0,
        new.name,
        Json(&new.content.example) as _,
        Json(&new.content.texts) as _,
        new.updated_by,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, org: OrgId, id: OwnTemplateId) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("DELETE FROM mail_own_templates WHERE id = $1 AND org_id = $2", id.0, org.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}
