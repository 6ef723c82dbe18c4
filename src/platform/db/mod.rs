//! The database: roles, and transactions that belong to an organisation.
//!
//! Pools are private to this module. Callers get a transaction: [`Db::tenant`] with the organisation set, or [`Db::system`] for work
//! without a tenant. sqlx 0.9.0 returns a connection to the pool inside an open transaction when a `begin()` future is dropped
//! (transact-rs/sqlx#4385), and axum drops handler futures when a client disconnects: so `BEGIN` runs in a task that is never cancelled.
//! The same happens when the statement fails after its `BEGIN` (a timeout, a cancelled backend): see [`ConnectionCheck`]. Regression tests:
//! `tests/it/db.rs`.

pub mod config;
mod connection_check;
mod doctor;
mod error;
mod locks;
pub mod managed;
mod metrics;
pub mod migrate;
pub mod roles;
mod search;
mod statements;
mod statistics;
mod table;
pub mod tools;
mod tx;
pub mod verify;

use std::{str::FromStr as _, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::Instant;

pub use config::Config;
pub use doctor::{DoctorDeps, checks};
pub use error::{DbError, constraint};
pub use locks::{SessionLock, lock_until_commit};
pub use metrics::Metrics;
pub use search::contains;
pub use statistics::EVERY as STATISTICS_EVERY;
pub use table::{TABLES, Table};
pub use tx::Tx;

use super::{crypto::MasterKey, ids::OrgId, lifecycle::uncancelled, trace};
use connection_check::ConnectionCheck;
use metrics::{Pool, PoolMetrics};

/// Idle time after which a connection is closed.
const IDLE: Duration = Duration::from_secs(300);

/// Address and credentials, enough to connect as each role.
#[derive(Clone, Debug)]
pub struct Target {
    /// Connection of the administrator or owner, as configured or from the managed cluster.
    pub admin: PgConnectOptions,
    /// Prefix of the four role names.
    pub role_prefix: String,
    pub master_key: MasterKey,
}

/// One of the four roles that Holdfast connects as (docs/architecture.md, "Database").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    Owner,
    App,
    System,
    Backup,
}

impl RoleKind {
    pub const ALL: [Self; 4] = [Self::Owner, Self::App, Self::System, Self::Backup];

    pub fn suffix(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::App => "app",
            Self::System => "system",
            Self::Backup => "backup",
        }
    }
}

impl Target {
    /// Parses a `postgres://` URL.
    pub fn from_url(url: &str, role_prefix: String, master_key: MasterKey) -> Result<Self, DbError> {
        let admin = PgConnectOptions::from_str(url)?;
        // sqlx keeps the brackets of an IPv6 address and looks that up in DNS.
        let address = admin.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
        let admin = address.map_or(admin.clone(), |address| admin.host(&address));
        Ok(Self { admin, role_prefix, master_key })
    }

    pub fn role_name(&self, kind: RoleKind) -> String {
        format!("{}_{}", self.role_prefix, kind.suffix())
    }

    /// Password of a role: derived, so that every host of the installation knows it and none stores it.
    pub fn role_password(&self, kind: RoleKind) -> String {
        super::crypto::hex(&self.master_key.derive(&format!("database-role:{}", self.role_name(kind))))
    }

    /// Connection options for a role.
    pub fn connect_as(&self, kind: RoleKind) -> PgConnectOptions {
        self.admin
            .clone()
            .username(&self.role_name(kind))
            .password(&self.role_password(kind))
            .application_name(&format!("holdfast {}", kind.suffix()))
            .options([
                // An abandoned transaction must not hold its locks and the xmin horizon for ever.
                ("idle_in_transaction_session_timeout", "60s"),
                ("lock_timeout", "15s"),
                // A host that lost power must not hold its locks for the kernel's default of two hours.
                ("tcp_keepalives_idle", "10"),
                ("tcp_keepalives_interval", "5"),
                ("tcp_keepalives_count", "3"),
                ("statement_timeout", if matches!(kind, RoleKind::App | RoleKind::System) { "30s" } else { "0" }),
                ("holdfast.role_prefix", self.role_prefix.as_str()),
            ])
            .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
            .log_statements(tracing::log::LevelFilter::Trace)
    }
}

/// The database as capabilities see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    app: Measured,
    system: Measured,
    /// One connection for each [`SessionLock`]. A pool of its own, because a holder also needs connections for its transactions: in one pool a
    /// few holders could take all and wait for each other.
    locks: PgPool,
    metrics: Metrics,
}

/// A pool with the metrics of its transactions.
#[derive(Clone, Debug)]
struct Measured {
    pool: PgPool,
    /// Timeout for a transaction: waiting for a connection plus `BEGIN`.
    timeout: Duration,
    check: ConnectionCheck,
    metrics: PoolMetrics,
}

impl Db {
    /// Creates the pools; connects lazily, so that this works while the server is away.
    pub fn new(target: &Target, config: &Config) -> Self {
        Self::measured(target, config, &Metrics::default())
    }

