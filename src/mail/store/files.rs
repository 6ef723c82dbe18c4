//! `mail_files`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use platform::ids::OrgId;

/// Notes a file that is about to be stored.
pub async fn insert(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    object: &str,
    size: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO mail_files (object, org_id, size, created_at) VALUES ($1, $2, $3, $4)",
        object,
        org.map(|org| org.0),
        size,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Bytes that an organisation has stored since.
pub async fn stored_since(conn: &mut PgConnection, org: OrgId, since: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(size), 0)::bigint AS "sum!" FROM mail_files WHERE org_id = $1 AND created_at > $2"#,
        org.0,
        since,
    )
    .fetch_one(conn)
    .await
}

/// Notes that a mail has these files; how many of them there are.
pub async fn take(conn: &mut PgConnection, objects: &[String]) -> sqlx::Result<u64> {
    let done = sqlx::query!("UPDATE mail_files SET used = true WHERE object = ANY ($1)", objects).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Removes up to `most` rows of files that were stored before `before` and are in no mail; returns the files. A mail that takes one meanwhile waits for
/// this transaction, and does not find it any more.
pub async fn remove_unused(conn: &mut PgConnection, before: DateTime<Utc>, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "WITH old AS (
           SELECT object FROM mail_files WHERE NOT used AND created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )
         DELETE FROM mail_files f USING old WHERE f.object = old.object RETURNING f.object",
        before,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Removes the rows of files in mails that count no more.
pub async fn forget(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM mail_files WHERE used AND created_at < $1", before).execute(conn).await.map(drop)
}

/// A file of a mail in the log.
pub struct Attached {
    pub object: String,
    pub size: i64,
}

/// Files of mails behind this one, in the order of their places. Of all owners: needs the system role.
pub async fn attached_after(conn: &mut PgConnection, after: &str, most: i64) -> sqlx::Result<Vec<Attached>> {
    sqlx::query_as!(
        Attached,
        r#"SELECT a.object AS "object!", max(a.size)::bigint AS "size!" FROM mail_bodies b
             CROSS JOIN LATERAL jsonb_to_recordset(b.attachments) AS a (object text, size bigint)
           WHERE b.attachments <> '[]' AND a.object > $1 COLLATE "C" GROUP BY a.object ORDER BY a.object COLLATE "C" LIMIT $2"#,
        after,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Which of these files a mail has, or waits for a mail. Of all owners: needs the system role.
pub async fn known(conn: &mut PgConnection, objects: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT object AS "object!" FROM mail_files WHERE object = ANY ($1)
           UNION SELECT a.object FROM mail_bodies b CROSS JOIN LATERAL jsonb_to_recordset(b.attachments) AS a (object text)
             WHERE b.attachments <> '[]' AND a.object = ANY ($1)"#,
        objects,
    )
    .fetch_all(conn)
    .await
}
