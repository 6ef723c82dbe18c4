//! Facts that must be equal in both clusters.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};

/// The extension that counts statements; it can be recreated at any time.
pub const STATEMENTS: &str = "pg_stat_statements";
/// The database that we created it in: see `create_database`.
pub const STATEMENTS_IN: &str = "postgres";

/// The compared facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub roles: BTreeSet<String>,
    pub databases: BTreeMap<String, Database>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    pub extensions: BTreeSet<String>,
    pub rows: BTreeMap<String, i64>,
}

impl Facts {
    /// Queries the running server; scans every table.
    pub async fn gather(admin: &PgConnectOptions) -> sqlx::Result<Self> {
        let mut facts = Self { roles: roles(admin).await?, databases: BTreeMap::new() };
        for name in databases(admin).await? {
            let mut conn = PgConnection::connect_with(&admin.clone().database(&name)).await?;
            let database = Database { extensions: extensions(&mut conn).await?, rows: rows(&mut conn).await? };
            conn.close().await?;
            facts.databases.insert(name, database);
        }
        Ok(facts)
    }

    pub fn rows(&self) -> i64 {
        self.databases.values().flat_map(|database| database.rows.values()).sum()
    }

    pub fn tables(&self) -> usize {
        self.databases.values().map(|database| database.rows.len()).sum()
    }

    /// Lists the differences to `other`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for role in self.roles.symmetric_difference(&other.roles) {
            found.push(format!("role {role} is in one of them only"));
        }
        let names: BTreeSet<&String> = self.databases.keys().chain(other.databases.keys()).collect();
        for name in names {
            let (Some(here), Some(there)) = (self.databases.get(name), other.databases.get(name)) else {
                found.push(format!("database {name} is in one of them only"));
                continue;
            };
            for extension in here.extensions.symmetric_difference(&there.extensions) {
                found.push(format!("extension {extension} of database {name} is in one of them only"));
            }
            let tables: BTreeSet<&String> = here.rows.keys().chain(there.rows.keys()).collect();
            let count = |rows: Option<&i64>| rows.map_or_else(|| "no table".to_owned(), |rows| format!("{rows} rows"));
            for table in tables {
                let (before, after) = (here.rows.get(table), there.rows.get(table));
                if before != after {
                    let (before, after) = (count(before), count(after));
                    found.push(format!("{table} of database {name}: {before} before, {after} after"));
                }
            }
        }
        found
    }
}

/// Databases that accept connections.
pub async fn databases(admin: &PgConnectOptions) -> sqlx::Result<Vec<String>> {
    let sql = "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";
    one_column(admin, sql).await
}

/// Extensions per database.
pub async fn all_extensions(admin: &PgConnectOptions) -> sqlx::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut found = BTreeMap::new();
    for name in databases(admin).await? {
        let mut conn = PgConnection::connect_with(&admin.clone().database(&name)).await?;
        let extensions = extensions(&mut conn).await?;
        conn.close().await?;
        found.insert(name, extensions);
    }
    Ok(found)
}

/// Extensions available to `CREATE EXTENSION`.
pub async fn available_extensions(admin: &PgConnectOptions) -> sqlx::Result<BTreeSet<String>> {
    Ok(one_column(admin, "SELECT name::text FROM pg_available_extensions").await?.into_iter().collect())
}

/// Replication slots: their consumers cannot continue on the new server.
pub async fn replication_slots(admin: &PgConnectOptions) -> sqlx::Result<Vec<String>> {
    one_column(admin, "SELECT slot_name::text FROM pg_replication_slots WHERE NOT temporary ORDER BY 1").await
}

/// Drops the extension that counts statements when the new version lacks its module.
pub async fn drop_statements(admin: &PgConnectOptions) -> sqlx::Result<()> {
    let mut conn = PgConnection::connect_with(&admin.clone().database(STATEMENTS_IN)).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP EXTENSION IF EXISTS {STATEMENTS}"))).execute(&mut conn).await?;
    conn.close().await
}

async fn roles(admin: &PgConnectOptions) -> sqlx::Result<BTreeSet<String>> {
    // Each version adds roles with this prefix.
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'";
    Ok(one_column(admin, sql).await?.into_iter().collect())
}

async fn one_column(admin: &PgConnectOptions, sql: &'static str) -> sqlx::Result<Vec<String>> {
    let mut conn = PgConnection::connect_with(admin).await?;
    let found = sqlx::query_scalar(sql).fetch_all(&mut conn).await?;
    conn.close().await?;
    Ok(found)
}

async fn extensions(conn: &mut PgConnection) -> sqlx::Result<BTreeSet<String>> {
    let found: Vec<String> = sqlx::query_scalar("SELECT extname::text FROM pg_extension").fetch_all(conn).await?;
    Ok(found.into_iter().collect())
}

/// Row count of every table and partition; as the superuser, who bypasses row-level security.
async fn rows(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<String, i64>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut found = BTreeMap::new();
    for table in tables {
        // Quoted by the server.
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM ONLY {table}"));
        found.insert(table, sqlx::query_scalar(sql).fetch_one(&mut *conn).await?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(roles: &[&str], tables: &[(&str, i64)]) -> Facts {
        let rows = tables.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect();
        let extensions = ["plpgsql".to_owned()].into();
        let databases = [("holdfast".to_owned(), Database { extensions, rows })].into();
        Facts { roles: roles.iter().map(|&role| role.to_owned()).collect(), databases }
    }

    #[test]
    fn whatever_is_not_the_same_is_named() {
        let before = facts(&["holdfast", "holdfast_app"], &[("public.users", 3), ("public.jobs", 7)]);
        assert_eq!(before.differences(&before), Vec::<String>::new());
        let after = facts(&["holdfast"], &[("public.users", 2), ("public.other", 0)]);
        assert_eq!(
            before.differences(&after),
            [
                "role holdfast_app is in one of them only",
                "public.jobs of database holdfast: 7 rows before, no table after",
                "public.other of database holdfast: no table before, 0 rows after",
                "public.users of database holdfast: 3 rows before, 2 rows after",
            ]
        );
        let mut without = before.clone();
        without.databases.get_mut("holdfast").unwrap().extensions.clear();
        assert_eq!(before.differences(&without), ["extension plpgsql of database holdfast is in one of them only"]);
        without.databases.clear();
        assert_eq!(before.differences(&without), ["database holdfast is in one of them only"]);
    }
}
