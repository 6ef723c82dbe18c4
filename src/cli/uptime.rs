//! `holdfast uptime`

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use platform::{http::Slice, lifecycle::Lifecycle, text_file};
use uptime::{
    Fate, ImportReport, ImportSource, Left, Monitor, MonitorFilter, Month, Observation, Owner, Status, Uptime,
    UptimeError,
    file::{Action, Applied},
};

/// An organisation has at most some hundreds.
const MOST: i64 = 10_000;
/// Who made what was imported here.
const BY: &str = "command line";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast uptime list                      monitors of the installation\n  \
    holdfast uptime apply --dry-run           what the file would change\n  \
    holdfast uptime import gatus config.yaml  what would become of a file of Gatus\n  \
    holdfast uptime report --month 2026-11 --format csv > november.csv")]
pub struct Args {
    /// Slug of the organisation; left out: the installation.
    #[arg(long, global = true)]
    org: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the monitors with their status.
    #[command(after_help = "Examples:\n  holdfast uptime list\n  holdfast uptime list --down --json | jq -r '.[].key'")]
    List {
        /// Only those that are down.
        #[arg(long)]
        down: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask what a monitor asks, once, from here. Exits 1 if it is down. Nothing is stored.
    #[command(
        after_help = "Examples:\n  holdfast uptime check shop-home\n  holdfast uptime check shop-home --json | jq .phases"
    )]
    Check {
        /// Key of the monitor.
        key: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Apply the file of monitors (`uptime.monitors_file`). All or nothing: exits 1 if something is wrong with it.
    #[command(after_help = "Examples:\n  holdfast uptime apply --dry-run\n  holdfast uptime apply")]
    Apply {
        /// Only say what it would change.
        #[arg(long)]
        dry_run: bool,
        /// An empty file removes everything that it managed.
        #[arg(long)]
        allow_empty: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a monitor, a group or a window that was made by hand to the file, with its history.
    #[command(after_help = "Examples:\n  holdfast uptime adopt shop-home")]
    Adopt {
        /// Its key.
        key: String,
    },
    /// Read a file of another monitor program, and say what would become of it; with --apply make it.
    #[command(
        after_help = "Examples:\n  holdfast uptime import kuma Uptime_Kuma_Backup.json\n  holdfast uptime --org acme import gatus config.yaml --apply"
    )]
    Import {
        source: Source,
        /// Uptime Kuma's export (1.6 to 1.23), or Gatus's configuration.
        file: PathBuf,
        /// Make the monitors.
        #[arg(long)]
        apply: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The availability of a month.
    #[command(after_help = "Examples:\n  holdfast uptime report --month 2026-11 --format csv > november.csv")]
    Report {
        /// Such as 2026-11.
        #[arg(long)]
        month: String,
        /// Time zone of the month.
        #[arg(long, default_value = "UTC")]
        zone: String,
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Source {
    Kuma,
    Gatus,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Json,
    Csv,
    Html,
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let booted = Booted::existing(config).await?;
    let result = Box::pin(with_appliance(&booted, args)).await;
    booted.close().await;
    result
}

async fn with_appliance(booted: &Booted, args: Args) -> anyhow::Result<ExitCode> {
    // Alone on the directory; a running appliance migrates its own database.
    if booted.data_dir.is_locked() {
        booted.migrate().await?;
    }
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let result = work(&app.uptime, args).await;
    lifecycle.drain(Duration::from_secs(1)).await;
    app.close().await;
    result
}

async fn work(uptime: &Uptime, args: Args) -> anyhow::Result<ExitCode> {
    let owner = uptime.owner_named(args.org.as_deref()).await.map_err(in_words)?;
    match args.command {
        Command::List { down, json } => {
            let filter = MonitorFilter { status: down.then_some(Status::Down), ..MonitorFilter::default() };
            let monitors = uptime.list_monitors(owner, &filter, &Slice::first(MOST)).await.map_err(in_words)?;
            print(json, &monitors, || monitors.iter().for_each(show))?;
        }
        Command::Check { key, json } => {
            let found = uptime.check_key(owner, &key).await.map_err(in_words)?;
            print(json, &found, || show_found(&found))?;
            return Ok(if found.is_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Apply { dry_run, allow_empty, json } => {
            let applied = uptime.apply_file(dry_run, allow_empty).await.map_err(in_words)?;
            print(json, &applied, || show_applied(&applied))?;
            return Ok(if applied.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Adopt { key } => {
            let tables = uptime.adopt(&key).await.map_err(in_words)?;
            print_line(&format!("{key} is now the file's ({})", tables.join(", ")));
        }
        Command::Import { source, file, apply, json } => {
            let content = text_file::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let source = match source {
                Source::Kuma => ImportSource::UptimeKuma,
                Source::Gatus => ImportSource::Gatus,
            };
            let report = uptime.import_at_once(owner, source, &content, apply, BY).await.map_err(in_words)?;
            print(json, &report, || show_import(&report, apply))?;
        }
        Command::Report { month, zone, format } => report(uptime, owner, &month, &zone, format).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn report(uptime: &Uptime, owner: Owner, month: &str, zone: &str, format: Format) -> anyhow::Result<()> {
    let zone = zone.parse().map_err(|_| anyhow::anyhow!("{zone:?} is no time zone such as Europe/Berlin"))?;
    let month = Month::parse(month, zone).with_context(|| format!("{month:?} is no month such as 2026-11"))?;
    let report = uptime.report(owner, month, &[]).await.map_err(in_words)?;
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&report)?,
        Format::Csv => String::from_utf8(report.csv()?)?.trim_end().to_owned(),
        Format::Html => report.html(console::Lang::En)?,
    };
    print_line(&text);
    Ok(())
}

/// What is wrong with a field, with its place.
fn in_words(error: UptimeError) -> anyhow::Error {
    match error {
        UptimeError::Invalid(errors) => {
            let all: Vec<String> =
                errors.into_iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect();
            anyhow::Error::msg(all.join("; "))
        }
        error => error.into(),
    }
}

fn print<T: Serialize>(json: bool, value: &T, show: impl FnOnce()) -> anyhow::Result<()> {
    if json {
        print_line(&serde_json::to_string_pretty(value)?);
    } else {
        show();
    }
    Ok(())
}

fn show(monitor: &Monitor) {
    let error = monitor.error.as_deref().unwrap_or_default();
    let (status, kind) = (monitor.status.as_str(), monitor.kind.as_str());
    print_line(&format!("{status:<12} {kind:<10} {:<32} {} {error}", monitor.key, monitor.name));
}

fn show_found(found: &Observation) {
    let state = if found.is_up() { "up" } else { "down" };
    let code = found.code.map_or_else(String::new, |code| format!(", {code}"));
    print_line(&format!("{state}{code}, {:.1} ms", f64::from(found.total) / 1000.0));
    let phases = found.phases;
    let all = [
        ("resolve", phases.resolve),
        ("connect", phases.connect),
        ("tls", phases.tls),
        ("first byte", phases.first_byte),
        ("transfer", phases.transfer),
    ];
    for (name, us) in all {
        if let Some(us) = us {
            print_line(&format!("  {name:<12} {:.1} ms", f64::from(us) / 1000.0));
        }
    }
    found.failures.iter().for_each(|failure| print_line(&format!("  {}", failure.text)));
}

fn show_applied(applied: &Applied) {
    for problem in &applied.problems {
        print_line(&format!("line {}: {} {}", problem.line, problem.setting, problem.problem));
    }
    for change in applied.changes.iter().filter(|change| change.action != Action::Unchanged) {
        print_line(&format!("{:<10} {}.{}", change.action.as_str(), change.table, change.key));
    }
    let counts = applied.counts;
    let is = if applied.applied { "applied" } else { "not applied" };
    print_line(&format!(
        "{is}: {} created, {} changed, {} removed, {} unchanged",
        counts.created, counts.changed, counts.removed, counts.unchanged
    ));
}

fn show_import(report: &ImportReport, applied: bool) {
    report.notes.iter().for_each(|note| print_line(note));
    for row in &report.monitors {
        let reason = row.reason.as_deref().map_or_else(String::new, |reason| format!("  {reason}"));
        let kind = row.kind.map_or("", |kind| kind.as_str());
        print_line(&format!("{:<10} {kind:<10} {}{reason}", row.fate.as_str(), row.name));
        row.secrets
            .iter()
            .for_each(|name| print_line(&format!("             needs the secret {name}: apply it in the console")));
        row.left.iter().for_each(|left| print_line(&told(left)));
    }
    for one in &report.proposals {
        print_line(&format!("{:<10} {}: {}", one.what, one.name, one.text));
    }
    report.left.iter().for_each(|left| print_line(&told(left)));
    if applied {
        report.failed.iter().for_each(|failed| print_line(&format!("not made   {}: {}", failed.field, failed.reason)));
        print_line(&format!("{} monitors are made", report.made.len()));
    } else {
        let taken = report.monitors.iter().filter(|row| matches!(row.fate, Fate::Taken | Fate::Paused)).count();
        print_line(&format!("{taken} monitors would be made: --apply makes them"));
    }
}

fn told(left: &Left) -> String {
    format!("             {} {}: {}", left.field, left.value, left.reason)
}
