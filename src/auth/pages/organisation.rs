//! The organisation's page, and the switcher in the navigation.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{Auth, Organisation};
use console::{Flash, Form, FormErrors, PageResult, Shell, see_other};
use platform::{http::Scope, ids::OrgId};

#[derive(Template)]
#[template(path = "auth/templates/organisation.html")]
struct OrganisationPage<'a> {
    shell: &'a Shell,
    org: Organisation,
    entered_name: String,
    errors: FormErrors,
}

pub(super) async fn show(shell: Shell, State(auth): State<Auth>) -> PageResult {
    let org = auth.organisation(shell.principal()).await?;
    shell.render(&OrganisationPage {
        shell: &shell,
        entered_name: org.name.clone(),
        org,
        errors: FormErrors::default(),
    })
}

#[derive(Deserialize)]
pub(super) struct NameForm {
    #[serde(default)]
    name: String,
}

pub(super) async fn rename(shell: Shell, State(auth): State<Auth>, Form(form): Form<NameForm>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    match auth.rename_organisation(shell.principal(), shell.org_id(), &form.name).await {
        Ok(_) => Ok(shell.redirect("/settings", &Flash::ok("auth-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let org = auth.organisation(shell.principal()).await?;
            shell.render_invalid(&OrganisationPage { shell: &shell, org, entered_name: form.name, errors })
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    org_id: OrgId,
}

pub(super) async fn switch(shell: Shell, State(auth): State<Auth>, Form(form): Form<SwitchForm>) -> PageResult {
    auth.switch_organisation(shell.principal(), form.org_id).await?;
    Ok(see_other("/"))
}
