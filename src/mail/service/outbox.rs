//! Writing mail into the outbox.

use std::{collections::BTreeMap, ops::ControlFlow};

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{Content, Mail, NewMail, limits::most_counted};
use crate::{
    Address, MailError, MessageId, Owner, dns,
    jobs::Deliver,
    kinds,
    metrics::MessageOutcome,
    model::State,
    render::BrandingSettings,
    smtp::Account,
    store::{
        domains,
        outbox::{self, Keyed, NewMessage, Standing},
    },
};
use jobs::Enqueue;
use platform::{error::FieldError, ids::OrgId, names::tidy};

/// How far ahead a mail can be scheduled: its row is kept from now on.
const LATEST: TimeDelta = TimeDelta::days(30);
const LONGEST_SUBJECT: usize = 500;
const LONGEST_TEXT: usize = 1 << 20;
const LONGEST_KEY: usize = 200;
pub(super) const MOST_ATTACHMENTS: usize = 20;
/// All attachments of a mail together: providers take 10 to 25 MB, and base64 adds a third.
pub(super) const MOST_BYTES: u64 = 10 << 20;

/// Why an address cannot be a sender or a Reply-To.
pub(super) const NOT_ASCII: &str =
    "use an address with ASCII characters before the @: many servers refuse mail with others";

/// The text of a mail, as every attempt sends it.
struct Written {
    subject: String,
    text: String,
    html: Option<String>,
}

/// A mail that may be written.
struct Ready {
    standing: Standing,
    /// Until it may be sent.
    wait: TimeDelta,
    look: BrandingSettings,
    written: Written,
}

/// A mail in the outbox.
pub(super) struct Queued {
    pub id: MessageId,
    /// False: the owner had a mail with this idempotency key, and it is that one.
    pub is_new: bool,
    /// That earlier mail was made of another request.
    pub is_another: bool,
}

impl Queued {
    fn before(first: &Keyed, digest: Option<[u8; 32]>) -> Self {
        let is_another = digest.is_some_and(|digest| first.digest.as_deref() != Some(digest.as_slice()));
        Self { id: first.id, is_new: false, is_another }
    }
}

impl Mail {
    /// Writes the mail into the outbox in the caller's transaction and enqueues its lane's job. A suppressed recipient gives a row in state
    /// `suppressed`. Who writes several mails in a transaction does so in the order of their recipients' domains: two transactions with another
    /// order could wait for each other.
    pub async fn enqueue(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewMail<'_>,
    ) -> Result<MessageId, MailError> {
        self.write(conn, owner, new, None, None).await.map(|queued| queued.id)
    }

    /// As [`Self::enqueue`]: mail programs show all that have the same `thread` (letters, digits, hyphens) as one conversation.
    pub async fn enqueue_in_thread(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewMail<'_>,
        thread: &str,
    ) -> Result<MessageId, MailError> {
        self.write(conn, owner, new, None, Some(thread)).await.map(|queued| queued.id)
    }

