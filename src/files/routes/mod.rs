//! `/api/v1/buckets`, `/api/v1/access-keys` and what belongs to them; and what is served without an account: `/f`.

mod actions;
mod buckets;
pub(crate) mod forms;
pub(crate) mod headers;
pub(crate) mod images;
mod keys;
mod links;
mod objects;
pub(crate) mod public;
mod shapes;
mod shared;
mod trash;
pub(crate) mod tus;
mod uploads;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Files;
use platform::{error::ApiError, http::idempotent};
pub(crate) use public::PUBLIC;
pub(crate) use shapes::{parse_version, version_id};

/// The API.
pub fn router() -> OpenApiRouter<Files> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(buckets::list_buckets, buckets::create_bucket)))
        .routes(routes!(buckets::get_bucket, buckets::change_bucket, buckets::delete_bucket))
        .routes(routes!(buckets::get_bucket_usage))
        .routes(routes!(buckets::get_rules, buckets::put_rules))
        .routes(routes!(buckets::get_cors, buckets::put_cors))
        .routes(routes!(buckets::get_lifecycle, buckets::put_lifecycle))
        .routes(routes!(buckets::get_presets, buckets::put_presets))
        .routes(idempotent(routes!(keys::list_access_keys, keys::create_access_key)))
        .routes(routes!(keys::revoke_access_key))
        .routes(routes!(objects::get_object, objects::put_object, objects::delete_object))
        .routes(routes!(images::get_image))
        .routes(routes!(images::get_image_info))
        .routes(routes!(images::sign_image_options))
        .routes(idempotent(routes!(images::get_image_report, images::start_image_report)))
        .routes(routes!(objects::get_object_by_key, objects::put_object_by_key, objects::delete_object_by_key))
        .routes(routes!(actions::delete_objects))
        .routes(routes!(actions::copy_object))
        .routes(routes!(actions::move_object))
        .routes(routes!(actions::get_object_info, actions::change_object_info))
        .routes(routes!(actions::list_object_versions))
        .routes(routes!(links::sign_token))
        .routes(idempotent(routes!(links::list_file_links, links::create_file_link)))
        .routes(routes!(links::revoke_file_link))
        .routes(idempotent(routes!(uploads::begin_upload)))
        .routes(routes!(uploads::get_upload, uploads::abort_upload))
        .routes(routes!(uploads::put_part))
        .routes(routes!(uploads::get_parts))
        .routes(routes!(uploads::complete_upload))
        .routes(routes!(trash::list_trash))
        .routes(routes!(trash::restore_trash))
        .routes(routes!(trash::purge_trash))
        .routes(routes!(trash::empty_trash))
        .routes(routes!(trash::empty_bucket))
        .routes(routes!(trash::list_trashed_buckets))
        .routes(routes!(trash::restore_bucket))
        .routes(routes!(trash::get_files_usage))
        .routes(routes!(trash::put_quota))
        .merge(of_bodies())
}

/// Bodies of any length: their limits are those of objects.
fn of_bodies() -> OpenApiRouter<Files> {
    let routes = OpenApiRouter::new().routes(routes!(objects::list_objects, forms::upload_objects));
    routes.layer(DefaultBodyLimit::disable())
}

/// What is no part of the API's document: public addresses, tokens, links, tus.
pub(crate) fn surfaces() -> Router<Files> {
    public::router().merge(shared::router()).merge(tus::router("/f/tus"))
}

/// The query string as it was sent. (The house's own extractor composes characters, and a key is never changed.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Exact<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::bad_request("invalid_query", error.body_text())),
        }
    }
}
