//! What this room hands over.

use super::{Auth, AuthError, Config, EVENTS, Metrics, checks, metrics, pages, routes};
use console::{Command, NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
};

pub static ROOM: Room = Room {
    scopes: &[Scope::ADMIN],
    tables: &[
        Table::watched("sessions"),
        Table::small("api_keys"),
        Table::small("memberships"),
        Table::small("one_time_links"),
        Table::small("organisations"),
        Table::small("users"),
    ],
    nav: &[
        NavItem::new(Section::Settings, "/settings/api-keys", "auth-nav-api-keys", "key").keys('i').role(Role::Admin),
        NavItem::new(Section::Settings, "/settings/members", "auth-nav-members", "members").keys('p').role(Role::Admin),
        NavItem::new(Section::Settings, "/settings", "auth-nav-organisation", "settings").keys('s'),
    ],
    commands: &[Command { key: "auth-keys-new", href: "/settings/api-keys", role: Role::Admin }],
    locale: Some(console::locale!("auth")),
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("auth", Metrics::register))),
    ..Room::new("auth")
};

/// `scopes` are those of all rooms.
pub fn build(context: &Context, config: &Config, scopes: Vec<Scope>) -> Result<(Auth, Module), AuthError> {
    let Context { db, clock, server, telemetry, lifecycle, .. } = context.clone();
    let auth = Auth::new(db, clock, config, &server, scopes, telemetry.register("auth", metrics::Metrics::register))?;
    auth.keeps_first_password_in(&context.data_dir);
    let background = auth.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &auth)
        .pages(pages::router(), &auth)
        .checks(auth.clone(), checks)
        .background(move |loops| {
            background.spawn_upkeep(&lifecycle);
            background.start_loops(loops);
        })
        .overview(auth.clone())
        .directory(auth.clone());
    Ok((auth, module))
}