    /// As [`Self::enqueue`]. `digest`: of the request that `new` is made of.
    pub(super) async fn write(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewMail<'_>,
        digest: Option<[u8; 32]>,
        thread: Option<&str>,
    ) -> Result<Queued, MailError> {
        // By the same clock as it is taken by.
        let now = self.now(conn).await?;
        let (id, org) = (MessageId::generate(&self.inner.clock), owner.org());
        let Ready { standing, wait, look, written } = match self.prepare(conn, owner, new, digest, now).await? {
            ControlFlow::Continue(ready) => ready,
            ControlFlow::Break(before) => return Ok(before),
        };
        let from_name = match &new.from {
            Some(from) => from.name().to_owned(),
            None => tidy(look.from_name.as_deref().unwrap_or_default()),
        };
        let reply_to = new.reply_to.as_ref().map(ToString::to_string).or(look.reply_to);
        let message_id = format!("{id}{}", self.id_domain(new.from.as_ref()));
        let lane = lane(new.to);
        // It ends here: see `forget_secrets`.
        let is_forgotten = standing.suppressed && new.kind.is_secret();
        let (text, html) = if is_forgotten { ("", None) } else { (written.text.as_str(), written.html.as_deref()) };
        let row = NewMessage {
            id,
            now,
            org,
            kind: new.kind.name,
            template: match new.content {
                Content::Template { name, .. } | Content::Own { name, .. } => Some(name),
                Content::Raw { .. } => None,
            },
            language: new.language,
            from: new.from.as_ref(),
            from_name: &from_name,
            reply_to: reply_to.as_deref(),
            to: new.to,
            subject: &written.subject,
            message_id: &message_id,
            lane: &lane,
            priority: new.kind.priority(),
            state: if standing.suppressed { State::Suppressed } else { State::Queued },
            send_at: new.send_at.unwrap_or(now).max(now + wait),
            expires_at: new.expires_at,
            idempotency_key: new.idempotency_key.as_deref(),
            created_by: &new.created_by,
            text,
            html,
            headers: &self.headers_of(owner, new, thread),
            attachments: &new.attachments,
        };
        // Last, so that a caller who goes on after an error leaves no key without a mail.
        if let Some(key) = row.idempotency_key {
            let keyed = Keyed { id, digest: digest.map(|digest| digest.to_vec()) };
            let first = outbox::take_key(conn, org, key, &keyed, now).await?;
            if first.id != id {
                return Ok(Queued::before(&first, digest));
            }
        }
        outbox::insert(conn, &row).await?;
        self.take_files(conn, &new.attachments).await?;
        if row.state == State::Suppressed {
            self.inner.metrics.ended(MessageOutcome::Suppressed, 1);
            tracing::info!(message_id = %id, kind = row.kind, "mail not sent: its recipient is suppressed");
        } else if row.send_at <= now {
            self.wake(conn, org, &lane).await?;
        }
        Ok(Queued { id, is_new: true, is_another: false })
    }

    /// Everything that can be wrong with a mail, without writing it. A mail of an earlier request with its idempotency key, if there is one.
    pub(super) async fn rehearse(
        &self,
        owner: Owner,
        new: &NewMail<'_>,
        digest: Option<[u8; 32]>,
    ) -> Result<Option<Queued>, MailError> {
        let mut tx = self.begin(owner).await?;
        let now = self.now(&mut tx).await?;
        match self.prepare(&mut tx, owner, new, digest, now).await? {
            ControlFlow::Continue(_) => Ok(None),
            ControlFlow::Break(before) => Ok(Some(before)),
        }
    }

    /// What is written of a mail, if it may be; or the earlier one with its idempotency key.
    async fn prepare(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewMail<'_>,
        digest: Option<[u8; 32]>,
        now: DateTime<Utc>,
    ) -> Result<ControlFlow<Queued, Ready>, MailError> {
        let org = owner.org();
        check(owner, new, now)?;
        if let Some(key) = &new.idempotency_key {
            // Before the limits: a repeated request makes no mail.
            if let Some(first) = outbox::keyed(conn, org, key).await? {
                return Ok(ControlFlow::Break(Queued::before(&first, digest)));
            }
        }
        self.check_sender(conn, owner, new).await?;
        let most = most_counted(&self.inner.config, new.kind);
        let standing = outbox::standing(conn, org, new.to, new.kind.name, Self::counted_since(now), most).await?;
        let wait = self.wait_of(owner, new.kind, &standing)?;
        let (look, written) = self.written_text(conn, owner, new).await?;
        Ok(ControlFlow::Continue(Ready { standing, wait, look, written }))
    }

