//! Sessions. As role `system`: they belong to a person, who may be in several organisations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Device, Session, SessionId, SessionRow};
use platform::{
    http::Slice,
    ids::{OrgId, UserId},
};

/// A session to insert.
pub struct NewSession<'a> {
    pub id: SessionId,
    pub user_id: UserId,
    pub token_hash: &'a [u8],
    pub org_id: OrgId,
    pub user_agent: &'a str,
    pub address: &'a str,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, s: &NewSession<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, token_hash, current_org_id, user_agent, address, created_at, last_seen_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
        s.id.0,
        s.user_id.0,
        s.token_hash,
        s.org_id.0,
        s.user_agent,
        s.address,
        s.created_at,
        s.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The session with this token, if the person may sign in. The caller checks its expiry.
pub async fn by_token(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as!(
        SessionRow,
        "SELECT s.id AS \"id: SessionId\", s.user_id AS \"user_id: UserId\", u.email, u.name, u.is_operator, u.must_change_password, \
           s.current_org_id AS \"current_org_id: OrgId\", s.last_seen_at, s.expires_at \
         FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1 AND u.disabled_at IS NULL",
        token_hash
    )
    .fetch_optional(conn)
    .await
}

/// Whether a stored session shows that this person has signed in from `address` before.
pub async fn address_known(conn: &mut PgConnection, user: UserId, address: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        "SELECT EXISTS (SELECT FROM sessions WHERE user_id = $1 AND address = $2) AS \"known!\"",
        user.0,
        address
    )
    .fetch_one(conn)
    .await
}

/// Browser and address of a person's kept sessions, the newest first.
pub async fn devices(conn: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<(String, String)>> {
    let rows =
        sqlx::query!("SELECT user_agent, address FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 500", user.0);
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.user_agent, row.address)).collect())
}

/// Where a session is from, and whose it is; `None` if the person may not sign in any more.
pub async fn device(conn: &mut PgConnection, user: UserId, id: SessionId) -> sqlx::Result<Option<Device>> {
    sqlx::query_as!(
        Device,
        r#"SELECT u.email, u.name, s.user_agent AS "user_agent?", s.address AS "address?"
           FROM users u LEFT JOIN sessions s ON s.id = $2 AND s.user_id = u.id WHERE u.id = $1 AND u.disabled_at IS NULL"#,
        user.0,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Query for a person's sessions.
pub struct Mine {
    pub user: UserId,
    /// The current session.
    pub current: SessionId,
    pub now: DateTime<Utc>,
    pub idle_since: DateTime<Utc>,
    pub slice: Slice,
}

/// A page of a person's active sessions, newest sign-in first.
pub async fn list(conn: &mut PgConnection, mine: &Mine) -> sqlx::Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        "SELECT id AS \"id: SessionId\", user_agent, address, created_at, last_seen_at, expires_at, id = $2 AS \"current!\" FROM sessions \
         WHERE user_id = $1 AND expires_at > $3 AND last_seen_at > $4 AND id < $5 ORDER BY id DESC LIMIT $6",
        mine.user.0,
        mine.current.0,
        mine.now,
        mine.idle_since,
        mine.slice.beyond(),
        mine.slice.rows()
    )
    .fetch_all(conn)
    .await
}

/// Ends one session of this person; false when it is not theirs.
pub async fn delete(conn: &mut PgConnection, user: UserId, id: SessionId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM sessions WHERE user_id = $1 AND id = $2", user.0, id.0).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all sessions of this person except `keep`; returns how many.
pub async fn delete_others(conn: &mut PgConnection, user: UserId, keep: Option<SessionId>) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2", user.0, keep.map(|k| k.0))
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}

pub async fn set_organisation(conn: &mut PgConnection, id: SessionId, org: OrgId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE sessions SET current_org_id = $2 WHERE id = $1", id.0, org.0).execute(conn).await?;
    Ok(())
}

/// Records their last use. `SKIP LOCKED`: rather a minute late than waiting.
pub async fn touch(conn: &mut PgConnection, ids: &[uuid::Uuid], at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sessions SET last_seen_at = $2 WHERE id IN (SELECT id FROM sessions WHERE id = ANY($1) AND last_seen_at < $2 FOR UPDATE SKIP LOCKED)",
        ids,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes expired sessions, and links that expired long ago; returns how many of both.
pub async fn purge(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
    links_before: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let sessions = sqlx::query!("DELETE FROM sessions WHERE expires_at < $1 OR last_seen_at < $2", now, idle_since)
        .execute(&mut *conn)
        .await?;
    let links = sqlx::query!("DELETE FROM one_time_links WHERE expires_at < $1", links_before).execute(conn).await?;
    Ok(sessions.rows_affected() + links.rows_affected())
}
