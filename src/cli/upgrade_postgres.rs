//! `holdfast upgrade-postgres`

use std::{io::IsTerminal as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{backup as backups, boot::Booted, eprint_line, print_line};
use crate::app::Config;
use backup::{FIRST_MIGRATION, Kind, Status};
use platform::{
    data_dir::{self, DataDirError},
    db::{
        managed::{
            upgrade::{Folders, Pair, Rollback, Upgrade, clear, recover},
            usual_places,
        },
        migrate,
    },
    pools::CpuPool,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast upgrade-postgres --dry-run        checks everything and shows the plan, also beside the running appliance\n  \
    holdfast upgrade-postgres                  to the newest version that is installed\n  holdfast upgrade-postgres --to 17 --yes\n  \
    holdfast upgrade-postgres --rollback       back to the former cluster, as it was\n  \
    holdfast upgrade-postgres --accept         removes the cluster kept for a rollback, or set aside by one\n\n\
    The programs of both versions must be installed, and Holdfast stopped. The new cluster is built beside the old one, which stays in\n\
    place until the new one has been started and compared with it; then they are exchanged. If interrupted at any time, one of them is intact."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// Upgrade to this major version instead of the newest installed one.
    #[arg(long, value_name = "MAJOR", conflicts_with_all = ["rollback", "accept"])]
    to: Option<u32>,
    /// Folder of the new version's programs, if not a usual one.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["rollback", "accept"])]
    bin_dir: Option<PathBuf>,
    /// Check everything and show the plan; change nothing.
    #[arg(long, conflicts_with_all = ["rollback", "accept"])]
    dry_run: bool,
    /// Continue without configured backups, without asking.
    #[arg(long, conflicts_with_all = ["rollback", "accept"])]
    without_backup: bool,
    /// Roll back to the former cluster: it lacks data written since, which is set aside.
    #[arg(long, conflicts_with = "accept")]
    rollback: bool,
    /// Remove the cluster that an upgrade or a rollback set aside.
    #[arg(long)]
    accept: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        config.database.url.is_none(),
        "database.url is set: that server is upgraded by its administrator (pg_upgrade, or a dump and a restore). Holdfast works with 15 to 18"
    );
    let there = data_dir::existing_key(&config.data_dir, config.secret_key_file.as_deref())?.is_some();
    anyhow::ensure!(
        there && config.data_dir.join("lock").exists(),
        "there is no installation in {}: set HOLDFAST_DATA_DIR (or data_dir) to where it is",
        config.data_dir.display()
    );
    match (args.rollback, args.accept) {
        (true, _) => Box::pin(roll_back(&config, &args)).await,
        (_, true) => accept(&config, &args).await,
        _ => Box::pin(upgrade(config, args)).await,
    }
}