    /// Enqueues a job that sends what is due in this lane, unless one waits to start. Not while nothing can be sent: the mail waits.
    pub(super) async fn wake(&self, conn: &mut PgConnection, org: Option<OrgId>, lane: &str) -> Result<(), MailError> {
        if self.inner.account.is_none() {
            return Ok(());
        }
        let options = Enqueue {
            unique_key: Some(lane.to_owned()),
            // One at a time per lane, over all organisations: what is being sent when a run begins is of a run that is gone.
            concurrency_key: Some(format!("mail:{lane}")),
            ..Enqueue::default()
        };
        let job = Deliver { lane: lane.to_owned() };
        jobs::enqueue(conn, &self.inner.clock, org, &job, &options).await?;
        Ok(())
    }

    /// The look of the owner's mails, and the text of this one.
    async fn written_text(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewMail<'_>,
    ) -> Result<(BrandingSettings, Written), MailError> {
        match &new.content {
            Content::Raw { subject, text, html } => {
                // An empty HTML part would be shown instead of the text.
                let html = html.filter(|html| !html.trim().is_empty());
                let written =
                    Written { subject: tidy(subject), text: (*text).to_owned(), html: html.map(str::to_owned) };
                Ok((self.branding_of(conn, owner).await?, written))
            }
            Content::Own { name, data } => {
                let (look, rendered) = self.rendered_own(conn, owner, new.language, name, data).await?;
                let written =
                    Written { subject: tidy(&rendered.subject), text: rendered.text, html: Some(rendered.html) };
                Ok((look, written))
            }
            Content::Template { name, data } => {
                let mut data = data.clone();
                if new.kind.is_notice()
                    && let Some(fields) = data.as_object_mut()
                {
                    let link = self.unsubscribe_link(owner, new.kind, &new.to.key());
                    fields.insert("unsubscribe_url".to_owned(), link.into());
                }
                let (look, rendered) = self.rendered(conn, owner, new.language, name, &data).await?;
                let written =
                    Written { subject: tidy(&rendered.subject), text: rendered.text, html: Some(rendered.html) };
                Ok((look, written))
            }
        }
    }

    /// Headers besides the usual ones.
    fn headers_of(&self, owner: Owner, new: &NewMail<'_>, thread: Option<&str>) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        if let Some(thread) = thread {
            // RFC 5322 section 3.6.4. No mail has this id: all of the thread answer the same, so the order in which they arrive does not matter.
            let answered = format!("<{thread}{}>", self.id_domain(new.from.as_ref()));
            headers.insert("In-Reply-To".to_owned(), answered.clone());
            headers.insert("References".to_owned(), answered);
        }
        if new.kind.is_notice() {
            let link = self.unsubscribe_link(owner, new.kind, &new.to.key());
            headers.insert("List-Unsubscribe".to_owned(), format!("<{link}>"));
            // RFC 8058: a POST to the link unsubscribes, without a question.
            headers.insert("List-Unsubscribe-Post".to_owned(), "List-Unsubscribe=One-Click".to_owned());
        }
        if new.kind.name != kinds::API.name {
            // RFC 3834: nobody is out of office for it.
            headers.insert("Auto-Submitted".to_owned(), "auto-generated".to_owned());
        }
        headers
    }

    /// An organisation sends by the API from a domain that it has verified. As the configured sender only if the settings say so: its mail would have
    /// the installation's name, signature and reputation. Mail that Holdfast writes about an organisation has that sender always.
    async fn check_sender(&self, conn: &mut PgConnection, owner: Owner, new: &NewMail<'_>) -> Result<(), MailError> {
        let Owner::Org(org) = owner else { return Ok(()) };
        let Some(from) = &new.from else {
            if new.kind.name != kinds::API.name || self.inner.config.shared_sender {
                return Ok(());
            }
            let detail = "expected an address at a domain that this organisation has verified (Settings, Mail, Domains); an operator may also let \
                          organisations send as the installation (mail.shared_sender)";
            return Err(MailError::invalid("/from", "required", detail));
        };
        let domain = domains::named(conn, Some(org), from.domain()).await?;
        if domain.is_some_and(|domain| domain.verified_at.is_some()) {
            return Ok(());
        }
        let detail =
            format!("{} is not a verified domain of this organisation: add it and publish its records", from.domain());
        Err(MailError::invalid("/from", "not_verified", detail))
    }

    /// The right side of a Message-ID, with its `@`: the sender's domain, or this host's name. Some servers take an address or `localhost` there for
    /// spam, so without either it is open until there is a sender.
    fn id_domain(&self, from: Option<&Address>) -> String {
        let domain = from.map(|from| from.domain().to_owned());
        let configured = || self.inner.config.sender().map(|from| from.domain().to_owned());
        let hostname = || Some(self.inner.hostname.clone()).filter(|name| dns::is_public(name));
        let domain = domain.or_else(configured).or_else(hostname);
        domain.map_or_else(|| outbox::NO_DOMAIN.to_owned(), |domain| format!("@{domain}"))
    }
}

