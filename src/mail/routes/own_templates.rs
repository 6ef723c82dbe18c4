//! `/api/v1/mail/own-templates`

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Mail, OwnTemplateId,
    render::{Override, OwnTemplate, OwnTemplateSummary, OwnText},
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, Scope},
};

/// Templates of the organisation's own, newest first
#[utoipa::path(get, path = "/api/v1/mail/own-templates", tag = "Mail", params(ListQuery),
    responses((status = 200, body = Page<OwnTemplateSummary>), (status = 403), (status = 422)))]
pub(super) async fn list_own_mail_templates(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<OwnTemplateSummary>>, ApiError> {
    who.require(Scope::ADMIN)?;
    let slice = query.slice()?;
    let rows = mail.own_templates(&who, &slice).await?;
    Ok(Json(slice.page(rows, |row| row.id.0)))
}

/// A template of the organisation's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "order-shipped", "example": {"name": "Ada", "order": "17"}, "texts": {"en": {
    "subject": "Order {{ order }} is on its way", "text": "Dear {{ name }}, it arrives on Monday.", "html": "<p>Dear {{ name }}, it arrives on Monday.</p>"}}}))]
pub(super) struct SaveOwnTemplate {
    /// Mails name it in `template`: lower-case letters, digits, dots, hyphens and underscores.
    #[schema(example = "order-shipped", max_length = 63)]
    name: String,
    /// A value for each field: an object of at most 16 KiB. A template uses no others, and its preview shows these.
    #[schema(value_type = Object)]
    example: Value,
    /// The text in each language that it has: `en`, `ru`.
    texts: BTreeMap<String, Override>,
}

/// Add a template of the organisation's own
///
/// It is rendered with its example first: what is wrong is said with the part and the line. An organisation has at most 100.
#[utoipa::path(post, path = "/api/v1/mail/own-templates", tag = "Mail", request_body = SaveOwnTemplate,
    responses((status = 201, body = OwnTemplate), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn add_own_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<SaveOwnTemplate>,
) -> Result<(StatusCode, Json<OwnTemplate>), ApiError> {
    who.require(Scope::ADMIN)?;
    let SaveOwnTemplate { name, example, texts } = body;
    Ok((StatusCode::CREATED, Json(mail.add_own_template(&who, &name, &OwnText { example, texts }).await?)))
}

/// A template of the organisation's own, with its texts
#[utoipa::path(get, path = "/api/v1/mail/own-templates/{id}", tag = "Mail", params(("id" = OwnTemplateId, Path)),
    responses((status = 200, body = OwnTemplate), (status = 403), (status = 404)))]
pub(super) async fn get_own_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<OwnTemplateId>,
) -> Result<Json<OwnTemplate>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(mail.own_template(&who, id).await?))
}

/// Replace a template of the organisation's own: its name, its example and all of its texts
#[utoipa::path(put, path = "/api/v1/mail/own-templates/{id}", tag = "Mail", request_body = SaveOwnTemplate,
    params(("id" = OwnTemplateId, Path)),
    responses((status = 200, body = OwnTemplate), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn save_own_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<OwnTemplateId>,
    Json(body): Json<SaveOwnTemplate>,
) -> Result<Json<OwnTemplate>, ApiError> {
    who.require(Scope::ADMIN)?;
    let SaveOwnTemplate { name, example, texts } = body;
    Ok(Json(mail.change_own_template(&who, id, &name, &OwnText { example, texts }).await?))
}

/// Delete a template of the organisation's own. Mail that was made of it is sent still
#[utoipa::path(delete, path = "/api/v1/mail/own-templates/{id}", tag = "Mail", params(("id" = OwnTemplateId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn delete_own_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<OwnTemplateId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    mail.remove_own_template(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
