//! [`Mail`]: the rules.

mod account;
mod attachments;
mod bounces;
mod branding;
mod bulk;
mod domains;
mod export;
mod files;
mod import;
mod limits;
mod log;
mod outbox;
mod own_templates;
mod requests;
mod results;
mod sending;
mod sources;
mod suppressions;
mod templates;
mod unsubscribe;
mod upkeep;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Address, Attachment, Config, DomainId, Kind, MailError, Metrics, Owner,
    dkim::DomainKeys,
    dns::Dns,
    model::{Reason, State},
    smtp::Account,
    store::lanes,
};
use crate::bounces::{Stuck, ses::Sns};
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::Principal,
    http_client::TenantClient,
    lifecycle::Lifecycle,
    pools::CpuPool,
};
use storage::{Deletions, Storage};

pub use attachments::Source;
pub(crate) use bounces::MAILBOX;
pub use bulk::Changed;
pub(crate) use files::OpenFile;
pub use import::{Imported, Rejected};
pub use unsubscribe::{Preferences, Recipient};

#[cfg(test)]
pub(super) use account::account_wait;
#[cfg(test)]
pub(super) use domains::{after_look, new_selector};
#[cfg(test)]
pub(super) use limits::{later_by, most_counted};
#[cfg(test)]
pub(super) use outbox::lane;
#[cfg(test)]
pub(super) use sending::retry_wait;

pub(super) use own_templates::{MOST as MOST_OWN, with_text};
pub(super) use requests::{GivenFile, MailRequest};

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    /// Once it ends, no further mail is begun.
    pub lifecycle: Lifecycle,
    pub master_key: MasterKey,
    /// Attachments.
    pub objects: Storage,
    pub deletions: Deletions,
    /// Address of this installation, without a trailing slash: links in mails begin with it.
    pub public_url: String,
    pub metrics: Metrics,
    /// Client for addresses in what providers report.
    pub tenant: TenantClient,
}

/// The mailer. Cheap to clone.
#[derive(Clone)]
pub struct Mail {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    /// `None`: nothing is sent, mail waits.
    pub account: Option<Account>,
    /// How this installation names itself to mail servers.
    pub hostname: String,
    pub dns: Dns,
    /// Certificates of Amazon SNS, which signs reports of SES.
    pub sns: Sns,
    /// Mails in the mailbox of bounces that cannot be fetched.
    pub stuck: Stuck,
    /// Keys of domains, opened. They never change.
    keys: Mutex<HashMap<DomainId, Arc<DomainKeys>>>,
    /// Makes keys of domains.
    cpu: CpuPool,
    woken: upkeep::Woken,
    recording: results::Recording,
    /// Files of other rooms, which the API attaches.
    shared_files: attachments::Sources,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").finish_non_exhaustive()
    }
}

/// A mail to write into the outbox.
#[derive(Clone, Debug)]
pub struct NewMail<'a> {
    pub kind: &'static Kind,
    pub to: &'a Address,
    /// `en` or `ru`
    pub language: &'a str,
    pub content: Content<'a>,
    /// From [`Mail::keep_attachment`].
    pub attachments: Vec<Attachment>,
    /// Not before this time; `None`: now. At most 30 days ahead.
    pub send_at: Option<DateTime<Utc>>,
    /// When it is of no use any more, such as a link that works no longer: what has not been sent by then fails. `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// A second mail of the owner with this key is not made: its caller gets the id of the first.
    pub idempotency_key: Option<String>,
    pub reply_to: Option<Address>,
    /// `None`: the configured sender. Organisations need a domain that they have verified.
    pub from: Option<Address>,
    /// `user:<id>`, `key:<id>`, or the room.
    pub created_by: String,
}

/// The text of a mail.
#[derive(Clone, Debug)]
pub enum Content<'a> {
    Template {
        name: &'a str,
        data: serde_json::Value,
    },
    /// Of the owner's own.
    Own {
        name: &'a str,
        data: serde_json::Value,
    },
    Raw {
        subject: &'a str,
        text: &'a str,
        html: Option<&'a str>,
    },
}

/// Filter of messages; `None` is no filter.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Those of the installation instead of the caller's organisation; operators only.
    pub installation: bool,
    pub state: Option<State>,
    pub kind: Option<&'a str>,
    /// Whole address.
    pub to: Option<&'a str>,
    /// Substring of the address, the subject or the error; or a whole Message-ID.
    pub search: Option<&'a str>,
    /// Only what came back, or was called spam.
    pub bounced: bool,
    /// Substring of the error.
    pub answer: Option<&'a str>,
    /// Written at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Written before this time.
    pub until: Option<DateTime<Utc>>,
}

/// Filter of suppressions; `None` is no filter.
#[derive(Clone, Debug, Default)]
pub struct SuppressionFilter<'a> {
    /// Those of the installation instead of the caller's organisation; operators only.
    pub installation: bool,
    pub reason: Option<Reason>,
    /// Substring of the address or the detail.
    pub search: Option<&'a str>,
}

/// A suppression to add by hand.
#[derive(Clone, Debug)]
pub struct NewSuppression<'a> {
    pub address: &'a str,
    /// `*`: everything; otherwise a kind.
    pub kind: &'a str,
    pub detail: &'a str,
}

/// Suppressions to remove; `None` is no filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unsuppress<'a> {
    /// Whole address, in lower case.
    pub address: Option<&'a str>,
    /// What stands behind the `@`.
    pub domain: Option<&'a str>,
    pub reason: Option<Reason>,
}

impl Mail {
    pub fn new(deps: Deps) -> Self {
        let hostname = hostname(&deps.config, &deps.public_url);
        let dns = Dns::new(deps.config.dns_server());
        let account = Account::new(&deps.config, &hostname, deps.metrics.clone());
        deps.metrics.configured(account.is_some());
        let inner = Inner {
            sns: Sns::new(deps.tenant.clone()),
            deps,
            stuck: Stuck::default(),
            account,
            hostname,
            dns,
            keys: Mutex::default(),
            cpu: CpuPool::new(1),
            woken: upkeep::Woken::default(),
            recording: results::Recording::default(),
            shared_files: attachments::Sources::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether a server and a sender are configured: otherwise mail waits.
    pub fn is_configured(&self) -> bool {
        self.inner.account.is_some()
    }

    /// Whose mail the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, MailError> {
        if installation && !who.is_operator() {
            return Err(MailError::NotFound("mail_message"));
        }
        Ok(if installation { Owner::Installation } else { Owner::Org(who.org_id) })
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, MailError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => self.system().await,
        }
    }

    /// The database's time, by which mail is due, is tried again and expires: the clocks of hosts differ, and leases are by the database's, too. A
    /// test that has moved its clock has moved this one.
    pub(super) async fn now(&self, conn: &mut PgConnection) -> Result<DateTime<Utc>, MailError> {
        Ok(self.inner.clock.moved(lanes::clock(conn).await?))
    }

    /// For the installation's mail, and for what is about mail of all organisations: lanes, bounces, figures, retention.
    pub(super) async fn system(&self) -> Result<Tx, MailError> {
        Ok(self.inner.db.system().await?)
    }
}

/// Owners whose mail the caller may see.
pub(super) fn owners(who: &Principal) -> impl Iterator<Item = Owner> {
    [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::Installation)].into_iter().flatten()
}

/// The configured name, or the host of this installation's address.
fn hostname(config: &Config, public_url: &str) -> String {
    if !config.hostname.is_empty() {
        return config.hostname.clone();
    }
    let host = public_url.parse::<axum::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
    host.unwrap_or_else(|| "localhost".to_owned())
}
