//! `status_pages`.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::parts;
use crate::model::{Page, PageId, Theme, Visibility};
use platform::{http::Slice, ids::OrgId};

/// What every query of a page reads.
struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    code: String,
    slug: String,
    name: String,
    about: String,
    visibility: String,
    password_hash: Option<String>,
    password_version: i32,
    key_hash: Option<Vec<u8>>,
    networks: Vec<String>,
    zone: String,
    languages: Vec<String>,
    theme: Json<Theme>,
    has_logo: bool,
    home_url: Option<String>,
    contact_url: Option<String>,
    charts: Vec<Uuid>,
    subscribe: bool,
    managed_by: Option<String>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A page with what only this program may see.
#[derive(Clone, Debug)]
pub struct Stored {
    pub page: Page,
    pub org: Option<OrgId>,
    pub password_hash: Option<String>,
    pub password_version: i32,
    pub key_hash: Option<Vec<u8>>,
    pub revision: i64,
}

impl From<Row> for Stored {
    fn from(row: Row) -> Self {
        let page = Page {
            id: PageId(row.id),
            installation: row.org_id.is_none(),
            code: row.code,
            slug: row.slug,
            name: row.name,
            about: row.about,
            // What cannot be read is shown to nobody.
            visibility: row.visibility.parse().unwrap_or(Visibility::Private),
            has_password: row.password_hash.is_some(),
            has_key: row.key_hash.is_some(),
            networks: row.networks,
            zone: row.zone,
            languages: row.languages,
            theme: row.theme.0,
            has_logo: row.has_logo,
            home_url: row.home_url,
            contact_url: row.contact_url,
            charts: row.charts.into_iter().map(Into::into).collect(),
            subscribe: row.subscribe,
            groups: Vec::new(),
            components: Vec::new(),
            domains: Vec::new(),
            managed_by: row.managed_by.as_deref().and_then(|by| by.parse().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Self {
            page,
            org: row.org_id.map(OrgId),
            password_hash: row.password_hash,
            password_version: row.password_version,
            key_hash: row.key_hash,
            revision: row.revision,
        }
    }
}

/// Reads groups, components and domains of all of them at once.
async fn complete(conn: &mut PgConnection, rows: Vec<Row>) -> sqlx::Result<Vec<Stored>> {
    let mut all: Vec<Stored> = rows.into_iter().map(Stored::from).collect();
    let ids: Vec<Uuid> = all.iter().map(|stored| stored.page.id.0).collect();
    let mut groups = by_page(parts::groups(&mut *conn, &ids).await?);
    let mut components = by_page(parts::components(&mut *conn, &ids).await?);
    let mut domains = by_page(super::domains::of_pages(&mut *conn, &ids).await?);
    for stored in &mut all {
        let page = &mut stored.page;
        page.groups = groups.remove(&page.id).unwrap_or_default();
        page.components = components.remove(&page.id).unwrap_or_default();
        page.domains = domains.remove(&page.id).unwrap_or_default();
    }
    Ok(all)
}

fn by_page<T>(rows: Vec<(PageId, T)>) -> HashMap<PageId, Vec<T>> {
    let mut found: HashMap<PageId, Vec<T>> = HashMap::new();
    for (page, row) in rows {
        found.entry(page).or_default().push(row);
    }
    found
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Page>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, code, slug, name, about, visibility, password_hash, password_version, key_hash, networks, zone, languages,
             theme AS "theme: Json<Theme>", logo IS NOT NULL AS "has_logo!", home_url, contact_url, charts, subscribe, managed_by, revision,
             created_at, updated_at
           FROM status_pages WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND removed_at IS NULL ORDER BY id DESC LIMIT $3"#,
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(complete(conn, rows).await?.into_iter().map(|stored| stored.page).collect())
}

/// Of this owner.
pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: PageId) -> sqlx::Result<Option<Stored>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, code, slug, name, about, visibility, password_hash, password_version, key_hash, networks, zone, languages,
             theme AS "theme: Json<Theme>", logo IS NOT NULL AS "has_logo!", home_url, contact_url, charts, subscribe, managed_by, revision,
             created_at, updated_at
           FROM status_pages WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 AND removed_at IS NULL"#,
        id.0,
        org.map(|org| org.0),
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(complete(conn, rows).await?.pop())
}

/// Of any owner, as role `system`. In no order; what does not exist is left out.
pub async fn of_ids(conn: &mut PgConnection, ids: &[PageId]) -> sqlx::Result<Vec<Stored>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, code, slug, name, about, visibility, password_hash, password_version, key_hash, networks, zone, languages,
             theme AS "theme: Json<Theme>", logo IS NOT NULL AS "has_logo!", home_url, contact_url, charts, subscribe, managed_by, revision,
             created_at, updated_at
           FROM status_pages WHERE id = ANY($1) AND removed_at IS NULL"#,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    complete(conn, rows).await
}

