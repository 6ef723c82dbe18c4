//! Components: what is shown of each, and setting it by hand.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, given, owners};
use crate::{
    ComponentDraft, Incidents, READ, WRITE,
    model::{Component, ComponentId, ComponentStatus},
};
use console::{Flash, Form, FormErrors, PageResult, Shell};
use platform::http::Slice;

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
    form: ComponentForm,
    errors: FormErrors,
}

impl List<'_> {
    fn status(&self, status: impl Borrow<ComponentStatus>) -> String {
        self.shell.t(format!("incidents-component-{}", status.borrow().as_str().replace('_', "-"))).to_string()
    }
}

async fn render(shell: &Shell, incidents: &Incidents, form: ComponentForm, errors: FormErrors) -> PageResult {
    shell.principal().require(READ)?;
    let mut components = Vec::new();
    for owner in owners(incidents, shell)? {
        components.extend(incidents.list_components(owner, None, &Slice::first(i64::from(SHOWN) * 4)).await?);
    }
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = List { shell, components, is_operator, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render(&shell, &incidents, ComponentForm::default(), FormErrors::default()).await
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
        Ok(_) => Ok(shell.redirect("/incident-components", &Flash::ok("incidents-component-made"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, form, errors).await
        }
    }
}

pub(super) async fn set(
    shell: Shell,
    State(incidents): State<Incidents>,
    platform::http::Path(id): platform::http::Path<ComponentId>,
    Form(form): Form<SetForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = ComponentDraft { set: Some(form.status), ..ComponentDraft::default() };
    incidents.update_component(shell.principal(), id, draft).await?;
    Ok(shell.redirect("/incident-components", &Flash::ok("incidents-component-set")))
}
