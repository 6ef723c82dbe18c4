//! `holdfast migrate`

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{boot::Booted, print_line, restore};
use crate::app::Config;
use backup::{Destination, Installation, KeyFile, Restore};
use platform::{db::migrate, error::chain, lifecycle::Lifecycle, telemetry::Telemetry};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:\n  holdfast migrate\n  holdfast migrate --plan\n  \
    HOLDFAST_DATABASE__URL=postgres://owner@db/holdfast holdfast migrate     before the new version serves\n  \
    holdfast migrate --rollback --key-file holdfast-backup.key             with the former version's program, after a failed upgrade\n\n\
    If backups are configured, one is made before anything is changed; --rollback restores it: rows, objects and vectors of that\n\
    time. Data written since is not in it; that data is moved aside, not removed.")]
pub struct Args {
    /// Only print what would be done.
    #[arg(long)]
    plan: bool,
    /// Print it as JSON: migrations in the database and in this version, and whether the version works with the database.
    #[arg(long, requires = "plan", conflicts_with = "rollback")]
    json: bool,
    /// Restore the backup that was made before the last migration.
    #[arg(long)]
    rollback: bool,
    /// The key that decrypts backups; default: `backup.key_file`.
    #[arg(long, value_name = "FILE", requires = "rollback")]
    key_file: Option<PathBuf>,
    /// The id of the installation, to skip the prompt.
    #[arg(long, value_name = "ID", requires = "rollback")]
    confirm: Option<String>,
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    if args.rollback {
        return Box::pin(roll_back(config, args)).await;
    }
    let backs_up = config.backup.is_on() && config.backup.before_migration;
    let booted = if args.plan { Booted::open_or_join(config).await? } else { Booted::open(config).await? };
    let result = if args.plan { plan(&booted, backs_up, args.json).await } else { apply(&booted).await };
    booted.close().await;
    result
}

async fn apply(booted: &Booted) -> anyhow::Result<ExitCode> {
    let migrated = booted.migrate().await?;
    print_line(&format!(
        "installation {}: {} of {} migrations applied now, row-level security verified",
        migrated.installation, migrated.applied, migrated.total
    ));
    Ok(ExitCode::SUCCESS)
}

/// Output of `--plan --json`; scripts/upgrade reads `serves`.
#[derive(serde::Serialize)]
struct Plan {
    /// Whether this version works with the database after applying the missing migrations.
    serves: bool,
    applied: BTreeSet<i64>,
    known: BTreeSet<i64>,
    missing: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    needed_and_unknown: BTreeSet<i64>,
}

async fn plan(booted: &Booted, backs_up: bool, json: bool) -> anyhow::Result<ExitCode> {
    let state = migrate::state(&booted.target).await?;
    let serves = state.serves();
    if json {
        let migrate::State { applied, missing, unknown, needed } = state;
        let plan = Plan { serves, applied, known: migrate::known(), missing, unknown, needed_and_unknown: needed };
        print_line(&serde_json::to_string_pretty(&plan)?);
        return Ok(ExitCode::SUCCESS);
    }
    let newest = state.applied.last();
    let at = newest.map_or_else(|| "an empty database".to_owned(), |newest| format!("migration {newest}"));
    print_line(&format!("the database is at {at}; this version knows {}", migrate::newest_known()));
    if !serves {
        let needed: Vec<String> = state.needed.iter().map(i64::to_string).collect();
        let needed = needed.join(", ");
        print_line(&format!(
            "this version cannot work with it: a newer one removed something, and working with the rest requires the migrations {needed}"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&match (state.missing.len(), backs_up && newest.is_some()) {
        (0, _) => "nothing to do".to_owned(),
        (n, true) => format!("{n} migrations would be applied, after a backup"),
        (n, false) => format!("{n} migrations would be applied, without a backup"),
    });
    if !state.unknown.is_empty() {
        print_line(&format!("{} migrations are from a newer version", state.unknown.len()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn roll_back(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let key_file = args.key_file.or_else(|| config.backup.key_file.clone());
    let key_file = key_file.context("name the key that opens backups: --key-file FILE")?;
    let mut keys = KeyFile::read(&key_file)?;
    // The rollback is of this installation, whether or not the key file names it.
    let ours = Installation::of_data_dir(&config.data_dir, config.secret_key_file.as_deref())?;
    if let Some(ours) = ours {
        keys.check_is_for(&ours)?;
        keys.installation = Some(ours);
    }
    let lifecycle = Lifecycle::new();
    let metrics = Telemetry::new().register("storage", storage::Metrics::register);
    let mut found: Option<(String, Restore)> = None;
    for (name, place) in &config.backup.destinations {
        let looked = async {
            let from = Destination::open(name, place, config.backup.timeouts(), &lifecycle, &metrics)?;
            Restore::before_migration(from, &keys, &migrate::known()).await
        };
        let restore = match looked.await {
            Ok(Some(restore)) => restore,
            Ok(None) => continue,
            Err(error) => {
                // Another destination may have a usable backup.
                super::eprint_line(&format!("warning: {name}: {}", chain(&error)));
                continue;
            }
        };
        if found.as_ref().is_none_or(|(_, other)| other.manifest.sequence < restore.manifest.sequence) {
            found = Some((name.clone(), restore));
        }
    }
    lifecycle.drain(Duration::from_secs(5)).await;
    let (from, restore) = found.with_context(|| {
        format!(
            "no destination has a backup from before a migration that this version (up to migration {}) can work with",
            migrate::newest_known()
        )
    })?;
    print_line(&format!(
        "Rolling back to {}: data written since then will be missing; it is kept in *.before-restore.",
        restore.manifest.taken_at.format("%Y-%m-%d %H:%M:%SZ")
    ));
    let signed = (restore.manifest.id, STANDARD.encode(restore.manifest.signer));
    Box::pin(restore::run(config, restore::Args::whole(from, key_file, signed, args.plan, args.confirm))).await
}
