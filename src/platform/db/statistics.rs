//! The server's own statistics, read every 15 s ([`EVERY`]) on a separate connection, so that a pool that is exhausted does not look like a
//! server that is down.
//!
//! Any role can read them, except the age of other sessions' transactions: that needs `pg_read_all_stats`, which [`super::roles`] grants if
//! it may and `doctor` asks for otherwise.

use std::time::Duration;

use sqlx::{
    ConnectOptions as _, PgConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use tokio::time::{sleep, timeout};

use super::{Db, DbError, metrics::Metrics, statements::Statements};
use crate::{clock::Clock, lifecycle::Lifecycle};

/// The usual scrape interval of Prometheus.
pub const EVERY: Duration = Duration::from_secs(15);
/// The counters are in memory: a server that takes longer is considered down.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Statistics of the database and the server.
#[derive(Debug)]
pub(super) struct Totals {
    pub connections: i64,
    pub max_connections: i64,
    pub transaction_age: i64,
    pub bytes: i64,
    pub blocks_hit: i64,
    pub blocks_read: i64,
    pub deadlocks: i64,
    pub temporary_bytes: i64,
    pub committed: i64,
    pub rolled_back: i64,
}

/// Sessions of the database.
#[derive(Debug)]
pub(super) struct Activity {
    /// Seconds.
    pub longest_transaction: f64,
}

#[derive(Debug)]
pub(super) struct Slots {
    pub active: i64,
    pub inactive: i64,
    pub retained_bytes: i64,
}

/// A table with its partitions.
#[derive(Debug)]
pub(super) struct TableRows {
    pub name: String,
    pub live: i64,
    pub dead: i64,
    /// Unix time; 0: never.
    pub last_vacuum: f64,
}

/// Sessions waiting for another session's lock.
#[derive(Debug)]
pub(super) struct Locks {
    pub waiters: i64,
    /// Seconds.
    pub longest_wait: f64,
}

/// Since the server's statistics were last reset.
#[derive(Debug)]
pub(super) struct Checkpoints {
    pub timed: i64,
    pub requested: i64,
    /// Milliseconds, as the server counts.
    pub write_ms: f64,
    pub sync_ms: f64,
}

/// Runs until the shutdown begins.
fn start(
    options: PgConnectOptions,
    (metrics, clock): (Metrics, Clock),
    roles: Vec<String>,
    every: Duration,
    lifecycle: &Lifecycle,
) {
    let soft = lifecycle.soft().clone();
    let statements = Statements::new(options.clone(), roles);
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(TIMEOUT).connect_lazy_with(
        options.application_name("holdfast statistics").log_slow_statements(
            // The gauges show a server under load; no log line for each look.
            tracing::log::LevelFilter::Debug,
            TIMEOUT,
        ),
    );
    lifecycle.spawn("database.statistics", async move {
        let mut reader = Reader { pool, metrics, clock, statements, answered: true, refused: Vec::new() };
        while !soft.is_cancelled() {
            reader.read().await;
            tokio::select! { () = soft.cancelled() => {}, () = sleep(every) => {} }
        }
        reader.pool.close().await;
    });
}

struct Reader {
    pool: PgPool,
    metrics: Metrics,
    clock: Clock,
    statements: Statements,
    /// At the last look.
    answered: bool,
    /// What this server does not let us read: logged once.
    refused: Vec<&'static str>,
}

impl Reader {
    async fn read(&mut self) {
        match timeout(TIMEOUT, self.look()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(()) => {
                if !self.answered {
                    tracing::info!("the database answers again");
                }
                self.answered = true;
            }
            Err(error) => {
                self.metrics.down();
                if self.answered {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the database does not answer");
                }
                self.answered = false;
            }
        }
    }

    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        let totals = totals(&mut conn).await?;
        self.metrics.totals(&totals);
        let found = activity(&mut conn).await;
        let found = self.allowed("transactions of others (pg_stat_activity)", found)?.flatten();
        self.metrics.activity(found.as_ref());
        let found = slots(&mut conn).await;
        let found = self.allowed("replication slots", found)?;
        self.metrics.slots(found.as_ref());
        let watched: Vec<String> = self.metrics.watched.iter().map(|&name| name.to_owned()).collect();
        let found = tables(&mut conn, &watched).await;
        let found = self.allowed("table statistics", found)?;
        self.metrics.tables(found.as_deref());
        let found = locks(&mut conn).await;
        let found = self.allowed("locks", found)?;
        self.metrics.locks(found.as_ref());
        let found = checkpoints(&mut conn).await;
        if let Some(found) = self.allowed("checkpoints", found)? {
            self.metrics.checkpoints(&found);
        }
        self.metrics.clock_offset(Some(self.clock_offset(&mut conn).await?));
        self.metrics.statements(self.statements.read(&mut conn).await?.as_ref());
        Ok(())
    }

    /// Offset of this clock from the server's, seconds; assumes that the server read its clock halfway between query and response.
    async fn clock_offset(&self, conn: &mut PgConnection) -> Result<f64, sqlx::Error> {
        let asked = self.clock.now();
        let theirs = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await?;
        let middle = asked + (self.clock.now() - asked) / 2;
        Ok((middle - theirs).as_seconds_f64())
    }

    /// `None` if this role may not read it; logged the first time.
    fn allowed<T>(&mut self, what: &'static str, found: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
        match found {
            Ok(found) => Ok(Some(found)),
            // 42501: insufficient privilege; 0A000, 55000: not supported by this server.
            Err(sqlx::Error::Database(e)) if e.code().is_some_and(|c| ["42501", "0A000", "55000"].contains(&&*c)) => {
                if !self.refused.contains(&what) {
                    self.refused.push(what);
                    tracing::warn!(
                        what,
                        reason = e.message(),
                        "no permission to read this from the database: its metrics stay empty"
                    );
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

async fn totals(conn: &mut PgConnection) -> Result<Totals, sqlx::Error> {
    sqlx::query_as!(
        Totals,
        r#"SELECT (SELECT sum(numbackends) FROM pg_stat_database)::bigint AS "connections!",
             current_setting('max_connections')::bigint AS "max_connections!",
             (SELECT max(age(datfrozenxid)) FROM pg_database)::bigint AS "transaction_age!",
             pg_database_size(d.datid) AS "bytes!", d.blks_hit AS "blocks_hit!", d.blks_read AS "blocks_read!",
             d.deadlocks AS "deadlocks!", d.temp_bytes AS "temporary_bytes!", d.xact_commit AS "committed!",
             d.xact_rollback AS "rolled_back!"
           FROM pg_stat_database d WHERE d.datname = current_database()"#
    )
    .fetch_one(conn)
    .await
}

/// `None` if the role only sees its own sessions.
async fn activity(conn: &mut PgConnection) -> Result<Option<Activity>, sqlx::Error> {
    if !sees_others(&mut *conn).await? {
        return Ok(None);
    }
    // A backend that streams the WAL has a start time but holds back no rows.
    sqlx::query_as!(
        Activity,
        r#"SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8 AS "longest_transaction!"
           FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"#
    )
    .fetch_one(conn)
    .await
    .map(Some)
}

async fn sees_others(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS "granted!""#).fetch_one(conn).await
}

async fn slots(conn: &mut PgConnection) -> Result<Slots, sqlx::Error> {
    sqlx::query_as!(
        Slots,
        r#"SELECT count(*) FILTER (WHERE active) AS "active!", count(*) FILTER (WHERE NOT active) AS "inactive!",
             greatest(coalesce(max(pg_wal_lsn_diff(
               CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)), 0), 0)::bigint
               AS "retained_bytes!"
           FROM pg_replication_slots"#
    )
    .fetch_one(conn)
    .await
}

/// Any role sees waiting sessions. Advisory locks are excluded: index writers wait in turn for theirs by design.
async fn locks(conn: &mut PgConnection) -> Result<Locks, sqlx::Error> {
    sqlx::query_as!(
        Locks,
        r#"SELECT count(DISTINCT l.pid) AS "waiters!",
             coalesce(extract(epoch FROM max(clock_timestamp() - l.waitstart)), 0)::float8 AS "longest_wait!"
           FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
           WHERE NOT l.granted AND l.locktype <> 'advisory' AND a.datname = current_database()"#
    )
    .fetch_one(conn)
    .await
}

/// PostgreSQL 17 moved them to another view with other names, so the query is not checked at build time.
async fn checkpoints(conn: &mut PgConnection) -> Result<Checkpoints, sqlx::Error> {
    const SINCE_17: &str =
        "SELECT num_timed, num_requested, write_time, sync_time FROM pg_catalog.pg_stat_checkpointer";
    const BEFORE: &str = "SELECT checkpoints_timed, checkpoints_req, checkpoint_write_time, checkpoint_sync_time \
        FROM pg_catalog.pg_stat_bgwriter";
    let newer = sqlx::query_scalar!(r#"SELECT current_setting('server_version_num')::int >= 170000 AS "newer!""#)
        .fetch_one(&mut *conn)
        .await?;
    let (timed, requested, write_ms, sync_ms) =
        sqlx::query_as(if newer { SINCE_17 } else { BEFORE }).fetch_one(conn).await?;
    Ok(Checkpoints { timed, requested, write_ms, sync_ms })
}

async fn tables(conn: &mut PgConnection, names: &[String]) -> Result<Vec<TableRows>, sqlx::Error> {
    sqlx::query_as!(
        TableRows,
        r#"SELECT whole.relname::text AS "name!", sum(s.n_live_tup)::bigint AS "live!", sum(s.n_dead_tup)::bigint AS "dead!",
             coalesce(extract(epoch FROM max(greatest(s.last_vacuum, s.last_autovacuum))), 0)::float8 AS "last_vacuum!"
           FROM pg_stat_user_tables s LEFT JOIN pg_inherits i ON i.inhrelid = s.relid
             JOIN pg_class whole ON whole.oid = coalesce(i.inhparent, s.relid)
           WHERE s.schemaname = 'public' AND whole.relname = ANY($1) GROUP BY whole.relname"#,
        names,
    )
    .fetch_all(conn)
    .await
}

impl Db {
    /// Reads the server's statistics now and every `every`, until `lifecycle` ends.
    pub fn start_statistics(&self, every: Duration, clock: Clock, lifecycle: &Lifecycle) {
        let [app, system] = [&self.app, &self.system].map(|role| role.pool.connect_options().as_ref().clone());
        let roles = [&app, &system].map(|options| options.get_username().to_owned()).to_vec();
        start(system, (self.metrics.clone(), clock), roles, every, lifecycle);
    }

    /// Whether role `system` sees the age of other sessions' transactions.
    pub async fn sees_others_sessions(&self) -> Result<bool, DbError> {
        let mut tx = self.system().await?;
        Ok(sees_others(&mut tx).await?)
    }
}
