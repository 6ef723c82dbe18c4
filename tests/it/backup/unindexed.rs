//! A server without the extensions of the search indexes takes back a backup that has them.

use sqlx::{Connection as _, PgConnection};

use super::restores::{fill, newest, ok, said, search};
use crate::support::{
    cluster::{cluster, from_pypi, is_bare},
    process::Site,
    vault::Vault,
};

const NAMES: &str =
    "SELECT coalesce(string_agg(name, ' '), '') FROM search_indexes WHERE to_regclass(name) IS NOT NULL";

/// Those that no search has are among them: they must not be left out.
const GIN: &str =
    "SELECT string_agg(indexdef, ' | ' ORDER BY indexdef) FROM pg_indexes WHERE indexdef LIKE '% USING gin (%'";

/// Asks a private database.
async fn ask(site: &Site, sql: &str) -> String {
    let said = site.run(&["psql", "-c", sql, "--", "--tuples-only", "--no-align"]).await;
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn is_said(words: &str, indexes: &str) {
    let warning = "warning: the database was restored without its search indexes";
    let warning = words.lines().find(|line| line.starts_with(warning)).unwrap_or_else(|| panic!("{words}"));
    for index in indexes.split(' ') {
        assert!(warning.contains(index), "{index}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_extensions_is_restored_into_and_drilled_on() {
    if is_bare().await {
        return;
    }
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let indexed = ask(&site, NAMES).await;
    assert!(!indexed.is_empty(), "this PostgreSQL lacks pg_trgm or btree_gin: install its contrib modules");
    let base = fill(&site, 1).await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    let (id, key) = (newest(&site).await, vault.key_file().display().to_string());
    let gin = ask(&site, GIN).await;
    running.kill();
    let command = ["restore", "--from", "near", "--key-file", &key];

    let mut host = Site::with(vault.settings());
    for setting in ["HOLDFAST_DATABASE__BIN_DIR", "HOLDFAST_BACKUP__TOOLS_DIR"] {
        host.set(setting, &from_pypi(18).display().to_string());
    }
    is_said(&ok(&host, &command).await, &indexed);
    let running = host.start().await;
    assert!(search(&host, &base).await > 0);
    let found = host.admin().await.get("/api/v1/knowledge-bases?q=arbou").await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(ask(&host, NAMES).await, "");
    let (_, doctor) = said(&host, &["doctor"]).await;
    assert!(doctor.contains("WARN  database.search") && doctor.contains("users_search_idx"), "{doctor}");
    // Of the backup that has the indexes.
    let drill = host.run(&["backup", "drill", "--json"]).await;
    let drill: serde_json::Value = serde_json::from_slice(&drill.stdout).unwrap_or_else(|_| panic!("{drill:?}"));
    assert_eq!(drill["status"], "passed", "{drill}");
    assert_eq!(drill["backup_id"], id.as_str(), "{drill}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");

    // A server that has them elsewhere; once they are where they belong, the next migration builds the indexes.
    let cluster = cluster().await;
    let database = cluster.empty_database().await;
    let mut db = PgConnection::connect_with(&cluster.target(&database).admin).await.unwrap();
    let elsewhere = "CREATE SCHEMA elsewhere; CREATE EXTENSION pg_trgm SCHEMA elsewhere; CREATE EXTENSION btree_gin SCHEMA elsewhere";
    sqlx::raw_sql(elsewhere).execute(&mut db).await.unwrap();
    let mut host = Site::with(vault.settings());
    host.set("HOLDFAST_DATABASE__URL", &cluster.url(&database));
    is_said(&ok(&host, &command).await, &indexed);
    let names: String = sqlx::query_scalar(NAMES).fetch_one(&mut db).await.unwrap();
    assert_eq!(names, "");
    let kept: String = sqlx::query_scalar(GIN).fetch_one(&mut db).await.unwrap();
    assert!(!kept.contains(" | ") && kept.contains("messages_quoted_documents_idx"), "{kept}");
    sqlx::raw_sql("ALTER EXTENSION pg_trgm SET SCHEMA public").execute(&mut db).await.unwrap();
    ok(&host, &["migrate"]).await;
    let built: String = sqlx::query_scalar(GIN).fetch_one(&mut db).await.unwrap();
    assert_eq!(built, gin);
    db.close().await.unwrap();
    cluster.drop_database(&database).await;
}
