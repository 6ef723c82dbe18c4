//! Rows that rooms describe in SQL: `tests/it/lists/<room>.sql`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

/// For the rooms' files. Each makes `$rows` rows of each list of its room, and at least one of each of its other tables, of the organisation `$org` and
/// the person `$user`. Each row has the word "common" where a search looks, a few the word "heron",
/// the oldest fifth the word "bygone".
const PRELUDE: &str = "
    CREATE FUNCTION pg_temp.id(n int) RETURNS uuid LANGUAGE sql AS $$
      SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid $$;
    CREATE FUNCTION pg_temp.other(n int) RETURNS uuid LANGUAGE sql AS $$ SELECT overlay(pg_temp.id(n)::text placing 'ffffffffffff' from 25)::uuid $$;
    CREATE FUNCTION pg_temp.word(n int) RETURNS text LANGUAGE sql AS $$ 
      SELECT 'common' || CASE WHEN n % 1000 = 7 THEN ' heron' ELSE '' END || CASE WHEN n <= $rows / 5 THEN ' bygone' ELSE '' END $$;
    CREATE TABLE pg_temp.n AS SELECT n FROM generate_series(1, $rows) AS n;";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lists")
}

/// The rooms that have such a file, sorted.
pub fn rooms() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut rooms: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    rooms.sort();
    rooms
}

/// Inserts so many rows of each of these rooms, in their order: those after `auth` find its organisations. `me` is the answer of `/api/v1/auth/me`. Once
/// for a connection, which must belong to the administrator of the database.
pub async fn insert(conn: &mut PgConnection, rooms: &[String], me: &Value, rows: usize) {
    let (org, user) = (me["organisation_id"].as_str().unwrap(), me["user"]["id"].as_str().unwrap());
    let filled = |sql: &str| sql.replace("$org", org).replace("$user", user).replace("$rows", &rows.to_string());
    sqlx::raw_sql(AssertSqlSafe(filled(PRELUDE))).execute(&mut *conn).await.unwrap();
    for room in rooms {
        let sql = filled(&fs::read_to_string(folder().join(format!("{room}.sql"))).unwrap());
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await;
        done.unwrap_or_else(|error| panic!("tests/it/lists/{room}.sql: {error}"));
    }
}
