//! Who asks, and of which organisation.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;

use crate::{Caller, Files, FilesError};
use platform::{
    error::ApiError,
    http::{Auth, Principal},
    ids::OrgId,
};

/// A person or a key, of the organisation that the address names, if it names one.
pub(super) struct Who {
    pub principal: Principal,
    pub caller: Caller,
}

impl FromRequestParts<Files> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, files: &Files) -> Result<Self, ApiError> {
        let Auth(principal) = Auth::from_request_parts(parts, files).await?;
        principal.require_own_password()?;
        match named(parts, files).await? {
            Some(org) if org != principal.org_id => Err(elsewhere()),
            _ => Ok(Self { caller: Caller::of(&principal), principal }),
        }
    }
}

/// The organisation of an address that nobody signs in for.
pub(super) struct Of(pub OrgId);

impl FromRequestParts<Files> for Of {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, files: &Files) -> Result<Self, ApiError> {
        if let Some(org) = named(parts, files).await? {
            return Ok(Self(org));
        }
        if let Some(principal) = parts.extensions.get::<Principal>() {
            return Ok(Self(principal.org_id));
        }
        match files.only_organisation().await? {
            Some(org) => Ok(Self(org)),
            None => {
                let text = "this installation has several organisations: use /o/<organisation>/storage/v1 instead of /storage/v1";
                Err(ApiError::new(StatusCode::NOT_FOUND, "name_the_organisation", text))
            }
        }
    }
}

/// That which the address names.
async fn named(parts: &mut Parts, files: &Files) -> Result<Option<OrgId>, ApiError> {
    let Ok(params) = RawPathParams::from_request_parts(parts, &()).await else { return Ok(None) };
    let slug = params.iter().find(|(name, _)| *name == "org").map(|(_, slug)| slug.to_owned());
    match slug {
        None => Ok(None),
        Some(slug) => files.organisation(&slug).await?.ok_or_else(elsewhere).map(Some),
    }
}

fn elsewhere() -> ApiError {
    ApiError::not_found("organisation")
}

/// The parameters of an address. (An organisation may stand before them.)
#[derive(Debug, Deserialize)]
pub(super) struct InBucket {
    pub bucket: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct AtPath {
    pub bucket: String,
    pub path: String,
}

impl AtPath {
    pub fn key(&self) -> Result<crate::Key, FilesError> {
        Ok(crate::Key::parse(self.path.clone())?)
    }
}
