//! `/api/v1/incidents`, and what belongs to them.

mod channels;
mod components;
mod incidents;
mod rotas;
mod rules;
mod templates;

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Incidents, IncidentsError, model::Owner};
use platform::{
    error::ApiError,
    http::{Principal, Scope, idempotent},
};

const TAG: &str = "Incidents";

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Incidents> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(incidents::list_incidents, incidents::open_incident)))
        .routes(routes!(incidents::get_incident, incidents::change_incident))
        .routes(routes!(incidents::acknowledge_incident))
        .routes(routes!(incidents::resolve_incident))
        .routes(routes!(incidents::publish_incident))
        .routes(routes!(incidents::merge_incident))
        .routes(idempotent(routes!(incidents::split_incident)))
        .routes(idempotent(routes!(incidents::list_incident_updates, incidents::add_incident_update)))
        .routes(routes!(incidents::change_incident_update))
        .routes(routes!(incidents::list_incident_log))
        .routes(routes!(incidents::list_incident_messages))
        .routes(routes!(incidents::set_incident_postmortem))
        .routes(idempotent(routes!(incidents::announce_maintenance)))
        .routes(idempotent(routes!(components::list_incident_components, components::create_incident_component)))
        .routes(routes!(
            components::get_incident_component,
            components::update_incident_component,
            components::delete_incident_component
        ))
        .routes(idempotent(routes!(templates::list_incident_templates, templates::create_incident_template)))
        .routes(routes!(
            templates::get_incident_template,
            templates::update_incident_template,
            templates::delete_incident_template
        ))
        .routes(idempotent(routes!(channels::list_incident_channels, channels::create_incident_channel)))
        .routes(routes!(
            channels::get_incident_channel,
            channels::update_incident_channel,
            channels::delete_incident_channel
        ))
        .routes(idempotent(routes!(channels::test_incident_channel)))
        .routes(routes!(channels::list_incident_channel_deliveries))
        .routes(idempotent(routes!(channels::replay_incident_channel_delivery)))
        .routes(idempotent(routes!(rules::list_incident_rules, rules::create_incident_rule)))
        .routes(routes!(rules::get_incident_rule, rules::update_incident_rule, rules::delete_incident_rule))
        .routes(routes!(rules::preview_incident_rule))
        .routes(idempotent(routes!(rotas::list_incident_rotas, rotas::create_incident_rota)))
        .routes(routes!(rotas::get_incident_rota, rotas::update_incident_rota, rotas::delete_incident_rota))
        .routes(routes!(rotas::get_on_call))
        .routes(idempotent(routes!(rotas::list_rota_overrides, rotas::create_rota_override)))
        .routes(routes!(rotas::delete_rota_override))
        .routes(routes!(rotas::get_my_incident_settings, rotas::set_my_incident_settings))
}

/// Whose things a list has.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Of {
    /// Those of the installation instead of the organisation; operators only.
    installation: bool,
}

/// The owner that the caller means.
fn owner(incidents: &Incidents, who: &Principal, scope: Scope, installation: bool) -> Result<Owner, ApiError> {
    who.require(scope)?;
    if installation {
        who.require_operator("see and change its incidents")?;
    }
    Ok(incidents.owner(who, installation)?)
}

/// The version that the caller saw; `None`: whichever there is.
fn version(headers: &HeaderMap) -> Result<Option<i32>, ApiError> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    // What is no version was never seen here.
    tag.parse().map(Some).map_err(|_| IncidentsError::Changed.into())
}