async fn upgrade(mut config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let configured = config.database.bin_dir.take();
    // First: the leftovers of an interrupted run may be the only cluster.
    if let Ok(_lock) = data_dir::try_lock(&config.data_dir) {
        recover(&config.data_dir).await?;
    }
    let Some(pair) = Pair::find(&config.data_dir, configured.as_deref(), args.bin_dir.as_deref(), args.to)? else {
        print_line("Nothing to do: the cluster is of this version, or of the newest that Holdfast works with.");
        return Ok(ExitCode::SUCCESS);
    };
    config.database.bin_dir = Some(pair.old.dir.clone());
    let data_dir = config.data_dir.clone();
    let mut booted = if args.dry_run { Booted::existing(config).await? } else { open_alone(config).await? };
    let new = pair.new.clone();
    let outcome = tokio::select! {
        outcome = steps(&mut booted, pair, &args) => outcome,
        outcome = interrupted() => outcome,
    };
    booted.stop_database().await;
    // Created but not used.
    if booted.data_dir.is_locked() {
        recover(&data_dir).await?;
    } else {
        clear(&data_dir).await?;
    }
    if outcome? == Outcome::Upgraded {
        let folders = Folders::of(&data_dir);
        print_line(&format!("Upgraded: the cluster is PostgreSQL {}.{} now. Start Holdfast.", new.major, new.minor));
        print_line(&format!("The former cluster is kept in {}.", folders.before.display()));
        let is_found = configured.map_or_else(|| usual_places().contains(&new.dir), |dir| dir == new.dir);
        if !is_found {
            let dir = new.dir.display();
            print_line(&format!("FIRST set database.bin_dir to {dir}, the folder of the new version's programs."));
        }
        print_line(
            "back: holdfast upgrade-postgres --rollback    once it has proven itself: holdfast upgrade-postgres --accept",
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Locks the data directory until this process ends.
async fn open_alone(config: Config) -> anyhow::Result<Booted> {
    Booted::open(config).await.map_err(|error| match error.downcast_ref::<DataDirError>() {
        Some(DataDirError::InUse { holder, .. }) => anyhow::anyhow!(
            "Holdfast is running (process {holder}): its database cannot be upgraded meanwhile. Stop it (systemctl stop holdfast), and run this again; \
             --dry-run looks beside it"
        ),
        _ => error,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was a dry run.
    Looked,
    Upgraded,
}

async fn interrupted() -> anyhow::Result<Outcome> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    anyhow::bail!("interrupted: the cluster is unchanged")
}

/// The steps with the old server running, then those without it.
async fn steps(booted: &mut Booted, pair: Pair, args: &Args) -> anyhow::Result<Outcome> {
    let admin = booted.target.admin.clone();
    eprint_line(&format!("Looking whether {} can become {}", pair.old, pair.new));
    let data_dir = booted.data_dir.path.clone();
    let upgrade = Upgrade::look(&data_dir, pair, &admin, &booted.data_dir.master_key, &eprint_line).await?;
    let backs_up = booted.config.backup.is_on();
    show(&upgrade, backs_up);
    if args.dry_run {
        upgrade.discard().await;
        return Ok(Outcome::Looked);
    }
    confirm_upgrade(backs_up, args).await?;
    if backs_up {
        Box::pin(back_up(booted)).await?;
    }
    eprint_line("... counting every table's rows");
    let counted = upgrade.count(&admin).await?;
    eprint_line(&format!("    {} tables, {} rows", counted.tables(), counted.rows()));
    eprint_line("... stopping the old version");
    booted.stop_database().await;
    upgrade.run(&counted, &eprint_line).await?;
    Ok(Outcome::Upgraded)
}

fn show(upgrade: &Upgrade, backs_up: bool) {
    let (plan, mib) = (&upgrade.plan, |bytes: u64| bytes.div_ceil(1 << 20));
    print_line("The plan");
    print_line(&format!("  from         {}", plan.old));
    print_line(&format!("  to           {}", plan.new));
    print_line(if backs_up {
        "  backup       one is made and verified first"
    } else {
        "  backup       NONE: backups are not configured ([backup] in the configuration)"
    });
    print_line(&if plan.copied == 0 {
        "  disk         hardly any: this file system clones files".to_owned()
    } else {
        format!("  disk         {} MiB are copied, {} MiB are free", mib(plan.copied), plan.free >> 20)
    });
    print_line(&format!("  kept         the former cluster, for a rollback: {}", plan.kept.display()));
    print_line("  out of use   until Holdfast is started again");
    print_line("  on failure   the old cluster stays in its place, as it is");
    plan.notes.iter().for_each(|note| print_line(&format!("  note         {note}")));
}

async fn confirm_upgrade(backs_up: bool, args: &Args) -> anyhow::Result<()> {
    if !backs_up && !args.without_backup {
        typed(
            "There will be no backup off this host: if the disk fails now, everything is lost. Configure [backup], or type: without backup",
            "without backup",
            "--without-backup",
        )
        .await?;
    }
    if args.yes { Ok(()) } else { typed("Type: upgrade", "upgrade", "--yes").await }
}

/// Asks to type `words` at the terminal; without one, `option` replaces it.
async fn typed(prompt: &str, words: &str, option: &str) -> anyhow::Result<()> {
    let mut line = String::new();
    if std::io::stdin().is_terminal() {
        eprint_line(prompt);
        // On another thread: this one waits for Ctrl-C.
        let read = || std::io::stdin().lines().next().transpose();
        line = CpuPool::new(1).run(read).await??.unwrap_or_default();
    }
    anyhow::ensure!(line.trim() == words, "not confirmed: nothing was changed ({option} confirms)");
    Ok(())
}

async fn back_up(booted: &Booted) -> anyhow::Result<()> {
    let state = migrate::state(&booted.target).await?;
    anyhow::ensure!(
        state.applied.contains(&FIRST_MIGRATION),
        "this database is older than backups are, nothing was changed: start this version once (holdfast serve), then run this again"
    );
    eprint_line("Making a backup");
    // Not of the kind used by `migrate --rollback`: it does not lead back to a former Holdfast.
    let made = booted
        .back_up(Kind::Manual, backups::print_progress)
        .await
        .context("cannot make a backup, nothing was changed")?;
    anyhow::ensure!(
        made.status != Status::Failed,
        "no backup could be made, so nothing was changed: {}",
        made.error.unwrap_or_default()
    );
    if made.status != Status::Verified {
        eprint_line(&format!(
            "WARNING: the backup is not complete at every destination: {}",
            made.error.as_deref().unwrap_or("see holdfast backup list")
        ));
    }
    eprint_line(&format!("    backup {}", made.id));
    Ok(())
}

async fn roll_back(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let _lock = lock(config)?;
    let configured = config.database.bin_dir.as_deref();
    let rollback = Rollback::look(&config.data_dir, configured).await?;
    let since = rollback
        .kept
        .until
        .map_or_else(String::new, |at| format!(", in use until {}", at.format("%Y-%m-%d %H:%M:%SZ")));
    print_line(&format!("Back to {}{since}", rollback.binaries));
    print_line(&format!(
        "DATA WRITTEN SINCE THEN IS NOT IN IT: documents, conversations, users, keys, jobs. It is not deleted: the PostgreSQL {} cluster with it \
         will be in {}, until --accept.",
        rollback.running,
        rollback.aside.display()
    ));
    if !args.yes {
        typed("Type: roll back", "roll back", "--yes").await?;
    }
    rollback.run()?;
    print_line(&format!("Rolled back: the cluster is PostgreSQL {} again. Start Holdfast.", rollback.kept.major));
    if configured.is_some_and(|dir| dir != rollback.binaries.dir) {
        print_line(&format!("FIRST set database.bin_dir to {}.", rollback.binaries.dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn accept(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    // Also beside the running appliance, whose start has cleaned up.
    let lock = data_dir::try_lock(&config.data_dir);
    if lock.is_ok() {
        recover(&config.data_dir).await?;
    }
    let folders = Folders::of(&config.data_dir);
    let kept = folders.kept();
    if kept.is_empty() {
        print_line("Nothing is kept: no upgrade was made, or it was accepted.");
        return Ok(ExitCode::SUCCESS);
    }
    for kept in kept {
        let until =
            kept.until.map_or_else(String::new, |at| format!(", in use until {}", at.format("%Y-%m-%d %H:%M:%SZ")));
        print_line(&format!("{}: PostgreSQL {}{until}, {} MiB", kept.path.display(), kept.major, kept.bytes >> 20));
        if !args.yes {
            typed("Nothing goes back to it afterwards. Type: remove", "remove", "--yes").await?;
        }
        folders.forget(&kept.path)?;
        print_line("removed");
    }
    Ok(ExitCode::SUCCESS)
}

/// Locks the data directory.
fn lock(config: &Config) -> anyhow::Result<std::fs::File> {
    data_dir::try_lock(&config.data_dir).map_err(|error| match error {
        DataDirError::InUse { holder, .. } => {
            anyhow::anyhow!(
                "Holdfast is running (process {holder}). Stop it (systemctl stop holdfast), and run this again"
            )
        }
        other => other.into(),
    })
}
