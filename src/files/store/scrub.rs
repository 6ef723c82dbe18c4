//! `files_scrubs`, `files_damage`, `files_sweeps`: of the installation. Needs the system role.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{DamagedObject, Scrub, Swept};

/// The newest scrubs.
pub(crate) async fn scrubs(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Scrub>> {
    sqlx::query_as!(
        Scrub,
        r#"SELECT id, started_at, ended_at, room, "after", objects, bytes, damaged, repaired, unread
           FROM files_scrubs ORDER BY started_at DESC LIMIT $1"#,
        most,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn begin(conn: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(r#"INSERT INTO files_scrubs (id, started_at, room, "after") VALUES ($1, $2, '', '')"#, id, now)
        .execute(conn)
        .await
        .map(drop)
}

/// Writes how far a scrub is.
pub(crate) async fn save(conn: &mut PgConnection, scrub: &Scrub) -> sqlx::Result<()> {
    sqlx::query!(
        r#"UPDATE files_scrubs SET ended_at = $2, room = $3, "after" = $4, objects = $5, bytes = $6, damaged = $7, unread = $8 WHERE id = $1"#,
        scrub.id,
        scrub.ended_at,
        scrub.room,
        scrub.after,
        scrub.objects,
        scrub.bytes,
        scrub.damaged,
        scrub.unread,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Counts an object that was brought back, in the newest scrub.
pub(crate) async fn count_repaired(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_scrubs SET repaired = repaired + 1 WHERE id = (SELECT id FROM files_scrubs ORDER BY started_at DESC LIMIT 1)"
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that an object is damaged. True: that was not known.
pub(crate) async fn note_damage(
    conn: &mut PgConnection,
    (room, object): (&str, &str),
    org: Option<Uuid>,
    kind: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let known = sqlx::query_scalar!(
        r#"WITH known AS (SELECT FROM files_damage WHERE room = $1 AND object = $2 AND repaired_at IS NULL),
           noted AS (INSERT INTO files_damage AS d (room, object, org_id, kind, found_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (room, object) DO UPDATE SET kind = excluded.kind, repaired_at = NULL, note = CASE WHEN d.repaired_at IS NULL THEN d.note ELSE '' END,
               found_at = CASE WHEN d.repaired_at IS NULL THEN d.found_at ELSE excluded.found_at END)
           SELECT EXISTS (SELECT FROM known) AS "known!""#,
        room,
        object,
        org,
        kind,
        now,
    )
    .fetch_one(conn)
    .await?;
    Ok(!known)
}

/// Notes that a repair was tried, and why it did not help.
pub(crate) async fn note_attempt(
    conn: &mut PgConnection,
    (room, object): (&str, &str),
    note: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_damage SET tried_at = $4, note = $3 WHERE room = $1 AND object = $2 AND repaired_at IS NULL",
        room,
        object,
        note,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that objects are whole; returns those that were known to be damaged.
pub(crate) async fn note_repaired(
    conn: &mut PgConnection,
    room: &str,
    objects: &[String],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "UPDATE files_damage SET repaired_at = $3 WHERE room = $1 AND object = ANY ($2) AND repaired_at IS NULL RETURNING object",
        room,
        objects,
        now,
    )
    .fetch_all(conn)
    .await
}

/// Forgets the damage of an object that nobody expects any more.
pub(crate) async fn forget_damage(conn: &mut PgConnection, (room, object): (&str, &str)) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_damage WHERE room = $1 AND object = $2", room, object).execute(conn).await.map(drop)
}

/// Objects that are damaged now, the oldest find first.
pub(crate) async fn damaged(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<DamagedObject>> {
    sqlx::query_as!(
        DamagedObject,
        r#"SELECT room, object, org_id, kind, found_at, tried_at, note FROM files_damage
           WHERE repaired_at IS NULL ORDER BY found_at LIMIT $1"#,
        most,
    )
    .fetch_all(conn)
    .await
}

/// The shard of a room that was swept last.
pub(crate) async fn last_shard(conn: &mut PgConnection, room: &str) -> sqlx::Result<Option<i16>> {
    sqlx::query_scalar!("SELECT shard FROM files_sweeps WHERE room = $1 ORDER BY swept_at DESC LIMIT 1", room)
        .fetch_optional(conn)
        .await
}

/// When anything was swept last.
pub(crate) async fn last_swept(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("SELECT max(swept_at) FROM files_sweeps").fetch_one(conn).await
}

pub(crate) async fn save_shard(
    conn: &mut PgConnection,
    (room, shard): (&str, i16),
    (objects, orphans, orphan_bytes): (i64, i64, i64),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_sweeps (room, shard, swept_at, objects, orphans, orphan_bytes) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (room, shard) DO UPDATE SET swept_at = excluded.swept_at, objects = excluded.objects, orphans = excluded.orphans,
           orphan_bytes = excluded.orphan_bytes",
        room,
        shard,
        now,
        objects,
        orphans,
        orphan_bytes,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What the last sweeps of all shards found, by room.
pub(crate) async fn swept(conn: &mut PgConnection) -> sqlx::Result<Vec<Swept>> {
    sqlx::query_as!(
        Swept,
        r#"SELECT room, min(swept_at) AS "oldest!", count(*) AS "shards!", sum(objects)::bigint AS "objects!",
             sum(orphans)::bigint AS "orphans!", sum(orphan_bytes)::bigint AS "orphan_bytes!"
           FROM files_sweeps GROUP BY room ORDER BY room"#,
    )
    .fetch_all(conn)
    .await
}
