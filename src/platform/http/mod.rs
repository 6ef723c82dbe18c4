//! The HTTP server's frame: accept loop, limits, authentication, the wide request log, extractors.
//!
//! accept loop -> request id, span -> words of errors -> size and time -> limit by address -> authenticate -> limit by
//! principal -> routes. What authentication means is [`Authenticator`]'s, which `auth` implements.

pub mod config;
mod cors;
mod disposition;
mod entitled;
mod extract;
mod hosts;
mod idempotency;
mod known_query;
mod leftover;
mod limits;
mod memory;
pub mod metrics;
mod objects;
mod pace;
mod places;
mod principal;
pub mod probe;
mod report;
mod request;
mod server;
mod spans;
mod stall;

pub use config::{Config, OpsConfig};
pub use disposition::file_name;
pub use extract::{Json, Page, PageQuery, Path, Query, body_bytes, decode, require_json};
pub use hosts::{OpsHosts, ops_token, refuse_strangers};
pub use idempotency::{Idempotency, idempotent};
pub use known_query::{KnownQuery, refuse_unknown_query};
pub use limits::{RateLimiter, address_key, client_address};
pub use metrics::Metrics;
pub use pace::unreadable_body;
pub use principal::{Actor, Auth, Authenticator, KeyActor, OrgRef, Principal, Role, Scope, SessionUser};
pub use request::{ClientAddress, Frame, RequestId, current_request_id, wrap};
pub use server::{Listener, Timeouts, serve};
