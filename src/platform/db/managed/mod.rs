//! The private PostgreSQL cluster of the embedded default, which we create, start, supervise and stop.
//!
//! It lives in `<data_dir>/postgres`, listens only on a socket in a short run-time folder (a socket path may have 107 bytes), and runs as
//! an unprivileged user when we are root. A postmaster that outlived us (kill -9) is stopped fast and restarted, so that it is always our
//! child.

mod binaries;
mod cluster;
mod postmaster;
pub mod upgrade;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use super::Target;
use crate::crypto::MasterKey;
use binaries::Binaries;
use postmaster::Postmaster;

pub use binaries::{SUPPORTED, usual_places};

/// Why the private cluster is not running.
#[derive(Debug, thiserror::Error)]
pub enum ManagedError {
    #[error(
        "no PostgreSQL server binaries (15 to 18) found in {looked_in}; install them (Debian, Ubuntu: apt-get install \
         postgresql), or set database.bin_dir, or database.url to use an external server"
    )]
    NoBinaries { looked_in: String },
    #[error(
        "the cluster in {dir} was made by PostgreSQL {version}, whose binaries are not installed (apt-get install postgresql-{version}, or \
         set database.bin_dir); with them and those of a newer version `holdfast upgrade-postgres` moves it to that one. Without them \
         `holdfast restore` brings a backup into a new cluster of any version"
    )]
    WrongVersion { dir: String, version: String },
    #[error("no unprivileged user to run PostgreSQL as: create one named `postgres` or `holdfast`")]
    NoUser,
    #[error("{what}: {output}")]
    Command { what: String, output: String },
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    #[error("PostgreSQL did not answer within {0:?}; its log lines above say why")]
    NotReady(Duration),
    #[error("the private cluster refused a statement")]
    Sql(#[from] sqlx::Error),
}

/// Adds the failed operation to an I/O error.
fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> ManagedError {
    let what = what.into();
    move |e| ManagedError::Io(what, e)
}

/// The running private cluster.
#[derive(Debug)]
pub struct Managed {
    postmaster: Postmaster,
    socket_dir: PathBuf,
    target: Target,
}

/// Paths and user of a private cluster; enough to run tools beside it.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Short folder of the socket.
    pub cluster: PathBuf,
    /// Short folder of the socket.
    pub socket_dir: PathBuf,
    pub binaries: Binaries,
    /// The user that PostgreSQL runs as when we are root.
    pub run_as: Option<binaries::RunAs>,
}

/// Name of the superuser, and of the database, inside the private cluster.
const SUPERUSER: &str = "holdfast";
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Managed {
    /// Creates the cluster if there is none, starts it and keeps it running until [`Self::stop`].
    pub async fn start(
        data_dir: &Path,
        bin_dir: Option<&Path>,
        role_prefix: &str,
        key: &MasterKey,
    ) -> Result<Self, ManagedError> {
        upgrade::recover(data_dir).await?;
        let layout = Layout::prepare(data_dir, bin_dir)?;
        let password = superuser_password(key);
        cluster::initialise(&layout, SUPERUSER, &password, &["--data-checksums".to_owned()]).await?;
        cluster::configure(&layout)?;
        postmaster::stop_leftover(&layout.cluster).await?;
        let socket_dir = layout.socket_dir.clone();
        let postmaster = Postmaster::start(layout.clone())?;
        let admin = admin_options(&layout.socket_dir, &password);
        let ready = async {
            wait_until_ready(&admin, START_TIMEOUT).await?;
            create_database(&admin).await
        };
        if let Err(error) = ready.await {
            postmaster.stop().await;
            let _ = std::fs::remove_dir(&socket_dir);
            return Err(error);
        }
        let target =
            Target { admin: admin.database(SUPERUSER), role_prefix: role_prefix.to_owned(), master_key: key.clone() };
        Ok(Self { postmaster, socket_dir, target })
    }

    /// Connection to the cluster that another process of ours, possibly another user's, runs in `data_dir`. Creates and changes nothing.
    pub fn attach(data_dir: &Path, role_prefix: &str, key: &MasterKey) -> Result<Target, ManagedError> {
        let socket_dir = binaries::running_socket_dir(data_dir)?;
        let admin = admin_options(&socket_dir, &superuser_password(key)).database(SUPERUSER);
        Ok(Target { admin, role_prefix: role_prefix.to_owned(), master_key: key.clone() })
    }

    /// How to connect.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Fast shutdown: ends sessions, writes a checkpoint.
    pub async fn stop(self) {
        self.postmaster.stop().await;
        // Fails if a killed server left its socket there; the next start cleans that up.
        let _ = std::fs::remove_dir(&self.socket_dir);
    }
}

fn superuser_password(key: &MasterKey) -> String {
    crate::crypto::hex(&key.derive("managed-cluster-superuser"))
}

fn admin_options(socket_dir: &Path, password: &str) -> PgConnectOptions {
    PgConnectOptions::new()
        .socket(socket_dir)
        .port(cluster::PORT)
        .username(SUPERUSER)
        .password(password)
        .database("postgres")
        // No TLS over a socket; `PGSSLMODE` in the environment is meant for another server.
        .ssl_mode(PgSslMode::Disable)
}

async fn wait_until_ready(admin: &PgConnectOptions, timeout: Duration) -> Result<(), ManagedError> {
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        match PgConnection::connect_with(admin).await {
            Ok(conn) => {
                let _ = conn.close().await;
                return Ok(());
            }
            Err(error) if tokio::time::Instant::now() > deadline => {
                tracing::error!(%error, "PostgreSQL does not answer");
                return Err(ManagedError::NotReady(timeout));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn create_database(admin: &PgConnectOptions) -> Result<(), ManagedError> {
    let mut conn = PgConnection::connect_with(admin).await?;
    let exists =
        sqlx::query_scalar!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS \"exists!\"", SUPERUSER)
            .fetch_one(&mut conn)
            .await?;
    if !exists {
        // Constant name; CREATE DATABASE takes no parameters.
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {SUPERUSER}"))).execute(&mut conn).await?;
    }
    // Not in our own database: a dump of it must restore on servers where this extension may not be created.
    let track = "DO $$ BEGIN
        IF current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%' THEN
          CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
        END IF;
      END $$";
    if let Err(error) = sqlx::raw_sql(track).execute(&mut conn).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "statements are not counted: pg_stat_statements cannot be created"
        );
    }
    conn.close().await?;
    Ok(())
}
