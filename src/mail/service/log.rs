//! The log of mail: listing, looking, trying again, cancelling; and how the account does.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Filter, Mail, owners};
use crate::{
    Account, Attachment, Backlog, MailError, Message, MessageDetail, MessageId, Owner, kinds,
    metrics::MessageOutcome,
    smtp,
    store::{lanes, messages},
};
use platform::{
    db::Tx,
    http::{Principal, Slice},
};

/// Instead of the text of a mail with a secret link.
const NOT_SHOWN: &str = "The text is not shown: it has a link that only its recipient may open.";

fn missing() -> MailError {
    MailError::NotFound("mail_message")
}

/// Deletes the texts of mails that have ended, if their link opens an account: nobody needs it here any more, and each backup would keep it. To
/// be called in the transaction that ends them.
pub(super) async fn forget_secrets(conn: &mut PgConnection, ended: &[(MessageId, &str)]) -> Result<(), MailError> {
    let secrets = ended.iter().filter(|(_, kind)| kinds::is_secret(kind));
    let secrets: Vec<Uuid> = secrets.map(|(id, _)| id.0).collect();
    if !secrets.is_empty() {
        messages::delete_texts(conn, &secrets).await?;
    }
    Ok(())
}

impl Mail {
    /// Newest first.
    pub async fn list(&self, who: &Principal, filter: &Filter<'_>, slice: &Slice) -> Result<Vec<Message>, MailError> {
        self.list_of(self.owner(who, filter.installation)?, filter, slice).await
    }

    /// As [`Self::list`], for the command line.
    pub async fn list_of(&self, owner: Owner, filter: &Filter<'_>, slice: &Slice) -> Result<Vec<Message>, MailError> {
        let mut tx = self.begin(owner).await?;
        let filter = Filter { installation: owner == Owner::Installation, ..filter.clone() };
        Ok(messages::list(&mut tx, &filter, slice).await?)
    }

    /// A message of this owner.
    pub async fn message(&self, owner: Owner, id: MessageId) -> Result<Message, MailError> {
        let mut tx = self.begin(owner).await?;
        messages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)
    }

    /// Err unless the caller has sent this mail by the API.
    pub(crate) async fn check_own(&self, who: &Principal, id: MessageId) -> Result<(), MailError> {
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        let message = messages::get(&mut tx, Some(who.org_id), id).await?;
        let is_own = message.is_some_and(|mail| mail.kind == kinds::API.name && mail.created_by == who.subject());
        if is_own { Ok(()) } else { Err(missing()) }
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get(&self, who: &Principal, id: MessageId) -> Result<MessageDetail, MailError> {
        let (mut tx, _, message) = self.find_message(who, id).await?;
        let content = messages::content(&mut tx, id, message.created_at).await?.ok_or_else(missing)?;
        let history = messages::history(&mut tx, id, message.created_at).await?;
        let messages::Content { mut text, mut html, headers, attachments } = content;
        // An administrator could become the owner who was invited, or whose password is to be set.
        if kinds::is_secret(&message.kind) {
            (text, html) = (NOT_SHOWN.to_owned(), None);
        }
        // Where they are stored is nobody's business.
        let attachments = attachments.into_iter().map(|file| Attachment { object: String::new(), ..file }).collect();
        Ok(MessageDetail { message, text, html, headers, attachments, history })
    }

    /// Tries a queued mail now, and a failed, suppressed or cancelled one again. It is not sent if its recipient is suppressed still. One with a
    /// secret link has no text any more once it has ended.
    pub async fn retry(&self, who: &Principal, id: MessageId) -> Result<Message, MailError> {
        let (mut tx, owner, message) = self.find_message(who, id).await?;
        if !messages::requeue(&mut tx, id, self.inner.clock.now()).await? {
            let text = "a mail is not sent again that is being sent, was sent, is of no use any more, or had a link that opens an account";
            return Err(MailError::Conflict("mail_state", text));
        }
        self.wake(&mut tx, owner.org(), &message.lane).await?;
        let again = messages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.try_account_now(who).await?;
        tracing::info!(message_id = %id, by = who.subject(), "mail queued again");
        Ok(again)
    }

    /// For operators: whoever tries a mail has often just repaired the account.
    pub(super) async fn try_account_now(&self, who: &Principal) -> Result<(), MailError> {
        if who.is_operator() { self.retry_account().await } else { Ok(()) }
    }

    /// Lets an account that fails be tried at once.
    pub async fn retry_account(&self) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        lanes::retry_now(&mut tx, smtp::Account::NAME, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Cancels a queued mail.
    pub async fn cancel(&self, who: &Principal, id: MessageId) -> Result<Message, MailError> {
        let (mut tx, owner, message) = self.find_message(who, id).await?;
        if !messages::cancel(&mut tx, id).await? {
            return Err(MailError::Conflict("mail_state", "only a mail that waits can be cancelled"));
        }
        forget_secrets(&mut tx, &[(id, message.kind.as_str())]).await?;
        let cancelled = messages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.inner.metrics.ended(MessageOutcome::Cancelled, 1);
        tracing::info!(message_id = %id, by = who.subject(), "mail cancelled");
        Ok(cancelled)
    }

    /// How the SMTP account does.
    pub async fn account(&self) -> Result<Account, MailError> {
        let mut tx = self.system().await?;
        let configured = self.inner.account.as_ref();
        // A row of the time when there was an account says nothing.
        let failing = lanes::failing(&mut tx, smtp::Account::NAME).await?.filter(|_| configured.is_some());
        Ok(Account {
            configured: configured.is_some(),
            server: configured.map(smtp::Account::server).unwrap_or_default(),
            from: self.inner.config.from.clone(),
            failing_since: failing.as_ref().map(|failing| failing.failing_since),
            retry_at: failing.as_ref().map(|failing| failing.retry_at),
            error: failing.map(|failing| failing.error),
        })
    }

    /// What waits, of this owner.
    pub async fn backlog(&self, owner: Owner) -> Result<Backlog, MailError> {
        let mut tx = self.begin(owner).await?;
        Ok(lanes::backlog(&mut tx, owner.org(), self.inner.clock.now()).await?)
    }

    pub(super) async fn find_message(&self, who: &Principal, id: MessageId) -> Result<(Tx, Owner, Message), MailError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(message) = messages::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, message));
            }
        }
        Err(missing())
    }
}
