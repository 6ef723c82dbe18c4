//! Names of DNS that lead to a page.

use holdfast::platform::db::{RoleKind, constraint};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::cluster::cluster;

#[tokio::test]
async fn a_claim_keeps_nobody_out_and_a_proof_does() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let mut db = PgConnection::connect_with(&target.connect_as(RoleKind::System)).await.unwrap();
    db.execute(
        "INSERT INTO status_pages (id, code, slug, name, visibility, zone, created_by, created_at, updated_at)
         SELECT md5(n::text)::uuid, n, n, n, 'public', 'UTC', 'x', now(), now() FROM unnest(ARRAY['squatter', 'owner']) n;
         INSERT INTO status_page_domains (page_id, domain, proof) SELECT id, 'status.example.com', 'x' FROM status_pages",
    )
    .await
    .expect("both claim it");
    let prove = "UPDATE status_page_domains SET proven_at = now() WHERE page_id = md5('owner')::uuid";
    db.execute(prove).await.unwrap();
    let late = "UPDATE status_page_domains SET proven_at = now() WHERE page_id = md5('squatter')::uuid";
    let refused = db.execute(late).await.unwrap_err();
    assert_eq!(constraint(&refused), Some("status_page_domains_domain_key"));
    db.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}
