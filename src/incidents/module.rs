//! What this room hands over.

use std::sync::Arc;

use super::{
    Config, Deps, EVENTS, Incidents, Metrics, Needs, checks,
    jobs::{FromAlert, FromMonitor},
    pages, register, routes,
    service::{ChannelReceivers, FileSection, MonitorWitness},
};
use console::{Locale, NavItem, Section};
use events::Subscription;
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

pub(super) const LOCALE: Locale = console::locale!("incidents");

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
        Table::small("incident_defaults"),
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
    nav: &[
        NavItem::new(Section::Operate, "/incidents", "incidents-title", "warn").role(Role::Member),
        NavItem::new(Section::Operate, "/on-call", "incidents-on-call", "members").role(Role::Member),
        NavItem::new(Section::Settings, "/settings/channels", "incidents-channels-title", "send").role(Role::Admin),
    ],
    public: &[pages::PUBLIC],
    locale: Some(LOCALE),
    queues: &["incidents", "system"],
    schedules: &["incidents.maintain"],
    events: EVENTS,
    subscriptions: &[Subscription::of::<FromAlert>(), Subscription::of::<FromMonitor>()],
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("incidents", Metrics::register))),
    ..Room::new("incidents")
};

pub fn build(context: &Context, config: &Config, needs: Needs) -> anyhow::Result<(Incidents, Module)> {
    let Context { db, clock, master_key, http, server, telemetry, .. } = context.clone();
    let incidents = Incidents::new(Deps {
        config: config.clone(),
        db,
        clock,
        master_key,
        http,
        metrics: telemetry.register("incidents", Metrics::register),
        base_url: server.base_url(),
        rooms: needs,
    });
    incidents.inner.rooms.uptime.set_witness(Arc::new(MonitorWitness(incidents.clone())))?;
    incidents.inner.rooms.uptime.add_section(Arc::new(FileSection(incidents.clone())));
    incidents.inner.rooms.webhooks.add_receivers(Arc::new(ChannelReceivers(incidents.clone())));
    let background = incidents.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &incidents)
        .pages(pages::router(), &incidents)
        .jobs(incidents.clone(), register)
        .checks(incidents.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(incidents.clone());
    Ok((incidents, module))
}
