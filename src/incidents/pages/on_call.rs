//! Who is on call now and in the next days; rotas with one layer that covers all hours. What else a rota can do is set by the API or the file.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{INSTALLATION, Whose, given, instant, is_refused, links, local_time, slices};
use crate::{
    ADMIN, Incidents, IncidentsError, OnCall, OverrideDraft, READ, RotaDraft, WRITE,
    model::{Layer, Override, OverrideId, Owner, Rota, RotaId, Turn},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    http::{ListQuery, Path, Query, Slice},
    ids::UserId,
};

const LIST: &str = "/on-call";
/// Rotas of a page: each shows its turns.
const SHOWN: u32 = 20;
/// Who stands in, of a rota.
const MOST_OVERRIDES: i64 = 100;

/// Fields of the form of who stands in. Times are those of the rota's zone.
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
    /// Of its only layer.
    fn of(rota: &Rota) -> Self {
        let layer = rota.layers.first();
        let turn = layer.map(|layer| match layer.turn {
            Turn::Day => "day".to_owned(),
            Turn::Week => "week".to_owned(),
            Turn::Hours(hours) => hours.to_string(),
        });
        Self {
            name: rota.name.clone(),
            zone: rota.zone.clone(),
            people: layer.iter().flat_map(|layer| layer.people.iter().map(ToString::to_string)).collect(),
            turn: turn.unwrap_or_default(),
            starts: layer.map(|layer| layer.starts.format("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub fn has(&self, person: &UserId) -> bool {
        self.people.iter().any(|chosen| *chosen == person.to_string())
    }

    /// Whether a turn has a number of hours that the list does not offer.
    pub fn has_other_turn(&self) -> bool {
        !["", "week", "day", "12"].contains(&self.turn.as_str())
    }

    /// The layer that these fields describe. People who took turns before keep their order, new ones come after them.
    fn layer(&self, old: Option<&Layer>) -> Result<Layer, IncidentsError> {
        let wrong = || IncidentsError::invalid("/starts", "invalid", "a date and a time");
        let turn = match self.turn.as_str() {
            "day" => Turn::Day,
            "week" => Turn::Week,
            hours => Turn::Hours(hours.parse().unwrap_or_default()),
        };
        let chosen: Vec<UserId> = self.people.iter().filter_map(|id| id.parse().ok()).collect();
        let before = old.map(|layer| layer.people.clone()).unwrap_or_default();
        let mut people: Vec<UserId> = before.into_iter().filter(|person| chosen.contains(person)).collect();
        for person in chosen {
            if !people.contains(&person) {
                people.push(person);
            }
        }
        Ok(Layer { people, starts: local_time(&self.starts).ok_or_else(wrong)?, turn, hours: Vec::new() })
    }

    fn draft(&self, old: Option<&Layer>) -> Result<RotaDraft, IncidentsError> {
        Ok(RotaDraft {
            key: given(&self.key),
            name: Some(self.name.clone()),
            zone: given(&self.zone),
            layers: Some(vec![self.layer(old)?]),
            installation: !self.installation.is_empty(),
        })
    }
}

#[derive(Template)]
#[template(path = "incidents/templates/on_call.html")]
struct Page<'a> {
    shell: &'a Shell,
    rotas: Vec<(Rota, OnCall)>,
    can_edit: bool,
    is_operator: bool,
    query: ListQuery,
    whose: String,
    pager: Pager,
    /// Where all of the installation's are, if these are only some.
    whole: Option<String>,
    /// Who can be on call, for who may make a rota.
    people: Vec<(UserId, String)>,
    form: RotaForm,
    form_errors: FormErrors,
}

impl Page<'_> {
    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.whose.is_empty()
    }
}

async fn render(
    shell: &Shell,
    incidents: &Incidents,
    (query, whose): (ListQuery, String),
    form: RotaForm,
    form_errors: FormErrors,
) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let can_edit = who.require(ADMIN).is_ok();
    let query = query.sized(SHOWN);
    let (mut people, mut rotas, mut next) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, slice) in slices(incidents, shell, &query, &whose)? {
        let page = slice.page(incidents.list_rotas(owner, query.search(), &slice).await?, |rota| rota.id.0);
        next.push(page.next_cursor);
        for rota in page.data {
            let on_call = incidents.on_call(who, rota.id, None).await?;
            rotas.push((rota, on_call));
        }
        if can_edit {
            people.extend(incidents.candidates(who, owner).await?);
        }
    }
    people.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    people.dedup();
    let (pager, whole_list) = links(LIST, &[], &query, &whose, &next);
    let (refused, is_operator) = (!form_errors.is_empty(), who.is_operator());
    let page =
        Page { shell, rotas, can_edit, is_operator, query, whose, pager, whole: whole_list, people, form, form_errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
    Query(of): Query<Whose>,
) -> PageResult {
    render(&shell, &incidents, (query, of.whose), RotaForm::default(), FormErrors::default()).await
}

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<RotaForm>) -> PageResult {
    shell.principal().require(ADMIN)?;
    let made = async { incidents.create_rota(shell.principal(), form.draft(None)?).await };
    match made.await {
        Ok(made) => Ok(shell.redirect(&path(made.id), &Flash::ok("incidents-rota-made"))),
        Err(error) => {
            let form_errors = shell.form_errors(error.into())?;
            let whose = if form.installation.is_empty() { "" } else { INSTALLATION };
            render(&shell, &incidents, (ListQuery::default(), whose.to_owned()), form, form_errors).await
        }
    }
}

