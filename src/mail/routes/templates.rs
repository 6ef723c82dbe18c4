//! `/api/v1/mail/templates`, `/api/v1/mail/branding`

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Whose, owner};
use crate::{
    Mail,
    render::{BrandingChanges, BrandingSettings, Override, Rendered, Template, TemplateDetail},
};
use platform::{
    error::ApiError,
    http::{Auth, Json, Path, Query},
};

/// The templates that mail of this owner uses.
#[derive(Serialize, ToSchema)]
#[schema(as = MailTemplates)]
pub(super) struct Templates {
    data: Vec<Template>,
}

/// The templates of mail that is sent, and whether their texts were changed
#[utoipa::path(get, path = "/api/v1/mail/templates", tag = "Mail", params(Whose),
    responses((status = 200, body = Templates), (status = 403)))]
pub(super) async fn list_mail_templates(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(whose): Query<Whose>,
) -> Result<Json<Templates>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(Templates { data: mail.templates(owner).await? }))
}

/// A template in one language (`en` or `ru`), with its fields
#[utoipa::path(get, path = "/api/v1/mail/templates/{name}/{language}", tag = "Mail",
    params(("name" = String, Path), ("language" = String, Path), Whose),
    responses((status = 200, body = TemplateDetail), (status = 403), (status = 404)))]
pub(super) async fn get_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
) -> Result<Json<TemplateDetail>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(mail.template(owner, &name, &language).await?))
}

/// Use another text for a template
///
/// It is rendered with example data first: what is wrong is said with the part and the line.
#[utoipa::path(put, path = "/api/v1/mail/templates/{name}/{language}", tag = "Mail", request_body = Override,
    params(("name" = String, Path), ("language" = String, Path), Whose),
    responses((status = 200, body = TemplateDetail), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn save_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Json(body): Json<Override>,
) -> Result<Json<TemplateDetail>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(mail.save_template(&who, owner, &name, &language, &body).await?))
}

/// Return to the built-in text
#[utoipa::path(delete, path = "/api/v1/mail/templates/{name}/{language}", tag = "Mail",
    params(("name" = String, Path), ("language" = String, Path), Whose),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn reset_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
) -> Result<StatusCode, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    mail.reset_template(&who, owner, &name, &language).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Render a text for a template with example data, without saving it
#[utoipa::path(post, path = "/api/v1/mail/templates/{name}/{language}/preview", tag = "Mail", request_body = Override,
    params(("name" = String, Path), ("language" = String, Path), Whose),
    responses((status = 200, body = Rendered), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn preview_mail_template(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Json(body): Json<Override>,
) -> Result<Json<Rendered>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(mail.preview_template(owner, &name, &language, Some(&body)).await?))
}

/// How mail looks, and who it comes from
#[utoipa::path(get, path = "/api/v1/mail/branding", tag = "Mail", params(Whose),
    responses((status = 200, body = BrandingSettings), (status = 403)))]
pub(super) async fn get_mail_branding(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(whose): Query<Whose>,
) -> Result<Json<BrandingSettings>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(mail.branding(owner).await?))
}

/// Change how mail looks. A field that is empty or absent returns to its default
#[utoipa::path(put, path = "/api/v1/mail/branding", tag = "Mail", request_body = BrandingChanges, params(Whose),
    responses((status = 200, body = BrandingSettings), (status = 403), (status = 422)))]
pub(super) async fn save_mail_branding(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(whose): Query<Whose>,
    Json(body): Json<BrandingChanges>,
) -> Result<Json<BrandingSettings>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    Ok(Json(mail.save_branding(&who, owner, &body).await?))
}
