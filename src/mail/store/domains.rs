//! `mail_domains`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    dkim::{self, NewKeys},
    model::{DnsCheck, Domain, DomainId, Owner},
};
use platform::{http::Slice, ids::OrgId};

/// A domain to insert.
pub struct NewDomain<'a> {
    pub id: DomainId,
    pub org: Option<OrgId>,
    pub domain: &'a str,
    pub selector: &'a str,
    /// With sealed private keys.
    pub keys: &'a NewKeys,
    pub now: DateTime<Utc>,
}

/// False if the owner has it already.
pub async fn insert(conn: &mut PgConnection, new: &NewDomain<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO mail_domains (id, org_id, domain, selector, rsa_private, ed25519_private, rsa_public, ed25519_public, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (org_id, domain) DO NOTHING",
        new.id.0,
        new.org.map(|org| org.0),
        new.domain,
        new.selector,
        new.keys.rsa_private.as_slice(),
        new.keys.ed25519_private.as_slice(),
        new.keys.rsa_public.as_str(),
        new.keys.ed25519_public.as_str(),
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    domain: String,
    selector: String,
    rsa_public: String,
    ed25519_public: String,
    verified_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    checks: Json<Vec<DnsCheck>>,
    checked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Domain {
    fn from(row: Row) -> Self {
        let records = dkim::records(&row.domain, &row.selector, &row.rsa_public, &row.ed25519_public);
        Self {
            id: DomainId(row.id),
            installation: row.org_id.is_none(),
            domain: row.domain,
            selector: row.selector,
            verified_at: row.verified_at,
            failing_since: row.failing_since,
            records: records.to_vec(),
            checks: row.checks.0,
            checked_at: row.checked_at,
            created_at: row.created_at,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Domain>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, domain, selector, rsa_public, ed25519_public, verified_at, failing_since,
             checks AS "checks: Json<Vec<DnsCheck>>", checked_at, created_at
           FROM mail_domains WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Domain::from).collect())
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM mail_domains WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: DomainId) -> sqlx::Result<Option<Domain>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, domain, selector, rsa_public, ed25519_public, verified_at, failing_since,
             checks AS "checks: Json<Vec<DnsCheck>>", checked_at, created_at
           FROM mail_domains WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2"#,
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Domain::from))
}

/// By name.
pub async fn named(conn: &mut PgConnection, org: Option<OrgId>, domain: &str) -> sqlx::Result<Option<Domain>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, domain, selector, rsa_public, ed25519_public, verified_at, failing_since,
             checks AS "checks: Json<Vec<DnsCheck>>", checked_at, created_at
           FROM mail_domains WHERE domain = $1 AND org_id IS NOT DISTINCT FROM $2"#,
        domain,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Domain::from))
}

/// Up to `most` verified domains of all owners that were not checked since `before`, the longest unchecked first.
pub async fn unchecked(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<(Owner, Domain)>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, domain, selector, rsa_public, ed25519_public, verified_at, failing_since,
             checks AS "checks: Json<Vec<DnsCheck>>", checked_at, created_at
           FROM mail_domains WHERE verified_at IS NOT NULL AND (checked_at IS NULL OR checked_at < $1) ORDER BY checked_at NULLS FIRST LIMIT $2"#,
        before,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(with_owner).collect())
}

/// Whoever has shown that it controls the domain of this name.
pub async fn verified(conn: &mut PgConnection, domain: &str) -> sqlx::Result<Option<(Owner, Domain)>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, domain, selector, rsa_public, ed25519_public, verified_at, failing_since,
             checks AS "checks: Json<Vec<DnsCheck>>", checked_at, created_at
           FROM mail_domains WHERE domain = $1 AND verified_at IS NOT NULL"#,
        domain,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(with_owner))
}

fn with_owner(row: Row) -> (Owner, Domain) {
    (Owner::of(row.org_id.map(OrgId)), row.into())
}

/// What a look into the DNS found.
pub struct Checked<'a> {
    pub checks: &'a [DnsCheck],
    pub verified_at: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether the record of the Ed25519 key is there; `None`: nobody knows, as before.
    pub ed25519: Option<bool>,
    pub now: DateTime<Utc>,
}

/// Since when a domain is verified, and since when its record is missing.
pub struct Standing {
    pub verified_at: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
}

/// `None`: there is no such domain. Nobody else changes it until the transaction ends.
pub async fn standing(conn: &mut PgConnection, id: DomainId) -> sqlx::Result<Option<Standing>> {
    sqlx::query_as!(Standing, "SELECT verified_at, failing_since FROM mail_domains WHERE id = $1 FOR UPDATE", id.0)
        .fetch_optional(conn)
        .await
}

/// Stores what a look into the DNS found. Violates `mail_domains_domain_key` if another owner has shown that it controls the domain.
pub async fn checked(conn: &mut PgConnection, id: DomainId, checked: &Checked<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE mail_domains SET checks = $2, checked_at = $3, verified_at = $4, failing_since = $5,
           ed25519_published = coalesce($6, ed25519_published)
         WHERE id = $1",
        id.0,
        Json(checked.checks) as _,
        checked.now,
        checked.verified_at,
        checked.failing_since,
        checked.ed25519,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False if there is none.
pub async fn delete(conn: &mut PgConnection, org: Option<OrgId>, id: DomainId) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM mail_domains WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0)
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
