//! Pages of incidents: the list, one incident, components, prepared texts, who is on call, channels and rules; and the page behind the link in a mail.

mod acknowledge;
mod channels;
mod components;
mod incidents;
mod on_call;
mod rules;
mod templates;

use axum::{
    Router,
    routing::{get, post},
};

use super::{Incidents, IncidentsError, model::Owner};
use console::Shell;
use platform::error::ApiError;

/// Rows per page.
const SHOWN: u32 = 50;
/// Below it nobody has to sign in.
pub const PUBLIC: &str = "/acknowledge";

/// The routes.
pub fn router() -> Router<Incidents> {
    Router::new()
        .route("/incidents", get(incidents::list).post(incidents::open))
        .route("/incidents/{id}", get(incidents::show).post(incidents::update))
        .route("/incidents/{id}/acknowledge", post(incidents::acknowledge))
        .route("/incidents/{id}/publish", post(incidents::publish))
        .route("/incidents/{id}/resolve", post(incidents::resolve))
        .route("/incidents/{id}/postmortem", post(incidents::postmortem))
        .route("/incident-components", get(components::list).post(components::create))
        .route("/incident-components/{id}", post(components::set))
        .route("/incident-templates", get(templates::list).post(templates::create))
        .route("/incident-templates/{id}/delete", post(templates::delete))
        .route("/on-call", get(on_call::show).post(on_call::create))
        .route("/on-call/{id}/delete", post(on_call::delete))
        .route("/on-call/{id}/overrides", post(on_call::stand_in))
        .route("/settings/channels", get(channels::list).post(channels::create))
        .route("/settings/channels/{id}", get(channels::show))
        .route("/settings/channels/{id}/test", post(channels::test))
        .route("/settings/channels/{id}/enabled", post(channels::set_enabled))
        .route("/settings/channels/{id}/delete", post(channels::delete))
        .route("/settings/channels/{id}/replay", post(channels::replay))
        .route("/settings/incident-rules", post(rules::create))
        .route("/settings/incident-rules/{id}", get(rules::show))
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
