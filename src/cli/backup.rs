//! `holdfast backup`

mod keys;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{boot::Booted, eprint_line, print_line};
use crate::app::{App, Config};
use backup::{
    Backup, BackupId, Backups, Choice, CopyStatus, Drill, DrillStatus, KeyFile, Kind, ProgressReporter, Status,
};
use platform::{
    http::Slice,
    lifecycle::{Lifecycle, Signals},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast backup keys generate --out holdfast-backup.key\n  holdfast backup run\n  \
    holdfast backup list --json | jq '.[0].status'\n  holdfast backup drill --key-file holdfast-backup.key\n  \
    holdfast backup prune --dry-run\n\nTo restore a backup: holdfast restore --help"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a backup now. Exits 1 unless it is complete at every destination.
    #[command(after_help = "Examples:\n  holdfast backup run\n  holdfast backup run --json")]
    Run {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List backups, newest first.
    #[command(after_help = "Examples:\n  holdfast backup list\n  holdfast backup list --limit 200 --json")]
    List {
        /// Number of backups.
        #[arg(long, default_value_t = 30)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Re-read a backup byte for byte; with a key, decrypt everything in it. Exits 1 if a problem is found.
    #[command(
        after_help = "Examples:\n  holdfast backup verify\n  holdfast backup verify 0197f… --destination offsite --key-file FILE"
    )]
    Verify {
        /// Backup id; default: the newest.
        backup: Option<BackupId>,
        /// Only the copy at this destination.
        #[arg(long)]
        destination: Option<String>,
        /// Key file; default: `backup.key_file`.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Restore a backup on trial into a scratch server. Exits 1 if that fails.
    #[command(
        after_help = "Examples:\n  holdfast backup drill --key-file FILE\n  holdfast backup drill --old\n  holdfast backup drill --backup 0197f… --json"
    )]
    Drill {
        /// Backup id; default: the newest complete one.
        #[arg(long, conflicts_with = "old")]
        backup: Option<BackupId>,
        /// A random older backup.
        #[arg(long)]
        old: bool,
        /// Destination to read from.
        #[arg(long)]
        destination: Option<String>,
        /// Key file; default: `backup.key_file`. It must be outside the data directory.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove backups that retention does not keep.
    #[command(after_help = "Examples:\n  holdfast backup prune --dry-run\n  holdfast backup prune --json")]
    Prune {
        /// Only print what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Exclude a backup from retention; with --release, include it again.
    #[command(after_help = "Examples:\n  holdfast backup hold 0197f…\n  holdfast backup hold 0197f… --release")]
    Hold {
        backup: BackupId,
        /// Include it again.
        #[arg(long)]
        release: bool,
    },
    /// The keys that decrypt backups.
    #[command(subcommand)]
    Keys(keys::Command),
}

pub use keys::read_passphrase;

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    // Commands that need no appliance must not create one.
    match args.command {
        Command::Keys(command) => match keys::alone(&config, command)? {
            Some(left) => Box::pin(with_appliance(config, Command::Keys(left))).await,
            None => Ok(ExitCode::SUCCESS),
        },
        command => Box::pin(with_appliance(config, command)).await,
    }
}

async fn with_appliance(config: Config, command: Command) -> anyhow::Result<ExitCode> {
    let booted = Booted::existing(config).await?;
    let lifecycle = Lifecycle::new();
    let worked = async {
        if booted.data_dir.is_locked() {
            booted.migrate().await?;
        }
        let app = App::build(booted.runtime(lifecycle.clone()))?;
        let mut signals = Signals::listen()?;
        // Ctrl-C: the run is recorded as interrupted, and its files are removed.
        let (mut work, watched) = (Box::pin(work(&app.backups, command, lifecycle.soft())), lifecycle.clone());
        let result = tokio::select! {
            result = &mut work => result,
            () = watched.wait_for_signal(&mut signals) => work.await,
        };
        lifecycle.drain(Duration::from_secs(5)).await;
        app.close().await;
        result
    };
    let result = worked.await;
    booted.close().await;
    result
}

