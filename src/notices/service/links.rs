//! One-time links by mail: invitations, and links to set a new password.
//!
//! The link is written into the mail in the transaction that makes it; only its hash is kept elsewhere. So while no mail server is
//! configured, no such mail is written: the link's maker sees it and passes it on, and no secret waits for a mail that may never be sent.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Inner, Notice, Notices};
use crate::{
    NoticesError,
    model::{NoticeKind, Recipients, Unmade, unlinked},
};
use auth::{AuthError, LinkMail, LinkMailer, LinkPurpose};
use mail::{MailError, Owner};
use platform::{db::Tx, error::chain};

/// What auth gets. Not the notices themselves, which hold auth: the two would keep each other in memory.
struct Links(Weak<Inner>);

impl Notices {
    /// Writes the mails with one-time links.
    pub fn link_mailer(&self) -> Arc<dyn LinkMailer> {
        Arc::new(Links(Arc::downgrade(&self.inner)))
    }

    async fn mail_link(&self, tx: &mut Tx, mail: &LinkMail<'_>) -> Result<bool, AuthError> {
        if !self.config().enabled {
            return Ok(false);
        }
        let link = mail.link;
        // An invitation is of the organisation; a new password opens the account in all organisations of its owner.
        let (kind, owner) = match link.purpose {
            LinkPurpose::Join => (NoticeKind::Invitation, Owner::Org(mail.org)),
            LinkPurpose::Reset => (NoticeKind::PasswordReset, Owner::Installation),
        };
        let about = format!("link/{}", link.id);
        let unmade = |reason| self.inner.metrics.unmade(kind, &about, reason, 1);
        let mut to = Recipients::of([(mail.name, link.email.as_str())]);
        if let Some(language) = mail.language {
            to.languages.extend(to.addresses.iter().map(|address| (address.key(), language)));
        }
        let notice = Notice { kind, owner, about: &about, to: &to, expires_at: link.expires_at };
        if !self.reaches(&notice) {
            return Ok(false);
        }
        if self.inner.links.check(&mail.org.to_string()).is_err() {
            unmade(Unmade::Often);
            return Ok(false);
        }
        match self.write(tx, &notice, |_, _| link_data(mail)).await {
            Ok(mails) => {
                self.inner.metrics.made(kind, &about, mails);
                Ok(true)
            }
            // Before anything was written: the transaction goes on without the mail.
            Err(NoticesError::Mail(
                error @ (MailError::Invalid(_) | MailError::Limited(..) | MailError::Render(_)),
            )) => {
                tracing::warn!(about, error = chain(&error), "a link is not mailed");
                unmade(Unmade::Refused);
                Ok(false)
            }
            Err(NoticesError::Db(error) | NoticesError::Mail(MailError::Db(error))) => Err(AuthError::Db(error)),
            Err(error) => Err(AuthError::Mail(error.into())),
        }
    }
}

#[async_trait]
impl LinkMailer for Links {
    async fn mail_link(&self, tx: &mut Tx, mail: &LinkMail<'_>) -> Result<bool, AuthError> {
        match self.0.upgrade() {
            Some(inner) => Notices { inner }.mail_link(tx, mail).await,
            // The process ends.
            None => Ok(false),
        }
    }
}

/// Fields of the templates `invitation` and `password_reset`.
fn link_data(mail: &LinkMail<'_>) -> Value {
    let link = mail.link;
    let valid_seconds = (link.expires_at - link.created_at).num_seconds();
    match link.purpose {
        LinkPurpose::Join => json!({
            "email": link.email,
            "inviter": if mail.by.name.is_empty() { mail.by.email.clone() } else { unlinked(&mail.by.name) },
            "organisation": unlinked(mail.organisation),
            "url": mail.url,
            "valid_seconds": valid_seconds,
        }),
        LinkPurpose::Reset => json!({
            "name": mail.name,
            "email": link.email,
            "url": mail.url,
            "valid_seconds": valid_seconds,
            // An administrator made the link; where from is not the recipient's business.
            "ip": "",
        }),
    }
}
