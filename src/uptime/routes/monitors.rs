//! `/api/v1/uptime/monitors`

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{given, owner};
use crate::{
    GroupId, Kind, Monitor, MonitorDetail, MonitorId, MonitorSpec, Observation, READ, Status, Uptime, WRITE,
    service::{MonitorWithToken, NewMonitor, given_secrets},
    settings::Settings,
    store::monitors::Filter,
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query},
};

const TAG: &str = "Uptime";

/// Filter of monitors.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct ListFilter {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    installation: bool,
    /// Those that the file no longer has, instead of the others.
    #[param(required = false)]
    removed: bool,
    status: Option<Status>,
    kind: Option<Kind>,
    group: Option<GroupId>,
    /// Only monitors with this tag.
    tag: Option<String>,
}

/// Monitors, newest first
#[utoipa::path(get, path = "/api/v1/uptime/monitors", tag = TAG,
    params(ListQuery, ListFilter, ("q" = Option<String>, Query, description = "Substring of the name, the key or the description.")),
    responses((status = 200, body = Page<Monitor>), (status = 403), (status = 422)))]
pub(super) async fn list_monitors(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> Result<Json<Page<Monitor>>, ApiError> {
    let owner = owner(&uptime, &who, READ, filter.installation)?;
    let slice = query.slice()?;
    let ListFilter { removed, status, kind, group, tag, .. } = filter;
    let wanted = Filter { removed, status, kind, group, tag: tag.as_deref(), search: query.search() };
    let rows = uptime.list_monitors(owner, &wanted, &slice).await?;
    Ok(Json(slice.page(rows, |monitor| monitor.id.0)))
}

/// A monitor to make. What is left out has its default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Shop", "spec": {"kind": "http", "url": "https://shop.example/"}}))]
pub(super) struct CreateMonitor {
    /// Its identity in addresses of badges; left out: made of the name.
    #[serde(default)]
    key: Option<String>,
    #[schema(max_length = 200)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 2000)]
    description: String,
    spec: MonitorSpec,
    /// Secrets that the spec names, by name. Never shown again.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    secrets: BTreeMap<String, SecretString>,
    #[serde(default)]
    group_id: Option<GroupId>,
    /// While the parent is down nobody is told of this one.
    #[serde(default)]
    parent_id: Option<MonitorId>,
    #[serde(default)]
    tags: Vec<String>,
    /// 10 to 86 400; left out: 60, of a domain 86 400.
    interval_seconds: Option<i32>,
    /// Of one attempt: 100 to 120 000, at most the interval; left out: 10 000.
    timeout_ms: Option<i32>,
    /// Further attempts before it is down, 0 to 10; left out: 2.
    retries: Option<i16>,
    /// From the start of one attempt to the start of the next; left out: the timeout.
    retry_ms: Option<i32>,
    /// Successes in a row before it is up again, 1 to 10; left out: 1.
    successes: Option<i16>,
    /// Slower than this is degraded; left out: never.
    slow_ms: Option<i32>,
    /// A certificate that ends sooner is degraded, 0 to 365; 0: never; left out: 21.
    certificate_days: Option<i16>,
    /// Share of the time that it should be up, such as 0.999.
    target: Option<f64>,
    /// Strangers may read its badge though no public page shows it.
    #[serde(default)]
    badge: bool,
    #[serde(default)]
    paused: bool,
    /// Belongs to the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

impl CreateMonitor {
    fn read(self) -> Result<NewMonitor, ApiError> {
        let defaults = Settings::new(self.name, self.spec);
        let settings = Settings {
            description: self.description,
            group_id: self.group_id,
            parent_id: self.parent_id,
            tags: self.tags,
            interval_seconds: self.interval_seconds.unwrap_or(defaults.interval_seconds),
            timeout_ms: self.timeout_ms.unwrap_or(defaults.timeout_ms),
            retries: self.retries.unwrap_or(defaults.retries),
            retry_ms: self.retry_ms,
            successes: self.successes.unwrap_or(defaults.successes),
            slow_ms: self.slow_ms,
            certificate_days: self.certificate_days.unwrap_or(defaults.certificate_days),
            target: self.target,
            badge: self.badge,
            ..defaults
        };
        let secrets = given_secrets(self.secrets)?;
        Ok(NewMonitor { key: self.key, secrets, paused: self.paused, ..NewMonitor::new(settings) })
    }
}

/// Make a monitor. The answer of a heartbeat has its token, which is shown only once
#[utoipa::path(post, path = "/api/v1/uptime/monitors", tag = TAG, request_body = CreateMonitor,
    responses((status = 201, body = MonitorWithToken), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn create_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Json(body): Json<CreateMonitor>,
) -> Result<(StatusCode, Json<MonitorWithToken>), ApiError> {
    let owner = owner(&uptime, &who, WRITE, body.installation)?;
    let made = uptime.create_monitor(&who, owner, body.read()?).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// A monitor with all of its settings
#[utoipa::path(get, path = "/api/v1/uptime/monitors/{id}", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 200, body = MonitorDetail), (status = 403), (status = 404)))]
pub(super) async fn get_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<Json<MonitorDetail>, ApiError> {
    who.require(READ)?;
    Ok(Json(uptime.get_monitor(&who, id).await?))
}

/// Changes; what is left out stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "null is not the same as left out")]
pub(super) struct UpdateMonitor {
    #[schema(max_length = 200)]
    name: Option<String>,
    #[schema(max_length = 2000)]
    description: Option<String>,
    spec: Option<MonitorSpec>,
    /// Secrets to set by name; null removes one.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    secrets: BTreeMap<String, Option<SecretString>>,
    /// Null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<GroupId>)]
    group_id: Option<Option<GroupId>>,
    /// Null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<MonitorId>)]
    parent_id: Option<Option<MonitorId>>,
    tags: Option<Vec<String>>,
    interval_seconds: Option<i32>,
    timeout_ms: Option<i32>,
    retries: Option<i16>,
    /// Null: the timeout.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>)]
    retry_ms: Option<Option<i32>>,
    successes: Option<i16>,
    /// Null: never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i32>)]
    slow_ms: Option<Option<i32>>,
    certificate_days: Option<i16>,
    /// Null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    target: Option<Option<f64>>,
    badge: Option<bool>,
}

impl UpdateMonitor {
    fn change(self, settings: &mut Settings) {
        fn set<T>(field: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *field = given;
            }
        }
        set(&mut settings.name, self.name);
        set(&mut settings.description, self.description);
        set(&mut settings.spec, self.spec);
        set(&mut settings.group_id, self.group_id);
        set(&mut settings.parent_id, self.parent_id);
        set(&mut settings.tags, self.tags);
        set(&mut settings.interval_seconds, self.interval_seconds);
        set(&mut settings.timeout_ms, self.timeout_ms);
        set(&mut settings.retries, self.retries);
        set(&mut settings.retry_ms, self.retry_ms);
        set(&mut settings.successes, self.successes);
        set(&mut settings.slow_ms, self.slow_ms);
        set(&mut settings.certificate_days, self.certificate_days);
        set(&mut settings.target, self.target);
        set(&mut settings.badge, self.badge);
    }
}

/// Change a monitor
#[utoipa::path(patch, path = "/api/v1/uptime/monitors/{id}", tag = TAG, params(("id" = MonitorId, Path)), request_body = UpdateMonitor,
    responses((status = 200, body = MonitorDetail), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn update_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
    Json(mut body): Json<UpdateMonitor>,
) -> Result<Json<MonitorDetail>, ApiError> {
    who.require(WRITE)?;
    let secrets = std::mem::take(&mut body.secrets);
    Ok(Json(uptime.update_monitor(&who, id, secrets, |settings| body.change(settings)).await?))
}

/// Delete a monitor with its history
#[utoipa::path(delete, path = "/api/v1/uptime/monitors/{id}", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn delete_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    uptime.delete_monitor(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a monitor: it is not checked, and nobody is told
#[utoipa::path(post, path = "/api/v1/uptime/monitors/{id}/pause", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 200, body = MonitorDetail), (status = 403), (status = 404)))]
pub(super) async fn pause_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<Json<MonitorDetail>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.pause_monitor(&who, id, true).await?))
}

