//! The database: who connects as whom, and transactions that belong to an organisation.
//!
//! Nothing outside this module sees a pool. A caller gets a transaction: [`Db::tenant`] with the organisation set, or
//! [`Db::system`] for what has no tenant yet. sqlx 0.9.0 returns a connection to the pool inside an open transaction
//! when a `begin()` future is dropped (transact-rs/sqlx#4385), and axum drops handler futures when a client
//! disconnects: so `BEGIN` runs in a task that is never cancelled. It does so as well when the statement fails after
//! its `BEGIN` (a timeout, a cancelled backend): see [`Doubt`]. `tests/it/db.rs` keeps both true.

pub mod config;
mod doctor;
mod doubt;
mod error;
pub mod managed;
mod metrics;
pub mod migrate;
pub mod roles;
mod search;
mod statements;
mod statistics;
pub mod tools;
mod tx;
pub mod verify;

use std::{str::FromStr as _, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::Instant;

pub use config::Config;
pub use doctor::{DoctorDeps, checks};
pub use error::{DbError, constraint};
pub use metrics::Metrics;
pub use search::contains;
pub use statistics::EVERY as STATISTICS_EVERY;
pub use tx::Tx;

use super::{crypto::MasterKey, ids::OrgId, lifecycle::uncancelled, telemetry::trace};
use doubt::Doubt;
use metrics::{Pool, PoolMetrics};

/// A connection that nobody used for so long is closed.
const IDLE: Duration = Duration::from_secs(300);

/// Where the database is and as whom to connect: enough to make each role's connection.
#[derive(Clone, Debug)]
pub struct Target {
    /// The administrator's or owner's connection, as configured or as made by the managed cluster.
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
    /// From a `postgres://` URL.
    pub fn from_url(url: &str, role_prefix: String, master_key: MasterKey) -> Result<Self, DbError> {
        let admin = PgConnectOptions::from_str(url)?;
        // sqlx takes the brackets of an IPv6 address for a part of it, and asks DNS for that.
        let address = admin.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')).map(str::to_owned);
        let admin = address.map_or(admin.clone(), |address| admin.host(&address));
        Ok(Self { admin, role_prefix, master_key })
    }

    pub fn role_name(&self, kind: RoleKind) -> String {
        format!("{}_{}", self.role_prefix, kind.suffix())
    }

    /// A role's password: derived, so that every host of the installation knows it and none stores it.
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
                // An abandoned transaction must not hold its locks, and the xmin horizon, for ever.
                ("idle_in_transaction_session_timeout", "60s"),
                ("lock_timeout", "15s"),
                // A host that loses its power must not hold its locks until the kernel's two hours are over.
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
    metrics: Metrics,
}

/// A pool, and what its transactions are observed with.
#[derive(Clone, Debug)]
struct Measured {
    pool: PgPool,
    /// For so long a caller waits for a transaction: for a connection, and as long again for its `BEGIN`.
    patience: Duration,
    doubt: Doubt,
    metrics: PoolMetrics,
}

impl Db {
    /// Pools for the roles that serve; connects lazily, so this does not fail when the server is away.
    pub fn new(target: &Target, config: &Config) -> Self {
        Self::measured(target, config, &Metrics::default())
    }

    /// As [`Self::new`], observed.
    pub fn measured(target: &Target, config: &Config, metrics: &Metrics) -> Self {
        let patience = Duration::from_secs(config.acquire_timeout_seconds) * 2;
        let open = |role, max, kind| {
            let doubt = Doubt::default();
            let pool = pool(target.connect_as(role), config, max, &doubt);
            Measured { pool, patience, doubt, metrics: metrics.pool(kind) }
        };
        Self {
            app: open(RoleKind::App, config.max_connections, Pool::App),
            system: open(RoleKind::System, config.max_system_connections, Pool::System),
            metrics: metrics.clone(),
        }
    }

    /// A transaction inside one organisation, as the role that row-level security binds. `BEGIN` and the setting
    /// travel in one round trip.
    pub async fn tenant(&self, org: OrgId) -> Result<Tx, DbError> {
        // The only formatted SQL there is: `OrgId` is a UUID and prints as hexadecimal digits and dashes.
        let begin = format!("BEGIN; SELECT set_config('holdfast.org_id', '{org}', true)");
        begin_uncancelled(&self.app, AssertSqlSafe(begin)).await
    }

    /// A transaction for what has no tenant yet: sign-in and key look-up, leasing, retention, gauges. Its callers are
    /// on a list that `tests/it/architecture.rs` checks.
    pub async fn system(&self) -> Result<Tx, DbError> {
        begin_uncancelled(&self.system, "BEGIN").await
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.system().await?.rollback().await?;
        Ok(())
    }

    /// Where the system sorts text by other rules than this database's indexes were built by: the rules' versions then and now,
    /// and the database's name as SQL takes it. `C` and `C.UTF-8` have one rule for ever.
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

    /// The indexes that searches want and that are not there, and the name of the database.
    async fn missing_search_indexes(&self) -> Result<(Vec<String>, String), DbError> {
        let mut tx = self.system().await?;
        let missing =
            sqlx::query_scalar!("SELECT name FROM search_indexes WHERE to_regclass(name) IS NULL ORDER BY name")
                .fetch_all(&mut *tx)
                .await?;
        let name = sqlx::query_scalar!("SELECT current_database() AS \"name!\"").fetch_one(&mut *tx).await?;
        Ok((missing, name))
    }

    /// The server's version, e.g. `15.18`.
    pub async fn server_version(&self) -> Result<String, DbError> {
        let mut tx = self.system().await?;
        let version =
            sqlx::query_scalar!("SELECT current_setting('server_version') AS \"version!\"").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// What time the server thinks it is.
    pub async fn server_time(&self) -> Result<DateTime<Utc>, DbError> {
        let mut tx = self.system().await?;
        let now = sqlx::query_scalar!("SELECT clock_timestamp() AS \"now!\"").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(now)
    }

    /// A session-level advisory lock on a connection of its own: held until the guard is dropped or the connection
    /// breaks. `None` when another session holds it.
    pub async fn try_session_lock(&self, key: i64) -> Result<Option<SessionLock>, DbError> {
        self.session_lock(key, false).await
    }

    /// As [`Self::try_session_lock`], beside others who share it; `None` while somebody has it alone.
    pub async fn try_shared_session_lock(&self, key: i64) -> Result<Option<SessionLock>, DbError> {
        self.session_lock(key, true).await
    }

    /// As [`Self::try_session_lock`], after waiting for those who share it, `patience` at most. Whoever asks to share it meanwhile is
    /// refused: the server lets nobody past who waits, so that it comes to an end however many there are.
    pub async fn session_lock_within(&self, key: i64, patience: Duration) -> Result<Option<SessionLock>, DbError> {
        // Detached from the pool, as below, and because of its time limits.
        let mut conn = self.app.pool.acquire().await?.detach();
        let limits = "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)";
        sqlx::query(limits).bind(patience.as_millis().max(1).to_string()).execute(&mut conn).await?;
        match sqlx::query("SELECT pg_advisory_lock($1)").bind(key).execute(&mut conn).await {
            Ok(_) => Ok(Some(SessionLock { conn })),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn session_lock(&self, key: i64, shared: bool) -> Result<Option<SessionLock>, DbError> {
        let pool = self.app.pool.clone();
        let taken = uncancelled(async move {
            // Detached from the pool: a lock must never come back to it with the connection.
            let mut conn = pool.acquire().await?.detach();
            let locked = sqlx::query_scalar!(
                "SELECT CASE WHEN $2 THEN pg_try_advisory_lock_shared($1) ELSE pg_try_advisory_lock($1) END AS \"locked!\"",
                key,
                shared
            )
            .fetch_one(&mut conn)
            .await?;
            Ok::<_, sqlx::Error>(locked.then_some(SessionLock { conn }))
        })
        .await?;
        Ok(taken?)
    }

    /// Brings the gauges of the pools up to date; before each scrape.
    pub fn observe_pools(&self) {
        for (kind, Measured { pool, .. }) in [(Pool::App, &self.app), (Pool::System, &self.system)] {
            self.metrics.pool_size(kind, pool.size(), pool.num_idle(), pool.options().get_max_connections());
        }
    }

    /// Closes the pools; running transactions end first.
    pub async fn close(&self) {
        self.app.pool.close().await;
        self.system.pool.close().await;
    }
}

/// Holds an advisory lock for as long as it lives; the server releases it when the connection goes.
#[derive(Debug)]
pub struct SessionLock {
    conn: sqlx::PgConnection,
}

impl SessionLock {
    /// Whether the connection, and with it the lock, is still there.
    pub async fn is_held(&mut self) -> bool {
        self.conn.ping().await.is_ok()
    }

    /// Gives the lock back before this returns: for whoever, or whose next step, takes it again at once. After a mere drop it is free
    /// when the server has noticed.
    pub async fn release(mut self) {
        let _ = self.conn.execute("SELECT pg_advisory_unlock_all()").await;
        let _ = self.conn.close().await;
    }
}

async fn begin_uncancelled(from: &Measured, begin: impl sqlx::SqlSafeStr) -> Result<Tx, DbError> {
    let (Measured { pool, patience, doubt, metrics }, begin) = (from.clone(), begin.into_sql_str());
    let context = trace::current();
    let opening = uncancelled(async move {
        let asked = Instant::now();
        let mut opened = pool.begin_with(begin.clone()).await;
        // Not this caller's failure, but one before it: that connection is thrown away now, and the next is tried.
        for _ in 0..pool.size() {
            let Err(error) = &opened else { break };
            doubt.raise(error);
            if !doubt::is_of_another(error) {
                break;
            }
            opened = pool.begin_with(begin.clone()).await;
        }
        metrics.waited(asked.elapsed());
        Ok::<_, sqlx::Error>(Tx::new(opened?, metrics.transaction, asked, context))
    });
    // A server that hangs answers no `BEGIN` on a connection that lay ready. The task goes on, and drops what it gets.
    match tokio::time::timeout(patience, opening).await {
        Ok(tx) => Ok(tx??),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
    }
}

fn pool(options: PgConnectOptions, config: &Config, max: u32, doubt: &Doubt) -> PgPool {
    let doubt = doubt.clone();
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(Duration::from_secs(config.acquire_timeout_seconds))
        .idle_timeout(IDLE)
        .max_lifetime(Duration::from_secs(1800))
        // A restarted server is noticed when the connection is used; a ping before each use would cost a round trip.
        .test_before_acquire(false)
        .after_release(move |conn, _| {
            let doubt = doubt.clone();
            // The pool's own ping, with which a rollback travels, is all that a connection of a calm pool costs.
            Box::pin(async move { Ok(!doubt.is_raised() || doubt::is_clean(conn).await?) })
        })
        .connect_lazy_with(options)
}
