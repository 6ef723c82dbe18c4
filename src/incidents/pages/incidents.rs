//! The list of incidents, and one of them.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, given, is_refused, owners};
use crate::{
    IncidentDraft, IncidentFull, Incidents, READ, UpdateDraft, WRITE,
    model::{Component, Incident, IncidentId, IncidentStatus, IncidentTemplateId, LogEntry, Severity, Told, Update},
    store::incidents::Filter,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Slice},
};

/// Fields of the form that opens an incident.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenForm {
    name: String,
    severity: String,
    body: String,
    publish: String,
    installation: String,
}

/// Filter of the list, besides search and page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    /// `yes`, `no` or nothing.
    open: String,
    /// A prepared text that the form begins with.
    template: Option<IncidentTemplateId>,
}

#[derive(Template)]
#[template(path = "incidents/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    incidents: Vec<Incident>,
    /// Of the installation, for operators.
    installation: Vec<Incident>,
    is_operator: bool,
    query: ListQuery,
    filter: ListFilter,
    pager: Pager,
    form: OpenForm,
    errors: FormErrors,
}

impl List<'_> {
    fn groups(&self) -> Vec<(String, &[Incident])> {
        let all = [
            (String::new(), &self.incidents),
            (self.shell.t("incidents-of-installation").to_string(), &self.installation),
        ];
        all.into_iter().filter(|(_, list)| !list.is_empty()).map(|(heading, list)| (heading, list.as_slice())).collect()
    }

    fn status(&self, incident: &Incident) -> String {
        status(self.shell, incident.status)
    }

    /// The form that opens one is shown at once.
    fn is_opening(&self) -> bool {
        !self.errors.is_empty() || self.filter.template.is_some()
    }

    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.filter.open.is_empty()
    }
}

fn status(shell: &Shell, status: IncidentStatus) -> String {
    shell.t(format!("incidents-status-{}", status.as_str().replace('_', "-"))).to_string()
}

async fn render_list(
    shell: &Shell,
    incidents: &Incidents,
    (query, filter): (ListQuery, ListFilter),
    form: OpenForm,
    errors: FormErrors,
) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let open = match filter.open.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let wanted = Filter { open, search: query.search(), ..Filter::default() };
    let mut lists = Vec::new();
    for (number, owner) in owners(incidents, shell)?.into_iter().enumerate() {
        if number == 0 {
            lists.push(incidents.list(owner, &wanted, &slice).await?);
        } else if query.cursor.is_empty() {
            lists.push(incidents.list(owner, &wanted, &Slice::first(SHOWN.into())).await?);
        }
    }
    let mut lists = lists.into_iter();
    let page = slice.page(lists.next().unwrap_or_default(), |incident| incident.id.0);
    let installation = lists.next().unwrap_or_default();
    let pager = Pager::new("/incidents", &[("open", &*filter.open)], &query, page.next_cursor.as_deref());
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = List { shell, incidents: page.data, installation, is_operator, query, filter, pager, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> PageResult {
    let form = match filter.template {
        Some(id) => {
            shell.principal().require(READ)?;
            let prepared = incidents.get_template(shell.principal(), id).await?;
            OpenForm { name: prepared.title, body: prepared.body, ..OpenForm::default() }
        }
        None => OpenForm::default(),
    };
    render_list(&shell, &incidents, (query, filter), form, FormErrors::default()).await
}

pub(super) async fn open(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<OpenForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = IncidentDraft {
        name: form.name.clone(),
        status: None,
        severity: form.severity.parse().ok(),
        impact: None,
        body: form.body.clone(),
        components: Vec::new(),
        publish: !form.publish.is_empty(),
        notify: false,
        started_at: None,
        installation: !form.installation.is_empty(),
    };
    match incidents.open_by_hand(shell.principal(), draft).await {
        Ok(made) => Ok(shell.redirect(&path(made.incident.id), &Flash::ok("incidents-opened"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_list(&shell, &incidents, Default::default(), form, errors).await
        }
    }
}

fn path(id: IncidentId) -> String {
    format!("/incidents/{id}")
}

/// Fields of the form of an update.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateForm {
    status: String,
    body: String,
    publish: String,
    notify: String,
    version: String,
}

#[derive(Template)]
#[template(path = "incidents/templates/show.html")]
struct Show<'a> {
    shell: &'a Shell,
    full: IncidentFull,
    components: Vec<Component>,
    updates: Vec<Update>,
    log: Vec<LogEntry>,
    messages: Vec<Told>,
    form: UpdateForm,
    errors: FormErrors,
}

impl Show<'_> {
    fn status(&self, of: impl Borrow<IncidentStatus>) -> String {
        status(self.shell, *of.borrow())
    }

    fn is_over(&self) -> bool {
        self.full.incident.status.is_over()
    }

    /// What an update may move it to.
    fn statuses(&self) -> Vec<IncidentStatus> {
        let kind = self.full.incident.kind;
        IncidentStatus::ALL
            .into_iter()
            .filter(|status| status.kind() == kind && *status != IncidentStatus::Postmortem)
            .collect()
    }

    fn what(&self, entry: &LogEntry) -> String {
        self.shell.t(format!("incidents-log-{}", entry.what.as_str().replace('_', "-"))).to_string()
    }

    fn told(&self, told: &Told) -> String {
        self.shell.t(format!("incidents-what-{}", told.what.as_str())).to_string()
    }

    fn held(&self, told: &Told) -> String {
        let held = told.held.map(|held| held.as_str().replace('_', "-"));
        held.map(|held| self.shell.t(format!("incidents-held-{held}")).to_string()).unwrap_or_default()
    }
}

async fn render_one(
    shell: &Shell,
    incidents: &Incidents,
    id: IncidentId,
    form: Option<(UpdateForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let full = incidents.get(who, id).await?;
    let ids: Vec<_> = full.components.iter().map(|affected| affected.component).collect();
    let mut components = Vec::new();
    for id in ids {
        components.push(incidents.get_component(who, id).await?);
    }
    let updates = full.updates.clone();
    let log = incidents.log_of(who, id, &Slice::first(100)).await?;
    let messages = incidents.told_of(who, id, &Slice::first(50)).await?;
    let refused = form.is_some();
    let (form, errors) = form.unwrap_or_default();
    let page = Show { shell, full, components, updates, log, messages, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>, Path(id): Path<IncidentId>) -> PageResult {
    render_one(&shell, &incidents, id, None).await
}

pub(super) async fn update(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(form): Form<UpdateForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = UpdateDraft {
        status: form.status.parse().ok(),
        body: form.body.clone(),
        components: Vec::new(),
        publish: Some(!form.publish.is_empty()),
        notify: !form.notify.is_empty(),
        display_at: None,
    };
    match incidents.add_update(shell.principal(), id, form.version.parse().ok(), draft).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-updated"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render_one(&shell, &incidents, id, Some((form, errors))).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn acknowledge(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.acknowledge(shell.principal(), id).await?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-acknowledged")))
}

pub(super) async fn publish(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.publish(shell.principal(), id).await?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-published")))
}

pub(super) async fn resolve(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.resolve(shell.principal(), id, None, "", false).await?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-resolved")))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PostmortemForm {
    text: String,
    publish: String,
}

pub(super) async fn postmortem(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(form): Form<PostmortemForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let text = given(&form.text).unwrap_or_default();
    incidents.set_postmortem(shell.principal(), id, &text, !form.publish.is_empty()).await.map_err(ApiError::from)?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-updated")))
}
