//! `/api/v1/llm`: providers, their test, and usage.

use axum::extract::State;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::EmbedModel,
    service::{Llm, ProviderInfo, ProviderTest},
    store::{UsageByDay, UsageByModel},
};
use platform::{
    error::{ApiError, FieldError},
    http::{Auth, Json, Path, Query, Scope},
};

/// The routes.
pub fn router() -> OpenApiRouter<Llm> {
    OpenApiRouter::new().routes(routes!(list_providers)).routes(routes!(test_provider)).routes(routes!(get_usage))
}

/// Providers belong to the installation, not to an organisation.
pub(super) const PROVIDERS: &str = "see and test its providers";

/// Providers, aliases and default models.
#[derive(Debug, Serialize, ToSchema)]
struct Providers {
    data: Vec<ProviderInfo>,
    /// Model of agents without one of their own.
    default_model: String,
    /// Null when the model cannot be used; `holdfast doctor` says why.
    embedding_model: Option<EmbedModel>,
}

/// List providers
#[utoipa::path(get, path = "/api/v1/llm/providers", tag = "Models", responses((status = 200, body = Providers), (status = 403)))]
async fn list_providers(State(llm): State<Llm>, Auth(who): Auth) -> Result<Json<Providers>, ApiError> {
    who.require_operator(PROVIDERS)?;
    let embedding_model = llm.embedder().await.ok();
    Ok(Json(Providers { data: llm.providers(), default_model: llm.default_model(), embedding_model }))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestProvider {
    /// The model to ask for one token, without the provider's prefix; default: that of `fast` or `quality`, else the
    /// first configured or listed one.
    #[serde(default)]
    chat_model: Option<String>,
}

/// Test a provider
///
/// Lists its models and requests one token from one of them. Failures, with advice, are in the answer, whose status is
/// 200.
#[utoipa::path(post, path = "/api/v1/llm/providers/{name}/test", tag = "Models", params(("name" = String, Path)), request_body = TestProvider,
    responses((status = 200, body = ProviderTest), (status = 403), (status = 404)))]
async fn test_provider(
    State(llm): State<Llm>,
    Auth(who): Auth,
    Path(name): Path<String>,
    Json(body): Json<TestProvider>,
) -> Result<Json<ProviderTest>, ApiError> {
    who.require_operator(PROVIDERS)?;
    Ok(Json(llm.test_provider(who.org_id, &who.subject(), &name, body.chat_model.as_deref()).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// Days back from now: 1 to 366, default 30.
    #[param(minimum = 1, maximum = 366)]
    days: Option<u32>,
}

/// Use of models in this organisation.
#[derive(Debug, Serialize, ToSchema)]
struct UsageReport {
    by_day: Vec<UsageByDay>,
    by_model: Vec<UsageByModel>,
}

/// Usage by day and by model
#[utoipa::path(get, path = "/api/v1/llm/usage", tag = "Models", params(UsageQuery), responses((status = 200, body = UsageReport), (status = 403), (status = 422)))]
async fn get_usage(
    State(llm): State<Llm>,
    Auth(who): Auth,
    Query(query): Query<UsageQuery>,
) -> Result<Json<UsageReport>, ApiError> {
    who.require(Scope::ADMIN)?;
    let days = query.days.unwrap_or(30);
    if !(1..=366).contains(&days) {
        return Err(ApiError::validation(vec![FieldError::new(
            "/days",
            "out_of_range",
            format!("{days} is outside 1 to 366"),
        )]));
    }
    let from = llm.clock().now() - TimeDelta::days(i64::from(days));
    let (by_day, by_model) = llm.usage(who.org_id, from).await?;
    Ok(Json(UsageReport { by_day, by_model }))
}
