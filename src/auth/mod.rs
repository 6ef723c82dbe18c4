//! Organisations, people, sessions and API keys: authentication and permissions.
//!
//! Owns `organisations`, `users`, `memberships`, `sessions`, `api_keys`, `one_time_links`. Metrics: `holdfast_auth_*`.
//! [`Auth`] implements [`platform::http::Authenticator`] for the middleware. Passwords are hashed with argon2id
//! on a bounded pool; session tokens and API keys are 256 random bits, stored only as SHA-256. Changes take effect at
//! once in this process and within ten seconds in others.

mod authenticate;
pub mod config;
mod cookie;
mod csrf;
mod directory;
mod doctor;
mod email;
mod error;
mod events;
mod first_password;
mod link_mail;
pub mod metrics;
mod model;
mod module;
mod overview;
pub mod pages;
mod password;
pub mod routes;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;

pub use config::{AdminConfig, Config};
pub use cookie::{clear_session_cookie, session_cookie};
pub use csrf::{Origins, guard as csrf_guard};
pub use doctor::checks;
pub use error::AuthError;
pub use events::{DeviceAdded, EVENTS, MemberAdded};
pub use link_mail::{LinkMail, LinkMailer};
pub use metrics::Metrics;
pub use model::{
    ApiKey, ApiKeyId, Device, FirstAdmin, Link, LinkId, LinkPurpose, Member, NewApiKey, NewLink, Organisation, Session,
    SessionId, SignedIn, User,
};
pub use module::{ROOM, build};
pub use service::{Accept, Accepted, Auth, Client, LinkInfo};
