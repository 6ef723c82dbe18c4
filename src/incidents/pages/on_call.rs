//! Who is on call now and in the next days; rotas with one layer. What else a rota can do is set by the API or the file.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::{SHOWN, given, owners};
use crate::{
    ADMIN, Incidents, OnCall, OverrideDraft, READ, RotaDraft, WRITE,
    model::{Layer, Rota, RotaId, Turn},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{
    http::{Path, Slice},
    ids::UserId,
};

/// Fields of the form of who stands in. Times are UTC, as browsers send them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct StandInForm {
    starts_at: String,
    ends_at: String,
}

/// Fields of the form of a rota.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RotaForm {
    key: String,
    name: String,
    zone: String,
    /// Who was chosen, in the order of the list.
    people: Vec<String>,
    /// `day`, `week`, or a number of hours.
    turn: String,
    /// When the first turn begins, in the rota's zone.
    starts: String,
    installation: String,
}

impl RotaForm {
    pub fn has(&self, person: &UserId) -> bool {
        self.people.iter().any(|chosen| *chosen == person.to_string())
    }

    /// `None`: the first turn has no time.
    fn draft(&self) -> Option<RotaDraft> {
        let turn = match self.turn.as_str() {
            "day" => Turn::Day,
            "week" => Turn::Week,
            hours => Turn::Hours(hours.parse().unwrap_or_default()),
        };
        let people = self.people.iter().filter_map(|id| id.parse().ok()).collect();
        let layer = Layer { people, starts: local_time(&self.starts)?, turn, hours: Vec::new() };
        Some(RotaDraft {
            key: given(&self.key),
            name: given(&self.name),
            zone: given(&self.zone),
            layers: Some(vec![layer]),
            installation: !self.installation.is_empty(),
        })
    }
}

#[derive(Template)]
#[template(path = "incidents/templates/on_call.html")]
struct Page<'a> {
    shell: &'a Shell,
    rotas: Vec<(Rota, OnCall)>,
    errors: FormErrors,
    can_edit: bool,
    is_operator: bool,
    /// Who can be on call, for who may make a rota.
    people: Vec<(UserId, String)>,
    form: RotaForm,
    form_errors: FormErrors,
}

/// What the page shows besides who is on call.
#[derive(Default)]
struct Extra {
    errors: FormErrors,
    form: RotaForm,
    form_errors: FormErrors,
}

async fn render(shell: &Shell, incidents: &Incidents, extra: Extra) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let can_edit = who.require(ADMIN).is_ok();
    let mut people = Vec::new();
    let mut rotas = Vec::new();
    for owner in owners(incidents, shell)? {
        for rota in incidents.list_rotas(owner, None, &Slice::first(SHOWN.into())).await? {
            let on_call = incidents.on_call(who, rota.id, None).await?;
            rotas.push((rota, on_call));
        }
        if can_edit {
            people.extend(incidents.candidates(who, owner).await?);
        }
    }
    people.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    people.dedup();
    let Extra { errors, form, form_errors } = extra;
    let refused = !(errors.is_empty() && form_errors.is_empty());
    let is_operator = who.is_operator();
    let page = Page { shell, rotas, errors, can_edit, is_operator, people, form, form_errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render(&shell, &incidents, Extra::default()).await
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
        return render(&shell, &incidents, Extra { errors, ..Extra::default() }).await;
    };
    let draft = OverrideDraft { user_id: shell.user().user_id, starts_at, ends_at };
    match incidents.add_override(shell.principal(), id, draft).await {
        Ok(_) => Ok(shell.redirect("/on-call", &Flash::ok("incidents-stands-in"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, Extra { errors, ..Extra::default() }).await
        }
    }
}

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<RotaForm>) -> PageResult {
    shell.principal().require(ADMIN)?;
    let Some(draft) = form.draft() else {
        let form_errors = FormErrors::default().with("starts", &shell.t("incidents-bad-start").to_string());
        return render(&shell, &incidents, Extra { form, form_errors, ..Extra::default() }).await;
    };
    match incidents.create_rota(shell.principal(), draft).await {
        Ok(_) => Ok(shell.redirect("/on-call", &Flash::ok("incidents-rota-made"))),
        Err(error) => {
            let form_errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, Extra { form, form_errors, ..Extra::default() }).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RotaId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    incidents.delete_rota(shell.principal(), id).await?;
    Ok(shell.redirect("/on-call", &Flash::ok("incidents-deleted")))
}

/// As `datetime-local` writes it.
fn time(text: &str) -> Option<DateTime<Utc>> {
    local_time(text).map(|at| at.and_utc())
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text.trim(), "%Y-%m-%dT%H:%M").ok()
}
