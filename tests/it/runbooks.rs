//! Runbooks as they are pasted at night: every SQL block through `holdfast psql`, and the commands that end a session.

use std::{fs, path::Path, process::Output};

use sqlx::{Connection as _, PgConnection};

use crate::support::{
    cluster::{Cluster, cluster},
    process::Site,
};

/// Name and text of each page.
fn runbooks() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    let page = |entry: fs::DirEntry| {
        let name = entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| page(entry.unwrap())).collect()
}

/// The blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("\n```{language}\n");
    text.split(begin.as_str()).skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect()
}

/// What a page says to run with a `holdfast psql` that may write: its flags and its statement.
fn commands(text: &str) -> Vec<(Vec<&str>, &str)> {
    let commands = text.split("holdfast psql --").skip(1).filter_map(|rest| rest.split_once('`'));
    let parts = commands.filter_map(|(command, _)| command.split_once(" -c \""));
    parts.map(|(flags, sql)| (flags.split(' ').collect(), sql.trim_end_matches('"'))).collect()
}

fn page(name: &str) -> String {
    runbooks().into_iter().find(|(found, _)| found == name).unwrap().1
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn run_every_block(site: &Site) {
    let pages = runbooks();
    let statements: Vec<(&String, &str)> =
        pages.iter().flat_map(|(name, text)| blocks(text, "sql").into_iter().map(move |sql| (name, sql))).collect();
    assert!(statements.len() > 50, "{} blocks are seen", statements.len());
    let mut wrong = Vec::new();
    for (name, sql) in statements {
        let output = site.run(&["psql", "-c", sql]).await;
        if !output.status.success() {
            wrong.push(format!("{name}: {}", said(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_runs_with_the_private_server() {
    let site = Site::new();
    let running = site.start().await;
    run_every_block(&site).await;
    running.stop().await;
}

/// A person's session that holds a transaction open.
async fn somebody(cluster: &Cluster, database: &str, user: &str) -> (PgConnection, i32) {
    let options = cluster.target(database).admin.username(user);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN").execute(&mut conn).await.unwrap();
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await.unwrap();
    (conn, pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runbook_says_works_with_a_server_of_ones_own() {
    let cluster = cluster().await;
    let database = cluster.empty_database().await;
    cluster.execute("CREATE ROLE runbook_person LOGIN").await;
    let mut site = Site::new();
    site.set("HOLDFAST_DATABASE__URL", &cluster.url(&database));
    site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "hfbooks");
    let running = site.start().await;
    run_every_block(&site).await;

    for name in ["DatabaseLockHeld", "DatabaseTransactionLong"] {
        let text = page(name);
        assert!(text.contains("`--admin` instead of `--write`"), "{name}");
        let (_, sql) = commands(&text).into_iter().find(|(_, sql)| sql.contains("pg_terminate_backend(PID)")).unwrap();
        let end = async |flag: &str, pid: i32| {
            let sql = sql.replace("PID", &pid.to_string());
            site.run(&["psql", flag, "--yes", "-c", &sql]).await
        };
        let (mut person, pid) = somebody(cluster, &database, "runbook_person").await;
        let output = end("--write", pid).await;
        assert!(output.status.success() && person.ping().await.is_err(), "{name}: {}", said(&output));
        // What `docker compose exec postgres psql -U holdfast` is, say.
        let (mut superuser, pid) = somebody(cluster, &database, "postgres").await;
        let output = end("--write", pid).await;
        assert!(!output.status.success() && said(&output).to_lowercase().contains("superuser"), "{}", said(&output));
        assert!(superuser.ping().await.is_ok());
        let output = end("--admin", pid).await;
        assert!(output.status.success() && superuser.ping().await.is_err(), "{name}: {}", said(&output));
    }

    // Idle ones of other programs, but for a superuser's, which would make the whole statement fail. Holdfast's own keep files from
    // being deleted during a backup, say: those of the tests beside this one, too.
    let text = page("DatabaseConnectionsHigh");
    let (flags, sql) = commands(&text).into_iter().find(|(_, sql)| sql.contains("'idle'")).unwrap();
    assert_eq!(flags, ["write", "--yes"]);
    let idle =
        async |user: &str| PgConnection::connect_with(&cluster.target(&database).admin.username(user)).await.unwrap();
    let own = cluster.target(&database).admin.username("runbook_person").application_name("holdfast locks");
    let mut own = PgConnection::connect_with(&own).await.unwrap();
    let (mut person, mut superuser) = (idle("runbook_person").await, idle("postgres").await);
    assert!(person.ping().await.is_ok() && superuser.ping().await.is_ok());
    let output = site.run(&["psql", "--write", "--yes", "-c", &sql.replace("1 hour", "0 s")]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(person.ping().await.is_err(), "an idle session of somebody else's goes: {}", said(&output));
    assert!(superuser.ping().await.is_ok());
    assert!(own.ping().await.is_ok(), "a lock of Holdfast's goes with its session");
    drop((superuser, own));

    running.stop().await;
    cluster.drop_database(&database).await;
}

/// Each command of a runbook that writes is one of these, and is tried here or changes rows that are there.
#[test]
fn commands_that_write_name_how() {
    let mut found = 0;
    for (name, text) in runbooks() {
        for (flags, sql) in commands(&text) {
            found += 1;
            assert!(matches!(flags[..], ["write" | "admin", "--yes"]), "{name}: {flags:?} {sql}");
        }
    }
    assert!(found >= 6, "{found}");
}
