//! A database server of somebody else's, that withholds rights: its administrator runs what we print, and everything works.

use serde_json::Value;

use crate::support::{
    cluster::{Cluster, cluster},
    process::Site,
    vault::Vault,
};

/// Of `doctor`: the status of a check, and what to do.
async fn check(site: &Site, name: &str) -> (String, String) {
    let output = site.run(&["doctor", "--json"]).await;
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let report = reports.as_array().unwrap().iter().find(|report| report["name"] == name).unwrap();
    (report["status"].as_str().unwrap().to_owned(), report["remedy"].as_str().unwrap_or_default().to_owned())
}

/// Runs a script in one database as the server's administrator.
async fn administer(cluster: &Cluster, database: &str, sql: &str) {
    use sqlx::Connection as _;
    let mut conn = sqlx::PgConnection::connect_with(&cluster.target(database).admin).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_administrator_is_told_to_run_is_enough() {
    let (cluster, vault) = (cluster().await, Vault::new());
    let database = cluster.empty_database().await;
    // What a hosting team hands out: a user and a database, and no right to make roles.
    cluster.execute("CREATE ROLE tenant LOGIN PASSWORD 'x' NOSUPERUSER NOCREATEROLE").await;
    let mut site = Site::with(vault.settings());
    site.set("HOLDFAST_DATABASE__URL", &cluster.url(&database).replace("postgres@", "tenant@"));
    site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "withheld");
    let refused = site.run(&["migrate"]).await;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && words.contains("doctor --roles-sql"), "{words}");
    assert!(words.contains("CREATE ROLE withheld_backup"), "{words}");
    let printed = site.run(&["doctor", "--roles-sql"]).await;
    let sql = String::from_utf8(printed.stdout.clone()).unwrap();
    assert!(printed.status.success() && !sql.contains("--roles-sql"), "{printed:?}");
    let passwords: Vec<&str> = sql.split("PASSWORD '").skip(1).map(|rest| rest.split('\'').next().unwrap()).collect();
    assert!(passwords.len() == 4 && passwords.iter().all(|password| password.len() > 20), "four roles");
    assert!(!passwords.iter().any(|password| words.contains(password)), "only where it is asked for");
    administer(cluster, &database, &sql).await;

    let running = site.start().await;
    let made = site.run(&["backup", "run", "--json"]).await;
    let backup: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{made:?}"));
    assert_eq!(backup["status"], "verified", "{backup}");
    assert_eq!(check(&site, "backup.tools").await.0, "pass");

    // A right that is taken away later: the next backup fails loudly, and doctor says what brings it back.
    administer(
        cluster,
        &database,
        "REVOKE pg_read_all_data FROM withheld_backup; ALTER ROLE withheld_backup NOBYPASSRLS",
    )
    .await;
    let (status, remedy) = check(&site, "backup.tools").await;
    assert!(status == "fail" && remedy.contains("GRANT pg_read_all_data TO withheld_backup"), "{status}: {remedy}");
    let made = site.run(&["backup", "run", "--json"]).await;
    let backup: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{made:?}"));
    assert!(!made.status.success() && backup["status"] == "failed", "{made:?}");
    administer(cluster, &database, &sql).await;
    assert_eq!(check(&site, "backup.tools").await.0, "pass");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    cluster.drop_database(&database).await;
}