/// Check a paused monitor again
#[utoipa::path(post, path = "/api/v1/uptime/monitors/{id}/resume", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 200, body = MonitorDetail), (status = 403), (status = 404)))]
pub(super) async fn resume_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<Json<MonitorDetail>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.pause_monitor(&who, id, false).await?))
}

/// Ask once now, and see what comes
///
/// The answer is not stored and changes no status. At most four at a time for an organisation.
#[utoipa::path(post, path = "/api/v1/uptime/monitors/{id}/check", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 200, body = Observation), (status = 403), (status = 404), (status = 409), (status = 429)))]
pub(super) async fn check_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<Json<Observation>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.check_now(&who, id).await?))
}

/// Something to ask once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"spec": {"kind": "http", "url": "https://shop.example/"}}))]
pub(super) struct TryMonitor {
    spec: MonitorSpec,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    secrets: BTreeMap<String, SecretString>,
    /// 100 to 120 000; left out: 10 000.
    timeout_ms: Option<i32>,
}

/// Try a monitor before it is made: nothing is saved
#[utoipa::path(post, path = "/api/v1/uptime/monitors/try", tag = TAG, request_body = TryMonitor,
    responses((status = 200, body = Observation), (status = 403), (status = 422), (status = 429)))]
pub(super) async fn try_monitor(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Json(body): Json<TryMonitor>,
) -> Result<Json<Observation>, ApiError> {
    who.require(WRITE)?;
    let secrets = given_secrets(body.secrets)?;
    Ok(Json(uptime.try_spec(&who, body.spec, &secrets, body.timeout_ms).await?))
}

/// A new token for the sender of a heartbeat; the former one is refused from now on. It is shown only once
#[utoipa::path(post, path = "/api/v1/uptime/monitors/{id}/token", tag = TAG, params(("id" = MonitorId, Path)),
    responses((status = 200, body = MonitorWithToken), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn renew_monitor_token(
    State(uptime): State<Uptime>,
    Auth(who): Auth,
    Path(id): Path<MonitorId>,
) -> Result<Json<MonitorWithToken>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(uptime.renew_token(&who, id).await?))
}
