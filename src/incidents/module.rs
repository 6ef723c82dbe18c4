//! What this room hands over.

use super::{Config, Deps, EVENTS, Incidents, Needs, register};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
};

/// Sees incidents, components, rotas.
pub const READ: Scope = Scope::new("incidents_read", Role::Member);
/// Opens, changes, acknowledges and resolves incidents.
pub const WRITE: Scope = Scope::new("incidents_write", Role::Member);
/// Changes who is told of what, and how.
pub const ADMIN: Scope = Scope::new("incidents_admin", Role::Admin);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE, ADMIN],
    tables: &[
        Table::watched("incident_told"),
        Table::watched("incident_told_keys"),
        Table::small("incident_causes"),
        Table::small("incident_channels"),
        Table::small("incident_component_changes"),
        Table::small("incident_component_monitors"),
        Table::small("incident_components"),
        Table::small("incident_impacts"),
        Table::small("incident_log"),
        Table::small("incident_people"),
        Table::small("incident_rota_overrides"),
        Table::small("incident_rotas"),
        Table::small("incident_rules"),
        Table::small("incident_templates"),
        Table::small("incident_updates"),
        Table::small("incidents"),
    ],
    locale: Some(console::locale!("incidents")),
    queues: &["system"],
    schedules: &["incidents.maintain"],
    events: EVENTS,
    ..Room::new("incidents")
};

pub fn build(context: &Context, config: &Config, needs: Needs) -> anyhow::Result<(Incidents, Module)> {
    let Context { db, clock, master_key, http, server, .. } = context.clone();
    let incidents = Incidents::new(Deps {
        config: config.clone(),
        db,
        clock,
        master_key,
        http,
        base_url: server.base_url(),
        rooms: needs,
    });
    let module = Module::new(&ROOM).jobs(incidents.clone(), register);
    Ok((incidents, module))
}
