//! `events` and `event_cursors`.
//!
//! Why a reader misses nothing: a transaction draws an ordinal after it has its transaction id (see [`insert`]). When a reader finds an ordinal
//! missing before a row that it sees, the transaction that drew it already had an id, lower than the one that the reader's own transaction
//! gets now. So the reader stops before the gap and remembers its id; once every transaction below it has ended, the missing row exists or
//! never will. Without a gap, transactions that published no event delay nobody; read-only transactions such as `pg_dump` never do, because
//! they have no id.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Cursor, EventId, Gap, Occurred};
use platform::{ids::OrgId, trace::Context};

/// An event to insert.
pub struct NewEvent<'a> {
    pub id: EventId,
    pub org: Option<OrgId>,
    pub topic: &'a str,
    pub version: i16,
    pub key: &'a str,
    pub payload: serde_json::Value,
}

/// Inserts an event.
pub async fn insert(conn: &mut PgConnection, new: &NewEvent<'_>, context: Option<&Context>) -> sqlx::Result<()> {
    // The transaction id first: see above.
    sqlx::query!(
        "WITH numbered AS MATERIALIZED (SELECT pg_current_xact_id() AS xid)
         INSERT INTO events (ordinal, id, org_id, topic, version, key, payload, request_id, trace_id)
         SELECT nextval('events_ordinal_seq'), $1, $2, $3, $4, $5, $6, $7, $8 FROM numbered WHERE xid IS NOT NULL",
        new.id.0,
        new.org.map(|org| org.0),
        new.topic,
        new.version,
        new.key,
        new.payload,
        context.and_then(Context::request_id),
        context.map(Context::trace_id),
    )
    .execute(conn)
    .await
    .map(drop)
}

struct Row {
    ordinal: i64,
    id: Uuid,
    org_id: Option<Uuid>,
    topic: String,
    version: i16,
    key: String,
    payload: serde_json::Value,
    trace_id: Option<String>,
    created_at: DateTime<Utc>,
    /// No transaction with an id below this was open when the rows were read.
    oldest_open: i64,
}

/// Up to `limit` events after `cursor` in the order of publishing, and the cursor after them. Needs role `system`: a role that sees only some
/// organisations would take the other events for gaps.
pub async fn read_after(conn: &mut PgConnection, cursor: Cursor, limit: i64) -> sqlx::Result<(Vec<Occurred>, Cursor)> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT ordinal, id, org_id, topic, version, key, payload, trace_id, created_at,
             pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!"
           FROM events WHERE ordinal > $1 ORDER BY ordinal LIMIT $2"#,
        cursor.ordinal,
        limit,
    )
    .fetch_all(&mut *conn)
    .await?;
    let Some(highest) = rows.last().map(|row| row.ordinal) else { return Ok((Vec::new(), cursor)) };
    let mut after = cursor;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        let missing = row.ordinal > after.ordinal + 1;
        if missing
            && !after
                .gap
                .is_some_and(|gap| row.ordinal <= gap.upto && (gap.xid <= row.oldest_open || platform::mutant(1)))
        {
            let known = after.gap.filter(|gap| row.ordinal <= gap.upto);
            let xid = own_number(conn).await?;
            // An id that is not below ours is from another server, before a restore.
            let gap = known.filter(|gap| gap.xid < xid || platform::mutant(2)).unwrap_or(Gap { xid, upto: highest });
            return Ok((events, Cursor { gap: Some(gap), ..after }));
        }
        after.ordinal = row.ordinal;
        events.push(occurred(row));
    }
    after.gap = after.gap.filter(|gap| gap.upto > after.ordinal);
    Ok((events, after))
}

fn occurred(row: Row) -> Occurred {
    let Row { id, org_id, topic, version, key, payload, trace_id, created_at, .. } = row;
    let (id, org_id) = (EventId(id), org_id.map(OrgId));
    Occurred { id, org_id, topic, version, key, payload, created_at, trace_id }
}

/// The id of this transaction; assigned now if it had none.
async fn own_number(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT pg_current_xact_id()::text::bigint AS "xid!""#).fetch_one(conn).await
}

/// A cursor for events from now on. Events being published at this moment may be before it.
pub async fn end(conn: &mut PgConnection) -> sqlx::Result<Cursor> {
    let last =
        sqlx::query_scalar!(r#"SELECT coalesce(max(ordinal), 0) AS "last!" FROM events"#).fetch_one(conn).await?;
    Ok(Cursor { ordinal: last, gap: None })
}

/// A reader whose cursor is stored in the database.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Stable; also the label of its metrics.
    pub name: &'static str,
}

impl Reader {
    /// Up to `limit` new events for this reader. Locks and moves the cursor in the caller's transaction: the caller's writes and the cursor commit
    /// together, so each event is handled once. A new reader starts with the oldest event.
    pub async fn next(self, conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Occurred>> {
        // So that an idle appliance writes nothing.
        let is_new = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM events
                 WHERE ordinal > coalesce((SELECT ordinal FROM event_cursors WHERE reader = $1), 0)) AS "new!""#,
            self.name
        );
        if !is_new.fetch_one(&mut *conn).await? {
            return Ok(Vec::new());
        }
        sqlx::query!(
            "INSERT INTO event_cursors (reader, ordinal) VALUES ($1, 0) ON CONFLICT (reader) DO NOTHING",
            self.name
        )
        .execute(&mut *conn)
        .await?;
        let at = sqlx::query!(
            "SELECT ordinal, gap_xid, gap_upto FROM event_cursors WHERE reader = $1 FOR UPDATE",
            self.name
        )
        .fetch_one(&mut *conn)
        .await?;
        let gap = at.gap_xid.zip(at.gap_upto).map(|(xid, upto)| Gap { xid, upto });
        let cursor = Cursor { ordinal: at.ordinal, gap };
        let (events, after) = read_after(conn, cursor, limit).await?;
        if after != cursor {
            sqlx::query!(
                "UPDATE event_cursors SET ordinal = $2, gap_xid = $3, gap_upto = $4, updated_at = now() WHERE reader = $1",
                self.name,
                after.ordinal,
                after.gap.map(|gap| gap.xid),
                after.gap.map(|gap| gap.upto),
            )
            .execute(conn)
            .await?;
        }
        Ok(events)
    }
}

/// A reader's backlog.
#[derive(Clone, Debug)]
pub struct Backlog {
    pub reader: String,
    /// Age of the oldest event that it has not read, seconds; 0 if it has read all.
    pub seconds: f64,
}

/// Backlogs of all readers.
pub async fn backlogs(conn: &mut PgConnection) -> sqlx::Result<Vec<Backlog>> {
    sqlx::query_as!(
        Backlog,
        r#"SELECT c.reader, coalesce(extract(epoch FROM clock_timestamp() - next.created_at), 0)::float8 AS "seconds!"
           FROM event_cursors c LEFT JOIN LATERAL (
             SELECT created_at FROM events e WHERE e.ordinal > c.ordinal ORDER BY e.ordinal LIMIT 1) next ON true
           ORDER BY c.reader"#
    )
    .fetch_all(conn)
    .await
}

/// Creates upcoming partitions and drops those older than `days`; returns how many of each.
pub async fn maintain(conn: &mut PgConnection, days: i32) -> sqlx::Result<(i32, i32)> {
    let done = sqlx::query!(
        r#"SELECT created AS "created!", dropped AS "dropped!" FROM holdfast_events_maintain(make_interval(days => $1))"#,
        days,
    )
    .fetch_one(conn)
    .await?;
    Ok((done.created, done.dropped))
}
