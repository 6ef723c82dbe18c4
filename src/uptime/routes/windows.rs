//! `/api/v1/uptime/windows`

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Whose, owner};
use crate::{NewWindow, READ, Uptime, WRITE, Window, WindowId};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

/// Maintenance windows, newest first
#[utoipa::path(get, path = "/api/v1/uptime/windows", tag = "Uptime", params(ListQuery, Whose),
    responses((status = 200, body = Page<Window>), (status = 403), (status = 422)))]
pub(super) async fn list_maintenance_windows(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<Page<Window>>, ApiError> {
    let owner = owner(&uptime, &who, READ, whose.installation)?;
    let slice = query.slice()?;
    let rows = uptime.windows(owner, &slice).await?;
    Ok(Json(slice.page(rows, |window| window.id.0)))
}

/// Make a maintenance window
#[utoipa::path(post, path = "/api/v1/uptime/windows", tag = "Uptime", params(Whose), request_body = NewWindow,
    responses((status = 201, body = Window), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn create_maintenance_window(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(whose): Query<Whose>,
    Json(body): Json<NewWindow>,
) -> Result<(StatusCode, Json<Window>), ApiError> {
    let owner = owner(&uptime, &who, WRITE, whose.installation)?;
    Ok((StatusCode::CREATED, Json(uptime.add_window(&who, owner, &body).await?)))
}

/// A maintenance window
#[utoipa::path(get, path = "/api/v1/uptime/windows/{id}", tag = "Uptime", params(("id" = WindowId, Path)),
    responses((status = 200, body = Window), (status = 403), (status = 404)))]
pub(super) async fn get_maintenance_window(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<WindowId>,
) -> Result<Json<Window>, ApiError> {
    who.require(READ)?;
    Ok(Json(uptime.get_window(&who, id).await?))
}

/// Change a maintenance window: everything is replaced but its key
#[utoipa::path(put, path = "/api/v1/uptime/windows/{id}", tag = "Uptime", params(("id" = WindowId, Path)), request_body = NewWindow,
    responses((status = 200, body = Window), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn update_maintenance_window(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<WindowId>,
    Json(body): Json<NewWindow>,
) -> Result<Json<Window>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.change_window(&who, id, &body).await?))
}

/// Delete a maintenance window
#[utoipa::path(delete, path = "/api/v1/uptime/windows/{id}", tag = "Uptime", params(("id" = WindowId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn delete_maintenance_window(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<WindowId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    uptime.delete_window(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Between which times.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Look {
    /// Left out: now.
    from: Option<DateTime<Utc>>,
    /// Left out: 30 days after `from`; at most a year after it.
    until: Option<DateTime<Utc>>,
}

/// A time during which a window is open.
#[derive(Serialize, ToSchema)]
#[schema(as = MaintenanceOccurrence)]
pub(super) struct Open {
    window_id: WindowId,
    name: String,
    excluded: bool,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// Times during which windows are open.
#[derive(Serialize, ToSchema)]
#[schema(as = MaintenanceOccurrences)]
pub(super) struct Occurrences {
    data: Vec<Open>,
}

/// When windows are open, computed: by the begin
#[utoipa::path(get, path = "/api/v1/uptime/windows/occurrences", tag = "Uptime", params(Look, Whose),
    responses((status = 200, body = Occurrences), (status = 403), (status = 422)))]
pub(super) async fn list_window_occurrences(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(look): Query<Look>,
    Query(whose): Query<Whose>,
) -> Result<Json<Occurrences>, ApiError> {
    let owner = owner(&uptime, &who, READ, whose.installation)?;
    let from = look.from.unwrap_or_else(|| uptime.now());
    let until = look.until.unwrap_or(from + TimeDelta::days(30));
    let found = uptime.occurrences_of(owner, from, until).await?;
    let data = found
        .into_iter()
        .map(|(window, open)| Open {
            window_id: window.id,
            name: window.name,
            excluded: window.excluded,
            from: open.from,
            until: open.until,
        })
        .collect();
    Ok(Json(Occurrences { data }))
}
