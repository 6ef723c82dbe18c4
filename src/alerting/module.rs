//! What this room hands over.

use super::{Alerting, Config, Deps, EVENTS, Metrics, checks, pages, register, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::db::Table;
use webhooks::Webhooks;

pub static ROOM: Room = Room {
    tables: &[Table::small("alert_deliveries"), Table::small("alert_watchdog"), Table::small("alerts")],
    nav: &[NavItem::new(Section::Operate, "/alerts", "alerting-title", "alert").keys('r').operator()],
    locale: Some(console::locale!("alerting")),
    queues: &["alerting"],
    schedules: &["alerting.compare", "alerting.maintain"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("alerting", Metrics::register))),
    own_tokens: &[routes::WEBHOOK],
    public: &[pages::RUNBOOKS],
    ..Room::new("alerting")
};

pub fn build(context: &Context, config: &Config, webhooks: Webhooks) -> (Alerting, Module) {
    let Context { db, clock, http, telemetry, server, .. } = context.clone();
    let alerting = Alerting::new(Deps {
        config: config.clone(),
        base_url: server.base_url(),
        db,
        clock,
        http,
        metrics: telemetry.register("alerting", Metrics::register),
        webhooks,
    });
    let background = alerting.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &alerting)
        .pages(pages::router(), &alerting)
        .jobs(alerting.clone(), register)
        .checks(alerting.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(alerting.clone());
    (alerting, module)
}
