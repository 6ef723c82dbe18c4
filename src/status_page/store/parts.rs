//! `status_page_groups` and `status_page_components`. Who changes them touches the page, too.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{PageComponent, PageGroup, PageGroupId, PageId};
use platform::ids::OrgId;

/// By position.
pub async fn groups(conn: &mut PgConnection, pages: &[Uuid]) -> sqlx::Result<Vec<(PageId, PageGroup)>> {
    let rows = sqlx::query!(
        "SELECT id, page_id, code, name, position, open FROM status_page_groups WHERE page_id = ANY($1) ORDER BY page_id, position, id",
        pages
    )
    .fetch_all(conn)
    .await?;
    let groups = rows.into_iter().map(|row| {
        let id = PageGroupId(row.id);
        (PageId(row.page_id), PageGroup { id, code: row.code, name: row.name, position: row.position, open: row.open })
    });
    Ok(groups.collect())
}

/// By position.
pub async fn components(conn: &mut PgConnection, pages: &[Uuid]) -> sqlx::Result<Vec<(PageId, PageComponent)>> {
    let rows = sqlx::query!(
        "SELECT page_id, component_id, group_id, name, position, showcase, only_show_if_degraded, start_date
         FROM status_page_components WHERE page_id = ANY($1) ORDER BY page_id, position, component_id",
        pages
    )
    .fetch_all(conn)
    .await?;
    let components = rows.into_iter().map(|row| {
        let component = PageComponent {
            component_id: row.component_id.into(),
            group_id: row.group_id.map(PageGroupId),
            name: row.name,
            position: row.position,
            showcase: row.showcase,
            only_show_if_degraded: row.only_show_if_degraded,
            start_date: row.start_date,
        };
        (PageId(row.page_id), component)
    });
    Ok(components.collect())
}

/// Makes these the groups of the page: others go, those that stay keep their codes.
pub async fn replace_groups(
    conn: &mut PgConnection,
    page: PageId,
    org: Option<OrgId>,
    groups: &[PageGroup],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = groups.iter().map(|group| group.id.0).collect();
    sqlx::query!("DELETE FROM status_page_groups WHERE page_id = $1 AND id <> ALL($2)", page.0, &ids)
        .execute(&mut *conn)
        .await?;
    let codes: Vec<String> = groups.iter().map(|group| group.code.clone()).collect();
    let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
    let positions: Vec<i32> = groups.iter().map(|group| group.position).collect();
    let open: Vec<bool> = groups.iter().map(|group| group.open).collect();
    sqlx::query!(
        "INSERT INTO status_page_groups (id, org_id, page_id, code, name, position, open, created_at, updated_at)
         SELECT g.id, $1, $2, g.code, g.name, g.position, g.open, $3, $3
         FROM unnest($4::uuid[], $5::text[], $6::text[], $7::integer[], $8::boolean[]) AS g (id, code, name, position, open)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, position = excluded.position, open = excluded.open, updated_at = excluded.updated_at
         WHERE status_page_groups.page_id = excluded.page_id",
        org.map(|org| org.0),
        page.0,
        now,
        &ids,
        &codes,
        &names,
        &positions,
        &open,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Makes these the components of the page.
pub async fn replace_components(
    conn: &mut PgConnection,
    page: PageId,
    org: Option<OrgId>,
    components: &[PageComponent],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM status_page_components WHERE page_id = $1", page.0).execute(&mut *conn).await?;
    let ids: Vec<Uuid> = components.iter().map(|component| component.component_id.0).collect();
    let groups: Vec<Option<Uuid>> = components.iter().map(|component| component.group_id.map(|id| id.0)).collect();
    let names: Vec<Option<String>> = components.iter().map(|component| component.name.clone()).collect();
    let positions: Vec<i32> = components.iter().map(|component| component.position).collect();
    let showcase: Vec<bool> = components.iter().map(|component| component.showcase).collect();
    let hidden: Vec<bool> = components.iter().map(|component| component.only_show_if_degraded).collect();
    let starts: Vec<Option<NaiveDate>> = components.iter().map(|component| component.start_date).collect();
    sqlx::query!(
        "INSERT INTO status_page_components
           (page_id, org_id, component_id, group_id, name, position, showcase, only_show_if_degraded, start_date)
         SELECT $1, $2, c.component_id, c.group_id, c.name, c.position, c.showcase, c.hidden, c.start_date
         FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::integer[], $7::boolean[], $8::boolean[], $9::date[])
           AS c (component_id, group_id, name, position, showcase, hidden, start_date)",
        page.0,
        org.map(|org| org.0),
        &ids,
        &groups as &[Option<Uuid>],
        &names as &[Option<String>],
        &positions,
        &showcase,
        &hidden,
        &starts as &[Option<NaiveDate>],
    )
    .execute(conn)
    .await
    .map(drop)
}
