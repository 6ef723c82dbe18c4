//! Transactions belong to one organisation and never leak into the next borrower's connection.

use std::time::Duration;

use holdfast::platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{self, Db, RoleKind, migrate, roles, verify},
    ids::OrgId,
    lifecycle::Lifecycle,
    telemetry::Telemetry,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, postgres::PgPoolOptions};

use crate::support::cluster::{cluster, is_bare, terminate_sessions};

async fn current_org(conn: &mut PgConnection) -> Option<String> {
    let row = conn.fetch_one("SELECT nullif(current_setting('holdfast.org_id', true), '') AS org").await.unwrap();
    row.get("org")
}

fn small() -> db::Config {
    db::Config { max_connections: 2, max_system_connections: 2, acquire_timeout_seconds: 10, ..db::Config::default() }
}

/// The bug that the guard is for, on a bare pool: a dropped `begin()` leaves the connection in a transaction. When this
/// fails, sqlx is mended and the guard may go.
#[tokio::test]
async fn sqlx_still_returns_connections_inside_an_open_transaction() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(target.admin.clone()).await.unwrap();
    let mut dirty = false;
    for round in 0..30_000_u64 {
        // Dropped a little later each time: in some round BEGIN is on its way and the answer is not read.
        let _ = tokio::time::timeout(Duration::from_micros(round % 60 * 10), pool.begin()).await;
        let row = pool.fetch_one("SELECT now() = statement_timestamp() AS clean").await.unwrap();
        dirty |= !row.get::<bool, _>("clean");
        if dirty {
            break;
        }
    }
    assert!(dirty, "sqlx no longer leaves a transaction open: remove the guard in platform/db");
    pool.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn dropped_requests_never_lend_their_transaction_to_another_organisation() {
    let name = cluster().await.database().await;
    let db = Db::new(&cluster().await.target(&name), &small());
    let (ours, theirs) = (OrgId::generate(&Clock::system()), OrgId::generate(&Clock::system()));
    for round in 0..300_u32 {
        // A handler that is dropped at a point which wanders through begin, query and commit.
        let handler = async {
            let mut tx = db.tenant(theirs).await.unwrap();
            tx.execute("SELECT 1").await.unwrap();
            tx.commit().await.unwrap();
        };
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(round) * 10), handler).await;
        let mut system = db.system().await.unwrap();
        assert_eq!(current_org(&mut system).await, None, "round {round}");
        system.commit().await.unwrap();
        let mut tx = db.tenant(ours).await.unwrap();
        assert_eq!(current_org(&mut tx).await, Some(ours.to_string()), "round {round}");
        tx.commit().await.unwrap();
    }
    db.close().await;
    cluster().await.drop_database(&name).await;
}

