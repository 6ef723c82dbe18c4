//! What this room hands over.

use super::{Deps, Metrics, Notes, checks, pages, register, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
};

pub const READ: Scope = Scope::new("notes_read", Role::Viewer);
pub const WRITE: Scope = Scope::new("notes_write", Role::Member);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[Table::watched("notes")],
    nav: &[NavItem::new(Section::Build, "/notes", "notes-title", "edit")],
    locale: Some(console::locale!("notes")),
    queues: &["system"],
    schedules: &["notes.retention"],
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("notes", Metrics::register))),
    ..Room::new("notes")
};

/// No other room calls it: the module is all.
pub fn build(context: &Context) -> Module {
    let Context { db, clock, telemetry, .. } = context.clone();
    let metrics = telemetry.register("notes", Metrics::register);
    let notes = Notes::new(Deps { db, clock, metrics });
    Module::new(&ROOM)
        .api(routes::router(), &notes)
        .pages(pages::router(), &notes)
        .jobs(notes.clone(), register)
        .checks(notes.clone(), checks)
}
