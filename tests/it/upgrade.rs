//! Two versions side by side, as in every upgrade of more than one host.

use std::fs;

use holdfast::platform::crypto;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{
    cluster::cluster,
    documents::{add_document, make_base, wait_for_document},
    process::Site,
    s3::S3,
};

/// Whether a migration takes something away: a version that still runs would fail on it. What a function of its drops later is not meant.
fn takes_away(migration: &str) -> bool {
    const WORDS: [&str; 5] = ["drop table", "drop column", " rename ", " type ", "set not null"];
    let text = migration.to_lowercase();
    text.split(';').map(str::trim_start).any(|statement| {
        let statement = statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ");
        ["alter table", "drop table"].iter().any(|begin| statement.trim_start().starts_with(begin))
            && WORDS.iter().any(|word| statement.contains(word))
    })
}

#[test]
fn a_migration_that_takes_something_away_says_how_far_back_versions_still_work() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The one came before the first version that runs beside another; the other gives a text column another order.
        if ["0041_llm_retention.sql", "0072_backup_known_files_order.sql"].contains(&name.as_str()) {
            continue;
        }
        assert!(!takes_away(&text) || text.contains("compatible_since"), "{name}: see 0012_platform_compatibility.sql");
    }
}

#[test]
fn the_reader_of_migrations_sees_what_takes_something_away() {
    for migration in [
        "ALTER TABLE jobs DROP COLUMN kind;",
        "-- why\nALTER TABLE jobs\n  RENAME COLUMN kind TO sort;",
        "CREATE TABLE a (b int); DROP TABLE jobs;",
        "ALTER TABLE jobs ALTER COLUMN kind TYPE int;",
        "ALTER TABLE jobs ALTER COLUMN kind SET NOT NULL;",
    ] {
        assert!(takes_away(migration), "{migration}");
    }
    for migration in [
        "ALTER TABLE jobs ADD COLUMN tint text;",
        "ALTER TABLE jobs DROP CONSTRAINT jobs_tint_check;",
        "CREATE TABLE a (b int);",
    ] {
        assert!(!takes_away(migration), "{migration}");
    }
}

/// What a later version might have done to the database.
async fn migrate_further(url: &str) {
    let mut db = PgConnection::connect(url).await.unwrap();
    let sql = "ALTER TABLE jobs ADD COLUMN tint text NOT NULL DEFAULT 'blue'; \
        ALTER TABLE knowledge_documents ADD COLUMN mood text NOT NULL DEFAULT 'calm'; \
        CREATE TABLE later_things (id uuid PRIMARY KEY, note text); \
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
          VALUES (9000, 'later things', true, '\\x00', 1); \
        INSERT INTO job_queues (name) VALUES ('later'); \
        INSERT INTO jobs (id, queue, kind, run_at, order_at, max_attempts) \
          VALUES (gen_random_uuid(), 'later', 'later.wonder', now(), now(), 5)";
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

async fn ask(url: &str, sql: &str) -> i64 {
    let mut db = PgConnection::connect(url).await.unwrap();
    let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_the_former_version_works_beside_an_api_of_the_next() {
    let (s3, dir) = (S3::start(), tempfile::tempdir().unwrap());
    let name = cluster().await.empty_database().await;
    let url = cluster().await.url(&name);
    let key = dir.path().join("key");
    fs::write(&key, crypto::hex(&crypto::random_bytes::<32>())).unwrap();
    let host = || {
        let mut site = Site::with(s3.settings());
        site.set("HOLDFAST_DATABASE__URL", &url);
        site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "hfnext");
        site.set("HOLDFAST_SECRET_KEY_FILE", &key.display().to_string());
        site
    };
    let (api, worker) = (host(), host());
    let serving = api.start_role("api").await;
    migrate_further(&url).await;
    // It does not know migration 9000, and starts.
    let working = worker.start_role("worker").await;
    let admin = api.admin().await;
    let base = make_base(&admin, "Harbour").await;
    let id = add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await;
    assert_eq!(wait_for_document(&admin, &base, &id).await["status"], "ready");
    let left = "SELECT count(*) FROM jobs WHERE kind = 'later.wonder' AND state = 'queued' AND attempt = 0";
    assert_eq!(ask(&url, left).await, 1, "what it does not know it leaves to those who do");
    assert_eq!(ask(&url, "SELECT count(*) FROM _sqlx_migrations WHERE version = 9000").await, 1);
    let plan = worker.run(&["migrate", "--plan"]).await;
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(said.contains("nothing to do") && said.contains("1 migrations are of a newer version"), "{said}");
    let (status, output) = working.stop().await;
    assert!(status.success(), "{output}");

    // Once the next version has taken away what the former needs, that one does not start.
    ask(&url, "WITH u AS (UPDATE installation SET compatible_since = 9000 RETURNING 1) SELECT count(*) FROM u").await;
    let refused = worker.run(&["serve", "--role", "worker"]).await;
    let said = format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
    assert!(!refused.status.success() && said.contains("a newer Holdfast has changed this database"), "{said}");
    let (status, output) = serving.stop().await;
    assert!(status.success(), "{output}");
    cluster().await.drop_database(&name).await;
}
