//! Names of DNS of a page.

use axum::extract::State;
use serde::Deserialize;

use super::{PATH, settings::render_refused};
use crate::{PageId, StatusPages, WRITE};
use console::{Flash, Form, Nothing, PageResult, Shell};
use platform::http::Path;

/// A domain to add.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DomainForm {
    domain: String,
}

pub(super) async fn add_domain(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Form(form): Form<DomainForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match pages.add_domain(shell.principal(), id, &form.domain).await {
        Ok(_) => Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-domain-added"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_refused(&shell, &pages, id, errors).await
        }
    }
}

pub(super) async fn check_domain(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path((id, domain)): Path<(PageId, String)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.check_domain(shell.principal(), id, &domain).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-domain-checked")))
}

pub(super) async fn remove_domain(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path((id, domain)): Path<(PageId, String)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.remove_domain(shell.principal(), id, &domain).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-domain-removed")))
}
