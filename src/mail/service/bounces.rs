//! What follows from a bounce: its message is marked, and its address may be suppressed.

use chrono::TimeDelta;
use sqlx::PgConnection;

use super::Mail;
use crate::{
    Address, Kind, MailError,
    bounces::{Bounce, BounceKind, IgnoredBounce},
    events::MessageBounced,
    model::{Bounced, Owner, Reason},
    store::{
        bounces::{self, Clues, NewBounce, Returned},
        messages,
    },
};
use platform::{crypto, ids};

/// Source of what comes to the mailbox of bounces.
pub(crate) const MAILBOX: &str = "imap";
/// A bounce without a Message-ID is about a mail of the week before.
const LOOK_BACK: TimeDelta = TimeDelta::days(7);
/// How far the clocks of providers may be behind ours.
const BEHIND: TimeDelta = TimeDelta::hours(1);
/// Characters of what is stored.
const MOST_DETAIL: usize = 1000;
const MOST_RAW: usize = 16 * 1024;

/// What became of a reported bounce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Counted,
    /// It was reported before.
    Duplicate,
    /// It names no mail of the owner.
    Unmatched,
}

impl Mail {
    /// Records the bounces of a report. One that cannot be stored hides none behind it, however often the report is read: the first error comes at the
    /// end. Nothing can be stored while the database is away.
    pub(crate) async fn all_bounced(&self, owner: Owner, source: &str, all: &[Bounce]) -> Result<(), MailError> {
        let mut failed = None;
        for bounce in all {
            match self.bounced(owner, source, bounce).await {
                Ok(_) => {}
                Err(MailError::Db(error)) if error.is_unavailable() => return Err(error.into()),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Records a bounce. A source of an organisation counts for mail of that organisation alone. One of the installation, whose SMTP account sends
    /// the mail of all, counts for any Message-ID that is ours, and for any mail that its server answered with the provider's id; without either, for
    /// the installation's own mail.
    async fn bounced(&self, owner: Owner, source: &str, bounce: &Bounce) -> Result<Taken, MailError> {
        let (taken, kind) = self.record(owner, source, bounce).await?;
        let metrics = &self.inner.metrics.bounces;
        match taken {
            Taken::Counted => metrics.counted(kind),
            Taken::Duplicate => metrics.ignored(IgnoredBounce::Duplicate, source, kind),
            Taken::Unmatched => metrics.ignored(IgnoredBounce::Unmatched, source, kind),
        }
        Ok(taken)
    }

    /// Also as what it counts.
    async fn record(&self, owner: Owner, source: &str, bounce: &Bounce) -> Result<(Taken, BounceKind), MailError> {
        let now = self.inner.clock.now();
        let mut tx = self.begin(owner).await?;
        let Some(message) = self.returned(&mut tx, owner, source, bounce).await? else {
            tx.commit().await?;
            return Ok((Taken::Unmatched, bounce.kind));
        };
        let of_another = about_another(source, &message, bounce);
        let bounce = of_another.as_ref().unwrap_or(bounce);
        let new = NewBounce {
            id: ids::new_uuid(&self.inner.clock),
            org: message.org,
            source,
            event_id: &short_id(&bounce.event_id),
            message_id: bounce.message_id.as_deref(),
            address: bounce.address.as_deref(),
            kind: bounce.kind,
            status: &shortened(&bounce.status, MOST_DETAIL),
            detail: &shortened(&bounce.detail, MOST_DETAIL),
            raw: &shortened(&bounce.raw, MOST_RAW),
            now,
        };
        let is_new = bounces::insert(&mut tx, &new).await?;
        // Two reports of one thing, such as a bounce and the provider's own suppression, count once.
        let is_new = match marked_as(bounce.kind) {
            Some(kind) if is_new => messages::bounced(&mut tx, message.id, kind, now).await?,
            _ => is_new,
        };
        if !is_new {
            tx.commit().await?;
            return Ok((Taken::Duplicate, bounce.kind));
        }
        self.suppress_recipient(&mut tx, source, &message, bounce).await?;
        if let Some(kind) = marked_as(bounce.kind) {
            let event = MessageBounced {
                message_id: message.id,
                kind: message.kind.clone(),
                bounce: kind,
                status: shortened(&bounce.status, MOST_DETAIL),
            };
            events::publish(&mut tx, &self.inner.clock, message.org, &event).await?;
        }
        tx.commit().await?;
        tracing::info!(message_id = %message.id, source, kind = bounce.kind.as_str(), status = bounce.status, "mail came back");
        Ok((Taken::Counted, bounce.kind))
    }

    /// The mail that a bounce is about.
    async fn returned(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        source: &str,
        bounce: &Bounce,
    ) -> Result<Option<Returned>, MailError> {
        if let Some(id) = &bounce.message_id {
            // Row-level security keeps an organisation to its own mail.
            if let Some((owner, message)) = messages::by_message_id(conn, id).await? {
                let (id, kind, to_address) = (message.id, message.kind, message.to_address);
                return Ok(Some(Returned { id, org: owner.org(), kind, to_address }));
            }
        }
        // Anybody can write a mail about an address; what a provider says is signed.
        let address = bounce.address.as_deref().filter(|_| source != MAILBOX);
        let Some(Ok(address)) = address.map(|address| Address::new("", address)) else { return Ok(None) };
        let at = bounce.at.unwrap_or_else(|| self.inner.clock.now());
        let clues = Clues {
            org: owner.org(),
            address: &address.key(),
            provider_id: bounce.provider_id.as_deref(),
            // The Message-ID of other mail, unless the provider has replaced ours.
            needs_answer: bounce.message_id.is_some(),
            after: at - LOOK_BACK,
            before: at + BEHIND,
        };
        Ok(bounces::by_clues(conn, &clues).await?)
    }

    /// Suppresses the message's own recipient: the address of a complaint may be one that it was forwarded to.
    async fn suppress_recipient(
        &self,
        conn: &mut PgConnection,
        source: &str,
        message: &Returned,
        bounce: &Bounce,
    ) -> Result<(), MailError> {
        let (reason, kind) = match bounce.kind {
            BounceKind::Soft | BounceKind::Refused => return Ok(()),
            BounceKind::Hard => (Reason::HardBounce, "*"),
            BounceKind::Complaint => (Reason::Complaint, "*"),
            BounceKind::Unsubscribe
                if Kind::named(&message.kind).is_some_and(|kind| !kind.ends_when_unsubscribed()) =>
            {
                tracing::warn!(
                    message_id = %message.id,
                    kind = message.kind,
                    "a recipient used the provider's link to unsubscribe from mail about an account, which is sent in any case: switch that \
                     link off at the provider"
                );
                return Ok(());
            }
            BounceKind::Unsubscribe => (Reason::Unsubscribed, message.kind.as_str()),
        };
        let address = Address::new("", &message.to_address);
        let address = address.map_err(|error| MailError::bad_address("/to", error))?;
        let (owner, detail) = (Owner::of(message.org), format!("{} {}", bounce.status, bounce.detail));
        let detail = shortened(detail.trim(), MOST_DETAIL);
        self.suppress_address(conn, owner, &address, kind, reason, &detail, Some(message.id), source).await.map(drop)
    }
}

/// A report that came as mail, about another address than the message's own, as what it counts: this message was not delivered there. A member of
/// a group that has left, or a mailbox that mail was forwarded to, says nothing against the address of the group. Providers report the addresses
/// that they were given.
fn about_another(source: &str, message: &Returned, bounce: &Bounce) -> Option<Bounce> {
    let named = bounce.address.as_deref().filter(|_| source == MAILBOX && bounce.kind == BounceKind::Hard)?;
    let key = |address: &str| Address::new("", address).map(|address| address.key()).ok();
    let is_own = key(named).is_some_and(|named| key(&message.to_address) == Some(named));
    (!is_own).then(|| Bounce { kind: BounceKind::Soft, ..bounce.clone() })
}

/// How the message is marked.
fn marked_as(kind: BounceKind) -> Option<Bounced> {
    match kind {
        BounceKind::Hard => Some(Bounced::Hard),
        BounceKind::Soft => Some(Bounced::Soft),
        BounceKind::Refused => Some(Bounced::Refused),
        BounceKind::Complaint => Some(Bounced::Complaint),
        BounceKind::Unsubscribe => None,
    }
}

fn shortened(text: &str, most: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(most).collect()
}

/// An event id that fits into an index.
fn short_id(id: &str) -> String {
    if id.len() <= 200 { shortened(id, 200) } else { crypto::sha256_hex(id) }
}
