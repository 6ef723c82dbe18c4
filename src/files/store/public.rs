//! Addresses that nobody signs in for: whose they are, and what a content is called.

use sqlx::PgConnection;
use uuid::Uuid;

use platform::ids::OrgId;

/// The organisation with this slug. Across all: needs the system role.
pub(crate) async fn organisation(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<OrgId>> {
    sqlx::query_scalar!(r#"SELECT id AS "id: OrgId" FROM organisations WHERE slug = $1"#, slug)
        .fetch_optional(conn)
        .await
}

/// The only organisation of the installation; `None`: there are several. Needs the system role.
pub(crate) async fn only_organisation(conn: &mut PgConnection) -> sqlx::Result<Option<OrgId>> {
    let found = sqlx::query_scalar!(r#"SELECT id AS "id: OrgId" FROM organisations LIMIT 2"#).fetch_all(conn).await?;
    Ok(match found.as_slice() {
        [one] => Some(*one),
        _ => None,
    })
}

/// A current object of a public bucket that has exactly this content.
pub(crate) async fn with_content(conn: &mut PgConnection, org: OrgId, sha256: &[u8]) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "SELECT o.id FROM files_blobs b JOIN files_objects o ON o.blob_id = b.id JOIN files_buckets k ON k.id = o.bucket_id
         WHERE b.org_id = $1 AND b.sha256 = $2 AND b.gone_at IS NULL AND o.current AND o.size = b.size AND k.public AND k.trashed_at IS NULL
         LIMIT 1",
        org.0,
        sha256,
    )
    .fetch_optional(conn)
    .await
}

/// The slug of the organisation of this transaction.
pub(crate) async fn slug(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<String> {
    sqlx::query_scalar!("SELECT slug FROM organisations WHERE id = $1", org.0).fetch_one(conn).await
}
