//! `/render/image`: images in another size, as supabase's clients ask for them.

use axum::{
    extract::{Request, State},
    response::Response,
};
use images::Options;

use super::who::{AtPath, Of, Who};
use crate::{
    Bucket, Caller, Claims, Files, FilesError, Key, Object, VersionRef,
    routes::{images::respond, public::public_object},
};
use platform::{error::ApiError, http::Path};

fn options(request: &Request) -> Result<Options, FilesError> {
    Options::of_supabase(request.uri().query().unwrap_or_default()).map_err(FilesError::Invalid)
}

pub(super) async fn public(
    State(files): State<Files>,
    Of(org): Of,
    Path(at): Path<AtPath>,
    request: Request,
) -> Result<Response, ApiError> {
    let (who, bucket, object) = public_object(&files, org, &at.bucket, at.path).await?;
    let options = options(&request)?;
    render(&files, (&who, &bucket, &object), &options, request).await
}

pub(super) async fn authenticated(
    State(files): State<Files>,
    who: Who,
    Path(at): Path<AtPath>,
    request: Request,
) -> Result<Response, ApiError> {
    let bucket = files.bucket(&who.caller, &at.bucket).await?;
    let object = files.find(&who.caller, &bucket, &at.key()?, None).await?;
    let options = options(&request)?;
    render(&files, (&who.caller, &bucket, &object), &options, request).await
}

pub(crate) async fn by_token(
    files: &Files,
    claims: &Claims,
    key: &Key,
    options: &Options,
    request: Request,
) -> Result<Response, ApiError> {
    let who = files.bearer(claims);
    let bucket = files.bucket_by_id(&who, claims.bucket).await?;
    let object = files.find(&who, &bucket, key, claims.object.map(VersionRef::Id)).await?;
    files.spend_on_reading(claims).await?;
    render(files, (&who, &bucket, &object), options, request).await
}

async fn render(
    files: &Files,
    (who, bucket, object): (&Caller, &Bucket, &Object),
    options: &Options,
    request: Request,
) -> Result<Response, ApiError> {
    let image = files.variant(who, bucket, object, options, request.headers()).await?;
    Ok(respond(&image, bucket, object, request.headers()))
}
