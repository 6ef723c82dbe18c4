//! Two versions side by side, as in every upgrade of more than one host.

use std::{fs, path::Path, process::Command};

use holdfast::platform::{
    crypto,
    db::migrate::{self, MigrateError},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    architecture::room_of,
    support::{
        cluster::{binaries, cluster},
        documents::{add_document, make_base, wait_for_document},
        process::Site,
        s3::S3,
    },
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

/// The migrations from before numbers were times: nothing is added here.
const OLD: [&str; 26] = [
    "0001_platform_access.sql",
    "0010_auth_accounts.sql",
    "0011_platform_idempotency_keys.sql",
    "0012_platform_compatibility.sql",
    "0020_jobs_queue.sql",
    "0040_llm_gateway.sql",
    "0041_llm_retention.sql",
    "0050_knowledge_bases.sql",
    "0060_agents.sql",
    "0061_agents_answers_alive.sql",
    "0062_agents_forget_deleted.sql",
    "0070_backup_runs.sql",
    "0071_backup_adoption.sql",
    "0072_backup_known_files_order.sql",
    "0075_jobs_trace.sql",
    "0076_jobs_schedule_success.sql",
    "0080_alerting_alerts.sql",
    "0090_knowledge_reading_report.sql",
    "0091_knowledge_table_header.sql",
    "0092_knowledge_kinds.sql",
    "0093_agents_answer_endings.sql",
    "0096_knowledge_analysis.sql",
    "0097_agents_shortfall.sql",
    "0098_backup_drills_without_room.sql",
    "0099_jobs_workers.sql",
    "0100_jobs_spans.sql",
];

/// Number and room of a migration's file, `YYYYMMDDHHMMSS_<room>_<what>.sql`, whose number is a time.
fn numbered(name: &str) -> Option<(i64, String)> {
    let (number, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    rest.split_once('_')?;
    let room = room_of(rest).to_owned();
    chrono::NaiveDateTime::parse_from_str(number, "%Y%m%d%H%M%S").ok()?;
    (number.len() == 14).then_some((number.parse().ok()?, room))
}

/// Names of the files in `migrations`, in their order.
fn migration_files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What the branch `main` has; nothing where there is no repository (a tarball), or no such branch.
fn migrations_of_main() -> Vec<String> {
    let list = |branch: &str| {
        let tree = format!("{branch}:migrations");
        let args = ["ls-tree", "--name-only", &tree];
        Command::new("git")
            .args(args)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .ok()
            .filter(|o| o.status.success())
    };
    let found = list("main").or_else(|| list("origin/main"));
    found
        .map(|output| String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// What is wrong with the names of migrations, where `main` has these.
fn misnumbered(files: &[String], main: &[String]) -> Vec<String> {
    let newest = main.iter().filter_map(|name| Some(numbered(name)?.0)).max().unwrap_or_default();
    let rooms = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for name in files.iter().filter(|name| !OLD.contains(&name.as_str())) {
        match numbered(name) {
            None => wrong.push(format!("{name}: call it YYYYMMDDHHMMSS_<room>_<what>.sql (date -u +%Y%m%d%H%M%S)")),
            Some((_, room)) if !rooms.join(&room).is_dir() => {
                wrong.push(format!("{name}: there is no room src/{room}"));
            }
            Some((number, _)) if !main.contains(name) && number <= newest => {
                wrong.push(format!(
                    "{name}: main has {newest}; give it the time of now, so that it comes last everywhere"
                ));
            }
            Some(_) => {}
        }
    }
    wrong.extend(OLD.iter().filter(|old| !files.iter().any(|name| name == *old)).map(|old| format!("{old} is gone")));
    wrong
}

#[test]
fn a_new_migration_comes_after_all_others() {
    let (files, main) = (migration_files(), migrations_of_main());
    let wrong = misnumbered(&files, &main);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_migration_numbers_sees_what_is_misnumbered() {
    let files = |more: &str| OLD.iter().copied().chain([more]).map(str::to_owned).collect::<Vec<_>>();
    let main = files("20261201000000_jobs_main.sql");
    for (name, expected) in [
        ("0063_agents_late.sql", "call it"),
        ("20261301000000_agents_thirteenth_month.sql", "call it"),
        ("202612010000_agents_short.sql", "call it"),
        ("20261202000000_nobody_new.sql", "no room src/nobody"),
        ("20261130235959_agents_late.sql", "main has 20261201000000"),
        ("20261201000000_agents_same.sql", "main has 20261201000000"),
    ] {
        let wrong = misnumbered(&files(name), &main);
        assert!(wrong.len() == 1 && wrong[0].contains(expected), "{name}: {wrong:?}");
    }
    for name in ["20261201000001_agents_new.sql", "20261201000000_jobs_main.sql"] {
        assert_eq!(misnumbered(&files(name), &main), Vec::<String>::new());
    }
    assert_eq!(misnumbered(&files("20261201000001_agents_new.sql")[1..], &main), ["0001_platform_access.sql is gone"]);
}

/// What is wrong with a migration that takes something away: it must say what has come in its place, and versions before this one must
/// understand it too.
fn says_too_little(name: &str, text: &str, files: &[String]) -> Option<String> {
    // The one came before the first version that runs beside another; the other gives a text column another order.
    if !takes_away(text) || ["0041_llm_retention.sql", "0072_backup_known_files_order.sql"].contains(&name) {
        return None;
    }
    let needed = text.split_once("SELECT holdfast_needs_migration(").and_then(|(_, rest)| rest.split_once(");"));
    match needed {
        None => Some(format!("{name}: see 20261129180000_platform_needed_migrations.sql")),
        Some((needed, _))
            if !files.iter().any(|file| file.starts_with(&format!("{needed}_")) && file.as_str() <= name) =>
        {
            Some(format!("{name}: there is no migration {needed} that comes before it"))
        }
        Some(_) => None,
    }
}

#[test]
fn a_migration_that_takes_something_away_says_how_far_back_versions_still_work() {
    let files = migration_files();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let wrong =
        files.iter().filter_map(|name| says_too_little(name, &fs::read_to_string(folder.join(name)).unwrap(), &files));
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    let files: Vec<String> =
        ["20270101000000_jobs_kind.sql", "20270201000000_jobs_no_sort.sql"].map(str::to_owned).to_vec();
    let drops = |needed: &str| {
        let text = format!("ALTER TABLE jobs DROP COLUMN sort;\nSELECT holdfast_needs_migration({needed});");
        says_too_little("20270201000000_jobs_no_sort.sql", &text, &files)
    };
    assert_eq!(drops("20270101000000"), None);
    assert!(drops("20270301000000").is_some() && drops("0063").is_some());
    let raw = "ALTER TABLE jobs DROP COLUMN sort; UPDATE installation SET compatible_since = 63;";
    assert!(says_too_little("20270201000000_jobs_no_sort.sql", raw, &files).is_some());
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
    assert!(said.contains("nothing to do") && said.contains("1 migrations are from a newer version"), "{said}");
    let plan = worker.run(&["migrate", "--plan", "--json"]).await;
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!((&plan["serves"], &plan["unknown"]), (&true.into(), &serde_json::json!([9000])), "{plan}");
    let (status, output) = working.stop().await;
    assert!(status.success(), "{output}");

    // Once the next version has taken away what the former needs, that one does not start.
    ask(&url, "WITH u AS (UPDATE installation SET compatible_since = 9000 RETURNING 1) SELECT count(*) FROM u").await;
    let refused = worker.run(&["serve", "--role", "worker"]).await;
    let said = format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
    assert!(!refused.status.success() && said.contains("a newer Holdfast has changed this database"), "{said}");
    let plan = worker.run(&["migrate", "--plan"]).await;
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(
        said.contains("this version cannot work with it") && said.contains("requires the migrations 9000"),
        "{said}"
    );
    let (status, output) = serving.stop().await;
    assert!(status.success(), "{output}");
    cluster().await.drop_database(&name).await;
}

/// A migration with a low number that came late: a version that has higher ones need not know it.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_lower_migration_does_not_slip_past_a_version_that_knows_higher_ones() {
    let name = cluster().await.database().await;
    let (url, target) = (cluster().await.url(&name), cluster().await.target(&name));
    let dir = tempfile::tempdir().unwrap();
    migrate::run(&target, dir.path()).await.unwrap();
    let late = "WITH m AS (INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
          VALUES (63, 'late', true, '\\x00', 1)), \
        u AS (UPDATE installation SET compatible_since = 63 RETURNING 1) SELECT count(*) FROM u";
    ask(&url, late).await;
    let refused = migrate::run(&target, dir.path()).await;
    assert!(matches!(refused, Err(MigrateError::TooNew { .. })), "{refused:?}");
    cluster().await.drop_database(&name).await;
}

/// Two things were taken away, and what was said of the second has a lower number: both count, for versions that compare sets and for those
/// before them, which compare the highest number that they know (99 at most) with `compatible_since`.
#[tokio::test(flavor = "multi_thread")]
async fn every_migration_that_is_needed_counts_whichever_came_last() {
    let name = cluster().await.database().await;
    let (url, target) = (cluster().await.url(&name), cluster().await.target(&name));
    let dir = tempfile::tempdir().unwrap();
    let own = migrate::newest_known();
    let says = |needed: i64| format!("SELECT 1::bigint FROM holdfast_needs_migration({needed})");
    ask(&url, &says(own)).await;
    migrate::run(&target, dir.path()).await.unwrap();
    assert!(migrate::state(&target).await.unwrap().serves());
    for needed in [20_990_101_000_000, own - 1, own] {
        ask(&url, &says(needed)).await;
    }
    let refused = migrate::run(&target, dir.path()).await.unwrap_err();
    let MigrateError::TooNew { needed, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(needed.iter().copied().collect::<Vec<_>>(), [own - 1, 20_990_101_000_000]);
    assert!(refused.to_string().contains(&format!("it must know {}, 20990101000000", own - 1)), "{refused}");
    assert_eq!(ask(&url, "SELECT compatible_since FROM installation").await, 20_990_101_000_000);
    // A number that an old version might take for one of its own is not taken.
    let mut db = PgConnection::connect(&url).await.unwrap();
    assert!(sqlx::raw_sql("SELECT holdfast_needs_migration(63)").execute(&mut db).await.is_err());
    db.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

/// Whether scripts/upgrade --rollback leaves the database as it is for the former version, which is the program that is tested here.
async fn script_says_compatible(site: &Site, url: &str, former: &str) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = format!(
        ". scripts/lib.sh; . scripts/upgrade.lib.sh; SCHEMA=25/99 FORMER_IMAGE=former state={state}
         sql() {{ {psql} '{url}' --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command \"$1\" </dev/null; }}
         former() {{ {former}; }}
         if compatible; then echo works; else echo refuses; fi",
        state = site.data_dir().parent().unwrap().display(),
        psql = binaries().join("psql").display(),
    );
    let mut command = Command::new("bash");
    command.args(["-euc", &script]).current_dir(root).envs(site.environment());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (String::from_utf8_lossy(&output.stdout).trim() == "works", said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upgrade_script_believes_of_a_version_what_that_version_believes() {
    let name = cluster().await.empty_database().await;
    let url = cluster().await.url(&name);
    let mut site = Site::new();
    site.set("HOLDFAST_DATABASE__URL", &url);
    site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "hfscript");
    let migrated = site.run(&["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    for needed in [0, 62, 63, 9000, 20_990_101_000_000_i64] {
        let set = format!(
            "WITH u AS (UPDATE installation SET compatible_since = {needed} RETURNING 1) SELECT count(*) FROM u"
        );
        ask(&url, &set).await;
        let serves = site.run(&["migrate"]).await.status.success();
        assert_eq!(serves, needed < 63, "compatible_since {needed}");
        let (works, said) = script_says_compatible(&site, &url, "\"$PROGRAM\" \"$@\"").await;
        assert_eq!(works, serves, "compatible_since {needed}: {said}");
        // As a version before this one answers: it knows no --json, and compares with the highest number that it knows.
        let old = "[ $# = 2 ] || return 64; echo 'the database is at migration 99; this version knows 99'; echo 'nothing to do'";
        let (works, said) = script_says_compatible(&site, &url, old).await;
        assert_eq!(works, needed <= 99, "compatible_since {needed}, a version before: {said}");
        // One that cannot be asked is not taken for one that works.
        let (works, said) = script_says_compatible(&site, &url, "return 125").await;
        assert!(!works, "compatible_since {needed}: {said}");
    }
    cluster().await.drop_database(&name).await;
}