/// The statement that opens a transaction may fail after its BEGIN (a timeout, a cancelled backend): nobody later pays for it.
#[tokio::test]
async fn a_begin_that_failed_half_way_spoils_no_later_one() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let mut admin = PgConnection::connect_with(&target.admin).await.unwrap();
    // What the statement calls is found here first.
    let function = |body: &str| {
        format!(
            "CREATE SCHEMA IF NOT EXISTS before; GRANT USAGE ON SCHEMA before TO PUBLIC;
             CREATE OR REPLACE FUNCTION before.set_config(name text, value text, local boolean) RETURNS text
             LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
             ALTER DATABASE \"{name}\" SET search_path = before, pg_catalog, public"
        )
    };
    let works = function("RETURN pg_catalog.set_config(name, value, local);");
    admin.execute(AssertSqlSafe(works.clone())).await.unwrap();
    let db = Db::new(&target, &small());
    let org = OrgId::generate(&Clock::system());
    for round in 0..4 {
        admin.execute(AssertSqlSafe(function("RAISE EXCEPTION 'cancelled';"))).await.unwrap();
        let (one, other) = tokio::join!(db.tenant(org), db.tenant(org));
        assert!(one.is_err() && other.is_err(), "the function is not called");
        admin.execute(AssertSqlSafe(works.clone())).await.unwrap();
        let (one, other) = tokio::join!(db.tenant(org), db.tenant(org));
        for tx in [one, other] {
            let mut tx = tx.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
            assert_eq!(current_org(&mut tx).await, Some(org.to_string()), "round {round}");
        }
    }
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn an_organisation_ends_with_its_transaction() {
    let name = cluster().await.database().await;
    let db = Db::new(&cluster().await.target(&name), &db::Config { max_connections: 1, ..small() });
    let org = OrgId::generate(&Clock::system());
    let tx = db.tenant(org).await.unwrap();
    drop(tx);
    let mut other = db.tenant(OrgId::generate(&Clock::system())).await.unwrap();
    assert_ne!(current_org(&mut other).await, Some(org.to_string()));
    drop(other);
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn the_pool_recovers_when_the_server_ends_its_sessions() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let db = Db::new(&target, &small());
    db.ping().await.unwrap();
    terminate_sessions(&target).await;
    let mut failures = 0;
    while let Err(error) = db.ping().await {
        assert!(error.is_unavailable(), "{error:?}");
        failures += 1;
        assert!(failures < 10, "no recovery");
    }
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn a_session_lock_has_one_holder_and_goes_with_it() {
    let name = cluster().await.database().await;
    let db = Db::new(&cluster().await.target(&name), &small());
    let held = db.try_session_lock("test").await.unwrap();
    assert!(held.is_some());
    assert!(db.try_session_lock("test").await.unwrap().is_none());
    drop(held);
    let mut tries = 0;
    while db.try_session_lock("test").await.unwrap().is_none() {
        tries += 1;
        assert!(tries < 100, "the lock outlived its holder");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn session_locks_have_connections_of_their_own_and_not_more_than_their_limit() {
    let name = cluster().await.database().await;
    let telemetry = Telemetry::new();
    let config = db::Config { acquire_timeout_seconds: 3, ..small() };
    let db = Db::measured(&cluster().await.target(&name), &config, &database_metrics(&telemetry));
    let mut held = Vec::new();
    for lock in ["one", "two"] {
        held.push(db.try_session_lock(lock).await.unwrap().unwrap());
    }
    // The holders' transactions: as many as without locks.
    let org = OrgId::generate(&Clock::system());
    let open = [db.tenant(org).await.unwrap(), db.tenant(org).await.unwrap()];
    let refused = db.try_session_lock("three").await.unwrap_err();
    assert!(refused.is_unavailable(), "{refused:?}");
    db.observe_pools();
    let used = |pool: &str| {
        sample(&telemetry, &format!("holdfast_database_pool_connections{{pool=\"{pool}\",state=\"used\"}}"))
    };
    assert_eq!((used("app"), used("locks")), (2.0, 2.0));
    drop(open);
    held.pop().unwrap().release().await;
    assert!(db.try_session_lock("three").await.unwrap().is_some());
    drop(held);
    // Every connection closes with its lock.
    let waited = std::time::Instant::now();
    loop {
        db.observe_pools();
        if used("locks") == 0.0 {
            break;
        }
        assert!(waited.elapsed() < Duration::from_secs(10), "{} are left", used("locks"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn serving_is_refused_where_row_level_security_does_not_hold() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let mut owner = PgConnection::connect_with(&target.connect_as(RoleKind::Owner)).await.unwrap();
    verify::row_level_security(&mut owner, &target).await.expect("a migrated database is safe");
    for (breakage, repair) in [
        ("CREATE TABLE unsafe_table (org_id uuid)", "DROP TABLE unsafe_table"),
        (
            "CREATE TABLE t2 (org_id uuid); ALTER TABLE t2 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            "DROP TABLE t2",
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(breakage)).execute(&mut owner).await.unwrap();
        assert!(verify::row_level_security(&mut owner, &target).await.is_err(), "{breakage}");
        sqlx::raw_sql(AssertSqlSafe(repair)).execute(&mut owner).await.unwrap();
    }
    verify::row_level_security(&mut owner, &target).await.unwrap();
    owner.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn an_empty_database_beside_a_directory_that_knew_a_full_one_is_refused() {
    let (first, second) = (cluster().await.empty_database().await, cluster().await.empty_database().await);
    let dir = tempfile::tempdir().unwrap();
    let migrated = migrate::run(&cluster().await.target(&first), dir.path()).await.unwrap();
    assert_eq!(migrated.applied, migrated.total);
    assert_eq!(migrate::run(&cluster().await.target(&first), dir.path()).await.unwrap().applied, 0);
    let refused = migrate::run(&cluster().await.target(&second), dir.path()).await.unwrap_err();
    assert!(matches!(refused, migrate::MigrateError::EmptyDatabase { .. }), "{refused}");
    let other = tempfile::tempdir().unwrap();
    migrate::run(&cluster().await.target(&second), other.path()).await.unwrap();
    let refused = migrate::run(&cluster().await.target(&second), dir.path()).await.unwrap_err();
    assert!(matches!(refused, migrate::MigrateError::OtherInstallation { .. }), "{refused}");
    for name in [first, second] {
        cluster().await.drop_database(&name).await;
    }
}

/// A mistyped `database.url`, a second installation with the first's prefix, a data directory without its key: each looks before it changes
/// anything, since new passwords for the roles would lock out whoever uses them.
#[tokio::test]
async fn another_installations_roles_keep_their_passwords() {
    let cluster = cluster().await;
    let (first, second) = (cluster.empty_database().await, cluster.empty_database().await);
    let target = |name: &str, key: &str| {
        let mut target = cluster.target(name);
        (target.role_prefix, target.master_key) = ("hfroles".to_owned(), MasterKey::parse(&key.repeat(32)).unwrap());
        target
    };
    let (ours, theirs) = (target(&first, "0a"), target(&first, "0b"));
    let (dir, other, fresh) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = migrate::run(&ours, dir.path()).await.unwrap();
    let signs_in = async || {
        PgConnection::connect_with(&ours.connect_as(RoleKind::App))
            .await
            .expect("the first signs in as ever")
            .close()
            .await
    };
    // Who knows of another installation, and was given this address.
    std::fs::write(other.path().join("installation-id"), format!("{}\n", uuid::Uuid::nil())).unwrap();
    let refused = migrate::run(&theirs, other.path()).await.unwrap_err();
    assert!(matches!(refused, migrate::MigrateError::OtherInstallation { .. }), "{refused}");
    signs_in().await.unwrap();
    // A new directory, for this database and for an empty one of the same server.
    for wrong in [&theirs, &target(&second, "0b")] {
        let refused = migrate::run(wrong, fresh.path()).await.unwrap_err();
        assert!(matches!(refused, migrate::MigrateError::OthersRoles { .. }), "{refused}");
        assert!(refused.to_string().contains("database.role_prefix"), "{refused}");
        signs_in().await.unwrap();
    }
    // Another host of the same installation; and a person who takes the database over with a new key.
    migrate::run(&ours, fresh.path()).await.unwrap();
    std::fs::write(other.path().join("installation-id"), format!("{}\n", made.installation)).unwrap();
    assert_eq!(migrate::run(&theirs, other.path()).await.unwrap().installation, made.installation);
    for name in [first, second] {
        cluster.drop_database(&name).await;
    }
    for role in RoleKind::ALL {
        cluster.execute(&format!("DROP ROLE {}", ours.role_name(role))).await;
    }
}

/// As after an image or a system with another libc: nothing else says a word.
#[tokio::test]
async fn indexes_that_were_built_by_other_rules_of_sorting_are_seen() {
    if is_bare().await {
        return;
    }
    let cluster = cluster().await;
    let name = format!("icu_{}", std::process::id());
    cluster
        .execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' ENCODING 'UTF8'"
        ))
        .await;
    let target = cluster.target(&name);
    migrate::run(&target, tempfile::tempdir().unwrap().path()).await.unwrap();
    let db = Db::new(&target, &small());
    assert_eq!(db.other_collation().await.unwrap(), None);
    cluster.execute(&format!("UPDATE pg_database SET datcollversion = '1.2' WHERE datname = '{name}'")).await;
    let (then, _, quoted) = db.other_collation().await.unwrap().expect("seen");
    assert_eq!((then.as_str(), quoted.as_str()), ("1.2", name.as_str()));
    cluster.execute(&format!("ALTER DATABASE {name} REFRESH COLLATION VERSION")).await;
    assert_eq!(db.other_collation().await.unwrap(), None);
    db.close().await;
    cluster.drop_database(&name).await;
}

/// The value of the only sample that begins so.
fn sample(telemetry: &Telemetry, name: &str) -> f64 {
    let text = telemetry.encode();
    let mut lines = text.lines().filter(|line| line.starts_with(name));
    let line = lines.next().unwrap_or_else(|| panic!("no {name} in {text}"));
    assert!(lines.next().is_none(), "{name} is not one sample");
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

async fn until(telemetry: &Telemetry, name: &str, fits: impl Fn(f64) -> bool) {
    let began = std::time::Instant::now();
    while !fits(sample(telemetry, name)) {
        assert!(began.elapsed() < Duration::from_secs(30), "{name} is {}", sample(telemetry, name));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn transactions_and_the_wait_for_them_are_observed_and_pools_counted() {
    let name = cluster().await.database().await;
    let telemetry = Telemetry::new();
    let metrics = database_metrics(&telemetry);
    let db = Db::measured(&cluster().await.target(&name), &small(), &metrics);
    let org = OrgId::generate(&Clock::system());
    db.tenant(org).await.unwrap().commit().await.unwrap();
    db.tenant(org).await.unwrap().rollback().await.unwrap();
    drop(db.tenant(org).await.unwrap());
    let open = db.tenant(org).await.unwrap();
    let count = |family: &str, pool: &str| {
        sample(&telemetry, &format!("holdfast_database_{family}_seconds_count{{pool=\"{pool}\"}}"))
    };
    assert_eq!((count("pool_wait", "app"), count("transaction_duration", "app")), (4.0, 3.0));
    assert_eq!((count("pool_wait", "system"), count("transaction_duration", "system")), (0.0, 0.0));
    // A connection whose transaction was dropped is cleaned before it is free again.
    let (used, waited) = ("holdfast_database_pool_connections{pool=\"app\",state=\"used\"}", std::time::Instant::now());
    loop {
        db.observe_pools();
        if sample(&telemetry, used) == 1.0 {
            break;
        }
        assert!(waited.elapsed() < Duration::from_secs(10), "{}", sample(&telemetry, used));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sample(&telemetry, "holdfast_database_pool_max_connections{pool=\"app\"}"), 2.0);
    // A transaction that lasts at least so long.
    tokio::time::sleep(Duration::from_millis(120)).await;
    drop(open);
    let long = sample(&telemetry, "holdfast_database_transaction_duration_seconds_sum{pool=\"app\"}");
    assert!(long >= 0.12, "{long}");
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn the_servers_figures_are_read_and_say_when_it_does_not_answer() {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let (telemetry, lifecycle) = (Telemetry::new(), Lifecycle::new());
    let db = Db::measured(&target, &small(), &database_metrics(&telemetry));
    let mut admin = PgConnection::connect_with(&target.admin).await.unwrap();
    // Open from before the first look: others' transactions are seen.
    admin.execute("BEGIN").await.unwrap();
    admin.execute("SELECT 1").await.unwrap();
    db.start_statistics(Duration::from_millis(100), Clock::system(), &lifecycle);
    until(&telemetry, "holdfast_database_up ", |up| up == 1.0).await;
    until(&telemetry, "holdfast_database_longest_transaction_seconds ", |age| age > 0.2).await;
    admin.execute("ROLLBACK").await.unwrap();
    until(&telemetry, "holdfast_database_longest_transaction_seconds ", |age| age < 0.2).await;
    for (name, least) in [
        ("connections", 1.0),
        ("max_connections", 400.0),
        ("transaction_age", 1.0),
        ("size_bytes", 1e6),
        ("blocks_hit_total", 100.0),
        ("transactions_total{outcome=\"committed\"}", 1.0),
    ] {
        until(&telemetry, &format!("holdfast_database_{name} "), |value| value >= least).await;
    }
    admin
        .execute("INSERT INTO job_queues (name) VALUES ('a'), ('b'); DELETE FROM job_queues WHERE name = 'a'")
        .await
        .unwrap();
    admin.execute("VACUUM job_queues").await.unwrap();
    admin.execute("INSERT INTO job_queues (name) VALUES ('c'); DELETE FROM job_queues WHERE name = 'c'").await.unwrap();
    admin.close().await.unwrap();
    until(&telemetry, "holdfast_database_table_live_rows{table=\"job_queues\"}", |rows| rows >= 1.0).await;
    until(&telemetry, "holdfast_database_table_dead_rows{table=\"job_queues\"}", |rows| rows >= 1.0).await;
    until(&telemetry, "holdfast_database_table_last_vacuum_timestamp_seconds{table=\"job_queues\"}", |at| at > 1.7e9)
        .await;

    // Somebody holds a lock, and somebody waits for it.
    let mut holder = PgConnection::connect_with(&target.admin).await.unwrap();
    holder.execute("BEGIN; LOCK TABLE job_queues IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut waiter = PgConnection::connect_with(&target.admin).await.unwrap();
    let waits = tokio::spawn(async move { waiter.execute("SELECT count(*) FROM job_queues").await.map(|_| ()) });
    until(&telemetry, "holdfast_database_lock_waiters ", |waiters| waiters == 1.0).await;
    until(&telemetry, "holdfast_database_longest_lock_wait_seconds ", |seconds| seconds > 0.2).await;
    holder.execute("ROLLBACK").await.unwrap();
    waits.await.unwrap().unwrap();
    until(&telemetry, "holdfast_database_lock_waiters ", |waiters| waiters == 0.0).await;
    until(&telemetry, "holdfast_database_longest_lock_wait_seconds ", |seconds| seconds == 0.0).await;
    holder.execute("CHECKPOINT").await.unwrap();
    until(&telemetry, "holdfast_database_checkpoints_total{kind=\"requested\"}", |count| count >= 1.0).await;
    // Both clocks are this machine's.
    until(&telemetry, "holdfast_database_clock_offset_seconds ", |seconds| seconds.abs() < 1.0).await;
    until(&telemetry, "holdfast_database_statements_tracked ", |tracked| tracked == 0.0).await;
    holder.close().await.unwrap();

    db.close().await;
    cluster().await.drop_database(&name).await;
    until(&telemetry, "holdfast_database_up ", |up| up == 0.0).await;
    assert!(sample(&telemetry, "holdfast_database_connections ").is_nan(), "what it said last is no longer known");
    assert!(sample(&telemetry, "holdfast_database_table_dead_rows{table=\"jobs\"}").is_nan());
    assert!(lifecycle.drain(Duration::from_secs(20)).await);
}

#[tokio::test]
async fn a_role_that_may_not_see_others_says_so_and_the_rest_is_read() {
    let name = cluster().await.database().await;
    // Roles belong to the whole cluster: this test's own.
    let target = db::Target { role_prefix: "hfblind".into(), ..cluster().await.target(&name) };
    roles::ensure(&target).await.unwrap();
    let (telemetry, lifecycle) = (Telemetry::new(), Lifecycle::new());
    let db = Db::measured(&target, &small(), &database_metrics(&telemetry));
    assert!(db.sees_others_sessions().await.unwrap(), "granted where roles are made");
    cluster().await.execute("REVOKE pg_read_all_stats FROM hfblind_system").await;
    assert!(!db.sees_others_sessions().await.unwrap());
    db.start_statistics(Duration::from_millis(100), Clock::system(), &lifecycle);
    until(&telemetry, "holdfast_database_up ", |up| up == 1.0).await;
    until(&telemetry, "holdfast_database_longest_transaction_seconds ", f64::is_nan).await;
    until(&telemetry, "holdfast_database_replication_slots{state=\"active\"}", |slots| slots == 0.0).await;
    until(&telemetry, "holdfast_database_connections ", |connections| connections >= 1.0).await;
    // What doctor prints helps.
    cluster().await.execute(&roles::statistics_sql(&target)).await;
    until(&telemetry, "holdfast_database_longest_transaction_seconds ", |age| !age.is_nan()).await;
    lifecycle.drain(Duration::from_secs(20)).await;
    db.close().await;
    cluster().await.drop_database(&name).await;
}

#[tokio::test]
async fn every_table_has_an_owner() {
    let name = cluster().await.database().await;
    let mut admin = PgConnection::connect_with(&cluster().await.target(&name).admin).await.unwrap();
    let all = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_sqlx_migrations'";
    let all: Vec<String> = sqlx::query_scalar(all).fetch_all(&mut admin).await.unwrap();
    admin.close().await.unwrap();
    cluster().await.drop_database(&name).await;
    let owned = holdfast::app::tables();
    for table in &all {
        let owners: Vec<_> = owned.iter().filter(|(_, owned)| owned.name == table).map(|(room, _)| *room).collect();
        assert_eq!(
            owners.len(),
            1,
            "{table} {owners:?}: name it once in `tables` of the room that owns it, `watched` (it grows, or its rows come and go) or `small`"
        );
    }
    let gone: Vec<_> = owned.iter().filter(|(_, owned)| !all.iter().any(|table| table == owned.name)).collect();
    assert!(gone.is_empty(), "no such tables: {gone:?}");
}

fn database_metrics(telemetry: &Telemetry) -> db::Metrics {
    telemetry.register("database", |registry| db::Metrics::register(registry, vec!["job_queues", "jobs", "sessions"]))
}
