//! What this room hands over.

use std::net::SocketAddr;

use super::{Config, Deps, Logs, checks, pages, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{http, telemetry};

pub static ROOM: Room = Room {
    nav: &[NavItem::new(Section::Operate, "/logs", "logs-title", "document").keys('l').operator()],
    locale: Some(console::locale!("logs")),
    openapi: Some(|| routes::router().into_openapi()),
    ..Room::new("logs")
};

/// `ops` is the ops port of the appliance, for `doctor` beside it.
pub fn build(context: &Context, config: &Config, telemetry: &telemetry::Config, ops: SocketAddr) -> (Logs, Module) {
    let Context { http, logger, clock, lifecycle, master_key, .. } = context.clone();
    let (config, telemetry, ops_token) = (config.clone(), telemetry.clone(), http::ops_token(&master_key));
    let logs = Logs::new(Deps { config, telemetry, ops, ops_token, http, logger, clock, lifecycle });
    let module = Module::new(&ROOM)
        .api(routes::router(), &logs)
        .ops(routes::ops_router(), &logs)
        .pages(pages::router(), &logs)
        .checks(logs.clone(), checks);
    (logs, module)
}
