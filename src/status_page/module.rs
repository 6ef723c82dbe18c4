//! What this room hands over.

use super::{Config, Deps, EVENTS, Needs, StatusPages, register};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
};

/// Sees status pages and who follows them.
pub const READ: Scope = Scope::new("status_page_read", Role::Member);
/// Changes status pages.
pub const WRITE: Scope = Scope::new("status_page_write", Role::Admin);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[
        Table::watched("status_page_renders"),
        Table::watched("status_page_versions"),
        Table::small("status_page_components"),
        Table::small("status_page_domains"),
        Table::small("status_page_groups"),
        Table::small("status_page_subscribers"),
        Table::small("status_pages"),
    ],
    locale: Some(console::locale!("status_page")),
    queues: &["system"],
    schedules: &["status_page.maintain"],
    events: EVENTS,
    ..Room::new("status_page")
};

pub fn build(context: &Context, config: &Config, needs: Needs) -> anyhow::Result<(StatusPages, Module)> {
    let Context { db, clock, lifecycle, master_key, server, .. } = context.clone();
    let pages = StatusPages::new(Deps {
        config: config.clone(),
        db,
        clock,
        lifecycle,
        master_key,
        base_url: server.base_url(),
        rooms: needs,
    });
    let module = Module::new(&ROOM).jobs(pages.clone(), register);
    Ok((pages, module))
}
