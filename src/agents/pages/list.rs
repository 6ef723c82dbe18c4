//! The list of agents, an agent's versions, deletion.

use askama::Template;
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    READ, WRITE,
    model::{Agent, AgentId, Version},
    service::Agents,
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};

pub(super) fn router() -> Router<Agents> {
    Router::new()
        .route("/agents", get(list))
        .route("/agents/{agent}/versions", get(versions).post(roll_back))
        .route("/agents/{agent}/delete", post(delete))
}

#[derive(Template)]
#[template(path = "agents/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    agents: Vec<Agent>,
    query: ListQuery,
    pager: Pager,
    default_model: String,
}

pub async fn list(shell: Shell, State(agents): State<Agents>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(30);
    let slice = query.slice()?;
    let page = slice.page(agents.list(shell.org_id(), query.search(), &slice).await?, |a| a.id.0);
    let pager = Pager::new("/agents", &[], &query, page.next_cursor.as_deref());
    shell.render(&List { shell: &shell, agents: page.data, query, pager, default_model: agents.default_model() })
}

#[derive(Template)]
#[template(path = "agents/templates/versions.html")]
struct Versions<'a> {
    shell: &'a Shell,
    agent: Agent,
    versions: Vec<Version>,
    query: ListQuery,
    pager: Pager,
}

pub async fn versions(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    shell.principal().require(READ)?;
    let agent = agents.get(shell.org_id(), id).await?;
    let query = query.sized(30);
    let slice = query.slice()?;
    let page = slice.page(agents.versions(shell.org_id(), id, query.search(), &slice).await?, |v| v.version.into());
    let pager = Pager::new(&format!("/agents/{id}/versions"), &[], &query, page.next_cursor.as_deref());
    shell.render(&Versions { shell: &shell, agent, versions: page.data, query, pager })
}

#[derive(Debug, Deserialize)]
pub struct RollBack {
    version: i32,
}

pub async fn roll_back(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Form(form): Form<RollBack>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let agent = agents.roll_back(shell.principal(), id, form.version).await?;
    let flash = Flash::ok("agents-rolled-back").with("name", &agent.name).with("version", &agent.version);
    Ok(shell.redirect(&format!("/agents/{id}/versions"), &flash))
}

pub async fn delete(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Form(_): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let agent = agents.get(shell.org_id(), id).await?;
    agents.delete(shell.principal(), id).await?;
    Ok(shell.redirect("/agents", &Flash::ok("agents-deleted").with("name", &agent.name)))
}
