//! `holdfast support-bundle`: diagnostic data for someone who investigates a problem, and nothing else.
//!
//! The contents are an allow-list ([`parts`]). No user data is read: only figures, names of tables and settings, and log lines, which are
//! redacted anyway. Each part has a timeout and is independent: with the database down, the others are included and that one states its
//! error.

mod database;
mod host;

use std::{
    fs::OpenOptions,
    future::ready,
    io::{Cursor, IsTerminal as _, Seek, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use futures::{FutureExt as _, future::BoxFuture};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{boot::Booted, eprint_line, print_line};
use crate::app::{App, Config};
use platform::{
    clock::Clock, data_dir, db::migrate, health, http::ops_token, http_client::HttpClients, lifecycle::Lifecycle,
    telemetry::redact::redact,
};

/// Timeout of parts that query another process or the database.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Timeout of all doctor checks together.
const DOCTOR: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast support-bundle\n  holdfast support-bundle --preview | less     prints the contents, writes no file\n  \
    holdfast support-bundle --out /tmp/holdfast.zip\n  \
    docker compose -p holdfast exec -T holdfast holdfast support-bundle --out - >holdfast-support.zip"
)]
pub struct Args {
    /// Output file; default: `holdfast-support-<time>.zip` in this folder; `-` for standard output, e.g. in a container.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print every part instead of writing a file.
    #[arg(long)]
    preview: bool,
}

/// A file of the bundle.
struct Part<'a> {
    name: &'static str,
    what: &'static str,
    limit: Duration,
    made: BoxFuture<'a, anyhow::Result<String>>,
}

/// A finished part.
struct Made {
    name: &'static str,
    what: &'static str,
    text: String,
    failed: bool,
}

/// All parts of a bundle.
fn parts(config: &Config) -> Vec<Part<'_>> {
    let part = |name, what, limit, made| Part { name, what, limit, made };
    vec![
        part(
            "versions.txt",
            "versions of Holdfast, system and kernel; processors, memory",
            TIMEOUT,
            ready(Ok(host::versions())).boxed(),
        ),
        part("config.toml", "the configuration in force, secrets masked", TIMEOUT, ready(settings(config)).boxed()),
        part("doctor.json", "every check of holdfast doctor", DOCTOR, doctor(config).boxed()),
        part("disk.txt", "room and size of the data directory's folders", TIMEOUT, host::disks(config).boxed()),
        part(
            "schema.json",
            "migrations that the database has and that this version knows",
            TIMEOUT,
            schema(config).boxed(),
        ),
        part(
            "tables.json",
            "rows and sizes of tables, by statistics",
            TIMEOUT,
            database::ask(config, database::TABLES).boxed(),
        ),
        part(
            "jobs.json",
            "jobs by queue, kind and state; no payloads",
            TIMEOUT,
            database::ask(config, database::JOBS).boxed(),
        ),
        part(
            "activity.json",
            "sessions by state and what they wait for; no statements",
            TIMEOUT,
            database::ask(config, database::ACTIVITY).boxed(),
        ),
        part(
            "server.json",
            "settings of PostgreSQL that decide its speed and safety",
            TIMEOUT,
            database::ask(config, database::SETTINGS).boxed(),
        ),
        part(
            "statements.json",
            "statements that took most time, without their values",
            TIMEOUT,
            database::statements(config).boxed(),
        ),
        part(
            "backups.json",
            "the last backups and drills, and how they ended",
            TIMEOUT,
            database::ask(config, database::BACKUPS).boxed(),
        ),
        part("metrics.txt", "the running appliance's metrics", TIMEOUT, from_appliance(config, "metrics").boxed()),
        part("log.jsonl", "the running appliance's recent log lines", TIMEOUT, recent_lines(config).boxed()),
    ]
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    // Concurrently: with a hanging database, each of its parts waits for its full timeout.
    let made = futures::future::join_all(parts(&config).into_iter().map(make)).await;
    if args.preview {
        for part in &made {
            print_line(&format!(
                "===== {} ({} bytes): {}\n{}",
                part.name,
                part.text.len(),
                part.what,
                part.text.trim_end()
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let time = Clock::system().now().format("%Y%m%dT%H%M%SZ");
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("holdfast-support-{time}.zip")));
    let piped = out.as_os_str() == "-";
    // Messages must not mix with the archive on standard output.
    let print = if piped { eprint_line } else { print_line };
    let name = if piped {
        print_bundle(&made)?;
        "written to standard output".to_owned()
    } else {
        write(&out, &made)?;
        format!("{}: only you can read it", out.display())
    };
    for part in &made {
        let mark = if part.failed { "unavailable" } else { "in" };
        print(&format!("{mark:<14} {:<16} {:>9} bytes  {}", part.name, part.text.len(), part.what));
    }
    print(&format!("\n{name}. Check its contents before you send it (--preview prints them)."));
    if made.iter().any(|part| part.failed) {
        eprint_line("some parts are unavailable; their files give the reason");
    }
    Ok(ExitCode::SUCCESS)
}

async fn make(Part { name, what, limit, made }: Part<'_>) -> Made {
    let result = tokio::time::timeout(limit, made).await;
    let result = result.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", limit.as_secs())));
    let failed = result.is_err();
    let text = result.unwrap_or_else(|error| format!("unavailable: {error:#}\n"));
    // None of them should contain secrets; a second pass costs nothing.
    Made { name, what, text: redact(&text).into_owned(), failed }
}

fn write(out: &Path, made: &[Made]) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out);
    let file = file.with_context(|| {
        format!("cannot write {} (--out chooses another path, - is standard output)", out.display())
    })?;
    Ok(pack(file, made)?.sync_all()?)
}