/// By its address, of any owner that the role may see, the removed ones too.
pub async fn id_of_slug(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<(PageId, Option<OrgId>, bool)>> {
    let row = sqlx::query!(
        r#"SELECT id, org_id, managed_by IS NOT DISTINCT FROM 'file' AS "is_managed!" FROM status_pages WHERE slug = $1"#,
        slug
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (PageId(row.id), row.org_id.map(OrgId), row.is_managed)))
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM status_pages WHERE org_id IS NOT DISTINCT FROM $1 AND removed_at IS NULL"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

/// The values of a page that its owner chooses.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    pub slug: &'a str,
    pub name: &'a str,
    pub about: &'a str,
    pub visibility: Visibility,
    pub networks: &'a [String],
    pub zone: &'a str,
    pub languages: &'a [String],
    pub theme: &'a Theme,
    pub home_url: Option<&'a str>,
    pub contact_url: Option<&'a str>,
    pub charts: &'a [Uuid],
    pub subscribe: bool,
}

/// Who makes a page, and when.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    pub id: PageId,
    pub org: Option<OrgId>,
    pub code: &'a str,
    pub managed_by: Option<&'a str>,
    pub by: &'a str,
    pub now: DateTime<Utc>,
}

/// Violates `status_pages_slug_key` if the slug is taken.
pub async fn insert(conn: &mut PgConnection, made: Made<'_>, values: &Values<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO status_pages (id, org_id, code, slug, name, about, visibility, networks, zone, languages, theme, home_url, contact_url,
           charts, subscribe, managed_by, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18)",
        made.id.0,
        made.org.map(|org| org.0),
        made.code,
        values.slug,
        values.name,
        values.about,
        values.visibility.as_str(),
        values.networks,
        values.zone,
        values.languages,
        Json(values.theme) as _,
        values.home_url,
        values.contact_url,
        values.charts,
        values.subscribe,
        made.managed_by,
        made.by,
        made.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Also of a page that was removed, which is there again then.
pub async fn update(conn: &mut PgConnection, id: PageId, values: &Values<'_>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE status_pages SET slug = $2, name = $3, about = $4, visibility = $5, networks = $6, zone = $7, languages = $8, theme = $9,
           home_url = $10, contact_url = $11, charts = $12, subscribe = $13, removed_at = NULL, updated_at = $14
         WHERE id = $1",
        id.0,
        values.slug,
        values.name,
        values.about,
        values.visibility.as_str(),
        values.networks,
        values.zone,
        values.languages,
        Json(values.theme) as _,
        values.home_url,
        values.contact_url,
        values.charts,
        values.subscribe,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Something of the page was changed: its revision grows, which makes it be rendered again.
pub async fn touch(conn: &mut PgConnection, id: PageId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE status_pages SET updated_at = $2 WHERE id = $1", id.0, now).execute(conn).await.map(drop)
}

/// `None`: no password. Cookies of the one before end.
pub async fn set_password(
    conn: &mut PgConnection,
    id: PageId,
    hash: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE status_pages SET password_hash = $2, password_version = password_version + 1, updated_at = $3 WHERE id = $1",
        id.0,
        hash,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// `None`: programs cannot read it any more.
pub async fn set_key(conn: &mut PgConnection, id: PageId, hash: Option<&[u8]>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE status_pages SET key_hash = $2, updated_at = $3 WHERE id = $1", id.0, hash, now)
        .execute(conn)
        .await
        .map(drop)
}

/// `None`: no logo. Type and bytes.
pub async fn set_logo(
    conn: &mut PgConnection,
    id: PageId,
    logo: Option<(&str, &[u8])>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE status_pages SET logo_type = $2, logo = $3, updated_at = $4 WHERE id = $1",
        id.0,
        logo.map(|(content_type, _)| content_type),
        logo.map(|(_, bytes)| bytes),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn logo(conn: &mut PgConnection, id: PageId) -> sqlx::Result<Option<(String, Bytes)>> {
    let row = sqlx::query!("SELECT logo_type, logo FROM status_pages WHERE id = $1", id.0).fetch_optional(conn).await?;
    Ok(row.and_then(|row| Some((row.logo_type?, Bytes::from(row.logo?)))))
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, org: Option<OrgId>, id: PageId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM status_pages WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Slugs of the pages of an owner that the file manages.
pub async fn managed(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<(PageId, String)>> {
    let rows = sqlx::query!(
        "SELECT id, slug FROM status_pages WHERE org_id IS NOT DISTINCT FROM $1 AND managed_by = 'file' AND removed_at IS NULL",
        org.map(|org| org.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (PageId(row.id), row.slug)).collect())
}

/// The file no longer has it: nobody sees it, and its subscribers are kept.
pub async fn mark_removed(conn: &mut PgConnection, id: PageId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE status_pages SET removed_at = $2, updated_at = $2 WHERE id = $1", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

/// The appliance's own page, if it was made.
pub async fn builtin(conn: &mut PgConnection) -> sqlx::Result<Option<PageId>> {
    let id = sqlx::query_scalar!("SELECT id FROM status_pages WHERE managed_by = 'builtin' ORDER BY id LIMIT 1")
        .fetch_optional(conn)
        .await?;
    Ok(id.map(PageId))
}

/// Pages that were removed before this time. As role `system`. Returns how many.
pub async fn forget_removed(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM status_pages WHERE removed_at < $1", before).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Takes the row for this transaction, so that two who change a page do so one after the other. False if there is none.
pub async fn lock(conn: &mut PgConnection, org: Option<OrgId>, id: PageId) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM status_pages WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 AND removed_at IS NULL FOR UPDATE",
        id.0,
        org.map(|org| org.0)
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}
