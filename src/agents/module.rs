//! What this room hands over.

use super::{Agents, Config, Deps, EVENTS, Metrics, checks, pages, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use knowledge::Knowledge;
use llm::Llm;
use platform::{
    db::Table,
    http::{Role, Scope},
};

pub const READ: Scope = Scope::new("agents_read", Role::Viewer);
pub const WRITE: Scope = Scope::new("agents_write", Role::Member);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[
        Table::watched("conversations"),
        Table::watched("messages"),
        Table::small("agent_versions"),
        Table::small("agents"),
    ],
    nav: &[NavItem::new(Section::Build, "/agents", "agents-nav", "agents").keys('a')],
    commands: &[Command { key: "agents-new", href: "/agents/new", role: Role::Member }],
    locale: Some(console::locale!("agents")),
    assets: console::assets!("agents": "chat.js"),
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("agents", Metrics::register))),
    ..Room::new("agents")
};

pub fn build(context: &Context, config: &Config, knowledge: Knowledge, llm: Llm) -> (Agents, Module) {
    let Context { db, clock, lifecycle, telemetry, .. } = context.clone();
    let metrics = telemetry.register("agents", Metrics::register);
    let agents = Agents::new(Deps { db, clock, config: config.clone(), lifecycle, metrics, knowledge, llm });
    let background = agents.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &agents)
        .pages(pages::router(), &agents)
        .checks(agents.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(agents.clone());
    (agents, module)
}
