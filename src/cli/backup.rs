//! `holdfast backup`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::SecretString;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{boot::Booted, eprint_line, print_line};
use crate::{
    app::{App, Config},
    backup::{
        Backup, BackupId, Backups, Choice, CopyStatus, Drill, DrillStatus, Identity, Installation, KeyFile, Kind,
        Status, Watcher,
    },
    platform::{
        data_dir::DataDir,
        lifecycle::{Lifecycle, Signals},
        text_file,
    },
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast backup keys generate --out holdfast-backup.key\n  holdfast backup run\n  \
    holdfast backup list --json | jq '.[0].status'\n  holdfast backup drill --key-file holdfast-backup.key\n  \
    holdfast backup prune --dry-run\n\nTo bring a backup back: holdfast restore --help"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a backup now. Exits 1 unless it is whole at every destination.
    #[command(after_help = "Examples:\n  holdfast backup run\n  holdfast backup run --json")]
    Run {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List backups, newest first.
    #[command(after_help = "Examples:\n  holdfast backup list\n  holdfast backup list --limit 200 --json")]
    List {
        /// How many.
        #[arg(long, default_value_t = 30)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read a backup again, byte for byte; with a key, open everything in it. Exits 1 when something is wrong.
    #[command(
        after_help = "Examples:\n  holdfast backup verify\n  holdfast backup verify 0197f… --destination offsite --key-file FILE"
    )]
    Verify {
        /// Which backup; the newest when absent.
        backup: Option<BackupId>,
        /// Only the copy there.
        #[arg(long)]
        destination: Option<String>,
        /// The key; `backup.key_file` when absent.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Restore a backup on trial, into a scratch server. Exits 1 when it fails.
    #[command(
        after_help = "Examples:\n  holdfast backup drill --key-file FILE\n  holdfast backup drill --old\n  holdfast backup drill --backup 0197f… --json"
    )]
    Drill {
        /// Which backup; the newest whole one when absent.
        #[arg(long, conflicts_with = "old")]
        backup: Option<BackupId>,
        /// One of the older ones, by chance.
        #[arg(long)]
        old: bool,
        /// From there.
        #[arg(long)]
        destination: Option<String>,
        /// The key; `backup.key_file` when absent. It must not lie in the data directory.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove what retention does not keep.
    #[command(after_help = "Examples:\n  holdfast backup prune --dry-run\n  holdfast backup prune --json")]
    Prune {
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep a backup from retention, or let it go with --release.
    #[command(after_help = "Examples:\n  holdfast backup hold 0197f…\n  holdfast backup hold 0197f… --release")]
    Hold {
        backup: BackupId,
        /// Let it go.
        #[arg(long)]
        release: bool,
    },
    /// The keys that open backups.
    #[command(subcommand)]
    Keys(Keys),
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Make a key, and say what to put into the configuration. Needs no appliance, and starts none.
    #[command(after_help = "Examples:\n  holdfast backup keys generate --out holdfast-backup.key\n  \
        holdfast backup keys generate --out NEW --add-to OLD     a rotation: NEW holds the new key and the old ones\n  \
        holdfast backup keys generate --out /run/backup/holdfast-backup.key --begin-installation --keep     as compose/ does before \
        the first start")]
    Generate {
        /// The key file: keep it away from this host, and a printed copy in a safe.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// A key file whose keys are taken over, so that older backups still open.
        #[arg(long, value_name = "FILE")]
        add_to: Option<PathBuf>,
        /// Make the data directory's secret key where there is none yet, so that the file can name the installation before its first start.
        #[arg(long)]
        begin_installation: bool,
        /// Where the file is there already, change nothing.
        #[arg(long)]
        keep: bool,
        /// Say nothing of the configuration, which has it already.
        #[arg(long)]
        quiet: bool,
    },
    /// Write into a key file that it is for this installation: for a file made before the first start, elsewhere, or for another one.
    #[command(after_help = "Examples:\n  holdfast backup keys adopt --key-file FILE")]
    Adopt {
        /// The key; `backup.key_file` when absent.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Print a sheet for the safe: the key, whose it is, and how to restore with it.
    #[command(after_help = "Examples:\n  holdfast backup keys sheet --key-file FILE | lp")]
    Sheet {
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Check that a key opens the newest backup.
    #[command(after_help = "Examples:\n  holdfast backup keys check --key-file FILE")]
    Check {
        /// The key; `backup.key_file` when absent.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Leave the key at every destination, sealed with a passphrase: who has that and a destination needs no key file.
    #[command(
        after_help = "Examples:\n  holdfast backup keys wrap --key-file FILE --passphrase-file /run/secrets/passphrase"
    )]
    Wrap {
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// File with the passphrase, at least 20 characters.
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    // What needs no appliance must not make one.
    match args.command {
        Command::Keys(Keys::Generate { out, add_to, begin_installation, keep, quiet }) => {
            if keep && out.exists() {
                print_line(&format!("{} is there already: nothing was changed", out.display()));
                tell_whose(&config, &out);
                return Ok(ExitCode::SUCCESS);
            }
            let recipient = generate(&config, &out, add_to.as_deref(), begin_installation)?;
            if !quiet {
                print_line(&format!(
                    "\nPut this into the configuration:\n\n[backup]\nrecipients = [\"{recipient}\"]\n\n\
                     [backup.destinations.nas]\nurl = \"/mnt/nas/holdfast\"      # or s3://bucket/prefix"
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(Keys::Adopt { key_file }) => adopt(&config, key_file),
        Command::Keys(Keys::Sheet { key_file }) => {
            print_line(&sheet(&KeyFile::read(&key_file)?, &config));
            Ok(ExitCode::SUCCESS)
        }
        command => Box::pin(with_appliance(config, command)).await,
    }
}

/// Says where a key file that is there already is for another installation, as after all volumes were removed: no backup is made with it.
fn tell_whose(config: &Config, file: &Path) {
    let checked = installation(config).and_then(|ours| match ours {
        Some(ours) => Ok(KeyFile::read(file)?.check_is_for(&ours)?),
        None => Ok(()),
    });
    if let Err(error) = checked {
        eprint_line(&format!("warning: no backup is made with {}: {error:#}", file.display()));
    }
}

/// The installation in the data directory, without starting anything.
fn installation(config: &Config) -> anyhow::Result<Option<Installation>> {
    Installation::of_data_dir(&config.data_dir, config.secret_key_file.as_deref())
}

/// Writes a key file. Returns the public half.
fn generate(config: &Config, out: &Path, add_to: Option<&Path>, begin: bool) -> anyhow::Result<String> {
    let mut identities = vec![Identity::generate()];
    if let Some(old) = add_to {
        identities.extend(KeyFile::read(old)?.identities);
    }
    // Under a running appliance it is there, and locked.
    if begin && installation(config)?.is_none() {
        drop(DataDir::open(&config.data_dir, config.secret_key_file.as_deref())?);
    }
    let file = KeyFile { identities, installation: installation(config)? };
    file.write(out)?;
    let recipient = file.identities[0].recipient();
    let whose = match &file.installation {
        Some(installation) => format!("It is for the installation in {} ({installation}).", config.data_dir.display()),
        None => format!(
            "There is no installation in {} yet, so it names none: after the first start run\n  holdfast backup keys adopt --key-file {}",
            config.data_dir.display(),
            out.display()
        ),
    };
    print_line(&format!(
        "The key is in {0}. Whoever has it reads every backup; without it none can be restored.\n{whose}\n\
         Keep it away from this host, and print it for the safe: holdfast backup keys sheet --key-file {0}",
        out.display()
    ));
    Ok(recipient)
}

fn adopt(config: &Config, key_file: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let path = key_file.or_else(|| config.backup.key_file.clone());
    let path = path.context("name a key with --key-file, or set backup.key_file")?;
    let ours = installation(config)?.with_context(|| {
        format!("there is no installation in {}: start it once, or set HOLDFAST_DATA_DIR", config.data_dir.display())
    })?;
    let mut file = KeyFile::read(&path)?;
    let former = file.installation.replace(ours);
    if former == Some(ours) {
        print_line(&format!("{} is for this installation ({ours}) already", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    file.replace(&path)?;
    let before = former.filter(|former| former.key != ours.key);
    let before = before.map(|former| format!("; before, it was for {former}")).unwrap_or_default();
    print_line(&format!(
        "{} is for this installation now ({ours}){before}. Replace the copies that you keep elsewhere, the printed one too.",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
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
        // Ctrl-C: the run is written down as cut off, and its files are removed.
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
    let watcher = Watcher::new(cancel.clone(), say);
    match command {
        Command::Run { json } => {
            if let Some(problem) = backups.key_problem() {
                eprint_line(&format!("warning: {:#}", anyhow::Error::new(problem)));
            }
            let backup = backups.run(Kind::Manual, &watcher).await?;
            print(json, &backup, || show_backup(&backup))?;
            Ok(code(backup.status == Status::Verified))
        }
        Command::List { limit, json } => {
            let list = backups.list(None, i64::from(limit)).await?;
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
            let found = backups.verify(id, destination.as_deref(), keys.as_ref(), &watcher).await?;
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
            let drill = backups.drill(choice, destination.as_deref(), key_file.as_deref(), &watcher).await?;
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
        Command::Keys(keys) => work_on_keys(backups, keys).await,
    }
}

async fn work_on_keys(backups: &Backups, keys: Keys) -> anyhow::Result<ExitCode> {
    match keys {
        Keys::Generate { .. } | Keys::Adopt { .. } | Keys::Sheet { .. } => {}
        Keys::Check { key_file } => {
            let path = key_file.or_else(|| backups.config().key_file.clone());
            let path = path.context("name a key with --key-file, or set backup.key_file")?;
            let (backup, destination) = backups.check_key(&KeyFile::read(&path)?).await?;
            print_line(&format!("{} opens backup {backup} at {destination}", path.display()));
        }
        Keys::Wrap { key_file, passphrase_file } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            for destination in backups.wrap_keys(&KeyFile::read(&key_file)?, &passphrase).await? {
                print_line(&format!("sealed with the passphrase at {destination}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A passphrase out of a file. Errors when it is so short that it can be guessed.
pub(super) fn read_passphrase(path: &Path) -> anyhow::Result<SecretString> {
    let text = text_file::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.trim();
    anyhow::ensure!(
        text.chars().count() >= 20,
        "the passphrase in {} has fewer than 20 characters: whoever reads a destination could guess it",
        path.display()
    );
    Ok(text.to_owned().into())
}

fn sheet(file: &KeyFile, config: &Config) -> String {
    let destinations: Vec<String> =
        config.backup.destinations.iter().map(|(name, d)| format!("  {name}: {}", d.url)).collect();
    format!(
        "HOLDFAST RECOVERY SHEET\n=======================\n\nKeep this in a safe. Type the lines between the rules into a file, say holdfast-backup.key.\n\n\
         ----------------------------------------------------------------\n{}\
         ----------------------------------------------------------------\n\n\
         Backups lie at:\n{}\n\nTo restore, on an empty host with holdfast and PostgreSQL's server binaries:\n\n  \
         holdfast restore --from <folder or s3://bucket/prefix> --key-file holdfast-backup.key\n\nIt shows a plan and asks before it writes.",
        file.text(),
        destinations.join("\n")
    )
}

/// Progress, for the person at the terminal: what is new, and every tenth of the whole.
pub(super) fn say(percent: u8, step: &str) {
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
    let counts = report.participants.values().flatten();
    let mut participants: String = counts.map(|(what, n)| format!(", {n} {}", what.replace('_', " "))).collect();
    // Of a version that named no participants.
    if participants.is_empty() {
        participants = format!(", {} vector tables, {} vectors", report.vector_tables, report.vectors);
    }
    print_line(&format!(
        "{} from {}: {} in {:.1} s on PostgreSQL {}; {} tables with {} rows, {} constraints, {} policies, {} objects{}",
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
        participants
    ));
    if let Some(error) = &drill.error {
        print_line(&format!("    {error}"));
    }
}
