//! `holdfast storage migrate`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use platform::{
    config::Raw, crypto, data_dir::installation_id, lifecycle::Lifecycle, pools::CpuPool, telemetry::Telemetry,
};
use storage::{Copied, Metrics, Storage, compare, copy_between};

use super::bytes;
use crate::{
    app::{App, Config},
    cli::{boot::Booted, eprint_line, print_line},
};

/// Passes go on until one copies fewer objects.
const FEW: u64 = 1000;
/// Most passes of a run: where more is written than can be copied, no pass is the last.
const PASSES: u32 = 20;
/// Share of the objects whose content is read again at the end.
const CHECKED: f64 = 0.01;
/// How long those who are deleting are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Objects between two messages.
const TELL_EVERY: u64 = 10_000;

pub(super) async fn run(
    booted: &Booted,
    app: &App,
    to: &str,
    account: Option<&Path>,
    finish: bool,
) -> anyhow::Result<ExitCode> {
    let id = installation_id(&booted.data_dir.path).context("this installation has no id yet: start it once")?;
    if finish && !booted.data_dir.is_locked() {
        anyhow::bail!("the appliance runs on this data directory: stop it, on every host, before the last pass");
    }
    let lifecycle = Lifecycle::new();
    let destination = open(booted, to, account, &lifecycle)?;
    let id = id.to_string();
    if let Some(other) = destination.claim(&id).await? {
        anyhow::bail!("the store {to} belongs to installation {other}, this is {id}: choose an empty one");
    }
    let catalogue = catalogue(booted, to)?;
    let cpu = CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from));
    // As during a backup: what is listed stays until it is copied.
    let held = app.deletions.hold(PATIENCE).await?;
    let held = held.context("a backup is being made, or files are being deleted: try again later")?;
    let result = passes(app, &destination, &catalogue, &cpu, finish).await;
    held.release().await;
    result?;
    if finish {
        finished(booted, app, to, (&destination, &id), &catalogue, &cpu).await?;
    } else {
        print_line("Stop the appliance, and run the same command with --finish.");
    }
    lifecycle.drain(Duration::from_secs(5)).await;
    Ok(ExitCode::SUCCESS)
}

/// A URL of a store, or a folder of this host.
fn open(booted: &Booted, to: &str, account: Option<&Path>, lifecycle: &Lifecycle) -> anyhow::Result<Storage> {
    let config = match account {
        Some(file) => Config::load(Raw::load(Some(file))?)?.storage,
        None => booted.config.storage.clone(),
    };
    let metrics = Telemetry::new().register("storage", Metrics::register);
    let (url, folder) = if to.contains("://") { (to, PathBuf::new()) } else { ("", PathBuf::from(to)) };
    anyhow::ensure!(url != booted.config.storage.url || url.is_empty(), "{to} is the store that is in use");
    let here = storage::Config::local_folder(&booted.data_dir.path);
    anyhow::ensure!(!url.is_empty() || folder != here, "{to} is the store that is in use");
    Ok(Storage::open_at(url, folder, &config, lifecycle.clone(), metrics)?)
}

/// What was copied; of these two stores.
fn catalogue(booted: &Booted, to: &str) -> anyhow::Result<PathBuf> {
    let folder = booted.data_dir.path.join("work");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let name = crypto::sha256_hex(format!("{} {to}", booted.config.storage.url));
    Ok(folder.join(format!("migrate-{}.redb", &name[..16])))
}

async fn passes(app: &App, destination: &Storage, catalogue: &Path, cpu: &CpuPool, finish: bool) -> anyhow::Result<()> {
    for pass in 1..=PASSES {
        let told = AtomicU64::new(0);
        let tell = |copied: &Copied| {
            let due = (copied.objects + copied.there) / TELL_EVERY;
            if told.fetch_max(due, Ordering::Relaxed) < due {
                eprint_line(&shown(pass, copied));
            }
        };
        let copied = copy_between(&app.storage, destination, catalogue, cpu, &tell).await?;
        print_line(&shown(pass, &copied));
        if copied.objects < FEW && (!finish || copied.objects == 0) {
            return Ok(());
        }
    }
    anyhow::bail!("after {PASSES} passes there is still more to copy: run it again when less is written")
}

fn shown(pass: u32, copied: &Copied) -> String {
    let size = bytes(i64::try_from(copied.bytes).unwrap_or(i64::MAX));
    let Copied { objects, there, vanished, .. } = copied;
    format!("pass {pass}: {objects} objects copied ({size}), {there} were there, {vanished} deleted meanwhile")
}

async fn finished(
    booted: &Booted,
    app: &App,
    to: &str,
    (destination, id): (&Storage, &str),
    catalogue: &Path,
    cpu: &CpuPool,
) -> anyhow::Result<()> {
    let (objects, size) = compare(&app.storage, destination, catalogue, cpu, CHECKED).await?;
    destination.take_over(id).await?;
    print_line(&format!(
        "{objects} objects ({}) are the same on both sides.",
        bytes(i64::try_from(size).unwrap_or(i64::MAX))
    ));
    print_line("Change the settings, and start the appliance:\n");
    if to.contains("://") {
        print_line(&format!(
            "  [storage]\n  url = \"{to}\"\n  # and the account of the file that was given with --account\n"
        ));
    } else {
        let here = storage::Config::local_folder(&booted.data_dir.path);
        print_line(&format!(
            "  [storage]\n  url = \"\"\n\n  and make {} the folder {to} (by a mount, or a link)\n",
            here.display()
        ));
    }
    print_line("Nothing was deleted in the former store: delete it when the new one has been backed up.");
    Ok(())
}
