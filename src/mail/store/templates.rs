//! `mail_templates`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    model::TemplateId,
    render::{Override, TemplateVersion},
};
use platform::ids::OrgId;

/// A changed template, without its text.
pub struct Changed {
    pub name: String,
    pub language: String,
    pub updated_by: String,
    pub updated_at: DateTime<Utc>,
}

/// A changed template.
pub struct Row {
    pub subject: String,
    pub text: String,
    pub html: String,
    pub updated_by: String,
    pub updated_at: DateTime<Utc>,
}

impl Row {
    /// Its text, and when and by whom it was changed.
    pub fn split(self, language: &'static str) -> (Override, TemplateVersion) {
        let content = Override { subject: self.subject, text: self.text, html: self.html };
        let version = TemplateVersion {
            language,
            changed: true,
            updated_at: Some(self.updated_at),
            updated_by: Some(self.updated_by),
        };
        (content, version)
    }
}

/// A template to save.
pub struct NewRow<'a> {
    pub id: TemplateId,
    pub org: Option<OrgId>,
    pub name: &'a str,
    pub language: &'a str,
    pub content: &'a Override,
    pub updated_by: &'a str,
    pub now: DateTime<Utc>,
}

/// All that the owner has changed.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<Changed>> {
    sqlx::query_as!(
        Changed,
        "SELECT name, language, updated_by, updated_at FROM mail_templates WHERE org_id IS NOT DISTINCT FROM $1",
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, name: &str, language: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT subject, text, html, updated_by, updated_at FROM mail_templates
         WHERE org_id IS NOT DISTINCT FROM $1 AND name = $2 AND language = $3",
        org.map(|org| org.0),
        name,
        language,
    )
    .fetch_optional(conn)
    .await
}

/// Inserts it, or replaces the one before.
pub async fn save(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_templates (id, org_id, name, language, subject, text, html, updated_by, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (org_id, name, language) DO UPDATE SET subject = excluded.subject, text = excluded.text, html = excluded.html,
           updated_by = excluded.updated_by, updated_at = excluded.updated_at",
        new.id.0,
        new.org.map(|org| org.0),
        new.name,
        new.language,
        new.content.subject,
        new.content.text,
        new.content.html,
        new.updated_by,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False if there was none.
pub async fn delete(conn: &mut PgConnection, org: Option<OrgId>, name: &str, language: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM mail_templates WHERE org_id IS NOT DISTINCT FROM $1 AND name = $2 AND language = $3",
        org.map(|org| org.0),
        name,
        language,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
