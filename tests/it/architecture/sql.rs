//! SQL is in the stores, where `query!` checks it at compile time, and in `platform/db`. Seen by what a source takes from sqlx: without a name
//! beyond [`HARMLESS`], nothing can be sent to the server.

use std::collections::BTreeSet;

use super::{differences, find, is_word, places, set};

const HARMLESS: [&str; 7] = ["Connection", "Error", "PgConnection", "Result", "Type", "postgres", "types"];
/// Those of a store: nothing that is composed at run time.
const CHECKED: [&str; 3] = ["query!", "query_as!", "query_scalar!"];
/// Methods of a connection that take SQL and need no name of sqlx.
const METHODS: [&str; 3] = ["begin_with", "copy_in_raw", "copy_out_raw"];

/// File, what it takes from sqlx, reason.
const ELSEWHERE: [(&str, &str, &str); 5] = [
    ("backup/doctor.rs", "query_scalar", "asks the server as the backup role, what it may do"),
    ("backup/dump.rs", "Executor query_scalar", "holds a snapshot for pg_dump, and makes extensions before pg_restore"),
    (
        "backup/schema.rs",
        "AssertSqlSafe query_scalar",
        "reads the catalogue and counts the rows of whatever tables are there",
    ),
    ("backup/service/restore/database.rs", "query_scalar", "asks a database that may be empty"),
    ("cli/support_bundle/database.rs", "query_scalar", "asks a server whose database may be of another version"),
];

fn is_store(path: &str) -> bool {
    path.ends_with("/store.rs") || path.contains("/store/")
}

/// What a source takes from sqlx to send SQL; a macro's name ends with `!`.
fn senders(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in places(code, "sqlx").filter_map(|at| code[at..].strip_prefix("sqlx::")) {
        match rest.strip_prefix('{') {
            Some(group) => found.extend(outer(group).split(',').map(|part| name(part.trim()))),
            None => _ = found.insert(name(rest)),
        }
    }
    found.retain(|name| !name.is_empty() && !HARMLESS.contains(&name.as_str()));
    found.extend(
        METHODS.iter().filter(|method| code.contains(&format!(".{method}("))).map(|method| (*method).to_owned()),
    );
    found
}

/// The name that a text begins with, and a macro's `!`; or `*`.
fn name(text: &str) -> String {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let is_more = text[end..].starts_with(['!', '*']);
    text[..end + usize::from(is_more)].to_owned()
}

/// What stands in a group of braces, without the groups in it.
fn outer(group: &str) -> String {
    let mut depth = 1;
    let mut own = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 1 => own.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    own
}

/// What a source may not take without an exception.
fn unusual(path: &str, code: &str) -> BTreeSet<String> {
    let mut found = senders(code);
    found.retain(|name| !(path.starts_with("platform/db/") || is_store(path) && CHECKED.contains(&name.as_str())));
    found
}

#[test]
fn sql_stays_in_stores_and_the_database_module() {
    let wrong = differences(&find(unusual), &ELSEWHERE);
    assert!(wrong.is_empty(), "SQL outside a store, or composed at run time in one:\n{}", wrong.join("\n"));
}

#[test]
fn sql_outside_a_store_is_seen_in_every_spelling() {
    for (text, expected) in [
        ("sqlx::query(\"SELECT 1\").execute(conn)", "query"),
        ("let n: i64 = sqlx::query_scalar(count).fetch_one(conn)", "query_scalar"),
        ("sqlx::query_as::<_, Row>(\"SELECT 1\")", "query_as"),
        ("sqlx::query!(\"DELETE FROM jobs\")", "query!"),
        ("sqlx::raw_sql(\"DELETE FROM jobs\")", "raw_sql"),
        (
            "use sqlx::{\n    Connection as _,\n    postgres::{PgPool, PgRow},\n    Executor as _,\n};\nconn.execute(\"x\")",
            "Executor",
        ),
        ("use sqlx::*;\nquery(\"x\")", "*"),
        ("conn.copy_in_raw(\"COPY jobs FROM STDIN\")", "copy_in_raw"),
    ] {
        assert_eq!(unusual("shop/service/mod.rs", text), set(&[expected]), "{text}");
    }
    assert!(unusual("shop/service/mod.rs", "fn f(conn: &mut sqlx::PgConnection) -> sqlx::Result<()>").is_empty());
    let store = "sqlx::query!(\"x\"); sqlx::query_scalar(sql); sqlx::AssertSqlSafe(sql)";
    assert_eq!(unusual("shop/store/list.rs", store), set(&["AssertSqlSafe", "query_scalar"]));
}
