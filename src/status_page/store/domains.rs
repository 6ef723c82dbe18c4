//! `status_page_domains`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Domain, PageId};
use platform::ids::OrgId;

/// By name, the proven ones first.
pub async fn of_pages(conn: &mut PgConnection, pages: &[Uuid]) -> sqlx::Result<Vec<(PageId, Domain)>> {
    let rows = sqlx::query!(
        "SELECT page_id, domain, proof, proven_at, checked_at, error FROM status_page_domains WHERE page_id = ANY($1)
         ORDER BY page_id, proven_at NULLS LAST, domain",
        pages
    )
    .fetch_all(conn)
    .await?;
    let domains = rows.into_iter().map(|row| {
        let domain = Domain {
            domain: row.domain,
            proof: row.proof,
            proven_at: row.proven_at,
            checked_at: row.checked_at,
            error: row.error,
        };
        (PageId(row.page_id), domain)
    });
    Ok(domains.collect())
}

/// A claim. False if the page has it already.
pub async fn insert(
    conn: &mut PgConnection,
    page: PageId,
    org: Option<OrgId>,
    domain: &str,
    proof: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO status_page_domains (page_id, org_id, domain, proof) VALUES ($1, $2, $3, $4) ON CONFLICT (page_id, domain) DO NOTHING",
        page.0,
        org.map(|org| org.0),
        domain,
        proof,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, page: PageId, domain: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM status_page_domains WHERE page_id = $1 AND domain = $2", page.0, domain)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// What a look into the DNS found. A proof lasts as long as the record is there. Violates `status_page_domains_domain_key` if another page has
/// proven that it is its own. False where somebody else has looked since `claim` was read: what they found stays, unless it is proven now.
pub async fn checked(
    conn: &mut PgConnection,
    page: PageId,
    claim: &Domain,
    proven: bool,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE status_page_domains SET checked_at = $5, error = $4, proven_at = CASE WHEN $3 THEN coalesce(proven_at, $5) END
         WHERE page_id = $1 AND domain = $2 AND ($3 OR checked_at IS NOT DISTINCT FROM $6)",
        page.0,
        claim.domain,
        proven,
        error,
        now,
        claim.checked_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Claims of all pages that were looked at before this time, the longest ago first. As role `system`.
pub async fn to_check(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<(PageId, Domain)>> {
    let rows = sqlx::query!(
        "SELECT page_id, domain, proof, proven_at, checked_at, error FROM status_page_domains
         WHERE checked_at IS NULL OR checked_at < $1 ORDER BY checked_at NULLS FIRST LIMIT $2",
        before,
        most,
    )
    .fetch_all(conn)
    .await?;
    let domains = rows.into_iter().map(|row| {
        let domain = Domain {
            domain: row.domain,
            proof: row.proof,
            proven_at: row.proven_at,
            checked_at: row.checked_at,
            error: row.error,
        };
        (PageId(row.page_id), domain)
    });
    Ok(domains.collect())
}
