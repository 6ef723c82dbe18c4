//! Mail: an outbox, and its delivery over SMTP.
//!
//! A mail is a row, written in the transaction that made it necessary ([`Mail::enqueue`]), with its text and its Message-ID: every attempt sends
//! the same mail. Mail to one domain of recipients is a lane; a job per lane sends what is due, links before bulk, over a few connections. A
//! message goes queued -> sending (committed) -> sent, failed, or queued again. Where the server's answer is not known, because the connection
//! or the process ended after the content was sent, it is sent again with the same Message-ID, and the row says so. What the server refuses for
//! now waits for its next attempt and holds up nobody; an account that fails (connection, TLS, sign-in) holds up all of its mail, and one mail
//! tries it again. While no server is configured, mail waits.
//!
//! What comes back (bounces, complaints, unsubscriptions) is reported by webhooks of providers, or as mail to a mailbox that the leader reads; hard
//! bounces and complaints suppress the recipient's address for the message's owner.
//!
//! Owns `mail_messages`, `mail_bodies`, `mail_files`, `mail_attempts`, `mail_keys`, `mail_accounts`, `mail_suppressions`, `mail_templates`,
//! `mail_own_templates`, `mail_branding`, `mail_domains`, `mail_bounce_sources`, `mail_bounce_tokens`, `mail_bounces`, `mail_mailboxes`. Jobs:
//! `mail.deliver`, `mail.check_domains`, `mail.drop_files`, `mail.maintain`, `mail.purge`. Metrics: `holdfast_mail_*`. Checks: `mail.smtp`,
//! `mail.outbox`, `mail.domains`, `mail.bounces`.

pub mod address;
mod bounces;
mod compose;
mod config;
mod dkim;
mod dns;
mod doctor;
mod error;
mod events;
mod inventory;
mod jobs;
pub mod kinds;
mod metrics;
mod model;
mod module;
mod overview;
mod pages;
mod render;
mod routes;
mod service;
mod smtp;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use address::{Address, BadAddress};
pub use config::{Config, Security, Signing};
pub use dns::is_public as is_public_host;
pub use doctor::checks;
pub use error::MailError;
pub use events::EVENTS;
pub use jobs::register;
pub use kinds::{Class, KINDS, Kind};
pub use metrics::Metrics;
pub use model::*;
pub use module::{ROOM, SEND, build};
pub use render::{
    Branding, BrandingChanges, BrandingSettings, LANGUAGES, Override, OwnTemplate, OwnTemplateSummary, OwnText,
    RenderError, Rendered, TEMPLATES, Template, TemplateDetail, TemplateField, TemplateInfo, TemplateVersion, example,
};
pub use service::{
    Changed, Content, Deps, Filter, Imported, Mail, NewMail, NewSuppression, Preferences, Recipient, Rejected, Source,
    SuppressionFilter, Unsuppress,
};
