//! What a recipient has unsubscribed from: rows of `mail_suppressions` for one kind.

use sqlx::PgConnection;

use crate::model::Reason;
use platform::ids::OrgId;

/// What is suppressed for an address (in lower case): `*` or a kind, and why.
pub async fn suppressed(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    address: &str,
) -> sqlx::Result<Vec<(String, Reason)>> {
    let rows = sqlx::query!(
        "SELECT kind, reason FROM mail_suppressions WHERE org_id IS NOT DISTINCT FROM $1 AND address = $2 ORDER BY kind",
        org.map(|org| org.0),
        address,
    )
    .fetch_all(conn)
    .await?;
    // The table's check constraint permits only known reasons.
    Ok(rows.into_iter().map(|row| (row.kind, row.reason.parse().unwrap_or(Reason::Manual))).collect())
}

/// Takes back that the recipient has unsubscribed from this kind; other reasons stay.
pub async fn subscribe(conn: &mut PgConnection, org: Option<OrgId>, address: &str, kind: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM mail_suppressions
         WHERE org_id IS NOT DISTINCT FROM $1 AND address = $2 AND kind = $3 AND reason = 'unsubscribed'",
        org.map(|org| org.0),
        address,
        kind,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
