//! Providers that report bounces: adding, listing, removing, and finding one by the token in its address.

use super::{MAILBOX, Mail, owners};
use crate::{
    MailError,
    bounces::{Known, Unsigned, checked_secret},
    model::{MailboxState, Owner, Provider, Source, SourceId, SourceWithUrl},
    store::{
        mailboxes::{self, Reading},
        sources::{self, NewSource},
    },
};
use platform::{
    crypto,
    error::ApiError,
    http::{Principal, Slice},
};

/// More are of no use: one account of a provider needs one.
const MOST_SOURCES: i64 = 20;
/// Characters that are kept of why a report came to nothing.
const MOST_REASON: usize = 500;
/// Purpose of the key that encrypts the secrets.
const LABEL: &str = "mail.bounce_source";

impl Mail {
    /// Newest first.
    pub async fn sources(&self, owner: Owner, slice: &Slice) -> Result<Vec<Source>, MailError> {
        let mut tx = self.begin(owner).await?;
        let found = sources::list(&mut tx, owner.org(), slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// `secret`: SendGrid's verification key, Mailgun's webhook signing key, Resend's `whsec_...`; the ARN of the only SNS topic that is believed
    /// (SES); `user:password` (Postmark, may be empty). The answer has the address, which is shown only once.
    pub async fn add_source(
        &self,
        who: &Principal,
        owner: Owner,
        provider: Provider,
        secret: &str,
    ) -> Result<SourceWithUrl, MailError> {
        let secret = checked_secret(provider, secret)
            .map_err(|expected| MailError::invalid("/secret", "invalid_secret", expected))?;
        let (id, token) = (SourceId::generate(&self.inner.clock), crypto::random_token());
        let sealed = match secret {
            "" => None,
            secret => Some(self.inner.master_key.seal(LABEL, id.0.as_bytes(), secret.as_bytes())?),
        };
        let mut tx = self.begin(owner).await?;
        if sources::count(&mut tx, owner.org()).await? >= MOST_SOURCES {
            return Err(MailError::TooMany(MOST_SOURCES, "bounce sources"));
        }
        let new = NewSource {
            id,
            org: owner.org(),
            provider,
            token_hash: &crypto::sha256(&token),
            secret: sealed.as_deref(),
            created_by: &who.subject(),
            now: self.inner.clock.now(),
        };
        sources::insert(&mut tx, &new).await?;
        let source = sources::get(&mut tx, owner.org(), id).await?.ok_or_else(none)?;
        tx.commit().await?;
        tracing::info!(source_id = %id, provider = provider.as_str(), by = who.subject(), "bounce source added");
        let url = format!("{}/hooks/mail/{}/{token}", self.inner.public_url, provider.as_str());
        Ok(SourceWithUrl { source, url })
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn delete_source(&self, who: &Principal, id: SourceId) -> Result<(), MailError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if sources::delete(&mut tx, owner.org(), id).await? {
                tx.commit().await?;
                tracing::info!(source_id = %id, by = who.subject(), "bounce source removed");
                return Ok(());
            }
        }
        Err(none())
    }

    /// The source whose address has this token.
    pub(crate) async fn known_source(&self, provider: Provider, token: &str) -> Result<Option<Known>, MailError> {
        let mut tx = self.system().await?;
        let found = sources::by_token(&mut tx, provider, &crypto::sha256(token)).await?;
        tx.commit().await?;
        let Some(found) = found else { return Ok(None) };
        let secret = match &found.secret {
            Some(sealed) => self.inner.master_key.open(LABEL, found.id.0.as_bytes(), sealed)?,
            None => Vec::new(),
        };
        // It was a text when it was sealed.
        let secret = String::from_utf8_lossy(&secret).into_owned();
        Ok(Some(Known { id: found.id, owner: Owner::of(found.org), provider, secret }))
    }

    /// Err 401 if the token of a signature was used before with another body.
    pub(crate) async fn use_token(&self, known: &Known, token: &str, body: &[u8]) -> Result<(), ApiError> {
        let mut tx = self.system().await?;
        let (token, body) = (crypto::sha256(token), crypto::sha256(body));
        let is_same = sources::use_token(&mut tx, known.id, &token, &body, self.inner.clock.now()).await;
        let is_same = is_same.map_err(MailError::from)?;
        tx.commit().await?;
        if is_same { Ok(()) } else { Err(Unsigned::Replayed.into()) }
    }

    /// The mailbox that bounces come to; `None`: none is configured.
    pub async fn mailbox(&self) -> Result<Option<MailboxState>, MailError> {
        let config = &self.inner.config;
        if config.imap_host.is_empty() {
            return Ok(None);
        }
        let mut tx = self.system().await?;
        let Reading { read_at, failing_since, error } = mailboxes::get(&mut tx, MAILBOX).await?.unwrap_or_default();
        tx.commit().await?;
        let server = format!("{}:{}", config.imap_host, config.imap_port());
        Ok(Some(MailboxState { server, user: config.imap_user.clone(), read_at, failing_since, error }))
    }

    /// Notes that the mailbox was read, or why it was not.
    pub(crate) async fn note_mailbox(&self, error: Option<&str>) -> Result<(), MailError> {
        let mut tx = self.system().await?;
        mailboxes::note(&mut tx, MAILBOX, error, self.inner.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Notes that a report came to nothing, and why.
    pub(crate) async fn source_refused(&self, known: &Known, why: &ApiError) -> Result<(), MailError> {
        let mut tx = self.begin(known.owner).await?;
        let why: String = why.detail.chars().filter(|c| *c != '\0').take(MOST_REASON).collect();
        sources::refused(&mut tx, known.id, &why, self.inner.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Notes that a report was taken.
    pub(crate) async fn source_reported(&self, known: &Known) -> Result<(), MailError> {
        let mut tx = self.begin(known.owner).await?;
        sources::reported(&mut tx, known.id, self.inner.clock.now()).await?;
        Ok(tx.commit().await?)
    }
}

fn none() -> MailError {
    MailError::NotFound("bounce_source")
}