/// Writes to standard output, for a container with a read-only file system.
fn print_bundle(made: &[Made]) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    anyhow::ensure!(!stdout.is_terminal(), "--out - writes a zip archive: redirect it into a file with >");
    stdout.write_all(&pack(Cursor::new(Vec::new()), made)?.into_inner()).context("cannot write to standard output")
}

fn pack<W: Write + Seek>(to: W, made: &[Made]) -> anyhow::Result<W> {
    let mut zip = ZipWriter::new(to);
    for part in made {
        zip.start_file(part.name, SimpleFileOptions::default().unix_permissions(0o600))?;
        zip.write_all(part.text.as_bytes())?;
    }
    Ok(zip.finish()?)
}

fn settings(config: &Config) -> anyhow::Result<String> {
    Ok(toml::to_string_pretty(config)?)
}

/// Of the running appliance, or on an external database; ours is not started for this.
async fn doctor(config: &Config) -> anyhow::Result<String> {
    let runs = from_appliance(config, "healthz").await.is_ok();
    anyhow::ensure!(
        runs || config.database.url.is_some(),
        "the appliance is not running, and its database is not started for this"
    );
    let booted = Booted::existing(config.clone()).await?;
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let reports = health::run_all(&app.checks()).await;
    lifecycle.drain(Duration::from_secs(1)).await;
    app.close().await;
    booted.close().await;
    Ok(serde_json::to_string_pretty(&reports)?)
}

async fn schema(config: &Config) -> anyhow::Result<String> {
    let state = migrate::state(&database::target(config)?).await?;
    Ok(serde_json::to_string_pretty(&serde_json::json!({
        "newest_in_database": state.applied.last(),
        "newest_known": migrate::newest_known(),
        "missing": state.missing,
        "unknown": state.unknown,
        "needed_and_unknown": state.needed,
    }))?)
}

/// Requires the installation's key.
async fn recent_lines(config: &Config) -> anyhow::Result<String> {
    let key = data_dir::existing_key(&config.data_dir, config.secret_key_file.as_deref())?;
    ask_appliance(config, "recent-lines", key.map(|key| ops_token(&key))).await
}

/// Queries the ops port of the local appliance.
async fn from_appliance(config: &Config, path: &str) -> anyhow::Result<String> {
    ask_appliance(config, path, None).await
}

/// `token`: sent as a bearer token.
async fn ask_appliance(config: &Config, path: &str, token: Option<String>) -> anyhow::Result<String> {
    let url = format!("http://{}/{path}", config.ops.local());
    let mut request = HttpClients::new()?.operator().get(&url).timeout(Duration::from_secs(10));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let asked = request.send().await;
    let answer = asked.with_context(|| format!("cannot reach the appliance at {url}: is it running?"))?;
    Ok(answer.error_for_status()?.text().await?)
}
