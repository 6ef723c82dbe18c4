//! `Idempotency-Key`: a create that is sent twice is executed once (after draft-ietf-httpapi-idempotency-key-header).
//!
//! A route takes part through [`idempotent`], which also adds the header to its OpenAPI description. The first request with a key runs to
//! its end even if the client disconnects, because that is when clients retry. Its response is kept for a day, encrypted, and replayed to
//! the same principal for the same method, path and body, as long as the principal's permissions have not shrunk. Kept are successes and
//! errors that only the request causes (400, 413, 415, 422, unless they are [`Passing`]); after anything else the key is free again. If a process
//! dies between executing and recording, the key stays taken until its lease expires; a retry after that is a new request.
//!
//! Owns `idempotency_keys`. Jobs: none.

mod store;

use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::timeout};
use tracing::Instrument as _;
use utoipa::openapi::{
    Required,
    path::{ParameterBuilder, ParameterIn},
    schema::{ObjectBuilder, Type},
};
use utoipa_axum::router::{UtoipaMethodRouter, UtoipaMethodRouterExt as _};

use self::store::Slot;
use super::{Actor, Principal, Role, body_bytes};
use crate::{
    clock::Clock,
    crypto::{self, MasterKey},
    db::Db,
    error::{ApiError, Passing},
    ids,
    lifecycle::Lifecycle,
};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Response headers that are kept; the others are generated for each request.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];

/// How long a response is replayed.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Interval of [`Idempotency::purge`].
pub const PURGE_KEYS_EVERY: Duration = Duration::from_secs(3600);
/// A create writes a few rows: one that takes longer hangs.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// Longer than a run by more than the clock skew of two hosts.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Retries of recording the response; all within the lease.
const NOTE_AGAIN: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];
/// Largest response kept, bytes; descriptions of created things are far smaller.
const LARGEST_ANSWER: usize = 4 << 20;
const LABEL: &str = "idempotency response";

/// Stores responses. Clones share everything; `app` adds one to every request as an extension.
#[derive(Clone, Debug)]
pub struct Idempotency(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    key: MasterKey,
    lifecycle: Lifecycle,
}

/// A response as it is encrypted.
#[derive(Deserialize, Serialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    /// Base64.
    body: String,
    /// Permissions of the principal at the time.
    #[serde(default)]
    standing: Standing,
}

/// Permissions of a principal.
#[derive(Clone, Default, Deserialize, Serialize)]
struct Standing {
    role: Option<Role>,
    /// Of an API key.
    scopes: BTreeSet<String>,
    is_operator: bool,
}

impl Standing {
    fn of(who: &Principal) -> Self {
        let scopes = match &who.actor {
            Actor::User(_) => BTreeSet::new(),
            Actor::ApiKey(key) => key.scopes.clone(),
        };
        Self { role: Some(who.role), scopes, is_operator: who.is_operator() }
    }

    fn covers(&self, then: &Self) -> bool {
        self.role >= then.role && self.scopes.is_superset(&then.scopes) && (self.is_operator || !then.is_operator)
    }
}

/// The response may contain something that only the creator may see, such as a new API key, and the handler, which would check the
/// permission, does not run again.
fn may_see(who: &Principal, then: &Standing) -> Result<(), ApiError> {
    who.require_own_password()?;
    if Standing::of(who).covers(then) {
        return Ok(());
    }
    Err(ApiError::forbidden("this was answered when you had more permissions than now".to_owned()))
}

/// Adds `Idempotency-Key` to the creates (`POST`) among these routes.
pub fn idempotent<S: Clone + Send + Sync + 'static>(mut routes: UtoipaMethodRouter<S>) -> UtoipaMethodRouter<S> {
    for operation in routes.1.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A text that is unique for each create, for example a UUID. A repetition within 24 hours is not executed again: it gets \
                 the first answer with `Idempotent-Replayed: true`. 409 `idempotency_key_in_use` while the first one runs; 422 \
                 `idempotency_key_reused` for the key of another request.",
            ))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255))))
            .build();
        operation.parameters.get_or_insert_default().push(parameter.into());
    }
    routes.layer(from_fn(guard))
}

/// Around the handler, inside authentication, because a key belongs to a principal.
async fn guard(request: Request, next: Next) -> Response {
    let who = request.extensions().get::<Principal>().cloned();
    match (who, request.headers().get(HEADER).cloned()) {
        (Some(who), Some(key)) if request.method() == Method::POST => {
            once(&who, &key, request, next).await.unwrap_or_else(ApiError::into_response)
        }
        // Without credentials the route answers.
        _ => next.run(request).await,
    }
}

async fn once(who: &Principal, key: &HeaderValue, request: Request, next: Next) -> Result<Response, ApiError> {
    let keeper = request.extensions().get::<Idempotency>().cloned();
    let keeper = keeper.ok_or_else(|| ApiError::internal(anyhow::anyhow!("an idempotent route without a keeper")))?;
    let key = key.to_str().ok().filter(|k| (1..=255).contains(&k.len())).ok_or_else(|| {
        ApiError::bad_request("idempotency_key_invalid", "Idempotency-Key is 1 to 255 visible ASCII characters")
    })?;
    let (parts, body) = request.into_parts();
    let bytes = body_bytes(Request::from_parts(parts.clone(), body)).await?;
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let slot = Slot {
        org: who.org_id,
        principal: who.subject(),
        key: key.to_owned(),
        fingerprint: fingerprint(parts.method.as_str(), target, &bytes),
        run: ids::new_uuid(&keeper.0.clock),
    };
    match keeper.begin(&slot, who).await? {
        Some(kept) => Ok(kept),
        None => keeper.run(slot, Standing::of(who), Request::from_parts(parts, Body::from(bytes)), next).await,
    }
}

