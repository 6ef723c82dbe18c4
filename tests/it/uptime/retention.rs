//! What is kept of single checks, and for how long.

use holdfast::platform::db::RoleKind;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::cluster::cluster;

/// A migrated database, as its owner.
async fn database() -> (String, PgConnection) {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    (name, PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await.unwrap())
}

async fn number(db: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(db).await.unwrap()
}

/// Partitions that were dropped.
async fn maintain(db: &mut PgConnection) -> i64 {
    number(db, "SELECT dropped::bigint FROM holdfast_uptime_maintain('7 days', '400 days')").await
}

/// A check so many days ago.
fn check(days: u32) -> String {
    format!(
        "INSERT INTO uptime_checks (at, monitor, total, lag, outcome, reason, attempt, maintenance)
         VALUES (now() - interval '{days} days', 1, 1, 0, 0, 0, 1, false)"
    )
}

#[tokio::test]
async fn a_day_is_dropped_when_it_is_old_and_all_of_its_hours_are_rolled_up() {
    let (name, mut db) = database().await;
    let day = "date_trunc('day', now() - interval '20 days', 'UTC')";
    let make = format!(
        "DO $$ BEGIN EXECUTE format('CREATE TABLE uptime_checks_%s PARTITION OF uptime_checks FOR VALUES FROM (%L) TO (%L)',
           to_char({day} AT TIME ZONE 'UTC', 'YYYYMMDD'), {day}, {day} + interval '24 hours'); END $$"
    );
    for sql in [make, check(20), format!("INSERT INTO uptime_hours_open (hour) VALUES ({day} + interval '23 hours')")] {
        db.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    assert_eq!(maintain(&mut db).await, 0, "its last hour waits");
    assert_eq!(number(&mut db, "SELECT count(*) FROM uptime_checks").await, 1);
    db.execute("DELETE FROM uptime_hours_open").await.unwrap();
    assert_eq!(maintain(&mut db).await, 1);
    assert_eq!(number(&mut db, "SELECT count(*) FROM uptime_checks").await, 0);
    db.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn checks_that_no_day_takes_are_kept_until_they_are_old_and_rolled_up() {
    let (name, mut db) = database().await;
    for days in [20, 3] {
        db.execute(AssertSqlSafe(check(days))).await.unwrap();
    }
    db.execute("INSERT INTO uptime_hours_open (hour) VALUES (date_trunc('hour', now() - interval '20 days', 'UTC'))")
        .await
        .unwrap();
    maintain(&mut db).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM uptime_checks_default").await, 2, "one waits, one is new");
    db.execute("DELETE FROM uptime_hours_open").await.unwrap();
    maintain(&mut db).await;
    assert_eq!(number(&mut db, "SELECT count(*) FROM uptime_checks_default").await, 1);
    db.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}
