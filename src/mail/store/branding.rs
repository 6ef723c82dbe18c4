//! `mail_branding`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::render::BrandingSettings;
use platform::ids::OrgId;

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Option<BrandingSettings>> {
    sqlx::query_as!(
        BrandingSettings,
        r#"SELECT name, color, logo_url, footer, from_name, reply_to, updated_at AS "updated_at?"
           FROM mail_branding WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await
}

/// Inserts it, or replaces the one before.
pub async fn save(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    new: &BrandingSettings,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_branding (org_id, name, color, logo_url, footer, from_name, reply_to, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (org_id) DO UPDATE SET name = excluded.name, color = excluded.color, logo_url = excluded.logo_url,
           footer = excluded.footer, from_name = excluded.from_name, reply_to = excluded.reply_to, updated_at = excluded.updated_at",
        org.map(|org| org.0),
        new.name,
        new.color,
        new.logo_url,
        new.footer,
        new.from_name,
        new.reply_to,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
