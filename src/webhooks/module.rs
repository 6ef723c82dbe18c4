//! What this room hands over.

use std::collections::BTreeMap;

use super::{Config, Configured, Deps, EVENTS, Metrics, Webhooks, checks, pages, register, routes};
use console::{NavItem, Section};
use events::EventType;
use kit::{Context, Module, Room};
use platform::{db::Table, http::Role, http_client::TenantClient};

pub static ROOM: Room = Room {
    tables: &[
        Table::watched("webhook_deliveries"),
        Table::small("webhook_endpoints"),
        Table::small("webhook_receivers"),
    ],
    nav: &[NavItem::new(Section::Settings, "/settings/webhooks", "webhooks-title", "link").role(Role::Admin)],
    locale: Some(console::locale!("webhooks")),
    queues: &["system", "webhooks"],
    schedules: &["webhooks.maintain"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("webhooks", Metrics::register))),
    ..Room::new("webhooks")
};

/// `types` are the events of all rooms, `configured` the receivers that the configuration names.
pub fn build(
    context: &Context,
    config: &Config,
    types: Vec<EventType>,
    configured: BTreeMap<String, Configured>,
) -> Result<(Webhooks, Module), reqwest::Error> {
    let Context { db, clock, http, master_key, telemetry, .. } = context.clone();
    let webhooks = Webhooks::new(Deps {
        config: config.clone(),
        db,
        clock,
        http,
        tenant: TenantClient::new(config.networks())?,
        master_key,
        metrics: telemetry.register("webhooks", Metrics::register),
        types,
        configured,
    });
    let background = webhooks.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &webhooks)
        .pages(pages::router(), &webhooks)
        .jobs(webhooks.clone(), register)
        .checks(webhooks.clone(), checks)
        .background(move |loops| background.start_loops(loops));
    Ok((webhooks, module))
}
