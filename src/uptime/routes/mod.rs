//! `/api/v1/uptime/...`, and what senders of beats call.

pub(crate) mod badges;
mod beats;
mod files;
mod groups;
mod history;
mod imports;
mod monitors;
pub(crate) mod push;
pub(crate) mod reports;
mod windows;

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Owner, Uptime};
use platform::{
    error::ApiError,
    http::{Principal, Scope, idempotent},
};

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Uptime> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(monitors::list_monitors, monitors::create_monitor)))
        .routes(routes!(monitors::get_monitor, monitors::update_monitor, monitors::delete_monitor))
        .routes(routes!(monitors::pause_monitor))
        .routes(routes!(monitors::resume_monitor))
        .routes(routes!(monitors::check_monitor))
        .routes(routes!(monitors::try_monitor))
        .routes(routes!(monitors::renew_monitor_token))
        .routes(routes!(history::list_monitor_checks))
        .routes(routes!(history::list_monitor_spans))
        .routes(routes!(history::get_monitor_series))
        .routes(routes!(history::get_monitor_availability))
        .routes(idempotent(routes!(groups::list_monitor_groups, groups::create_monitor_group)))
        .routes(routes!(groups::get_monitor_group, groups::rename_monitor_group, groups::delete_monitor_group))
        .routes(idempotent(routes!(windows::list_maintenance_windows, windows::create_maintenance_window)))
        .routes(routes!(windows::list_window_occurrences))
        .routes(routes!(
            windows::get_maintenance_window,
            windows::update_maintenance_window,
            windows::delete_maintenance_window
        ))
        .routes(routes!(reports::get_uptime_report))
        .routes(routes!(files::get_monitors_file))
        .routes(routes!(files::apply_monitors_file))
        .routes(idempotent(routes!(imports::list_uptime_imports, imports::create_uptime_import)))
        .routes(routes!(imports::get_uptime_import))
        .routes(routes!(imports::apply_uptime_import))
        .routes(routes!(beats::beat_ok, beats::open_beat_ok))
        .routes(routes!(beats::beat_start, beats::open_beat_start))
        .routes(routes!(beats::beat_fail, beats::open_beat_fail))
}

/// Whose things the caller asks for, with a permission: the organisation's or, for operators, the installation's.
pub(super) fn owner(uptime: &Uptime, who: &Principal, scope: Scope, installation: bool) -> Result<Owner, ApiError> {
    who.require(scope)?;
    if installation {
        who.require_operator("see its monitors")?;
    }
    Ok(uptime.owner(who, installation)?)
}

/// Whose things are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Whose {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    pub installation: bool,
}

/// For a field that may be left out, or be null: `Some(None)` is null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}
