//! What this room hands over.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::{Backups, Config, Deps, EVENTS, Metrics, checks, pages, register, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::{Table, Target},
    telemetry::ANY,
};
use storage::{Deletions, Participant, Storage};

pub static ROOM: Room = Room {
    tables: &[
        Table::watched("backup_known_files"),
        Table::small("backup_copies"),
        Table::small("backup_drills"),
        Table::small("backups"),
    ],
    nav: &[NavItem::new(Section::Operate, "/backups", "backup-title", "download").keys('b').operator()],
    locale: Some(console::locale!("backup")),
    queues: &["backup"],
    schedules: &["backup.drill", "backup.drill_old", "backup.run"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| telemetry.register("backup", Metrics::register).create_destination(ANY)),
    ..Room::new("backup")
};

/// What it stands on.
pub struct Needs {
    pub target: Target,
    pub objects: Storage,
    pub deletions: Deletions,
    pub participants: Vec<Arc<dyn Participant>>,
    /// Folder of the in-process embedding model; `None` where a provider embeds.
    pub model_dir: Option<PathBuf>,
    /// The configuration's file and the files with secrets that it names.
    pub settings_files: Vec<PathBuf>,
    /// Settings from the environment, by variable.
    pub environment: BTreeMap<String, SecretString>,
    /// Server binaries for a scratch cluster.
    pub server_dir: Option<PathBuf>,
    pub storage_metrics: storage::Metrics,
}

pub fn build(context: &Context, config: Config, needs: Needs) -> (Backups, Module) {
    let Context { db, clock, master_key, lifecycle, telemetry, traffic, data_dir, .. } = context.clone();
    let Needs {
        target,
        objects,
        deletions,
        participants,
        model_dir,
        settings_files,
        environment,
        server_dir,
        storage_metrics,
    } = needs;
    let backups = Backups::new(Deps {
        config,
        data_dir,
        target,
        db,
        clock,
        master_key,
        lifecycle,
        metrics: telemetry.register("backup", Metrics::register),
        storage_metrics,
        deletions,
        objects,
        participants,
        model_dir,
        settings_files,
        environment,
        server_dir,
        traffic,
    });
    let background = backups.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &backups)
        .pages(pages::router(), &backups)
        .jobs(backups.clone(), register)
        .checks(backups.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(backups.clone());
    (backups, module)
}
