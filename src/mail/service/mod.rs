//! [`Mail`]: the rules.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    Account, Address, Attachment, Backlog, Config, Domain, DomainId, Kind, MailError, Message, MessageDetail,
    MessageId, Metrics, Owner, Suppression, SuppressionId,
    model::{Reason, State},
};
use jobs::{JobContext, JobError};
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx},
    http::{Principal, Slice},
};
use storage::{Deletions, Storage};

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub master_key: MasterKey,
    /// Attachments.
    pub objects: Storage,
    pub deletions: Deletions,
    /// Address of this installation, without a trailing slash: links in mails begin with it.
    pub public_url: String,
    pub metrics: Metrics,
}

/// The mailer. Cheap to clone.
#[derive(Clone)]
pub struct Mail {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
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
    Template { name: &'a str, data: serde_json::Value },
    Raw { subject: &'a str, text: &'a str, html: Option<&'a str> },
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
    /// Substring of the address, the subject or the error.
    pub search: Option<&'a str>,
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

impl Mail {
    pub fn new(deps: Deps) -> Self {
        Self { inner: Arc::new(Inner { deps }) }
    }

    /// Whose mail the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, MailError> {
        match installation {
            false => Ok(Owner::Org(who.org_id)),
            true if who.is_operator() => Ok(Owner::Installation),
            true => Err(MailError::NotFound("mail_message")),
        }
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, MailError> {
        Ok(match owner {
            Owner::Org(org) => self.inner.db.tenant(org).await?,
            Owner::Installation => self.inner.db.system().await?,
        })
    }
}

// The public surface; bodies follow in the files of this folder.
impl Mail {
    /// Writes the mail into the outbox in the caller's transaction and enqueues its lane's job. A suppressed recipient gives a row in state
    /// `suppressed`.
    pub async fn enqueue(&self, _: &mut PgConnection, _: Owner, _: &NewMail<'_>) -> Result<MessageId, MailError> {
        todo!()
    }

    /// Stores a file that a mail is sent with.
    pub async fn keep_attachment(
        &self,
        _owner: Owner,
        _name: &str,
        _content_type: &str,
        _content: Bytes,
    ) -> Result<Attachment, MailError> {
        todo!()
    }

    /// Newest first.
    pub async fn list(&self, _: &Principal, _: &Filter<'_>, _: &Slice) -> Result<Vec<Message>, MailError> {
        todo!()
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get(&self, _: &Principal, _: MessageId) -> Result<MessageDetail, MailError> {
        todo!()
    }

    /// Tries a queued mail now, and a failed, suppressed or cancelled one again.
    pub async fn retry(&self, _: &Principal, _: MessageId) -> Result<Message, MailError> {
        todo!()
    }

    /// Cancels a queued mail.
    pub async fn cancel(&self, _: &Principal, _: MessageId) -> Result<Message, MailError> {
        todo!()
    }

    /// Sends a test mail.
    pub async fn send_test(&self, _: &Principal, _: Owner, _: &Address) -> Result<MessageId, MailError> {
        todo!()
    }

    /// How the SMTP account does.
    pub async fn account(&self) -> Result<Account, MailError> {
        todo!()
    }

    /// What waits, of this owner.
    pub async fn backlog(&self, _: Owner) -> Result<Backlog, MailError> {
        todo!()
    }

    pub async fn suppressions(
        &self,
        _: &Principal,
        _: &SuppressionFilter<'_>,
        _: &Slice,
    ) -> Result<Vec<Suppression>, MailError> {
        todo!()
    }

    pub async fn add_suppression(
        &self,
        _: &Principal,
        _: Owner,
        _: &NewSuppression<'_>,
    ) -> Result<Suppression, MailError> {
        todo!()
    }

    pub async fn remove_suppression(&self, _: &Principal, _: SuppressionId) -> Result<(), MailError> {
        todo!()
    }

    pub async fn domains(&self, _: Owner, _: &Slice) -> Result<Vec<Domain>, MailError> {
        todo!()
    }

    pub async fn add_domain(&self, _: &Principal, _: Owner, _domain: &str) -> Result<Domain, MailError> {
        todo!()
    }

    pub async fn get_domain(&self, _: &Principal, _: DomainId) -> Result<Domain, MailError> {
        todo!()
    }

    /// Looks into the DNS now.
    pub async fn check_domain(&self, _: &Principal, _: DomainId) -> Result<Domain, MailError> {
        todo!()
    }

    pub async fn delete_domain(&self, _: &Principal, _: DomainId) -> Result<(), MailError> {
        todo!()
    }

    /// The job of a lane.
    pub(crate) async fn deliver(&self, _: &JobContext, _lane: &str) -> Result<(), JobError> {
        todo!()
    }
}

// What other files of this room give, and what this one calls:
// service/templates.rs: `pub(super) async fn rendered(&self, conn: &mut PgConnection, owner: Owner, language: &str, name: &str, data:
//     &serde_json::Value) -> Result<(Branding, Rendered), MailError>`: branding and override of the owner are read there. For a notice, `data`
//     has `unsubscribe_url`.
// service/templates.rs: `pub(super) async fn branding_of(&self, conn: &mut PgConnection, owner: Owner) -> Result<BrandingRow, MailError>` with
//     `from_name: Option<String>`, `reply_to: Option<String>`.
// service/unsubscribe.rs: `pub(super) fn unsubscribe_link(&self, id: MessageId, kind: &Kind) -> String`
// What the stores of this room give to service/bounces.rs:
// store/messages.rs: `by_message_id(conn, message_id: &str) -> sqlx::Result<Option<(Owner, Message)>>`,
//     `bounced(conn, id: MessageId, kind: Bounced, now) -> sqlx::Result<bool>`
// store/suppressions.rs: `insert(conn, &NewRow) -> sqlx::Result<bool>` (false: it was there), NewRow { id, org: Option<OrgId>, address, kind,
//     reason, detail, message_id, created_by, now }
// metrics.rs: `bounced(&self, kind: BounceLabel, ..)`, `suppressed(&self, reason: Reason)`
