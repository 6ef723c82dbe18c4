//! Prepared texts.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, owners};
use crate::{
    Incidents, READ, TemplateDraft, WRITE,
    model::{IncidentStatus, IncidentTemplateId, Template as Prepared},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::http::{Path, Slice};

/// Fields of the form of a text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TextForm {
    name: String,
    language: String,
    title: String,
    body: String,
    installation: String,
}

#[derive(Template)]
#[template(path = "incidents/templates/templates.html")]
struct List<'a> {
    shell: &'a Shell,
    templates: Vec<Prepared>,
    is_operator: bool,
    form: TextForm,
    errors: FormErrors,
}

async fn render(shell: &Shell, incidents: &Incidents, form: TextForm, errors: FormErrors) -> PageResult {
    shell.principal().require(READ)?;
    let mut templates = Vec::new();
    for owner in owners(incidents, shell)? {
        templates.extend(incidents.list_templates(owner, None, &Slice::first(i64::from(SHOWN) * 2)).await?);
    }
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = List { shell, templates, is_operator, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render(&shell, &incidents, TextForm::default(), FormErrors::default()).await
}

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<TextForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = TemplateDraft {
        name: form.name.clone(),
        language: form.language.clone(),
        title: form.title.clone(),
        body: form.body.clone(),
        status: IncidentStatus::Investigating,
        components: Vec::new(),
        installation: !form.installation.is_empty(),
    };
    match incidents.create_template(shell.principal(), draft).await {
        Ok(_) => Ok(shell.redirect("/incident-templates", &Flash::ok("incidents-template-made"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, form, errors).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentTemplateId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.delete_template(shell.principal(), id).await?;
    Ok(shell.redirect("/incident-templates", &Flash::ok("incidents-deleted")))
}