    /// As [`Self::new`], with metrics.
    pub fn measured(target: &Target, config: &Config, metrics: &Metrics) -> Self {
        let timeout = Duration::from_secs(config.acquire_timeout_seconds) * 2;
        let open = |role, max, kind| {
            let check = ConnectionCheck::default();
            let pool = pool(target.connect_as(role), config, max, &check);
            Measured { pool, timeout, check, metrics: metrics.pool(kind) }
        };
        let locks = target.connect_as(RoleKind::App).application_name("holdfast locks");
        Self {
            app: open(RoleKind::App, config.max_connections, Pool::App),
            system: open(RoleKind::System, config.max_system_connections, Pool::System),
            locks: pool(locks, config, config.max_connections, &ConnectionCheck::default()),
            metrics: metrics.clone(),
        }
    }

    /// A transaction in one organisation, as the role bound by row-level security. `BEGIN` and the setting are one round trip.
    pub async fn tenant(&self, org: OrgId) -> Result<Tx, DbError> {
        // The only formatted SQL: `OrgId` is a UUID and prints as hexadecimal digits and dashes.
        let begin = format!("BEGIN; SELECT set_config('holdfast.org_id', '{org}', true)");
        begin_uncancelled(&self.app, AssertSqlSafe(begin)).await
    }

    /// A transaction without a tenant: sign-in and key look-up, leasing, retention, gauges. `tests/it/architecture/tenants.rs` checks the list of
    /// callers.
    pub async fn system(&self) -> Result<Tx, DbError> {
        begin_uncancelled(&self.system, "BEGIN").await
    }

    /// Returns when the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.system().await?.rollback().await?;
        Ok(())
    }

    /// If the system sorts text differently from when the indexes were built: both collation versions, and the quoted name of the database.
    /// `C` and `C.UTF-8` never change.
    pub async fn other_collation(&self) -> Result<Option<(String, String, String)>, DbError> {
        let mut tx = self.system().await?;
        let found = sqlx::query_as(
            "SELECT datcollversion, pg_database_collation_actual_version(oid), quote_ident(datname) FROM pg_database
             WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)",
        )
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found)
    }

    /// What lists are searched with in this database.
    async fn searching(&self) -> Result<search::Searching, DbError> {
        let mut tx = self.system().await?;
        let missing =
            sqlx::query_scalar!("SELECT name FROM search_indexes WHERE to_regclass(name) IS NULL ORDER BY name")
                .fetch_all(&mut *tx)
                .await?;
        let missing: Vec<String> = if crate::mutant(25) { Vec::new() } else { missing };
        let database = sqlx::query!("SELECT current_database() AS \"name!\", 'я' ILIKE 'Я' AS \"folds_case!\"")
            .fetch_one(&mut *tx)
            .await?;
        Ok(search::Searching { missing, folds_case: database.folds_case, database: database.name })
    }

    /// The server's version, e.g. `15.18`.
    pub async fn server_version(&self) -> Result<String, DbError> {
        let mut tx = self.system().await?;
        let version =
            sqlx::query_scalar!("SELECT current_setting('server_version') AS \"version!\"").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Current time of the server.
    pub async fn server_time(&self) -> Result<DateTime<Utc>, DbError> {
        let mut tx = self.system().await?;
        let now = sqlx::query_scalar!("SELECT clock_timestamp() AS \"now!\"").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(now)
    }

    /// Updates the gauges of the pools; called before each scrape.
    pub fn observe_pools(&self) {
        let pools = [(Pool::App, &self.app.pool), (Pool::System, &self.system.pool), (Pool::Locks, &self.locks)];
        for (kind, pool) in pools {
            self.metrics.pool_size(kind, pool.size(), pool.num_idle(), pool.options().get_max_connections());
        }
    }

    /// Closes the pools; running transactions finish first. A lock's connection closes with its guard.
    pub async fn close(&self) {
        self.app.pool.close().await;
        self.system.pool.close().await;
    }
}

async fn begin_uncancelled(from: &Measured, begin: impl sqlx::SqlSafeStr) -> Result<Tx, DbError> {
    let (Measured { pool, timeout, check, metrics }, begin) = (from.clone(), begin.into_sql_str());
    let context = trace::current();
    let opening = uncancelled(async move {
        let asked = Instant::now();
        let mut opened = pool.begin_with(begin.clone()).await;
        // An earlier failure, not this caller's: discards that connection and tries the next.
        for _ in 0..pool.size() {
            let Err(error) = &opened else { break };
            check.start(error);
            if !connection_check::is_aborted_transaction(error) {
                break;
            }
            opened = pool.begin_with(begin.clone()).await;
        }
        metrics.waited(asked.elapsed());
        Ok::<_, sqlx::Error>(Tx::new(opened?, metrics.transaction, asked, context))
    });
    // A hanging server does not answer `BEGIN` even on an idle connection. The task continues and drops its result.
    match tokio::time::timeout(timeout, opening).await {
        Ok(tx) => Ok(tx??),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

fn pool(options: PgConnectOptions, config: &Config, max: u32, check: &ConnectionCheck) -> PgPool {
    let check = check.clone();
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(Duration::from_secs(config.acquire_timeout_seconds))
        .idle_timeout(IDLE)
        .max_lifetime(Duration::from_secs(1800))
        // A restarted server is noticed on use; a ping before each use would cost a round trip.
        .test_before_acquire(false)
        .after_release(move |conn, _| {
            let check = check.clone();
            // While the check is inactive, a returned connection costs only the pool's own ping, which also carries the rollback.
            Box::pin(async move { Ok(!check.is_active() || connection_check::is_clean(conn).await?) })
        })
        .connect_lazy_with(options)
}