/// Length-prefixed, so that different requests never hash the same input.
fn fingerprint(method: &str, target: &str, body: &[u8]) -> [u8; 32] {
    let lengths = format!("{} {} ", method.len(), target.len());
    crypto::sha256([lengths.as_bytes(), method.as_bytes(), target.as_bytes(), body].concat())
}

impl Idempotency {
    pub fn new(db: Db, clock: Clock, key: MasterKey, lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Inner { db, clock, key, lifecycle }))
    }

    /// Takes the key, or returns the response stored under it.
    async fn begin(&self, slot: &Slot, who: &Principal) -> Result<Option<Response>, ApiError> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.tenant(slot.org).await?;
        let taken = store::begin(&mut tx, slot, now, now + LEASE, now - KEPT).await?;
        let found = if taken { None } else { Some(store::find(&mut tx, slot).await?) };
        tx.commit().await?;
        let in_use = || ApiError {
            retry_after: Some(Duration::from_secs(1)),
            ..ApiError::conflict(
                "idempotency_key_in_use",
                "the first request with this Idempotency-Key is still running",
            )
        };
        let Some(found) = found else { return Ok(None) };
        let found = found.ok_or_else(in_use)?;
        if !crypto::constant_time_eq(&found.fingerprint, &slot.fingerprint) {
            return Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key was used for another request: use a new one for each create",
            ));
        }
        self.replay(slot, who, &found.response.ok_or_else(in_use)?).map(Some)
    }

    fn replay(&self, slot: &Slot, who: &Principal, sealed: &[u8]) -> Result<Response, ApiError> {
        let plain = self.0.key.open(LABEL, &bound(slot), sealed).map_err(ApiError::internal)?;
        let kept: Kept = serde_json::from_slice(&plain).map_err(ApiError::internal)?;
        may_see(who, &kept.standing)?;
        let body = STANDARD.decode(&kept.body).map_err(ApiError::internal)?;
        let status = StatusCode::from_u16(kept.status).map_err(ApiError::internal)?;
        let mut response = (status, body).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        for (name, value) in kept.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }

    /// Runs the request in its own task, so that a client that disconnects does not cancel it.
    async fn run(&self, slot: Slot, standing: Standing, request: Request, next: Next) -> Result<Response, ApiError> {
        let (sender, receiver) = oneshot::channel();
        let keeper = self.clone();
        let work = async move {
            let response = match timeout(LONGEST_RUN, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => ApiError::internal(anyhow::anyhow!("a handler panicked")).into_response(),
                Err(_) => ApiError::unavailable(Duration::from_secs(2), "this took too long").into_response(),
            };
            let (response, kept) = read(response, standing).await;
            // Recorded before the client gets the response, so that a retry finds it. If the database is down, the client still gets it and
            // only a retry has to wait.
            let mut noted = keeper.note(&slot, kept.as_ref()).await;
            let _ = sender.send(response);
            for wait in NOTE_AGAIN {
                if noted.is_err() {
                    tokio::time::sleep(wait).await;
                    noted = keeper.note(&slot, kept.as_ref()).await;
                }
            }
            if let Err(error) = noted {
                tracing::warn!(error = format!("{error:#}"), "cannot store the response to an idempotent request");
            }
        };
        self.0.lifecycle.spawn("http.idempotent", work.in_current_span());
        receiver.await.map_err(|_| ApiError::unavailable(Duration::from_secs(2), "the server is shutting down"))
    }

    /// Stores the response, or frees the key.
    async fn note(&self, slot: &Slot, kept: Option<&Kept>) -> anyhow::Result<()> {
        let mut tx = self.0.db.tenant(slot.org).await?;
        match kept {
            Some(kept) => {
                let sealed = self.0.key.seal(LABEL, &bound(slot), &serde_json::to_vec(kept)?)?;
                store::finish(&mut tx, slot, &sealed).await?;
            }
            None => store::release(&mut tx, slot).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// Removes keys older than a day; returns how many.
    pub async fn purge(&self) -> anyhow::Result<u64> {
        let mut tx = self.0.db.system().await?;
        let count = store::purge(&mut tx, self.0.clock.now() - KEPT).await?;
        tx.commit().await?;
        Ok(count)
    }
}

/// The response, and what to store of it: successes, and errors that only the request causes.
async fn read(response: Response, standing: Standing) -> (Response, Option<Kept>) {
    let (parts, body) = response.into_parts();
    let bytes = match to_bytes(body, LARGEST_ANSWER).await {
        Ok(bytes) => bytes,
        Err(error) => return (ApiError::internal(error).into_response(), None),
    };
    let status = parts.status.as_u16();
    let is_passing = parts.extensions.get::<Passing>().is_some();
    let keep = parts.status.is_success() || (matches!(status, 400 | 413 | 415 | 422) && !is_passing);
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let headers = KEPT_HEADERS.iter().filter_map(header).collect();
    let kept = keep.then(|| Kept { status, headers, body: STANDARD.encode(&bytes), standing });
    (Response::from_parts(parts, Body::from(bytes)), kept)
}

/// Binds an encrypted response to its own row.
fn bound(slot: &Slot) -> Vec<u8> {
    [slot.org.0.as_bytes().as_slice(), &slot.fingerprint, slot.principal.as_bytes(), b" ", slot.key.as_bytes()].concat()
}
