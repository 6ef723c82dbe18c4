//! `/api/v1/mail/domains`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Whose, owner};
use crate::{Domain, DomainId, Mail};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, Scope},
};

/// Domains that mail is sent from, newest first
#[utoipa::path(get, path = "/api/v1/mail/domains", tag = "Mail", params(ListQuery, Whose),
    responses((status = 200, body = Page<Domain>), (status = 403), (status = 422)))]
pub(super) async fn list_mail_domains(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<Page<Domain>>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    let slice = query.slice()?;
    let rows = mail.domains(owner, &slice).await?;
    Ok(Json(slice.page(rows, |domain| domain.id.0)))
}

/// A domain to send from.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddDomain {
    /// What stands behind the `@` of the sender's address.
    #[schema(example = "example.com", max_length = 253)]
    domain: String,
    /// For mail of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

/// Add a domain
///
/// Its keys are made here. The answer names the DNS records to publish; mail is sent from the domain once a check has found them.
#[utoipa::path(post, path = "/api/v1/mail/domains", tag = "Mail", request_body = AddDomain,
    responses((status = 201, body = Domain), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn add_mail_domain(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<AddDomain>,
) -> Result<(StatusCode, Json<Domain>), ApiError> {
    let owner = owner(&mail, &who, body.installation)?;
    Ok((StatusCode::CREATED, Json(mail.add_domain(&who, owner, &body.domain).await?)))
}

/// A domain with its DNS records and what the last check found
#[utoipa::path(get, path = "/api/v1/mail/domains/{id}", tag = "Mail", params(("id" = DomainId, Path)),
    responses((status = 200, body = Domain), (status = 403), (status = 404)))]
pub(super) async fn get_mail_domain(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<DomainId>,
) -> Result<Json<Domain>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(mail.get_domain(&who, id).await?))
}

/// Look for the domain's records in the DNS now
#[utoipa::path(post, path = "/api/v1/mail/domains/{id}/check", tag = "Mail", params(("id" = DomainId, Path)),
    responses((status = 200, body = Domain), (status = 403), (status = 404)))]
pub(super) async fn check_mail_domain(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<DomainId>,
) -> Result<Json<Domain>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(mail.check_domain(&who, id).await?))
}

/// Delete a domain with its keys
#[utoipa::path(delete, path = "/api/v1/mail/domains/{id}", tag = "Mail", params(("id" = DomainId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn delete_mail_domain(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<DomainId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    mail.delete_domain(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
