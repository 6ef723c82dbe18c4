//! Comparable facts of a database: of the snapshot that is dumped, and of the restored database.
//!
//! Catalogue queries on our own connections, outside the pools. Not `query!`, because the tables depend on the migration level of the
//! database.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::manifest::Schema;
use platform::db::Target;

/// Our tables: partitions and plain tables, whose rows are counted.
const TABLES: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1";
const FORCED: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'public' AND c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1";
const POLICIES: &str = "SELECT format('%s: %s %s %s to %s using (%s) with check (%s)', tablename, policyname, permissive, cmd, \
    array_to_string(roles, ','), coalesce(qual, ''), coalesce(with_check, '')) FROM pg_policies \
    WHERE schemaname = 'public' ORDER BY 1";
/// NOT NULL is left out: it is a constraint only since PostgreSQL 18.
const CONSTRAINTS: &str = "SELECT format('%s: %s %s%s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid), \
    CASE WHEN c.convalidated THEN '' ELSE ' not validated' END) FROM pg_constraint c \
    JOIN pg_namespace n ON n.oid = c.connamespace \
    WHERE n.nspname = 'public' AND c.contype IN ('c', 'f', 'p', 'u', 'x') ORDER BY 1";
const INDEXES: &str = "SELECT format('%s%s', indexdef, CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END) FROM pg_indexes p \
    JOIN pg_class c ON c.relname = p.indexname AND c.relnamespace = 'public'::regnamespace \
    JOIN pg_index i ON i.indexrelid = c.oid WHERE p.schemaname = 'public' ORDER BY 1";

/// How many tables there are.
pub async fn tables(conn: &mut PgConnection) -> sqlx::Result<i64> {
    let count = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')";
    sqlx::query_scalar(count).fetch_one(conn).await
}

/// The name of a search index, from the definition of an index; `None` for others. These are the GIN indexes that need an extension: of
/// trigrams (`pg_trgm`), or with the organisation as first column (`btree_gin`). They are optional: a start builds those that are missing.
pub fn search_index(definition: &str) -> Option<&str> {
    let (index, columns) = definition.split_once(" USING gin (")?;
    let is_one = columns.contains("gin_trgm_ops") || columns.starts_with("org_id, ");
    is_one.then_some(index.strip_prefix("CREATE INDEX ")?.split_once(" ON ")?.0)
}

/// Whether search indexes can be restored: with both extensions, and `pg_trgm` in the schema that the indexes name.
pub async fn has_extensions(conn: &mut PgConnection) -> sqlx::Result<bool> {
    let both = "SELECT EXISTS (SELECT FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND opcnamespace = 'public'::regnamespace) \
        AND EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gin')";
    sqlx::query_scalar(both).fetch_one(conn).await
}

/// Search indexes of `expected` that `found` lacks.
pub fn unindexed<'a>(expected: &'a Schema, found: &Schema) -> Vec<&'a str> {
    let missing = expected.indexes.iter().filter(|index| !found.indexes.contains(index));
    missing.filter_map(|index| search_index(index)).collect()
}

/// Version of the server, e.g. `15.18`.
pub async fn server_version(target: &Target) -> sqlx::Result<String> {
    let mut conn = PgConnection::connect_with(&target.admin).await?;
    let version = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut conn).await?;
    let _ = conn.close().await;
    Ok(version)
}

async fn list(conn: &mut PgConnection, sql: &'static str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(sql).fetch_all(conn).await
}

/// Describes the database as seen by `conn`, e.g. in a snapshot. Counts every row.
pub async fn describe(conn: &mut PgConnection) -> sqlx::Result<Schema> {
    let mut schema = Schema {
        forced: list(conn, FORCED).await?,
        policies: list(conn, POLICIES).await?,
        constraints: list(conn, CONSTRAINTS).await?,
        indexes: list(conn, INDEXES).await?,
        ..Schema::default()
    };
    let tables = list(conn, TABLES).await?;
    if tables.iter().any(|table| table == "_sqlx_migrations") {
        let all = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY 1";
        let all: Vec<i64> = sqlx::query_scalar(all).fetch_all(&mut *conn).await?;
        schema.migration = all.last().copied().unwrap_or_default();
        schema.migrations = all.into_iter().collect();
    }
    let mut rows = BTreeMap::new();
    for table in tables {
        // A table name from the catalogue, quoted.
        let count = format!("SELECT count(*) FROM public.\"{}\"", table.replace('"', "\"\""));
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut *conn).await?;
        rows.insert(table, u64::try_from(count).unwrap_or_default());
    }
    schema.rows = rows;
    Ok(schema)
}

/// Differences of `found` from `expected`, as text; empty if they agree. Search indexes may be missing.
pub fn differences(expected: &Schema, found: &Schema) -> Vec<String> {
    let mut differences = Vec::new();
    for (table, rows) in &expected.rows {
        match found.rows.get(table) {
            None => differences.push(format!("table {table} is missing")),
            Some(count) if count != rows => {
                differences.push(format!("table {table} has {count} rows instead of {rows}"));
            }
            Some(_) => {}
        }
    }
    for table in found.rows.keys().filter(|table| !expected.rows.contains_key(*table)) {
        differences.push(format!("table {table} should not be there"));
    }
    for (what, expected, found) in [
        ("forced row-level security on", &expected.forced, &found.forced),
        ("policy", &expected.policies, &found.policies),
        ("constraint", &expected.constraints, &found.constraints),
        ("index", &expected.indexes, &found.indexes),
    ] {
        let missing =
            expected.iter().filter(|e| !found.contains(e) && (platform::mutant(45) || search_index(e).is_none()));
        differences.extend(missing.map(|e| format!("{what} {e} is missing")));
        differences
            .extend(found.iter().filter(|f| !expected.contains(f)).map(|f| format!("{what} {f} should not be there")));
    }
    if expected.migration != found.migration {
        differences.push(format!("the last migration is {} instead of {}", found.migration, expected.migration));
    }
    // Backups of earlier versions have no list.
    if !expected.migrations.is_empty() {
        let (expected, found) = (&expected.migrations, &found.migrations);
        differences.extend(expected.difference(found).map(|version| format!("migration {version} is missing")));
        differences
            .extend(found.difference(expected).map(|version| format!("migration {version} should not be there")));
    }
    differences
}
