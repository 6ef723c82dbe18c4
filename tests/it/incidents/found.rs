//! What lists of incidents find.

use holdfast::platform::db::RoleKind;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::cluster::cluster;

/// Names of the installation's incidents that a list finds: `open`, kind, severity, pattern.
async fn found(db: &mut PgConnection, filter: [&str; 4]) -> Vec<String> {
    let [open, kind, severity, pattern] = filter;
    let sql = format!(
        "SELECT name FROM incidents WHERE id IN (SELECT incidents_found(true, {open}, {kind}, {severity}, NULL, {pattern},
           'ffffffff-ffff-ffff-ffff-ffffffffffff', 10)) ORDER BY name"
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db).await.unwrap()
}

#[tokio::test]
async fn filters_narrow_a_list_and_what_was_merged_is_in_none() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let mut owner = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await.unwrap();
    owner
        .execute(
            "INSERT INTO incidents (id, code, kind, name, status, impact, severity, opened_by, started_at, resolved_at, scheduled_for,
               scheduled_until, merged_into, created_at, updated_at)
             VALUES
               ('018f0000-0000-7000-8000-000000000001', 'a', 'incident', 'shop is down', 'investigating', 'major', 'critical', 'x', now(), NULL,
                NULL, NULL, NULL, now(), now()),
               ('018f0000-0000-7000-8000-000000000002', 'b', 'incident', 'mail is slow', 'resolved', 'minor', 'warning', 'x', now(), now(),
                NULL, NULL, NULL, now(), now()),
               ('018f0000-0000-7000-8000-000000000003', 'c', 'maintenance', 'shop moves', 'scheduled', 'maintenance', 'info', 'x', now(), NULL,
                now(), now() + interval '1 hour', NULL, now(), now()),
               ('018f0000-0000-7000-8000-000000000004', 'd', 'incident', 'shop again', 'investigating', 'major', 'critical', 'x', now(), NULL,
                NULL, NULL, '018f0000-0000-7000-8000-000000000001', now(), now())",
        )
        .await
        .unwrap();
    owner.close().await.unwrap();
    let mut db = PgConnection::connect_with(&target.connect_as(RoleKind::System)).await.unwrap();
    for (filter, expected) in [
        (["NULL", "NULL", "NULL", "NULL"], &["mail is slow", "shop is down", "shop moves"][..]),
        (["true", "NULL", "NULL", "NULL"], &["shop is down", "shop moves"][..]),
        (["false", "NULL", "NULL", "NULL"], &["mail is slow"][..]),
        (["NULL", "'maintenance'", "NULL", "NULL"], &["shop moves"][..]),
        (["NULL", "NULL", "'critical'", "NULL"], &["shop is down"][..]),
        (["NULL", "NULL", "NULL", "'%shop%'"], &["shop is down", "shop moves"][..]),
    ] {
        assert_eq!(found(&mut db, filter).await, expected, "{filter:?}");
    }
    db.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}
