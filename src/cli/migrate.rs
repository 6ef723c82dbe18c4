//! `holdfast migrate`

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;

use super::{boot::Booted, print_line, restore};
use crate::{
    app::Config,
    backup::{Destination, KeyFile, Restore},
    platform::{
        db::migrate::{self, State},
        error::chain,
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
    storage,
};

#[derive(Debug, Default, clap::Args)]
#[command(after_help = "Examples:\n  holdfast migrate\n  holdfast migrate --plan\n  \
    HOLDFAST_DATABASE__URL=postgres://owner@db/holdfast holdfast migrate     before the new version serves\n  \
    holdfast migrate --rollback --key-file holdfast-backup.key             with the former version's program, after a failed upgrade\n\n\
    Where backups are configured, one is made before anything is changed; --rollback brings that one back: rows, objects and vectors\n\
    as they were then. What was written since is not in it; it is moved aside, not removed.")]
pub struct Args {
    /// Only say what would be done.
    #[arg(long)]
    plan: bool,
    /// Bring back the backup that was made before the last migration.
    #[arg(long)]
    rollback: bool,
    /// The key that opens backups; `backup.key_file` when absent.
    #[arg(long, value_name = "FILE", requires = "rollback")]
    key_file: Option<PathBuf>,
    /// The id of the installation, instead of typing it.
    #[arg(long, value_name = "ID", requires = "rollback")]
    confirm: Option<String>,
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    if args.rollback {
        return Box::pin(roll_back(config, args)).await;
    }
    let backs_up = config.backup.is_on() && config.backup.before_migration;
    let booted = if args.plan { Booted::open_or_join(config).await? } else { Booted::open(config).await? };
    let result = if args.plan { plan(&booted, backs_up).await } else { apply(&booted).await };
    booted.close().await;
    result
}

async fn apply(booted: &Booted) -> anyhow::Result<ExitCode> {
    let migrated = booted.migrate().await?;
    print_line(&format!(
        "installation {}: {} of {} migrations applied now, row-level security holds",
        migrated.installation, migrated.applied, migrated.total
    ));
    Ok(ExitCode::SUCCESS)
}

async fn plan(booted: &Booted, backs_up: bool) -> anyhow::Result<ExitCode> {
    let State { newest, missing, unknown } = migrate::state(&booted.target).await?;
    let at = newest.map_or_else(|| "an empty database".to_owned(), |newest| format!("migration {newest}"));
    print_line(&format!("the database is at {at}; this version knows {}", migrate::newest_known()));
    print_line(&match (missing, backs_up && newest.is_some()) {
        (0, _) => "nothing to do".to_owned(),
        (n, true) => format!("{n} migrations would be applied, after a backup"),
        (n, false) => format!("{n} migrations would be applied, without a backup"),
    });
    if unknown > 0 {
        print_line(&format!("{unknown} migrations are of a newer version"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn roll_back(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let key_file = args.key_file.or_else(|| config.backup.key_file.clone());
    let key_file = key_file.context("name the key that opens backups: --key-file FILE")?;
    let keys = KeyFile::read(&key_file)?;
    let lifecycle = Lifecycle::new();
    let metrics = Telemetry::new().register("storage", storage::Metrics::register);
    let mut found: Option<(String, Restore)> = None;
    for (name, place) in &config.backup.destinations {
        let looked = async {
            let from = Destination::open(name, place, config.backup.patience(), &lifecycle, &metrics)?;
            Restore::before_migration(from, &keys, migrate::newest_known()).await
        };
        let restore = match looked.await {
            Ok(Some(restore)) => restore,
            Ok(None) => continue,
            Err(error) => {
                // Another one may have what this one cannot show.
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
            "no destination has a backup that was made before a migration and that this version (up to migration {}) can work with",
            migrate::newest_known()
        )
    })?;
    print_line(&format!(
        "Rolling back to {}: what was written since then will not be there; it is kept beside, in *.before-restore.",
        restore.manifest.taken_at.format("%Y-%m-%d %H:%M:%SZ")
    ));
    let backup = restore.manifest.id;
    Box::pin(restore::run(config, restore::Args::whole(from, key_file, backup, args.plan, args.confirm))).await
}