async fn work(backups: &Backups, command: Command, cancel: &CancellationToken) -> anyhow::Result<ExitCode> {
    let progress = ProgressReporter::new(cancel.clone(), print_progress);
    match command {
        Command::Run { json } => {
            if let Some(problem) = backups.key_problem() {
                eprint_line(&format!("warning: {:#}", anyhow::Error::new(problem)));
            }
            let backup = backups.run(Kind::Manual, &progress).await?;
            print(json, &backup, || show_backup(&backup))?;
            Ok(code(backup.status == Status::Verified))
        }
        Command::List { limit, json } => {
            let list = backups.list(&Slice::first(limit.into())).await?;
            print(json, &list, || list.iter().for_each(show_backup))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Verify { backup, destination, key_file, json } => {
            let id = match backup {
                Some(id) => id,
                None => backups.newest().await?.id,
            };
            let keys =
                key_file.or_else(|| backups.config().key_file.clone()).map(|path| KeyFile::read(&path)).transpose()?;
            let found = backups.verify(id, destination.as_deref(), keys.as_ref(), &progress).await?;
            print(json, &found, || {
                for copy in &found {
                    let opened = if keys.is_some() { format!(", {} opened", copy.opened) } else { String::new() };
                    print_line(&format!(
                        "{}  {:<16} {} blobs, {} bytes{opened}",
                        copy.backup_id, copy.destination, copy.blobs, copy.bytes
                    ));
                    copy.problems.iter().for_each(|problem| print_line(&format!("  WRONG: {problem}")));
                    if let Some(more @ 1..) = copy.wrong.checked_sub(copy.problems.len() as u64) {
                        print_line(&format!("  WRONG: {more} more"));
                    }
                }
            })?;
            Ok(code(found.iter().all(|copy| copy.problems.is_empty())))
        }
        Command::Drill { backup, old, destination, key_file, json } => {
            let choice = backup.map_or(if old { Choice::Old } else { Choice::Newest }, Choice::This);
            let drill = backups.drill(choice, destination.as_deref(), key_file.as_deref(), &progress).await?;
            print(json, &drill, || show_drill(&drill))?;
            Ok(code(drill.status == DrillStatus::Passed))
        }
        Command::Prune { dry_run, json } => {
            let done = backups.prune(dry_run).await?;
            print(json, &done, || {
                for pruned in &done {
                    let verb = if dry_run { "would remove" } else { "removed" };
                    let (backups, blobs, bytes) = (pruned.backups.len(), pruned.blobs, pruned.bytes);
                    print_line(&format!(
                        "{:<16} {verb} {backups} backups, {blobs} blobs, {bytes} bytes",
                        pruned.destination
                    ));
                    pruned.error.iter().for_each(|error| print_line(&format!("  FAILED: {error}")));
                }
            })?;
            Ok(code(done.iter().all(|pruned| pruned.error.is_none())))
        }
        Command::Hold { backup, release } => {
            show_backup(&backups.hold(backup, !release).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(command) => keys::with_appliance(backups, command).await,
    }
}

/// Progress for the terminal: each new step, and every tenth of the whole.
pub(super) fn print_progress(percent: u8, step: &str) {
    use std::sync::Mutex;
    static LAST: Mutex<(String, u8)> = Mutex::new((String::new(), 0));
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // The part before the figures.
    let head = step.split(',').next().unwrap_or(step);
    if last.0 != head || percent >= last.1 + 10 {
        *last = (head.to_owned(), percent);
        eprint_line(&format!("... {step} ({percent} %)"));
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

fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show_backup(backup: &Backup) {
    let held = if backup.held { ", held" } else { "" };
    print_line(&format!(
        "{}  {}  {:<10} {} rows, {} objects, {} bytes ({} new){held}",
        backup.id,
        backup.started_at.format("%Y-%m-%d %H:%M:%SZ"),
        backup.status.as_str(),
        backup.rows,
        backup.objects,
        backup.total_bytes,
        backup.added_bytes
    ));
    for copy in &backup.copies {
        let error = copy.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        if copy.status != CopyStatus::Verified || backup.copies.len() > 1 {
            print_line(&format!("    {:<16} {}{error}", copy.destination, copy.status.as_str()));
        }
    }
    if let Some(error) = &backup.error {
        print_line(&format!("    {error}"));
    }
}

fn show_drill(drill: &Drill) {
    let report = &drill.report;
    let mut participants = String::new();
    for (what, n) in report.participants.values().flatten() {
        participants.extend([", ", &n.to_string(), " ", &what.replace('_', " ")]);
    }
    // From a version without participants.
    if participants.is_empty() {
        participants = format!(", {} vector tables, {} vectors", report.vector_tables, report.vectors);
    }
    print_line(&format!(
        "{} from {}: {} in {:.1} s on PostgreSQL {}; {} tables with {} rows, {} constraints, {} policies, {} objects, {} model files{}",
        drill.backup_id,
        drill.destination,
        drill.status.as_str(),
        drill.seconds.unwrap_or_default(),
        report.server,
        report.tables,
        report.rows,
        report.constraints,
        report.policies,
        report.objects,
        report.model_files,
        participants
    ));
    if let Some(error) = &drill.error {
        print_line(&format!("    {error}"));
    }
}
