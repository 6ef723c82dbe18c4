//! What this room hands over.

use std::sync::Arc;

use super::{
    Config, Deps, EVENTS, Metrics, Needs, StatusPages, checks, jobs::Updated, pages, probes, public, register, routes,
    service::PagesSection, words::LOCALE,
};
use console::{NavItem, Section};
use events::Subscription;
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
    nav: &[
        NavItem::new(Section::Settings, "/settings/status-pages", "status-page-title", "external").role(Role::Member)
    ],
    locale: Some(LOCALE),
    queues: &["system"],
    schedules: &["status_page.maintain"],
    events: EVENTS,
    subscriptions: &[Subscription::of::<Updated>()],
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("status_page", Metrics::register))),
    public: public::PUBLIC,
    ..Room::new("status_page")
};

pub fn build(context: &Context, config: &Config, needs: Needs) -> anyhow::Result<(StatusPages, Module)> {
    let Context { db, clock, lifecycle, master_key, server, telemetry, .. } = context.clone();
    let uptime = needs.uptime.clone();
    let pages = StatusPages::new(Deps {
        config: config.clone(),
        db,
        clock,
        lifecycle,
        master_key,
        base_url: server.base_url(),
        metrics: telemetry.register("status_page", Metrics::register),
        rooms: needs,
    });
    uptime.set_published(pages.hosts())?;
    uptime.add_section(Arc::new(PagesSection(pages.clone())));
    let background = pages.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &pages)
        .pages(pages::router(), &pages)
        .pages(public::router(), &pages)
        .ops(probes::router(), &pages)
        .jobs(pages.clone(), register)
        .checks(pages.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(pages.clone());
    Ok((pages, module))
}
