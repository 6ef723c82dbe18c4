//! Database figures: each is one statement that returns JSON.

use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};

use crate::app::Config;
use platform::{
    data_dir,
    db::{RoleKind, Target, managed::Managed},
};

pub const TABLES: &str = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
    SELECT relname AS name, n_live_tup AS rows, n_dead_tup AS dead_rows, pg_total_relation_size(relid) AS bytes,
      last_autovacuum, last_autoanalyze, seq_scan, idx_scan
    FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC) t";

pub const JOBS: &str = "SELECT jsonb_build_object(
    'now', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
      SELECT queue, kind, state, count(*) AS jobs, max(attempt) AS attempts, min(run_at) AS oldest FROM jobs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) t),
    'ended_within_a_day', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
      SELECT queue, kind, state, count(*) AS jobs FROM job_history WHERE finished_at > now() - interval '1 day' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) t),
    'queues', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
      SELECT name, paused, concurrency, rate_per_minute FROM job_queues ORDER BY name) t))";

pub const ACTIVITY: &str = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
    SELECT usename AS role, state, wait_event_type, wait_event, count(*) AS sessions,
      max(extract(epoch FROM now() - xact_start))::int AS longest_transaction_seconds
    FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC) t";

pub const SETTINGS: &str = "SELECT jsonb_object_agg(name, jsonb_build_object('value', setting, 'unit', unit, 'source', source)) FROM pg_settings
    WHERE name IN ('server_version', 'max_connections', 'shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem',
      'max_wal_size', 'min_wal_size', 'wal_compression', 'checkpoint_timeout', 'random_page_cost', 'effective_io_concurrency', 'jit', 'fsync',
      'synchronous_commit', 'full_page_writes', 'data_checksums', 'autovacuum', 'autovacuum_max_workers', 'log_lock_waits', 'deadlock_timeout',
      'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'TimeZone', 'server_encoding', 'lc_collate')";

pub const BACKUPS: &str = "SELECT jsonb_build_object(
    'backups', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
      SELECT b.sequence, b.kind, b.status, b.started_at, b.finished_at, b.total_bytes, b.error,
        (SELECT jsonb_object_agg(c.destination, c.status) FROM backup_copies c WHERE c.backup_id = b.id) AS copies
      FROM backups b ORDER BY b.sequence DESC LIMIT 20) t),
    'drills', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
      SELECT destination, status, started_at, seconds, error FROM backup_drills ORDER BY id DESC LIMIT 20) t))";

/// Statements of our roles in our database only, since an external server serves others too. They contain no values: the extension writes
/// `$1` in their place, except for a statement whose entry was evicted while it ran, so quoted text is removed. Other statements could
/// contain a password.
const STATEMENTS: &str = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
    SELECT calls, round(total_exec_time) AS total_ms, round(mean_exec_time::numeric, 2) AS mean_ms, rows, shared_blks_read,
      left(regexp_replace(query, $q$'([^']|'')*('|$)$q$, $q$'?'$q$, 'g'), 1000) AS query
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) AND userid IN (SELECT oid FROM pg_roles WHERE rolname = ANY($2))
      AND query ~* '^\\s*(select|insert|update|delete|with)\\M'
    ORDER BY total_exec_time DESC LIMIT 30) t";

/// As above, of everybody.
const STATEMENTS_OF_ALL: &str = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM (
    SELECT calls, round(total_exec_time) AS total_ms, left(query, 1000) AS query FROM pg_stat_statements
    WHERE $1::text IS NOT NULL AND $2::text[] IS NOT NULL AND query ~* '^\\s*(select|insert|update|delete|with)\\M') t";

/// Connection to the database; starts nothing.
pub fn target(config: &Config) -> anyhow::Result<Target> {
    let key = data_dir::existing_key(&config.data_dir, config.secret_key_file.as_deref())?;
    let key = key.ok_or_else(|| anyhow::anyhow!("there is no installation in {}", config.data_dir.display()))?;
    let database = &config.database;
    Ok(match &database.url {
        Some(url) => Target::from_url(url.expose_secret(), database.role_prefix.clone(), key)?,
        None => Managed::attach(&config.data_dir, &database.role_prefix, &key)?,
    })
}

/// JSON result of a statement.
pub async fn ask(config: &Config, sql: &'static str) -> anyhow::Result<String> {
    // The role that may read everything and write nothing.
    let mut conn = PgConnection::connect_with(&target(config)?.connect_as(RoleKind::Backup)).await?;
    let found: serde_json::Value = sqlx::query_scalar(sql).fetch_one(&mut conn).await?;
    let _ = conn.close().await;
    Ok(serde_json::to_string_pretty(&found)?)
}

/// The extension with statement statistics is in our database or, as in the private cluster and in compose, in the maintenance database
/// (`platform::db::statements`).
pub async fn statements(config: &Config) -> anyhow::Result<String> {
    let target = target(config)?;
    let options = target.connect_as(RoleKind::Backup);
    let roles = RoleKind::ALL.map(|kind| target.role_name(kind)).to_vec();
    let mut conn = PgConnection::connect_with(&options).await?;
    let ours: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut conn).await?;
    if !has_extension(&mut conn).await? {
        let _ = conn.close().await;
        conn = PgConnection::connect_with(&options.database("postgres")).await?;
        anyhow::ensure!(has_extension(&mut conn).await?, "the extension pg_stat_statements is not on this server");
    }
    let statements = if platform::mutant(43) { STATEMENTS_OF_ALL } else { STATEMENTS };
    let found: serde_json::Value = sqlx::query_scalar(statements).bind(ours).bind(roles).fetch_one(&mut conn).await?;
    let _ = conn.close().await;
    Ok(serde_json::to_string_pretty(&found)?)
}

async fn has_extension(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT to_regclass('pg_stat_statements') IS NOT NULL").fetch_one(conn).await
}
