//! What this room hands over.

use std::{path::PathBuf, sync::Arc};

use crate::{
    Config, Deps, EVENTS, Files, Metrics, PurgeReceivers, doctor, inventory::FOLDER, jobs, pages, routes, supabase,
};
use console::{NavItem, Section};
use images::{Pool, PoolConfig};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
    pools::CpuPool,
};
use storage::{Deletions, Storage, StorageError};
use webhooks::Webhooks;

/// Lists and reads files.
pub const READ: Scope = Scope::new("files_read", Role::Viewer);
/// Writes and deletes files.
pub const WRITE: Scope = Scope::new("files_write", Role::Member);
/// Makes and changes buckets.
pub const ADMIN: Scope = Scope::new("files_admin", Role::Admin);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE, ADMIN],
    tables: &[
        Table::watched("files_blobs"),
        Table::watched("files_extents"),
        Table::watched("files_garbage"),
        Table::watched("files_objects"),
        Table::watched("files_parts"),
        Table::watched("files_spent"),
        Table::watched("files_uploads"),
        Table::watched("files_usage"),
        Table::small("files_access_keys"),
        Table::small("files_buckets"),
        Table::small("files_damage"),
        Table::small("files_image_reports"),
        Table::small("files_lifecycle_runs"),
        Table::small("files_links"),
        Table::small("files_quotas"),
        Table::small("files_rules"),
        Table::small("files_scrubs"),
        Table::small("files_sweeps"),
    ],
    nav: &[NavItem::new(Section::Build, "/files", "files-title", "folder").keys('f')],
    locale: Some(console::locale!("files")),
    queues: &[jobs::QUEUE],
    schedules: jobs::SCHEDULES,
    assets: console::assets!("files": "files.js" "upload.js"),
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("files", Metrics::register))),
    // Signatures of the S3 API.
    own_credentials: &["/s3"],
    public: routes::PUBLIC,
    ..Room::new("files")
};

/// What it stands on.
pub struct Needs {
    /// The whole store: blobs are in this room's folder of it.
    pub objects: Storage,
    pub deletions: Deletions,
    /// This program: it starts itself as a child to decode pictures.
    pub executable: PathBuf,
    pub data_dir: PathBuf,
    /// Tells addresses of buckets of changes.
    pub webhooks: Webhooks,
}

pub fn build(context: &Context, config: &Config, needs: Needs) -> Result<(Files, Module), StorageError> {
    let Context { db, clock, lifecycle, master_key, telemetry, server, traffic, .. } = context.clone();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let images = PoolConfig { children: threads, memory_mib: config.image_memory_mib, ..PoolConfig::default() };
    let files = Files::new(Deps {
        config: config.clone(),
        db,
        clock,
        lifecycle: lifecycle.clone(),
        master_key,
        storage: needs.objects.room(FOLDER)?,
        whole: needs.objects,
        deletions: needs.deletions,
        cpu: CpuPool::new(threads),
        images: Pool::new(needs.executable, images, lifecycle),
        // One more than are worked on: it is read meanwhile.
        image_sources: threads + 1,
        cache: needs.data_dir.join("cache/files"),
        traffic,
        public_url: server.base_url(),
        webhooks: needs.webhooks.clone(),
        metrics: telemetry.register("files", Metrics::register),
    });
    needs.webhooks.add_receivers(Arc::new(PurgeReceivers(files.clone())));
    let background = files.clone();
    telemetry.on_scrape({
        let files = files.clone();
        move || files.metrics().set_pictures(&files.variant_figures(), &files.images().figures())
    });
    let module = Module::new(&ROOM)
        .api(routes::router(), &files)
        .pages(pages::router(), &files)
        .pages(routes::surfaces(), &files)
        .pages(supabase::router(), &files)
        .jobs(files.clone(), jobs::register)
        .checks(files.clone(), doctor::checks)
        .background(move |loops| {
            background.start_figures(loops);
            background.start_scanning(loops);
        })
        .overview(files.clone());
    Ok((files, module))
}
