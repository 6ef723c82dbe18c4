//! One incident: what it is, what is said about it, and what it is made of.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    MOST_CHOICES,
    affected::{self, Choice},
    given,
    incidents::{path, status},
    is_refused, number,
};
use crate::{
    IncidentChanges, IncidentFull, Incidents, IncidentsError, READ, Split, UpdateChanges, UpdateDraft, WRITE,
    model::{
        Component, ComponentStatus, Incident, IncidentId, IncidentKind, IncidentStatus, LogEntry, Owner, Severity,
        Told, Update, UpdateId,
    },
    store::incidents::Filter,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{
    error::ApiError,
    http::{Path, Slice},
};

/// Entries of the log and messages that are shown.
const MOST_LOG: u16 = 100;
const MOST_MESSAGES: u16 = 50;

/// Fields of the form of an update.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateForm {
    status: String,
    body: String,
    affects: Vec<String>,
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
    offered: Vec<Choice>,
    /// Open ones, of which this one may become a part.
    others: Vec<Incident>,
    form: UpdateForm,
    errors: FormErrors,
    /// Of the forms below that of an update.
    other_errors: FormErrors,
}

impl Show<'_> {
    fn status(&self, of: impl Borrow<IncidentStatus>) -> String {
        status(self.shell, *of.borrow())
    }

    fn component_status(&self, of: impl Borrow<ComponentStatus>) -> String {
        affected::status_name(self.shell, *of.borrow())
    }

    fn is_over(&self) -> bool {
        self.full.incident.status.is_over()
    }

    /// Nothing is shown where nothing is affected.
    fn can_publish(&self) -> bool {
        self.full.incident.published_at.is_none() && !self.components.is_empty()
    }

    fn is_incident(&self) -> bool {
        self.full.incident.kind == IncidentKind::Incident
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

    /// Says that there may be more than these; empty: there are not.
    fn newest(&self, shown: usize, most: u16) -> String {
        if shown < usize::from(most) {
            String::new()
        } else {
            self.shell.t("incidents-newest").with("n", most).to_string()
        }
    }

    /// Why a form below that of an update was refused, if it is the fault of a field.
    fn refusal(&self) -> &str {
        let fields = ["name", "body", "causes", "components", "version", "into"];
        fields.into_iter().map(|field| self.other_errors.of(field)).find(|text| !text.is_empty()).unwrap_or_default()
    }

    fn newest_log(&self) -> String {
        self.newest(self.log.len(), MOST_LOG)
    }

    fn newest_messages(&self) -> String {
        self.newest(self.messages.len(), MOST_MESSAGES)
    }
}

/// What was refused, with its messages.
#[derive(Default)]
struct Refused {
    form: UpdateForm,
    errors: FormErrors,
    other_errors: FormErrors,
}

async fn render(shell: &Shell, incidents: &Incidents, id: IncidentId, refused: Option<Refused>) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let full = incidents.get(who, id).await?;
    let owner = if full.incident.installation { Owner::Installation } else { Owner::Org(who.org_id) };
    let mut components = Vec::new();
    for affected in &full.components {
        components.push(incidents.get_component(who, affected.component).await?);
    }
    let updates = full.updates.clone();
    let log = incidents.log_of(who, id, &Slice::first(MOST_LOG.into())).await?;
    let messages = incidents.told_of(who, id, &Slice::first(MOST_MESSAGES.into())).await?;
    let open = Filter { open: Some(true), kind: Some(IncidentKind::Incident), ..Filter::default() };
    let mut others = incidents.list(owner, &open, &Slice::first(MOST_CHOICES)).await?;
    others.retain(|other| other.id != id);
    let is_refused = refused.is_some();
    let Refused { form, errors, other_errors } = refused.unwrap_or_default();
    let offered = affected::choices(incidents, &[owner], &affected::read(&form.affects)).await?;
    let page = Show { shell, full, components, updates, log, messages, offered, others, form, errors, other_errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

/// The page again after a form below that of an update was refused; other errors are errors.
async fn render_refused(shell: &Shell, incidents: &Incidents, id: IncidentId, error: IncidentsError) -> PageResult {
    if !is_refused(&error) {
        return Err(error.into());
    }
    let other_errors = shell.form_errors(error.into())?;
    render(shell, incidents, id, Some(Refused { other_errors, ..Refused::default() })).await
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>, Path(id): Path<IncidentId>) -> PageResult {
    render(&shell, &incidents, id, None).await
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
        components: affected::read(&form.affects),
        publish: Some(!form.publish.is_empty()),
        notify: !form.notify.is_empty(),
        display_at: None,
    };
    match incidents.add_update(shell.principal(), id, form.version.parse().ok(), draft).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-updated"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, id, Some(Refused { form, errors, ..Refused::default() })).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Fields of the form that changes the incident itself.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EditForm {
    name: String,
    severity: String,
    version: String,
}

pub(super) async fn edit(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(form): Form<EditForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let changed = async {
        let version = number("/version", &form.version)?;
        let changes = IncidentChanges {
            name: Some(form.name.clone()),
            severity: form.severity.parse().ok(),
            ..IncidentChanges::default()
        };
        incidents.change(shell.principal(), id, version, changes).await
    };
    match changed.await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-saved"))),
        Err(error) => render_refused(&shell, &incidents, id, error).await,
    }
}

/// Fields of the form that corrects an update.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CorrectForm {
    body: String,
    publish: String,
}

pub(super) async fn correct(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path((id, update)): Path<(IncidentId, UpdateId)>,
    Form(form): Form<CorrectForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let changes =
        UpdateChanges { body: Some(form.body), publish: Some(!form.publish.is_empty()), ..UpdateChanges::default() };
    match incidents.change_update(shell.principal(), id, update, changes).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-saved"))),
        Err(error) => render_refused(&shell, &incidents, id, error).await,
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
    match incidents.publish(shell.principal(), id).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-published"))),
        Err(error) => render_refused(&shell, &incidents, id, error).await,
    }
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

#[derive(Deserialize)]
pub(super) struct MergeForm {
    into: IncidentId,
}

pub(super) async fn merge(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(form): Form<MergeForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match incidents.merge(shell.principal(), id, form.into).await {
        Ok(_) => Ok(shell.redirect(&path(form.into), &Flash::ok("incidents-merged"))),
        Err(error) => render_refused(&shell, &incidents, id, error).await,
    }
}

/// Fields of the form that makes an incident of some of the causes.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SplitForm {
    cause: Vec<Uuid>,
    name: String,
}

pub(super) async fn split(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentId>,
    Form(form): Form<SplitForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match incidents.split(shell.principal(), id, Split { causes: form.cause, name: form.name }).await {
        Ok(made) => Ok(shell.redirect(&path(made.incident.id), &Flash::ok("incidents-split"))),
        Err(error) => render_refused(&shell, &incidents, id, error).await,
    }
}
