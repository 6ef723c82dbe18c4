//! `/api/v1/alerts`: from Alertmanager, and for operators.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Alerting,
    alertmanager::Silence,
    model::{Alert, AlertDetail, AlertId, Filter, Notification, Severity, Status, Taken},
    service::SilenceRequest,
};
use platform::{
    error::{ApiError, FieldError},
    http::{self, Auth, Json, ListQuery, Page, Path, Principal, Query, idempotent},
};

/// The route Alertmanager posts to: authentication is left to its handler.
pub const WEBHOOK: (axum::http::Method, &str) = (axum::http::Method::POST, "/api/v1/alerts");
/// Thousands of alerts with long annotations; Alertmanager's `max_alerts` reduces it.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The routes of this capability.
pub fn router() -> OpenApiRouter<Alerting> {
    OpenApiRouter::new()
        .routes(routes!(receive_alerts, list_alerts))
        .routes(routes!(get_alert))
        .routes(idempotent(routes!(list_silences, create_silence)))
        .routes(routes!(delete_silence))
}

/// Operators only: alerts belong to the installation, not to an organisation.
pub(super) fn require(who: &Principal) -> Result<(), ApiError> {
    who.require_operator("see and silence its alerts")
}

/// Accept a notification from Alertmanager
///
/// Alertmanager's webhook format, version 4. The bearer token is the one in `alerting.token_file`, not an API key.
#[utoipa::path(post, path = "/api/v1/alerts", tag = "Alerts", request_body = Notification, responses((status = 200, body = Taken), (status = 400), (status = 401), (status = 422), (status = 503)))]
async fn receive_alerts(State(alerting): State<Alerting>, request: Request) -> Result<Json<Taken>, ApiError> {
    let taken = receive(&alerting, request).await;
    if let Err(error) = &taken {
        alerting.inner.metrics.not_taken(error);
    }
    taken.map(Json)
}

async fn receive(alerting: &Alerting, mut request: Request) -> Result<Taken, ApiError> {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = presented.and_then(|value| value.split_once(' ')).filter(|(s, _)| s.eq_ignore_ascii_case("bearer"));
    alerting.authorise(token.map(|(_, token)| token.trim()))?;
    DefaultBodyLimit::max(MOST_BYTES).apply(&mut request);
    let body = http::body_bytes(request).await?;
    let notification: Notification = http::decode(&body)?;
    Ok(alerting.take(notification).await?)
}

/// Filters of the alert list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct AlertFilter {
    /// `firing`, `resolved`
    pub status: Option<String>,
    /// `critical`, `warning`, `info`, `none`
    pub severity: Option<String>,
    /// Only alerts that started after.
    pub since: Option<DateTime<Utc>>,
    /// Only alerts that started before.
    pub until: Option<DateTime<Utc>>,
}

impl AlertFilter {
    /// Empty fields, as forms send them, do not filter.
    fn resolve(&self, search: Option<&str>) -> Result<Filter, ApiError> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let unknown = |field: &str, text: &str| {
            let detail = format!("{text:?} is not known");
            ApiError::validation(vec![FieldError::new(format!("/{field}"), "invalid", detail)])
        };
        let severity = given(&self.severity)
            .map(|text| Severity::parse(&text).ok_or_else(|| unknown("severity", &text)))
            .transpose()?;
        let status = given(&self.status)
            .map(|text| {
                let found = Status::ALL.iter().copied().find(|status| status.as_str() == text);
                found.ok_or_else(|| unknown("status", &text))
            })
            .transpose()?;
        Ok(Filter { status, severity, search: search.map(str::to_owned), since: self.since, until: self.until })
    }

    pub(super) async fn page(&self, alerting: &Alerting, query: &ListQuery) -> Result<Page<Alert>, ApiError> {
        let slice = query.slice()?;
        let rows = alerting.list(&self.resolve(query.search())?, &slice).await?;
        Ok(slice.page(rows, |alert| alert.id.0))
    }
}

/// Alerts, newest first
#[utoipa::path(get, path = "/api/v1/alerts", tag = "Alerts",
    params(ListQuery, AlertFilter, ("q" = Option<String>, Query, description = "A part of the name, the summary or a label's value.")),
    responses((status = 200, body = Page<Alert>), (status = 403)))]
async fn list_alerts(
    State(alerting): State<Alerting>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<AlertFilter>,
) -> Result<Json<Page<Alert>>, ApiError> {
    require(&who)?;
    Ok(Json(filter.page(&alerting, &query).await?))
}

/// An alert with its deliveries
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "Alerts", params(("id" = AlertId, Path)), responses((status = 200, body = AlertDetail), (status = 403), (status = 404)))]
async fn get_alert(
    State(alerting): State<Alerting>,
    Auth(who): Auth,
    Path(id): Path<AlertId>,
) -> Result<Json<AlertDetail>, ApiError> {
    require(&who)?;
    Ok(Json(alerting.get(id).await?))
}

/// Silences.
#[derive(Debug, Serialize, ToSchema)]
struct Silences {
    data: Vec<Silence>,
}

/// Silences: active and pending ones, soonest end first, then the last 50 expired
///
/// Kept by Alertmanager; needs `alerting.alertmanager_url`.
#[utoipa::path(get, path = "/api/v1/alerts/silences", tag = "Alerts", responses((status = 200, body = Silences), (status = 403), (status = 409), (status = 503)))]
async fn list_silences(State(alerting): State<Alerting>, Auth(who): Auth) -> Result<Json<Silences>, ApiError> {
    require(&who)?;
    Ok(Json(Silences { data: alerting.silences().await? }))
}

/// Silence alerts from now on
#[utoipa::path(post, path = "/api/v1/alerts/silences", tag = "Alerts", request_body = SilenceRequest, responses((status = 201, body = Silence), (status = 403), (status = 409), (status = 422), (status = 503)))]
async fn create_silence(
    State(alerting): State<Alerting>,
    Auth(who): Auth,
    Json(request): Json<SilenceRequest>,
) -> Result<(StatusCode, Json<Silence>), ApiError> {
    require(&who)?;
    Ok((StatusCode::CREATED, Json(alerting.create_silence(&who, &request).await?)))
}

/// End a silence
#[utoipa::path(delete, path = "/api/v1/alerts/silences/{id}", tag = "Alerts", params(("id" = String, Path)), responses((status = 204), (status = 403), (status = 404), (status = 409), (status = 503)))]
async fn delete_silence(
    State(alerting): State<Alerting>,
    Auth(who): Auth,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    require(&who)?;
    alerting.expire_silence(&who, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
