//! `/storage/v1`: the storage API of supabase, for `supabase-js` and its kin with a changed URL. `docs/supabase-storage.md` says which calls there are.
//!
//! `/o/<organisation>/storage/v1` is the same of a named organisation; without it the organisation is that of the key, or the only one there is. Rights are
//! ours: keys with scopes, and rules of buckets, not policies in SQL.

mod buckets;
mod error;
mod list;
mod objects;
mod render;
mod shapes;
mod sign;
mod who;

use axum::{
    Router,
    middleware::from_fn,
    routing::{any, delete, get, post},
};

pub use error::map_errors;
pub(crate) use render::by_token as image_by_token;

use crate::{Files, FilesError, cross_origin, routes::tus};
use platform::error::ApiError;

pub(crate) fn router() -> Router<Files> {
    let api = routes();
    Router::new().nest("/storage/v1", api.clone()).nest("/o/{org}/storage/v1", api)
}

fn routes() -> Router<Files> {
    let uploads = tus::router("/upload/resumable/sign").merge(tus::router("/upload/resumable"));
    let routes = Router::new()
        .route("/bucket", get(buckets::list).post(buckets::create))
        .route("/bucket/{bucket}", get(buckets::show).put(buckets::change_bucket).delete(buckets::remove))
        .route("/bucket/{bucket}/empty", post(buckets::empty))
        .route(
            "/bucket/{bucket}/lifecycle",
            get(buckets::lifecycle).put(buckets::set_lifecycle).delete(buckets::drop_lifecycle),
        )
        .route("/object/move", post(objects::rename))
        .route("/object/copy", post(objects::copy))
        .route("/object/list/{bucket}", post(list::list))
        .route("/object/list-v2/{bucket}", post(list::list_v2))
        .route("/object/sign/{bucket}", post(sign::sign_many))
        .route("/object/sign/{bucket}/{*path}", post(sign::sign).get(sign::read))
        .route("/object/upload/sign/{bucket}/{*path}", post(sign::sign_upload).put(sign::upload))
        .route("/object/public/{bucket}/{*path}", get(objects::public))
        .route("/object/authenticated/{bucket}/{*path}", get(objects::read))
        .route("/object/info/{bucket}/{*path}", get(objects::info))
        .route("/object/{bucket}", delete(objects::remove_many))
        .route(
            "/object/{bucket}/{*path}",
            get(objects::read).post(objects::upload).put(objects::update).delete(objects::remove),
        )
        .route("/render/image/public/{bucket}/{*path}", get(render::public))
        .route("/render/image/authenticated/{bucket}/{*path}", get(render::authenticated))
        .route("/render/image/sign/{bucket}/{*path}", get(sign::read))
        .route("/cdn/{bucket}", delete(objects::purge_bucket))
        .route("/cdn/{bucket}/{*path}", delete(objects::purge))
        .route("/iceberg/{*rest}", any(absent))
        .route("/vector/{*rest}", any(absent));
    cross_origin::open(routes.merge(uploads)).layer(from_fn(error::map_errors))
}

/// What is no part of this.
async fn absent() -> ApiError {
    FilesError::Unsupported("tables and vectors of supabase").into()
}
