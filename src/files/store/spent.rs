//! `files_spent`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use platform::ids::OrgId;

/// Notes that a token was used. False: it was used before.
pub(crate) async fn spend(
    conn: &mut PgConnection,
    org: OrgId,
    nonce: Uuid,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "INSERT INTO files_spent (nonce, org_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (nonce) DO NOTHING",
        nonce,
        org.0,
        expires_at,
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() > 0)
}
