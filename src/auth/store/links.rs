//! One-time links. Created and listed inside the organisation; opened and used as role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Link, LinkId, LinkPurpose, LinkRow};
use platform::{
    http::{Role, Slice},
    ids::{OrgId, UserId},
};

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    link: &Link,
    token_hash: &[u8],
    by: Option<UserId>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO one_time_links (id, org_id, purpose, token_hash, email, role, created_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        link.id.0,
        org.0,
        link.purpose.as_str(),
        token_hash,
        link.email,
        link.role.map(Role::as_str),
        by.map(|u| u.0),
        link.created_at,
        link.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Links of the organisation that can still be used, newest first.
pub async fn list(conn: &mut PgConnection, now: DateTime<Utc>, slice: &Slice) -> sqlx::Result<Vec<Link>> {
    let rows = sqlx::query!(
        "SELECT id, purpose, email, role AS \"role: Role\", created_at, expires_at FROM one_time_links \
         WHERE used_at IS NULL AND expires_at > $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        now,
        slice.beyond(),
        slice.rows()
    )
    .fetch_all(conn)
    .await?;
    let links = rows.into_iter().map(|r| Link {
        id: r.id.into(),
        purpose: purpose(&r.purpose),
        email: r.email,
        role: r.role,
        created_at: r.created_at,
        expires_at: r.expires_at,
    });
    Ok(links.collect())
}

/// Revokes a link; false when there is none.
pub async fn delete(conn: &mut PgConnection, id: LinkId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM one_time_links WHERE id = $1 AND used_at IS NULL", id.0).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes all unused links for `email` of one purpose: only the newest works.
pub async fn delete_for(conn: &mut PgConnection, email: &str, purpose: LinkPurpose) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM one_time_links WHERE email = $1 AND purpose = $2 AND used_at IS NULL",
        email,
        purpose.as_str()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Revokes all unused links that this person created in the organisation.
pub async fn delete_made_by(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM one_time_links WHERE created_by = $1 AND used_at IS NULL", user.0).execute(conn).await?;
    Ok(())
}

/// The usable link with this token, with its creator's current role in the organisation. As role `system`.
/// `FOR UPDATE`: of two concurrent uses the second finds nothing.
pub async fn by_token(conn: &mut PgConnection, token_hash: &[u8], now: DateTime<Utc>) -> sqlx::Result<Option<LinkRow>> {
    let row = sqlx::query!(
        "SELECT l.id, l.org_id, l.purpose, l.email, l.role AS \"role: Role\", o.name, m.role AS \"maker_role?: Role\", u.is_operator \
         FROM one_time_links l JOIN organisations o ON o.id = l.org_id JOIN users u ON u.id = l.created_by AND u.disabled_at IS NULL \
         LEFT JOIN memberships m ON m.org_id = l.org_id AND m.user_id = l.created_by \
         WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > $2 FOR UPDATE OF l",
        token_hash,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| LinkRow {
        id: r.id.into(),
        org_id: r.org_id.into(),
        purpose: purpose(&r.purpose),
        email: r.email,
        role: r.role,
        org_name: r.name,
        maker_role: r.maker_role,
        maker_is_operator: r.is_operator,
    }))
}

/// As role `system`.
pub async fn mark_used(conn: &mut PgConnection, id: LinkId, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE one_time_links SET used_at = $2 WHERE id = $1", id.0, at).execute(conn).await?;
    Ok(())
}

fn purpose(stored: &str) -> LinkPurpose {
    if stored == "reset" { LinkPurpose::Reset } else { LinkPurpose::Join }
}
