//! What this room hands over.

use super::{Agents, Config, Deps, EVENTS, FOLDER, Metrics, checks, pages, routes};
use console::{Command, NavItem, Section};
use images::Pool;
use kit::{Context, Module, Room};
use knowledge::Knowledge;
use llm::Llm;
use platform::{
    db::Table,
    http::{Role, Scope},
};
use storage::{Deletions, Storage, StorageError};

pub const READ: Scope = Scope::new("agents_read", Role::Viewer);
pub const WRITE: Scope = Scope::new("agents_write", Role::Member);

pub static ROOM: Room = Room {
    scopes: &[READ, WRITE],
    tables: &[
        Table::watched("agent_answer_pieces"),
        Table::watched("agent_attachments"),
        Table::watched("agent_document_uses"),
        Table::watched("agent_trace_details"),
        Table::watched("agent_traces"),
        Table::watched("conversations"),
        Table::watched("messages"),
        Table::small("agent_feedback"),
        Table::small("agent_privacy"),
        Table::small("agent_versions"),
        Table::small("agents"),
    ],
    nav: &[NavItem::new(Section::Build, "/agents", "agents-nav", "agents").keys('a')],
    commands: &[Command { key: "agents-new", href: "/agents/new", role: Role::Member }],
    locale: Some(console::locale!("agents", "chat", "sight")),
    assets: console::assets!("agents":
        "chat.js" "answer.js" "attach.js" "branches.js" "composer.js" "feedback.js" "panel.js" "agent_form.js" "chat.css" "sight.css"),
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("agents", Metrics::register))),
    ..Room::new("agents")
};

/// What it stands on.
pub struct Needs {
    pub knowledge: Knowledge,
    pub llm: Llm,
    /// The whole store: pictures of questions are in this room's folder of it.
    pub objects: Storage,
    pub deletions: Deletions,
    /// Children that decode pictures.
    pub pictures: Pool,
}

pub fn build(context: &Context, config: &Config, needs: Needs) -> Result<(Agents, Module), StorageError> {
    let Context { db, clock, lifecycle, telemetry, .. } = context.clone();
    let Needs { knowledge, llm, objects, deletions: _, pictures } = needs;
    let objects = objects.room(FOLDER)?;
    let metrics = telemetry.register("agents", Metrics::register);
    let config = config.clone();
    let agents = Agents::new(Deps { db, clock, config, lifecycle, metrics, knowledge, llm, objects, pictures });
    let background = agents.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &agents)
        .pages(pages::router(), &agents)
        .checks(agents.clone(), checks)
        .background(move |loops| background.start_loops(loops))
        .overview(agents.clone())
        .directory(agents.clone());
    Ok((agents, module))
}