fn path(id: RotaId) -> String {
    format!("{LIST}/{id}")
}

#[derive(Template)]
#[template(path = "incidents/templates/rota.html")]
struct Show<'a> {
    shell: &'a Shell,
    rota: Rota,
    on_call: OnCall,
    /// Who stands in, with the name if it is known.
    overrides: Vec<(Override, Option<String>)>,
    can_edit: bool,
    people: Vec<(UserId, String)>,
    stand_in: StandInForm,
    errors: FormErrors,
    form: RotaForm,
    form_errors: FormErrors,
}

impl Show<'_> {
    /// The form has one layer: what it does not show it would not keep.
    fn is_simple(&self) -> bool {
        self.rota.layers.len() == 1 && self.rota.layers.iter().all(|layer| layer.hours.is_empty())
    }
}

/// What was refused, with its messages.
#[derive(Default)]
struct Refused {
    stand_in: StandInForm,
    errors: FormErrors,
    form: Option<RotaForm>,
    form_errors: FormErrors,
}

async fn render_one(shell: &Shell, incidents: &Incidents, id: RotaId, refused: Option<Refused>) -> PageResult {
    let who = shell.principal();
    who.require(READ)?;
    let can_edit = who.require(ADMIN).is_ok();
    let rota = incidents.get_rota(who, id).await?;
    let on_call = incidents.on_call(who, id, None).await?;
    let owner = if rota.installation { Owner::Installation } else { Owner::Org(who.org_id) };
    let people = if can_edit { incidents.candidates(who, owner).await? } else { Vec::new() };
    let names = |user: UserId| {
        let of_shift = on_call.shifts.iter().find(|shift| shift.user_id == user).and_then(|shift| shift.name.clone());
        of_shift.or_else(|| people.iter().find(|(known, _)| *known == user).map(|(_, name)| name.clone()))
    };
    let overrides = incidents.list_overrides(who, id, &Slice::first(MOST_OVERRIDES)).await?;
    let overrides = overrides
        .into_iter()
        .map(|stands_in| {
            let name = names(stands_in.user_id);
            (stands_in, name)
        })
        .collect();
    let is_refused = refused.is_some();
    let Refused { stand_in, errors, form, form_errors } = refused.unwrap_or_default();
    let form = form.unwrap_or_else(|| RotaForm::of(&rota));
    let page = Show { shell, rota, on_call, overrides, can_edit, people, stand_in, errors, form, form_errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn rota(shell: Shell, State(incidents): State<Incidents>, Path(id): Path<RotaId>) -> PageResult {
    render_one(&shell, &incidents, id, None).await
}

pub(super) async fn edit(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RotaId>,
    Form(form): Form<RotaForm>,
) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let old = incidents.get_rota(who, id).await?;
    let changed = async { incidents.update_rota(who, id, form.draft(old.layers.first())?).await };
    match changed.await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-saved"))),
        Err(error) if is_refused(&error) => {
            let form_errors = shell.form_errors(error.into())?;
            let refused = Refused { form: Some(form), form_errors, ..Refused::default() };
            render_one(&shell, &incidents, id, Some(refused)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Whoever is signed in stands in.
pub(super) async fn stand_in(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RotaId>,
    Form(form): Form<StandInForm>,
) -> PageResult {
    let who = shell.principal();
    who.require(WRITE)?;
    let zone = incidents.get_rota(who, id).await?.zone;
    let Some((starts_at, ends_at)) = instant(&form.starts_at, &zone).zip(instant(&form.ends_at, &zone)) else {
        let errors = FormErrors::default().with("ends_at", &shell.t("incidents-bad-time").to_string());
        return render_one(&shell, &incidents, id, Some(Refused { stand_in: form, errors, ..Refused::default() }))
            .await;
    };
    let draft = OverrideDraft { user_id: shell.user().user_id, starts_at, ends_at };
    match incidents.add_override(who, id, draft).await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-stands-in"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_one(&shell, &incidents, id, Some(Refused { stand_in: form, errors, ..Refused::default() })).await
        }
    }
}

pub(super) async fn take_back(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path((id, which)): Path<(RotaId, OverrideId)>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.delete_override(shell.principal(), id, which).await?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-deleted")))
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RotaId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    match incidents.delete_rota(shell.principal(), id).await {
        Ok(()) => Ok(shell.redirect(LIST, &Flash::ok("incidents-deleted"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render_one(&shell, &incidents, id, Some(Refused { errors, ..Refused::default() })).await
        }
        Err(error) => Err(error.into()),
    }
}
