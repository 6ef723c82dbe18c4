//! `mail_suppressions`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    SuppressionFilter, Unsuppress,
    model::{MessageId, Reason, Suppression, SuppressionId},
};
use platform::{db::contains, http::Slice, ids::OrgId};

/// A suppression to insert.
pub struct NewRow<'a> {
    pub id: SuppressionId,
    pub org: Option<OrgId>,
    /// Lower case: see [`crate::Address::key`].
    pub address: &'a str,
    /// `*`: everything.
    pub kind: &'a str,
    pub reason: Reason,
    pub detail: &'a str,
    pub message_id: Option<MessageId>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// False if the address was suppressed for this kind before. A complaint is noted then, too: who has made it must not get mail again because bounces
/// turn out to be wrong.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<bool> {
    let is_new = sqlx::query_scalar!(
        r#"INSERT INTO mail_suppressions AS s (id, org_id, address, kind, reason, detail, message_id, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (org_id, address, kind) DO UPDATE SET reason = excluded.reason, message_id = excluded.message_id,
           detail = concat_ws('; ', nullif(s.detail, ''), nullif(excluded.detail, ''))
         WHERE excluded.reason = 'complaint' AND s.reason IN ('hard_bounce', 'manual')
         RETURNING id = $1 AS "new!""#,
        new.id.0,
        new.org.map(|org| org.0),
        new.address,
        new.kind,
        new.reason.as_str(),
        new.detail,
        new.message_id.map(|id| id.0),
        new.created_by,
        new.now,
    )
    .fetch_optional(conn)
    .await?;
    // No row: it was there, and stays as it is.
    Ok(is_new.unwrap_or(false))
}

/// Suppressions to insert together, column by column.
#[derive(Debug, Default)]
pub struct NewRows {
    pub ids: Vec<Uuid>,
    pub addresses: Vec<String>,
    pub kinds: Vec<String>,
    pub reasons: Vec<String>,
    pub details: Vec<String>,
}

/// Returns how many were not there before. A complaint counts as in [`insert`]. Of several of one address and kind the first does, and a complaint before
/// it.
pub async fn insert_all(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    new: &NewRows,
    created_by: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let changed = sqlx::query_scalar!(
        r#"INSERT INTO mail_suppressions AS s (id, org_id, address, kind, reason, detail, created_by, created_at)
         SELECT DISTINCT ON (address, kind) id, $2::uuid, address, kind, reason, detail, $7::text, $8::timestamptz
         FROM unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) AS new (id, address, kind, reason, detail)
         ORDER BY address, kind, reason <> 'complaint', id
         ON CONFLICT (org_id, address, kind) DO UPDATE SET reason = excluded.reason,
           detail = concat_ws('; ', nullif(s.detail, ''), nullif(excluded.detail, ''))
         WHERE excluded.reason = 'complaint' AND s.reason IN ('hard_bounce', 'manual')
         RETURNING s.id = ANY($1) AS "new!""#,
        &new.ids,
        org.map(|org| org.0),
        &new.addresses,
        &new.kinds,
        &new.reasons,
        &new.details,
        created_by,
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(changed.into_iter().filter(|is_new| *is_new).count() as u64)
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    address: String,
    kind: String,
    reason: String,
    detail: String,
    message_id: Option<Uuid>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<Row> for Suppression {
    fn from(row: Row) -> Self {
        Self {
            id: SuppressionId(row.id),
            installation: row.org_id.is_none(),
            address: row.address,
            kind: row.kind,
            // The table's check constraint permits only known values.
            reason: row.reason.parse().unwrap_or(Reason::Manual),
            detail: row.detail,
            message_id: row.message_id.map(MessageId),
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    filter: &SuppressionFilter<'_>,
    slice: &Slice,
) -> sqlx::Result<Vec<Suppression>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, address, kind, reason, detail, message_id, created_by, created_at
         FROM mail_suppressions WHERE id = ANY (ARRAY(SELECT mail_suppressions_found($1, $2, $3, $4, $5))) ORDER BY id DESC",
        filter.installation,
        filter.reason.map(Reason::as_str),
        filter.search.map(contains),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Suppression::from).collect())
}

/// Of an address for a kind.
pub async fn get(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    address: &str,
    kind: &str,
) -> sqlx::Result<Option<Suppression>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, org_id, address, kind, reason, detail, message_id, created_by, created_at
         FROM mail_suppressions WHERE org_id IS NOT DISTINCT FROM $1 AND address = $2 AND kind = $3",
        org.map(|org| org.0),
        address,
        kind,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Suppression::from))
}

/// Whether mail of this owner and kind is not sent to the address, which is in lower case: as messages are taken to be sent.
pub async fn covers(conn: &mut PgConnection, org: Option<OrgId>, address: &str, kind: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM mail_suppressions
             WHERE address = $2 AND (org_id IS NOT DISTINCT FROM $1 AND kind IN ('*', $3) OR org_id IS NULL AND kind = '*')) AS "covered!""#,
        org.map(|org| org.0),
        address,
        kind,
    )
    .fetch_one(conn)
    .await
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, org: Option<OrgId>, id: SuppressionId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM mail_suppressions WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes what fits: `None` is no filter, and `every_owner` wins over `org`. `domain` is what stands behind the `@`. Returns how many.
pub async fn delete_where(
    conn: &mut PgConnection,
    (every_owner, org): (bool, Option<OrgId>),
    what: &Unsuppress<'_>,
    since: Option<DateTime<Utc>>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM mail_suppressions
         WHERE ($1 OR org_id IS NOT DISTINCT FROM $2) AND ($3::text IS NULL OR address = $3)
           AND ($4::text IS NULL OR split_part(address, '@', -1) = $4) AND ($5::text IS NULL OR reason = $5)
           AND ($6::timestamptz IS NULL OR created_at >= $6)",
        every_owner,
        org.map(|org| org.0),
        what.address,
        what.domain,
        what.reason.map(Reason::as_str),
        since,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Of all owners.
pub async fn count(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM mail_suppressions"#).fetch_one(conn).await
}
