//! The only SQL on `notes`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Note, NoteId};
use platform::{db::contains, http::Slice, ids::OrgId};

pub async fn insert(conn: &mut PgConnection, org: OrgId, note: &Note) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO notes (id, org_id, title, text, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        note.id.0,
        org.0,
        note.title,
        note.text,
        note.created_by,
        note.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first; `search` is a part of the title.
pub async fn list(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<Note>> {
    match search.map(contains) {
        None => {
            sqlx::query_as!(
                Note,
                r#"SELECT id AS "id: NoteId", title, text, created_by, created_at FROM notes
                   WHERE id < $1 ORDER BY id DESC LIMIT $2"#,
                slice.beyond(),
                slice.rows(),
            )
            .fetch_all(conn)
            .await
        }
        Some(pattern) => {
            sqlx::query_as!(
                Note,
                r#"SELECT id AS "id: NoteId", title, text, created_by, created_at FROM notes
                   WHERE id = ANY (ARRAY(SELECT notes_found($1, $2, $3))) ORDER BY id DESC"#,
                pattern,
                slice.beyond(),
                slice.rows(),
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// False where it is not there.
pub async fn delete(conn: &mut PgConnection, id: NoteId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM notes WHERE id = $1", id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes up to `most` notes of any organisation made before `before`; returns how many.
pub async fn delete_before(conn: &mut PgConnection, before: DateTime<Utc>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM notes WHERE ctid = ANY(ARRAY(SELECT ctid FROM notes WHERE created_at < $1 LIMIT $2))",
        before,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Notes of all organisations made before `before`.
pub async fn count_before(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM notes WHERE created_at < $1"#, before).fetch_one(conn).await
}
