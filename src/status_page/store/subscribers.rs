//! `status_page_subscribers`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{PageId, Subscriber, SubscriberId};
use incidents::ComponentId;
use platform::{http::Slice, ids::OrgId};

struct Row {
    id: Uuid,
    address: String,
    language: String,
    components: Vec<Uuid>,
    asked_at: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
}

impl From<Row> for Subscriber {
    fn from(row: Row) -> Self {
        Self {
            id: SubscriberId(row.id),
            address: row.address,
            language: row.language,
            components: row.components.into_iter().map(ComponentId).collect(),
            asked_at: row.asked_at,
            confirmed_at: row.confirmed_at,
        }
    }
}

/// Somebody who asks for updates.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    pub id: SubscriberId,
    pub page: PageId,
    pub org: Option<OrgId>,
    pub address: &'a str,
    pub language: &'a str,
    pub components: &'a [Uuid],
    /// The address that the request came from.
    pub from: &'a str,
    pub now: DateTime<Utc>,
}

/// Notes the wish, or that it was made once more. Whoever has confirmed before stays confirmed, and keeps what was chosen. Returns the row.
pub async fn ask(conn: &mut PgConnection, asking: &Asking<'_>) -> sqlx::Result<Subscriber> {
    let row = sqlx::query_as!(
        Row,
        "INSERT INTO status_page_subscribers AS s
           (id, org_id, page_id, address, address_key, language, components, asked_at, asked_from)
         VALUES ($1, $2, $3, $4, lower($4), $5, $6, $7, $8)
         ON CONFLICT (page_id, address_key) DO UPDATE SET asked_at = excluded.asked_at,
           language = CASE WHEN s.confirmed_at IS NULL THEN excluded.language ELSE s.language END,
           components = CASE WHEN s.confirmed_at IS NULL THEN excluded.components ELSE s.components END
         RETURNING id, address, language, components, asked_at, confirmed_at",
        asking.id.0,
        asking.org.map(|org| org.0),
        asking.page.0,
        asking.address,
        asking.language,
        asking.components,
        asking.now,
        asking.from,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.into())
}

pub async fn get(conn: &mut PgConnection, page: PageId, id: SubscriberId) -> sqlx::Result<Option<Subscriber>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, address, language, components, asked_at, confirmed_at FROM status_page_subscribers WHERE page_id = $1 AND id = $2",
        page.0,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Subscriber::from))
}

/// False if it was confirmed before, or is not there any more.
pub async fn confirm(
    conn: &mut PgConnection,
    page: PageId,
    id: SubscriberId,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE status_page_subscribers SET confirmed_at = $3 WHERE page_id = $1 AND id = $2 AND confirmed_at IS NULL",
        page.0,
        id.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What the subscriber wants to know of; empty: everything.
pub async fn choose(conn: &mut PgConnection, page: PageId, id: SubscriberId, components: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE status_page_subscribers SET components = $3 WHERE page_id = $1 AND id = $2",
        page.0,
        id.0,
        components,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, page: PageId, id: SubscriberId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM status_page_subscribers WHERE page_id = $1 AND id = $2", page.0, id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Of a page, newest first.
pub async fn list(conn: &mut PgConnection, page: PageId, slice: &Slice) -> sqlx::Result<Vec<Subscriber>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, address, language, components, asked_at, confirmed_at FROM status_page_subscribers
         WHERE page_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        page.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Subscriber::from).collect())
}

/// Confirmed ones of a page that want to know of any of these components, in the order of their addresses' domains, after this one.
pub async fn to_tell(
    conn: &mut PgConnection,
    page: PageId,
    components: &[Uuid],
    after: &(String, Uuid),
    most: i64,
) -> sqlx::Result<Vec<Subscriber>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, address, language, components, asked_at, confirmed_at FROM status_page_subscribers
         WHERE page_id = $1 AND confirmed_at IS NOT NULL AND (split_part(address_key, '@', 2), id) > ($3, $4)
           AND (components = '{}' OR components && $2)
         ORDER BY split_part(address_key, '@', 2), id LIMIT $5",
        page.0,
        components,
        after.0,
        after.1,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Subscriber::from).collect())
}

/// Confirmed ones of a page, by id, after this one.
pub async fn confirmed(conn: &mut PgConnection, page: PageId, after: Uuid, most: i64) -> sqlx::Result<Vec<Subscriber>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, address, language, components, asked_at, confirmed_at FROM status_page_subscribers
         WHERE page_id = $1 AND confirmed_at IS NOT NULL AND id > $2 ORDER BY id LIMIT $3",
        page.0,
        after,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Subscriber::from).collect())
}

/// Of a page: confirmed, and waiting to be.
pub async fn counts_of(conn: &mut PgConnection, page: PageId) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(confirmed_at) AS "confirmed!", count(*) FILTER (WHERE confirmed_at IS NULL) AS "waiting!"
           FROM status_page_subscribers WHERE page_id = $1"#,
        page.0
    )
    .fetch_one(conn)
    .await?;
    Ok((row.confirmed, row.waiting))
}

/// Confirmed, and waiting to be.
pub async fn counts(conn: &mut PgConnection) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(confirmed_at) AS "confirmed!", count(*) FILTER (WHERE confirmed_at IS NULL) AS "waiting!"
           FROM status_page_subscribers"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.confirmed, row.waiting))
}

/// Deletes those who asked before this time and have not confirmed. As role `system`. Returns how many.
pub async fn forget_unconfirmed(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("DELETE FROM status_page_subscribers WHERE confirmed_at IS NULL AND asked_at < $1", before,)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
