//! `status_page_renders` and `status_page_versions`, as role `system`.

use std::collections::HashSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{PageId, Render, Set},
    render,
};
use platform::ids::OrgId;

/// How a page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub page: PageId,
    pub revision: i64,
    /// Of its answers; 0: it has none yet.
    pub version: i64,
    pub as_of: DateTime<Utc>,
}

/// Of all pages.
pub async fn standings(conn: &mut PgConnection) -> sqlx::Result<Vec<Standing>> {
    let rows = sqlx::query!(
        r#"SELECT p.id AS "id!", p.revision AS "revision!", v.version AS "version?", v.as_of AS "as_of?"
           FROM status_pages p LEFT JOIN status_page_versions v ON v.page_id = p.id WHERE p.removed_at IS NULL"#
    )
    .fetch_all(conn)
    .await?;
    let standings = rows.into_iter().map(|row| Standing {
        page: PageId(row.id),
        revision: row.revision,
        version: row.version.unwrap_or_default(),
        as_of: row.as_of.unwrap_or(DateTime::<Utc>::MIN_UTC),
    });
    Ok(standings.collect())
}

/// Answers of a page that are newer than this version.
pub async fn above(conn: &mut PgConnection, page: PageId, version: i64) -> sqlx::Result<Vec<Render>> {
    let rows = sqlx::query!(
        "SELECT path, content_type, etag, body, gzip, br FROM status_page_renders WHERE page_id = $1 AND version > $2",
        page.0,
        version,
    )
    .fetch_all(conn)
    .await?;
    let renders = rows.into_iter().filter_map(|row| {
        let (set, path) = match row.path.strip_prefix("stale/") {
            Some(path) => (Set::Stale, path.to_owned()),
            None => (Set::Current, row.path),
        };
        Some(Render {
            set,
            path,
            // Of a newer version of this program: that process serves it.
            content_type: render::known_type(&row.content_type)?,
            etag: row.etag,
            body: row.body.into(),
            gzip: row.gzip.map(Bytes::from),
            br: row.br.map(Bytes::from),
        })
    });
    Ok(renders.collect())
}

/// Stored paths of a page.
pub async fn paths(conn: &mut PgConnection, page: PageId) -> sqlx::Result<HashSet<String>> {
    let paths =
        sqlx::query_scalar!("SELECT path FROM status_page_renders WHERE page_id = $1", page.0).fetch_all(conn).await?;
    Ok(paths.into_iter().collect())
}

/// A new version of a page; `None`: a process of a later term has written one, or the page is gone.
pub async fn next_version(
    conn: &mut PgConnection,
    (page, org): (PageId, Option<OrgId>),
    term: i64,
    as_of: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        "INSERT INTO status_page_versions AS v (page_id, org_id, version, term, rendered_at, as_of)
         SELECT id, $2, 1, $3, $4, $5 FROM status_pages WHERE id = $1
         ON CONFLICT (page_id) DO UPDATE SET version = v.version + 1, term = excluded.term, rendered_at = excluded.rendered_at,
           as_of = excluded.as_of
         WHERE v.term <= excluded.term
         RETURNING version",
        page.0,
        org.map(|org| org.0),
        term,
        now,
        as_of,
    )
    .fetch_optional(conn)
    .await
}

/// Writes an answer.
pub async fn put(
    conn: &mut PgConnection,
    (page, org): (PageId, Option<OrgId>),
    render: &Render,
    version: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO status_page_renders (page_id, path, org_id, content_type, etag, body, gzip, br, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (page_id, path) DO UPDATE SET content_type = excluded.content_type, etag = excluded.etag, body = excluded.body,
           gzip = excluded.gzip, br = excluded.br, version = excluded.version",
        page.0,
        render.stored_path(),
        org.map(|org| org.0),
        render.content_type,
        render.etag,
        &render.body[..],
        render.gzip.as_deref(),
        render.br.as_deref(),
        version,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes answers that the page no longer has.
pub async fn keep(conn: &mut PgConnection, page: PageId, paths: &[String]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM status_page_renders WHERE page_id = $1 AND path <> ALL($2)", page.0, paths)
        .execute(conn)
        .await
        .map(drop)
}

/// Changes when an incident (also one that is over), one of its updates or a component was changed by any process: the renderer looks each second, and
/// reads only then. Ids grow with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    update: Option<DateTime<Utc>>,
    change: Option<Uuid>,
    touched: Option<DateTime<Utc>>,
    open: i64,
    components: Option<DateTime<Utc>>,
}

/// Reads tables of room incidents, and only this: everything else is asked of the room.
pub async fn pulse(conn: &mut PgConnection) -> sqlx::Result<Pulse> {
    sqlx::query_as!(
        Pulse,
        r#"SELECT (SELECT max(updated_at) FROM incident_updates) AS "update?",
             (SELECT id FROM incident_component_changes ORDER BY id DESC LIMIT 1) AS "change?",
             (SELECT max(updated_at) FROM incidents) AS "touched?",
             (SELECT count(*) FROM incidents WHERE resolved_at IS NULL AND merged_into IS NULL) AS "open!",
             (SELECT max(updated_at) FROM incident_components) AS "components?""#
    )
    .fetch_one(conn)
    .await
}

/// The oldest `as_of` of all pages, and how many there are; `None`: there is none. A page that was never rendered counts since it was made.
pub async fn oldest(conn: &mut PgConnection) -> sqlx::Result<(i64, Option<DateTime<Utc>>)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "pages!", min(coalesce(v.as_of, p.created_at)) AS "as_of?"
           FROM status_pages p LEFT JOIN status_page_versions v ON v.page_id = p.id WHERE p.removed_at IS NULL"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.pages, row.as_of))
}
