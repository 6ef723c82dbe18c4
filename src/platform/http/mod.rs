//! HTTP server: accept loop, middleware stack, authentication hook, access log, extractors.
//!
//! accept loop -> request id, span, access log -> error mapping -> size and time limits -> rate limit per address -> authentication -> rate
//! limit per principal -> routes. [`Authenticator`] is the authentication interface; `auth` implements it.

mod access_log;
mod buffer_budget;
pub mod config;
mod connection_limit;
mod cors;
mod disposition;
mod extract;
mod hosts;
mod idempotency;
mod known_query;
mod limits;
mod list;
pub mod metrics;
mod objects;
mod principal;
pub mod probe;
mod request;
mod request_timeout;
mod revocation;
mod server;
mod spans;
mod sse;
mod status;
mod unread_body;
mod write_timeout;

pub use config::{Config, OpsConfig};
pub use disposition::{disposition, file_name};
pub use extract::{Json, Path, Query, body_bytes, decode, require_json};
pub use hosts::{OpsHosts, ops_token, refuse_strangers};
pub use idempotency::{Idempotency, PURGE_KEYS_EVERY, idempotent};
pub use known_query::{KnownQuery, refuse_unknown_query};
pub use limits::{RateLimiter, address_key, client_address};
pub use list::{Key, ListQuery, Page, Slice, Sort, TextSlice};
pub use metrics::Metrics;
pub use principal::{Actor, Auth, Authenticator, KeyActor, OrgRef, Principal, Role, Scope, SessionUser};
pub use request::{ClientAddress, MiddlewareStack, RequestId, wrap};
pub use request_timeout::unreadable_body;
pub use server::{Listener, Timeouts, serve};
pub use sse::event_stream;
pub use status::{ClaimedHost, DOMAIN_PATH, Finished, HostSurface};
pub use write_timeout::Bulk;
