//! Pages of incidents: the list, one incident, announced maintenance, components, prepared texts, who is on call, channels and rules; and the page behind
//! the link in a mail.

mod acknowledge;
mod affected;
mod channels;
mod components;
mod incident;
mod incidents;
mod maintenance;
mod on_call;
mod rule_form;
mod rules;
mod templates;

use axum::{
    Router,
    routing::{get, post},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use super::{Incidents, IncidentsError, local, model::Owner};
use console::{Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Slice},
};

/// Rows per page.
const SHOWN: u32 = 50;
/// Things of which an owner has at most so many, or fewer: all are offered in a form.
const MOST_COMPONENTS: i64 = 500;
const MOST_CHOICES: i64 = 200;
/// Value of the filter by which operators see the installation's list.
const INSTALLATION: &str = "installation";
/// Below it nobody has to sign in.
pub const PUBLIC: &str = "/acknowledge";

/// The routes.
pub fn router() -> Router<Incidents> {
    Router::new()
        .route("/incidents", get(incidents::list).post(incidents::open))
        .route("/incidents/{id}", get(incident::show).post(incident::update))
        .route("/incidents/{id}/edit", post(incident::edit))
        .route("/incidents/{id}/updates/{update}", post(incident::correct))
        .route("/incidents/{id}/acknowledge", post(incident::acknowledge))
        .route("/incidents/{id}/publish", post(incident::publish))
        .route("/incidents/{id}/resolve", post(incident::resolve))
        .route("/incidents/{id}/postmortem", post(incident::postmortem))
        .route("/incidents/{id}/merge", post(incident::merge))
        .route("/incidents/{id}/split", post(incident::split))
        .route("/incident-maintenances", get(maintenance::form).post(maintenance::announce))
        .route("/incident-components", get(components::list).post(components::create))
        .route("/incident-components/{id}", get(components::show).post(components::set))
        .route("/incident-components/{id}/edit", post(components::edit))
        .route("/incident-components/{id}/delete", post(components::delete))
        .route("/incident-templates", get(templates::list).post(templates::create))
        .route("/incident-templates/{id}/delete", post(templates::delete))
        .route("/on-call", get(on_call::show).post(on_call::create))
        .route("/on-call/{id}", get(on_call::rota).post(on_call::edit))
        .route("/on-call/{id}/delete", post(on_call::delete))
        .route("/on-call/{id}/overrides", post(on_call::stand_in))
        .route("/on-call/{id}/overrides/{override}/delete", post(on_call::take_back))
        .route("/settings/channels", get(channels::list).post(channels::create))
        .route("/settings/channels/{id}", get(channels::show).post(channels::edit))
        .route("/settings/channels/{id}/test", post(channels::test))
        .route("/settings/channels/{id}/enabled", post(channels::set_enabled))
        .route("/settings/channels/{id}/delete", post(channels::delete))
        .route("/settings/channels/{id}/replay", post(channels::replay))
        .route("/settings/incident-rules", post(rules::create))
        .route("/settings/incident-rules/{id}", get(rules::show).post(rules::edit))
        .route("/settings/incident-rules/{id}/enabled", post(rules::set_enabled))
        .route("/settings/incident-rules/{id}/delete", post(rules::delete))
        .merge(acknowledge::router())
}

/// The owners whose things a page shows: the organisation, and for operators the installation.
fn owners(incidents: &Incidents, shell: &Shell) -> Result<Vec<Owner>, ApiError> {
    let who = shell.principal();
    let mut owners = vec![incidents.owner(who, false)?];
    if who.is_operator() {
        owners.push(incidents.owner(who, true)?);
    }
    Ok(owners)
}

/// Whose list a page shows: `installation`, or nothing for the organisation's with the beginning of the installation's below it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Whose {
    whose: String,
}

/// The lists that a page shows, and from where on: the organisation's and, for operators, the installation's.
fn slices(
    incidents: &Incidents,
    shell: &Shell,
    query: &ListQuery,
    whose: &str,
) -> Result<Vec<(Owner, Slice)>, ApiError> {
    let (who, slice) = (shell.principal(), query.slice()?);
    if whose == INSTALLATION {
        return Ok(vec![(incidents.owner(who, true)?, slice)]);
    }
    let mut all = vec![(incidents.owner(who, false)?, slice)];
    if who.is_operator() && query.cursor.is_empty() {
        all.push((incidents.owner(who, true)?, slice));
    }
    Ok(all)
}

/// The links of such lists: the next page of the first, and the whole of the second, where only its beginning is shown.
fn links(
    path: &str,
    filters: &[(&str, &str)],
    query: &ListQuery,
    whose: &str,
    next: &[Option<String>],
) -> (Pager, Option<String>) {
    let pager = Pager::new(path, &with_whose(filters, whose), query, next.first().and_then(Option::as_deref));
    let is_cut = next.get(1).is_some_and(Option::is_some);
    let rest = is_cut.then(|| Pager::new(path, &with_whose(filters, INSTALLATION), query, Some("")).next).flatten();
    (pager, rest)
}

fn with_whose<'a>(filters: &[(&'a str, &'a str)], whose: &'a str) -> Vec<(&'a str, &'a str)> {
    filters.iter().copied().chain([("whose", whose)]).collect()
}

/// A whole number of a form; `None`: nothing was written. Err: it is none, at this field.
fn number(pointer: &str, text: &str) -> Result<Option<i32>, IncidentsError> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(IncidentsError::invalid(pointer, "invalid", "a whole number")),
        },
    }
}

/// As `datetime-local` writes it.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok())
}

/// The instant of such a time in a zone; an empty zone is UTC.
fn instant(text: &str, zone: &str) -> Option<DateTime<Utc>> {
    let zone = if zone.trim().is_empty() { Tz::UTC } else { zone.trim().parse().ok()? };
    Some(local::instant(local_time(text)?, zone))
}

/// An empty field of a form is none.
fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn is_refused(error: &IncidentsError) -> bool {
    matches!(
        error,
        IncidentsError::Invalid(_) | IncidentsError::Conflict(..) | IncidentsError::Changed | IncidentsError::Managed
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_cut_links_to_the_whole() {
        let query = ListQuery { q: "shop".into(), ..ListQuery::default() };
        let (pager, whole) = links("/on-call", &[], &query, "", &[Some("a".into()), Some("b".into())]);
        assert_eq!(pager.next.as_deref(), Some("/on-call?q=shop&cursor=a"));
        assert_eq!(whole.as_deref(), Some("/on-call?whose=installation&q=shop"));
        let (pager, whole) = links("/on-call", &[], &query, INSTALLATION, &[None]);
        assert_eq!((pager.next, whole), (None, None));
    }

    #[test]
    fn times_of_forms_are_those_of_their_zone() {
        let at = |text, zone| instant(text, zone).map(|at| at.to_rfc3339());
        assert_eq!(at("2026-12-01T09:00", "Europe/Berlin").as_deref(), Some("2026-12-01T08:00:00+00:00"));
        assert_eq!(at("2026-12-01T09:00", "").as_deref(), Some("2026-12-01T09:00:00+00:00"));
        assert_eq!((at("soon", "UTC"), at("2026-12-01T09:00", "Mars/Base")), (None, None));
    }
}
