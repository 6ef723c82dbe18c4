//! What this room hands over.

use std::path::PathBuf;

use super::{Config, Deps, EVENTS, Knowledge, Metrics, OBJECTS, checks, index::VectorIndex, pages, register, routes};
use console::{Command, NavItem, Section};
use kit::{Context, Module, Room};
use llm::Llm;
use platform::{
    db::Table,
    http::{Role, Scope},
    pools::CpuPool,
};
use storage::{Deletions, Storage, StorageError};

pub const READ: Scope = Scope::new("knowledge_read", Role::Viewer);
pub const WRITE: Scope = Scope::new("knowledge_write", Role::Member);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[
        Table::watched("knowledge_base_counts"),
        Table::watched("knowledge_chunks"),
        Table::watched("knowledge_documents"),
        Table::watched("knowledge_texts"),
        Table::small("knowledge_bases"),
    ],
    nav: &[NavItem::new(Section::Build, "/knowledge", "knowledge-nav", "knowledge").keys('k')],
    commands: &[Command { key: "knowledge-new", href: "/knowledge/new", role: Role::Member }],
    locale: Some(console::locale!("knowledge")),
    assets: console::assets!("knowledge": "knowledge.js"),
    queues: &["knowledge"],
    schedules: &["knowledge.maintain", "knowledge.reconcile"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("knowledge", Metrics::register))),
    ..Room::new("knowledge")
};

/// What it stands on.
pub struct Needs {
    pub objects: Storage,
    pub deletions: Deletions,
    pub index: VectorIndex,
    /// The files of `index`.
    pub index_files: Storage,
    pub llm: Llm,
    /// This program: it starts itself as a child to read documents.
    pub executable: PathBuf,
}

pub fn build(context: &Context, config: &Config, needs: Needs) -> Result<(Knowledge, Module), StorageError> {
    let Context { db, clock, traffic, telemetry, lifecycle, .. } = context.clone();
    let Needs { objects, deletions, index, index_files, llm, executable } = needs;
    let deps = Deps {
        db,
        clock,
        storage: objects.room(OBJECTS)?,
        deletions,
        index,
        index_files,
        llm,
        cpu: CpuPool::new(std::thread::available_parallelism().map_or(2, usize::from)),
        traffic,
        metrics: telemetry.register("knowledge", Metrics::register),
        extractor: executable,
    };
    let knowledge = Knowledge::new(config.clone(), deps);
    let background = knowledge.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &knowledge)
        .pages(pages::router(), &knowledge)
        .jobs(knowledge.clone(), register)
        .checks(knowledge.clone(), checks)
        .background(move |loops| background.start(loops, &lifecycle))
        .overview(knowledge.clone())
        .directory(knowledge.clone());
    Ok((knowledge, module))
}
