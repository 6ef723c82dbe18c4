//! What this room hands over.

use std::{path::PathBuf, sync::Arc};

use super::{Config, Deps, EVENTS, Metrics, SelfCheck, Uptime, doctor::checks, pages, prober, register, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
};

/// Sees monitors and their history.
pub const READ: Scope = Scope::new("uptime_read", Role::Member);
/// Changes monitors, windows and groups.
pub const WRITE: Scope = Scope::new("uptime_write", Role::Admin);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[
        Table::watched("uptime_beats"),
        Table::watched("uptime_checks"),
        Table::watched("uptime_days"),
        Table::watched("uptime_hours_open"),
        Table::watched("uptime_minutes"),
        Table::watched("uptime_prober"),
        Table::watched("uptime_spans"),
        Table::watched("uptime_state"),
        Table::small("uptime_file"),
        Table::small("uptime_groups"),
        Table::small("uptime_imports"),
        Table::small("uptime_monitors"),
        Table::small("uptime_windows"),
    ],
    nav: &[NavItem::new(Section::Operate, "/monitors", "uptime-title", "shield").keys('n').role(Role::Member)],
    locale: Some(console::locale!("uptime")),
    queues: &["system"],
    schedules: &["uptime.maintain", "uptime.rollup"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("uptime", Metrics::register))),
    public: &["/api/v1/uptime/beats", routes::badges::PATH],
    ..Room::new("uptime")
};

/// `monitors_file`: see [`Config::monitors_file`]. `self_checks`: the parts of the appliance. `is_watched`: somebody outside hears regularly that it lives.
pub fn build(
    context: &Context,
    config: &Config,
    monitors_file: Option<PathBuf>,
    self_checks: Vec<Arc<dyn SelfCheck>>,
    is_watched: bool,
) -> (Uptime, Module) {
    let Context { db, clock, lifecycle, master_key, telemetry, server, .. } = context.clone();
    let uptime = Uptime::new(Deps {
        config: config.clone(),
        db,
        clock,
        lifecycle,
        master_key,
        base_url: server.base_url(),
        monitors_file,
        self_checks,
        is_watched,
        metrics: telemetry.register("uptime", Metrics::register),
    });
    let background = uptime.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &uptime)
        .pages(pages::router(), &uptime)
        .pages(routes::push::router(), &uptime)
        .pages(routes::badges::router(), &uptime)
        .jobs(uptime.clone(), register)
        .checks(uptime.clone(), checks)
        .background(move |loops| {
            background.start_loops(loops);
            prober::start(&background, loops);
        })
        .overview(uptime.clone());
    (uptime, module)
}
