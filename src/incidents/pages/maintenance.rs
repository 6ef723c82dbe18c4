//! The form that announces maintenance.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    affected::{self, Choice},
    incidents::path,
    instant, is_refused, owners,
};
use crate::{AffectedDraft, Incidents, IncidentsError, MaintenanceDraft, READ, WRITE, model::ComponentStatus};
use console::{Flash, Form, FormErrors, PageResult, Shell};

/// Fields of the form. Times are those of the zone.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MaintenanceForm {
    name: String,
    body: String,
    starts: String,
    ends: String,
    zone: String,
    component: Vec<String>,
    publish: String,
    notify: String,
    counts: String,
    installation: String,
}

impl MaintenanceForm {
    fn draft(&self) -> Result<MaintenanceDraft, IncidentsError> {
        let wrong = |pointer: &str| {
            IncidentsError::invalid(pointer, "invalid", "a date and a time, in a zone such as Europe/Berlin")
        };
        Ok(MaintenanceDraft {
            name: self.name.clone(),
            body: self.body.clone(),
            scheduled_for: instant(&self.starts, &self.zone).ok_or_else(|| wrong("/scheduled_for"))?,
            scheduled_until: instant(&self.ends, &self.zone).ok_or_else(|| wrong("/scheduled_until"))?,
            components: self.component.iter().filter_map(|id| id.parse().ok()).collect(),
            publish: !self.publish.is_empty(),
            notify: !self.notify.is_empty(),
            excluded: self.counts.is_empty(),
            installation: !self.installation.is_empty(),
        })
    }
}

#[derive(Template)]
#[template(path = "incidents/templates/maintenance.html")]
struct Page<'a> {
    shell: &'a Shell,
    offered: Vec<Choice>,
    is_operator: bool,
    form: MaintenanceForm,
    errors: FormErrors,
}

async fn render(shell: &Shell, incidents: &Incidents, form: MaintenanceForm, errors: FormErrors) -> PageResult {
    shell.principal().require(READ)?;
    let status = ComponentStatus::UnderMaintenance;
    let chosen: Vec<AffectedDraft> =
        form.component.iter().filter_map(|id| Some(AffectedDraft { component: id.parse().ok()?, status })).collect();
    let offered = affected::choices(incidents, &owners(incidents, shell)?, &chosen).await?;
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = Page { shell, offered, is_operator, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn form(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render(&shell, &incidents, MaintenanceForm::default(), FormErrors::default()).await
}

pub(super) async fn announce(
    shell: Shell,
    State(incidents): State<Incidents>,
    Form(form): Form<MaintenanceForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let made = async { incidents.announce_maintenance(shell.principal(), form.draft()?).await };
    match made.await {
        Ok(made) => Ok(shell.redirect(&path(made.incident.id), &Flash::ok("incidents-maintenance-made"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, form, errors).await
        }
        Err(error) => Err(error.into()),
    }
}
