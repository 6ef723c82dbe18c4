//! Components: what is shown of each, what it is made of, and setting it by hand.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, Whose, affected::status_name, given, is_refused, links, slices};
use crate::{
    ComponentDraft, Incidents, READ, WRITE,
    model::{Component, ComponentId, ComponentMonitor, ComponentStatus, Owner},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};
use uptime::{ManagedBy, MonitorId};

const LIST: &str = "/incident-components";
/// Monitors that are offered besides those that were chosen: a search finds the others.
const OFFERED: i64 = 50;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ComponentForm {
    key: String,
    name: String,
    description: String,
    announce: String,
    installation: String,
}

#[derive(Deserialize)]
pub(super) struct SetForm {
    /// `automatic`, or a status.
    status: String,
}

#[derive(Template)]
#[template(path = "incidents/templates/components.html")]
struct List<'a> {
    shell: &'a Shell,
    components: Vec<Component>,
    is_operator: bool,
    query: ListQuery,
    whose: String,
    pager: Pager,
    /// Where all of the installation's are, if these are only some.
    whole: Option<String>,
    form: ComponentForm,
    errors: FormErrors,
}

impl List<'_> {
    fn status(&self, status: impl Borrow<ComponentStatus>) -> String {
        status_name(self.shell, *status.borrow())
    }

    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.whose.is_empty()
    }
}

async fn render(
    shell: &Shell,
    incidents: &Incidents,
    (query, whose): (ListQuery, String),
    form: ComponentForm,
    errors: FormErrors,
) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(SHOWN);
    let (mut components, mut next) = (Vec::new(), Vec::new());
    for (owner, slice) in slices(incidents, shell, &query, &whose)? {
        let found = incidents.list_components(owner, query.search(), &slice).await?;
        let page = slice.page(found, |component| component.id.0);
        next.push(page.next_cursor);
        components.extend(page.data);
    }
    let (pager, whole_list) = links(LIST, &[], &query, &whose, &next);
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = List { shell, components, is_operator, query, whose, pager, whole: whole_list, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
    Query(of): Query<Whose>,
) -> PageResult {
    render(&shell, &incidents, (query, of.whose), ComponentForm::default(), FormErrors::default()).await
}

pub(super) async fn create(
    shell: Shell,
    State(incidents): State<Incidents>,
    Form(form): Form<ComponentForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = ComponentDraft {
        key: given(&form.key),
        name: given(&form.name),
        description: Some(form.description.clone()),
        announce: Some(!form.announce.is_empty()),
        installation: !form.installation.is_empty(),
        ..ComponentDraft::default()
    };
    match incidents.create_component(shell.principal(), draft).await {
        // Its monitors come next.
        Ok(made) => Ok(shell.redirect(&path(made.id), &Flash::ok("incidents-component-made"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, Default::default(), form, errors).await
        }
    }
}

fn path(id: ComponentId) -> String {
    format!("{LIST}/{id}")
}

pub(super) async fn set(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ComponentId>,
    Form(form): Form<SetForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = ComponentDraft { set: Some(form.status), ..ComponentDraft::default() };
    incidents.update_component(shell.principal(), id, draft).await?;
    Ok(shell.redirect(LIST, &Flash::ok("incidents-component-set")))
}

/// Fields of the form of a component that exists.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EditForm {
    name: String,
    description: String,
    announce: String,
    /// `<monitor>:<weight>`, or nothing.
    monitors: Vec<String>,
}

impl EditForm {
    fn of(component: &Component) -> Self {
        Self {
            name: component.name.clone(),
            description: component.description.clone(),
            announce: if component.announce { "on".to_owned() } else { String::new() },
            monitors: component
                .monitors
                .iter()
                .map(|own| format!("{}:{}", own.monitor_id, own.weight.as_str()))
                .collect(),
        }
    }

    fn chosen(&self) -> Vec<ComponentMonitor> {
        let one = |field: &String| {
            let (monitor, weight) = field.split_once(':')?;
            Some(ComponentMonitor { monitor_id: monitor.parse().ok()?, weight: weight.parse().ok()? })
        };
        self.monitors.iter().filter_map(one).collect()
    }
}

/// A monitor that can be chosen.
struct Offered {
    id: MonitorId,
    name: String,
    /// What its outage makes of the component, or nothing.
    weight: &'static str,
}

#[derive(Template)]
#[template(path = "incidents/templates/component.html")]
struct Show<'a> {
    shell: &'a Shell,
    component: Component,
    offered: Vec<Offered>,
    query: ListQuery,
    form: EditForm,
    errors: FormErrors,
}

impl Show<'_> {
    fn status(&self, status: impl Borrow<ComponentStatus>) -> String {
        status_name(self.shell, *status.borrow())
    }

    /// What the outage of a monitor can make of it.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn weights(&self) -> [ComponentStatus; 3] {
        [ComponentStatus::DegradedPerformance, ComponentStatus::PartialOutage, ComponentStatus::MajorOutage]
    }

    fn is_by_file(&self) -> bool {
        self.component.managed_by == Some(ManagedBy::File)
    }
}

async fn render_one(
    shell: &Shell,
    incidents: &Incidents,
    id: ComponentId,
    query: ListQuery,
    refused: Option<(EditForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    // The search has the length that lists take.
    query.slice::<uuid::Uuid>()?;
    let component = incidents.get_component(who, id).await?;
    let owner = if component.installation { Owner::Installation } else { Owner::Org(who.org_id) };
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_else(|| (EditForm::of(&component), FormErrors::default()));
    let chosen = form.chosen();
    let ids: Vec<MonitorId> = chosen.iter().map(|own| own.monitor_id).collect();
    let found = incidents.offered_monitors(owner, &ids, query.search(), OFFERED).await?;
    let offered = found
        .into_iter()
        .map(|monitor| Offered {
            weight: chosen.iter().find(|own| own.monitor_id == monitor.id).map_or("", |own| own.weight.as_str()),
            id: monitor.id,
            name: monitor.name,
        })
        .collect();
    let page = Show { shell, component, offered, query, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ComponentId>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    render_one(&shell, &incidents, id, query, None).await
}

pub(super) async fn edit(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ComponentId>,
    Form(form): Form<EditForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = ComponentDraft {
        name: Some(form.name.clone()),
        description: Some(form.description.clone()),
        announce: Some(!form.announce.is_empty()),
        monitors: Some(form.chosen()),
        ..ComponentDraft::default()
    };
    match incidents.update_component(shell.principal(), id, draft).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-component-set"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render_one(&shell, &incidents, id, ListQuery::default(), Some((form, errors))).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ComponentId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.delete_component(shell.principal(), id).await?;
    Ok(shell.redirect(LIST, &Flash::ok("incidents-deleted")))
}
