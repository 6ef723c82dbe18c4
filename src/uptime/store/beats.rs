//! `uptime_beats`. One with a smaller ordinal may become visible later: a reader looks back, and remembers what it had.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A beat to be stored.
#[derive(Clone, Debug)]
pub struct NewBeat {
    pub org: Option<Uuid>,
    pub monitor: Uuid,
    pub received_at: DateTime<Utc>,
    pub beat: &'static str,
    /// Milliseconds.
    pub took: Option<i32>,
    pub message: String,
}

/// A stored beat.
#[derive(Clone, Debug)]
pub struct BeatRow {
    pub ordinal: i64,
    pub monitor_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub beat: String,
    pub message: String,
}

/// The monitor with this token, and whose it is. With a key: only if it is the monitor's.
pub async fn of_token(
    conn: &mut PgConnection,
    hash: &[u8],
    key: Option<&str>,
) -> sqlx::Result<Option<(Uuid, Option<Uuid>)>> {
    let row = sqlx::query!(
        "SELECT id, org_id FROM uptime_monitors
         WHERE token_hash = $1 AND removed_at IS NULL AND ($2::text IS NULL OR key = $2)",
        hash,
        key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.id, row.org_id)))
}

/// Beats of monitors that were deleted meanwhile are left out.
pub async fn insert(conn: &mut PgConnection, beats: &[NewBeat]) -> sqlx::Result<()> {
    fn all<T>(beats: &[NewBeat], of: impl Fn(&NewBeat) -> T) -> Vec<T> {
        beats.iter().map(of).collect()
    }
    sqlx::query!(
        "INSERT INTO uptime_beats (org_id, monitor_id, received_at, beat, took, message)
         SELECT n.org_id, n.monitor_id, n.received_at, n.beat, n.took, n.message
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::int4[], $6::text[])
           AS n (org_id, monitor_id, received_at, beat, took, message)
         JOIN uptime_monitors m ON m.id = n.monitor_id",
        &all(beats, |beat| beat.org) as &[Option<Uuid>],
        &all(beats, |beat| beat.monitor),
        &all(beats, |beat| beat.received_at),
        &all(beats, |beat| beat.beat.to_owned()),
        &all(beats, |beat| beat.took) as &[Option<i32>],
        &all(beats, |beat| beat.message.clone()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Beats after this ordinal, at most so many.
pub async fn after(conn: &mut PgConnection, ordinal: i64, most: i64) -> sqlx::Result<Vec<BeatRow>> {
    sqlx::query_as!(
        BeatRow,
        "SELECT ordinal, monitor_id, received_at, beat, message FROM uptime_beats
         WHERE ordinal > $1 ORDER BY ordinal LIMIT $2",
        ordinal,
        most,
    )
    .fetch_all(conn)
    .await
}

/// The last beats of each of these monitors, oldest first: at most so many of each.
pub async fn last(conn: &mut PgConnection, monitors: &[Uuid], most: i64) -> sqlx::Result<Vec<BeatRow>> {
    let mut rows = sqlx::query_as!(
        BeatRow,
        r#"SELECT b.ordinal AS "ordinal!", b.monitor_id AS "monitor_id!", b.received_at AS "received_at!", b.beat AS "beat!",
             b.message AS "message!"
           FROM unnest($1::uuid[]) AS n (monitor_id)
           CROSS JOIN LATERAL (
             SELECT * FROM uptime_beats k WHERE k.monitor_id = n.monitor_id ORDER BY k.received_at DESC LIMIT $2
           ) b"#,
        monitors,
        most,
    )
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| row.ordinal);
    Ok(rows)
}
