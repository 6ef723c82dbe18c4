//! The private cluster to a newer major version of PostgreSQL, with the real `pg_upgrade`, and back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use holdfast::platform::{
    crypto::MasterKey,
    db::{Target, managed::Managed},
};
use rustix::process::{Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{Duration, Instant, sleep};

use crate::support::{
    cluster::{PATIENCE, binaries, from_pypi, is_bare},
    disk::Disk,
    documents::{add_document, make_base, wait_for_document},
    process::{Running, Site},
    vault::Vault,
};

/// What people made, by table.
const TABLES: [&str; 6] =
    ["organisations", "memberships", "knowledge_bases", "knowledge_documents", "knowledge_texts", "knowledge_chunks"];

fn major(programs: &Path) -> u32 {
    let said = Command::new(programs.join("postgres")).arg("--version").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    said.split([' ', '.']).find_map(|word| word.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

/// The version of the cluster in a folder of the data directory; 0 where there is none.
fn lies(site: &Site, folder: &str) -> u32 {
    let file = site.data_dir().join(folder).join("PG_VERSION");
    fs::read_to_string(file).map_or(0, |version| version.trim().parse().unwrap())
}

/// Both streams of a command, and that it ended so.
fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&[output.stdout.as_slice(), b"\n", &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

struct House {
    site: Site,
    older: PathBuf,
    newer: PathBuf,
}

impl House {
    fn new(settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self::of(from_pypi(16), settings)
    }

    /// With the programs of this older version.
    fn of(older: PathBuf, settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let newer = from_pypi(18);
        let mut site = Site::with(settings);
        site.set("HOLDFAST_DATABASE__BIN_DIR", &older.display().to_string());
        Self { site, older, newer }
    }

    async fn upgrade(&self, args: &[&str]) -> Output {
        let newer = self.newer.display().to_string();
        self.site.run(&[&["upgrade-postgres", "--bin-dir", &newer], args].concat()).await
    }

    fn launch(&self) -> Running {
        let newer = self.newer.display().to_string();
        self.site.launch_command(&["upgrade-postgres", "--bin-dir", &newer, "--yes", "--without-backup"])
    }

    fn target(&self) -> Target {
        let key = MasterKey::load(&self.site.data_dir().join("secrets/master.key"), false).unwrap();
        Managed::attach(&self.site.data_dir(), "holdfast", &key).unwrap()
    }

    /// Asks the running server.
    async fn ask(&self, sql: &str) -> String {
        let mut db = PgConnection::connect_with(&self.target().admin).await.unwrap();
        let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        found
    }

    async fn execute(&self, sql: &'static str) {
        let mut db = PgConnection::connect_with(&self.target().admin).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }

    /// Hash of all rows by table, without the columns that the index's maintenance sets every quarter of an hour.
    async fn rows(&self) -> BTreeMap<&'static str, String> {
        let mut found = BTreeMap::new();
        for table in TABLES {
            let sql = format!(
                "SELECT coalesce(md5(string_agg(r, '|' ORDER BY r)), '') || ' ' || count(*) \
                 FROM (SELECT (to_jsonb(t) - '{{indexed_at,optimized_at,weights}}'::text[])::text AS r FROM {table} t) rows"
            );
            let hash = self.ask(&sql).await;
            assert!(!hash.ends_with(" 0"), "{table} is empty: nothing would be compared");
            found.insert(table, hash);
        }
        found
    }

    fn is_untouched(&self) {
        assert_eq!(lies(&self.site, "postgres"), major(&self.older));
        let left: Vec<_> = fs::read_dir(self.site.data_dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("postgres."))
            .collect();
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(self.site.processes(), Vec::<String>::new(), "something still runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_cluster_becomes_a_newer_version_and_goes_back() {
    let vault = Vault::new();
    let mut house = House::new(vault.settings());
    let (older, newer) = (house.older.clone(), house.newer.clone());
    house.site.set("HOLDFAST_BACKUP__TOOLS_DIR", &newer.display().to_string());
    let running = house.site.start().await;
    let admin = house.site.admin().await;
    let base = make_base(&admin, "Handbook").await;
    let document = add_document(&admin, &base, "pumps.md", b"# Pumps\n\nThe pump is serviced every spring.").await;
    wait_for_document(&admin, &base, &document).await;
    house.execute("ALTER SYSTEM SET work_mem = '7MB'").await;

    // Beside the running appliance: a look, and nothing else.
    let plan = said(&house.upgrade(&["--dry-run"]).await, 0);
    assert!(plan.contains("The plan") && plan.contains("one is made and verified first"), "{plan}");
    assert!(!house.site.data_dir().join("postgres.upgrading").exists(), "{plan}");
    let busy = said(&house.upgrade(&["--yes"]).await, 1);
    assert!(busy.contains("Holdfast is running (process") && busy.contains("Stop it"), "{busy}");
    let rows = house.rows().await;
    running.stop().await.0.success().then_some(()).unwrap();

    let asked = said(&house.upgrade(&[]).await, 1);
    assert!(asked.contains("not confirmed") && asked.contains("--yes"), "{asked}");
    house.is_untouched();

    let done = said(&house.upgrade(&["--yes"]).await, 0);
    assert!(done.contains("    backup 0") && done.contains("FIRST set database.bin_dir"), "{done}");
    assert_eq!(
        (lies(&house.site, "postgres"), lies(&house.site, "postgres.before-upgrade")),
        (major(&newer), major(&older))
    );
    assert!(!house.site.data_dir().join("postgres.upgrading").exists(), "{done}");
    assert!(!house.site.data_dir().join("postgres/pg_upgrade_output.d").exists(), "{done}");
    assert_eq!(house.site.processes(), Vec::<String>::new(), "something still runs");

    let wrong = said(&house.site.run(&["doctor"]).await, 1);
    assert!(
        wrong.contains(&format!("was made by PostgreSQL {}", major(&newer))) && wrong.contains("upgrade-postgres"),
        "{wrong}"
    );
    house.site.set("HOLDFAST_DATABASE__BIN_DIR", &newer.display().to_string());
    let running = house.site.start().await;
    assert_eq!(house.rows().await, rows);
    assert_eq!(house.ask("SHOW work_mem").await, "7MB", "the operator's settings");
    assert_eq!(house.ask("SHOW data_checksums").await, "on");
    let analyzed = "SELECT count(*)::text FROM pg_stats WHERE tablename = 'knowledge_chunks'";
    assert_ne!(house.ask(analyzed).await, "0", "the planner knows nothing");
    let doctor = said(&house.site.run(&["doctor"]).await, 0);
    assert!(doctor.contains("pass  database.version") && doctor.contains("pass  database.reachable"), "{doctor}");
    // Kept for more than a week.
    let control = house.site.data_dir().join("postgres.before-upgrade/global/pg_control");
    let then = std::time::SystemTime::now() - Duration::from_secs(8 * 86_400);
    fs::File::options().write(true).open(control).unwrap().set_modified(then).unwrap();
    let doctor = said(&house.site.run(&["doctor"]).await, 0);
    assert!(doctor.contains("WARN  database.version") && doctor.contains("upgrade-postgres --accept"), "{doctor}");
    make_base(&house.site.admin().await, "Written since").await;
    let busy = said(&house.site.run(&["upgrade-postgres", "--rollback", "--yes"]).await, 1);
    assert!(busy.contains("Holdfast is running"), "{busy}");
    assert!(said(&house.upgrade(&["--yes"]).await, 0).contains("Nothing to do"));
    running.stop().await;

    // Back, with the programs of the former version.
    house.site.set("HOLDFAST_DATABASE__BIN_DIR", &older.display().to_string());
    let asked = said(&house.site.run(&["upgrade-postgres", "--rollback"]).await, 1);
    assert!(asked.contains("DATA WRITTEN SINCE THEN") && asked.contains("not confirmed"), "{asked}");
    assert_eq!(lies(&house.site, "postgres"), major(&newer));
    said(&house.site.run(&["upgrade-postgres", "--rollback", "--yes"]).await, 0);
    assert_eq!(
        (lies(&house.site, "postgres"), lies(&house.site, "postgres.after-upgrade")),
        (major(&older), major(&newer))
    );
    let kept = said(&house.upgrade(&["--yes"]).await, 1);
    assert!(kept.contains("postgres.after-upgrade is kept"), "{kept}");
    assert!(
        said(&house.site.run(&["upgrade-postgres", "--rollback", "--yes"]).await, 1).contains("nothing to go back to")
    );
    let running = house.site.start().await;
    assert_eq!(house.rows().await, rows, "as it was, without what was written since");
    said(&house.site.run(&["upgrade-postgres", "--accept"]).await, 1);
    assert!(said(&house.site.run(&["upgrade-postgres", "--accept", "--yes"]).await, 0).contains("removed"));
    running.stop().await;
    house.is_untouched();
}

/// Waits for a line of a command that runs.
async fn wait_for(running: &Running, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !running.output().contains(line) {
        assert!(Instant::now() < deadline, "{}", running.output());
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_is_cut_off_leaves_the_old_cluster_as_it_was() {
    let house = House::new([]);
    said(&house.site.run(&["migrate"]).await, 0);
    for step in ["... pg_upgrade --check", "... pg_upgrade: the definitions", "... comparing every table's rows"] {
        let running = house.launch();
        wait_for(&running, step).await;
        running.kill();
        assert!(house.site.data_dir().join("postgres.upgrading").exists(), "{step}: it was not in the middle of it");
        // Whatever starts next puts it in order.
        assert!(said(&house.site.run(&["migrate"]).await, 0).contains("row-level security verified"), "{step}");
        house.is_untouched();
    }
    // Ctrl-C puts it in order by itself.
    let running = house.launch();
    wait_for(&running, "... pg_upgrade: the definitions").await;
    kill_process(running.pid(), Signal::INT).unwrap();
    let (status, output) = running.stop().await;
    assert!(status.code() == Some(1) && output.contains("interrupted: the cluster is unchanged"), "{output}");
    house.is_untouched();
    // A file that cannot be read, as on a disk that dies; one that counting rows does not need.
    let asked = "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'knowledge_texts'";
    let file = house.site.run(&["psql", "-c", asked, "--", "--tuples-only"]).await;
    let file = house.site.data_dir().join("postgres").join(said(&file, 0).trim());
    let aside = house.site.data_dir().join("aside");
    fs::rename(&file, &aside).unwrap();
    let failed = said(&house.upgrade(&["--yes", "--without-backup"]).await, 1);
    assert!(
        failed.contains("cannot be upgraded, and nothing was changed") && failed.contains("No such file"),
        "{failed}"
    );
    let logs = house.site.data_dir().join("postgres.upgrade-failed");
    assert!(failed.contains("its logs are in") && fs::read_dir(&logs).unwrap().next().is_some(), "{failed}");
    fs::rename(&aside, &file).unwrap();
    fs::rename(logs, house.site.data_dir().join("read")).unwrap();
    house.is_untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_upgraded_is_refused_before_anything_is_touched() {
    let disk = Disk::new(300);
    let data_dir = disk.path().join("data");
    let mut house = House::new([]);
    house.site.set("HOLDFAST_DATA_DIR", &data_dir.display().to_string());
    let none = said(&house.upgrade(&["--yes"]).await, 1);
    assert!(none.contains("there is no installation in") && !data_dir.exists(), "{none}");
    said(&house.site.run(&["migrate"]).await, 0);
    let little = said(&house.upgrade(&["--yes", "--without-backup"]).await, 1);
    assert!(little.contains("too little disk space in") && little.contains("MiB are free"), "{little}");

    let older = house.older.display().to_string();
    let nothing = said(&house.site.run(&["upgrade-postgres", "--bin-dir", &older, "--yes"]).await, 1);
    assert!(
        nothing.contains("no newer version that Holdfast works with") && nothing.contains("apt-get install"),
        "{nothing}"
    );
    let down = said(&house.upgrade(&["--to", "14", "--yes"]).await, 1);
    assert!(down.contains("only upgrades"), "{down}");
    let absent = said(&house.site.run(&["upgrade-postgres", "--bin-dir", &older, "--to", "18", "--yes"]).await, 1);
    assert!(
        absent.contains("PostgreSQL 18 is not found in") && absent.contains("apt-get install postgresql-18"),
        "{absent}"
    );
    assert!(
        said(&house.site.run(&["upgrade-postgres", "--rollback", "--yes"]).await, 1).contains("nothing to go back to")
    );

    // A setting that the new version does not know.
    disk.grow(900);
    let conf = data_dir.join("postgres/conf.d");
    fs::create_dir_all(&conf).unwrap();
    fs::write(conf.join("own.conf"), "no_such.setting = 1\nlog_statement_stats = off\n").unwrap();
    fs::write(conf.join("former.conf"), "old_snapshot_threshold = -1\n").unwrap();
    let unknown = said(&house.upgrade(&["--yes", "--without-backup"]).await, 1);
    assert!(unknown.contains("old_snapshot_threshold") && unknown.contains("does not start with"), "{unknown}");
    fs::remove_dir_all(conf).unwrap();

    house.site.set("HOLDFAST_DATABASE__URL", "postgres://nobody@127.0.0.1:9/none");
    let foreign = said(&house.upgrade(&["--yes"]).await, 1);
    assert!(foreign.contains("by its administrator"), "{foreign}");
    let left =
        fs::read_dir(&data_dir).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() == "postgres.upgrading");
    assert_eq!(left.count(), 0);
}

/// Lists are searched by indexes of extensions that the new server must have too.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_without_the_extensions_in_use_is_refused() {
    if is_bare().await {
        return;
    }
    let installed = binaries();
    if major(&installed) >= 18 {
        // Every older version here lacks them too.
        return;
    }
    let house = House::of(installed, []);
    said(&house.site.run(&["migrate"]).await, 0);
    let lacks = said(&house.upgrade(&["--yes", "--without-backup"]).await, 1);
    assert!(lacks.contains("extension btree_gin of database holdfast is not installed"), "{lacks}");
    assert_eq!(lies(&house.site, "postgres"), major(&house.older));
}
