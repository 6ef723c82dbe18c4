//! Who is on call now and in the next days.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{SHOWN, owners};
use crate::{
    Incidents, OnCall, OverrideDraft, READ, WRITE,
    model::{Rota, RotaId},
};
use console::{Flash, Form, FormErrors, PageResult, Shell};
use platform::http::{Path, Slice};

/// Fields of the form of who stands in. Times are UTC, as browsers send them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct StandInForm {
    starts_at: String,
    ends_at: String,
}

#[derive(Template)]
#[template(path = "incidents/templates/on_call.html")]
struct Page<'a> {
    shell: &'a Shell,
    rotas: Vec<(Rota, OnCall)>,
    errors: FormErrors,
}

async fn render(shell: &Shell, incidents: &Incidents, errors: FormErrors) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let mut rotas = Vec::new();
    for owner in owners(incidents, shell)? {
        for rota in incidents.list_rotas(owner, None, &Slice::first(SHOWN.into())).await? {
            let on_call = incidents.on_call(who, rota.id, None).await?;
            rotas.push((rota, on_call));
        }
    }
    let refused = !errors.is_empty();
    let page = Page { shell, rotas, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render(&shell, &incidents, FormErrors::default()).await
}

/// Whoever is signed in stands in.
pub(super) async fn stand_in(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RotaId>,
    Form(form): Form<StandInForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let (Some(starts_at), Some(ends_at)) = (time(&form.starts_at), time(&form.ends_at)) else {
        let errors = FormErrors::default().with("ends_at", &shell.t("incidents-bad-time").to_string());
        return render(&shell, &incidents, errors).await;
    };
    let draft = OverrideDraft { user_id: shell.user().user_id, starts_at, ends_at };
    match incidents.add_override(shell.principal(), id, draft).await {
        Ok(_) => Ok(shell.redirect("/on-call", &Flash::ok("incidents-stands-in"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, errors).await
        }
    }
}

/// As `datetime-local` writes it.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let parsed = chrono::NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%dT%H:%M");
    parsed.ok().map(|at| at.and_utc())
}