fn check(owner: Owner, new: &NewMail<'_>, now: DateTime<Utc>) -> Result<(), MailError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, detail: String| errors.push(FieldError::new(pointer, code, detail));
    if new.send_at.is_some_and(|at| at > now + LATEST) {
        wrong("/send_at", "too_late", format!("at most {} days ahead", LATEST.num_days()));
    }
    if let Some(key) = &new.idempotency_key
        && (key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control))
    {
        wrong("/idempotency_key", "invalid", format!("1 to {LONGEST_KEY} characters"));
    }
    if let Content::Raw { subject, text, html } = &new.content {
        let length = tidy(subject).chars().count();
        if length == 0 || length > LONGEST_SUBJECT {
            wrong("/subject", "invalid", format!("1 to {LONGEST_SUBJECT} characters"));
        }
        if subject.chars().any(char::is_control) {
            wrong("/subject", "invalid", "a line break or another control character is not allowed here".to_owned());
        }
        if text.contains('\0') || html.is_some_and(|html| html.contains('\0')) {
            wrong("/text", "invalid", "the character U+0000 is not allowed here".to_owned());
        }
        if text.trim().is_empty() {
            wrong("/text", "required", "a mail has a text, also beside HTML".to_owned());
        }
        if text.len().max(html.map_or(0, str::len)) > LONGEST_TEXT {
            wrong("/text", "too_long", format!("text and HTML have at most {LONGEST_TEXT} bytes each"));
        }
    }
    // It asks for SMTPUTF8, which a recipient of an ordinary address need not have.
    for (pointer, address) in [("/from", new.from.as_ref()), ("/reply_to", new.reply_to.as_ref())] {
        if address.is_some_and(Address::needs_smtputf8) && !new.to.needs_smtputf8() {
            wrong(pointer, "invalid", NOT_ASCII.to_owned());
        }
    }
    let size: u64 = new.attachments.iter().map(|attachment| attachment.size).sum();
    if new.attachments.len() > MOST_ATTACHMENTS || size > MOST_BYTES {
        let most = format!("at most {MOST_ATTACHMENTS} files with {MOST_BYTES} bytes together");
        wrong("/attachments", "too_large", most);
    }
    if new.attachments.iter().any(|attachment| !attachment.object.starts_with(&folder(owner))) {
        wrong("/attachments", "invalid", "a file was not stored for this organisation".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(MailError::Invalid(errors)) }
}

/// Mail to one domain, by one account.
pub(crate) fn lane(to: &Address) -> String {
    format!("{}/{}", Account::NAME, to.domain())
}

/// Folder of an owner's attachments.
pub(super) fn folder(owner: Owner) -> String {
    owner.org().map_or_else(|| "installation/".to_owned(), |org| format!("{org}/"))
}

/// The week of a time, by which attachments go: as the partitions are named.
pub(super) fn week(at: DateTime<Utc>) -> String {
    let monday = at.date_naive() - TimeDelta::days(i64::from(at.weekday().num_days_from_monday()));
    monday.format("%Y%m%d").to_string()
}
