//! The queue and the log, and one message.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{Images, SHOWN, Whose, Words as _, document, words};
use crate::{
    Account, Address, Attachment, Attempt, AttemptOutcome, Backlog, Bounced, Filter, KINDS, Mail, MailError, Message,
    MessageDetail, MessageId, State as MailState, kinds, render::TemplateInfo, routes::owner,
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Scope},
};

/// The filters of the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    state: String,
    kind: String,
}

impl ListFilter {
    fn is_plain(&self) -> bool {
        self.state.is_empty() && self.kind.is_empty()
    }
}

#[derive(Template)]
#[template(path = "mail/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    account: Account,
    backlog: Backlog,
    messages: Vec<Message>,
    query: ListQuery,
    filter: ListFilter,
    whose: Whose,
    pager: Pager,
    operator: bool,
}

/// How the content of a message is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct View {
    view: String,
}

/// Ways to show a message.
const VIEWS: [&str; 4] = ["html", "dark", "phone", "text"];

#[derive(Template)]
#[template(path = "mail/templates/message.html")]
struct Show<'a> {
    shell: &'a Shell,
    detail: MessageDetail,
    /// One of [`VIEWS`].
    view: &'static str,
    images: bool,
}

words!(List Show);

/// The state of a message in words.
fn state(shell: &Shell, state: MailState) -> String {
    shell.t(format!("mail-state-{}", state.as_str())).to_string()
}

fn bounce(shell: &Shell, bounce: Bounced) -> String {
    shell.t(format!("mail-bounced-{}", bounce.as_str())).to_string()
}

/// What the time of the next attempt is: the first one's was chosen by the sender.
fn due(shell: &Shell, message: &Message) -> String {
    shell.t(if message.attempts == 0 { "mail-scheduled" } else { "mail-next-attempt" }).to_string()
}

impl List<'_> {
    fn state(&self, wanted: impl Borrow<MailState>) -> String {
        state(self.shell, *wanted.borrow())
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn bounce(&self, wanted: &Bounced) -> String {
        bounce(self.shell, *wanted)
    }

    fn due(&self, message: &Message) -> String {
        due(self.shell, message)
    }

    fn oldest(&self) -> String {
        self.shell.duration(Some(self.backlog.oldest_seconds))
    }
}

impl Show<'_> {
    /// Whether a template is the organisation's own.
    fn is_own(&self, template: &str) -> bool {
        TemplateInfo::find(template).is_err()
    }

    fn state(&self) -> String {
        state(self.shell, self.detail.message.state)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn bounce(&self, wanted: &Bounced) -> String {
        bounce(self.shell, *wanted)
    }

    fn due(&self) -> String {
        due(self.shell, &self.detail.message)
    }

    /// Whether it is for later, or was tried and waits.
    fn is_for_later(&self) -> bool {
        let message = &self.detail.message;
        message.state == MailState::Queued && message.send_at > message.created_at
    }

    fn can_retry(&self) -> bool {
        match self.detail.message.state {
            MailState::Queued => true,
            MailState::Sending | MailState::Sent => false,
            // Its text was deleted with its link.
            MailState::Failed | MailState::Suppressed | MailState::Cancelled => !self.is_secret(),
        }
    }

    fn can_cancel(&self) -> bool {
        self.detail.message.state == MailState::Queued
    }

    /// Whether its text is withheld.
    fn is_secret(&self) -> bool {
        kinds::is_secret(&self.detail.message.kind)
    }

    fn recipient(&self) -> String {
        mailbox(&self.detail.message.to_name, &self.detail.message.to_address)
    }

    /// Empty for the configured one.
    fn sender(&self) -> String {
        let Message { from_name, from_address, .. } = &self.detail.message;
        from_address.as_ref().map_or_else(|| from_name.clone(), |address| mailbox(from_name, address))
    }

    fn outcome(&self, attempt: &Attempt) -> String {
        let key = attempt
            .outcome
            .map_or("mail-attempt-open".to_owned(), |outcome| format!("mail-outcome-{}", outcome.as_str()));
        self.shell.t(key).to_string()
    }

    fn took(&self, attempt: &Attempt) -> String {
        self.shell.duration(attempt.milliseconds.map(|milliseconds| f64::from(milliseconds) / 1000.0))
    }

    fn size(&self, attachment: &Attachment) -> String {
        self.shell.bytes(i64::try_from(attachment.size).unwrap_or(i64::MAX))
    }

    /// The ways to show it, with their labels.
    fn views(&self) -> Vec<(&'static str, String)> {
        VIEWS.into_iter().map(|view| (view, self.shell.t(format!("mail-view-{view}")).to_string())).collect()
    }

    /// Whether there is something that its frame does not load.
    fn has_remote_images(&self) -> bool {
        let html = self.detail.html.as_deref().unwrap_or_default().to_ascii_lowercase();
        ["src=\"http", "src='http", "src=http", "url(http", "url('http", "url(\"http"]
            .iter()
            .any(|mark| html.contains(mark))
    }
}

impl Attempt {
    /// Badge colour.
    fn tone(&self) -> &'static str {
        match self.outcome {
            None => "info",
            Some(AttemptOutcome::Sent) => "ok",
            Some(AttemptOutcome::Rejected) => "error",
            Some(_) => "warn",
        }
    }
}

/// `Ada Lovelace <ada@example.com>`
fn mailbox(name: &str, address: &str) -> String {
    if name.is_empty() { address.to_owned() } else { format!("{name} <{address}>") }
}

pub(super) async fn list(
    shell: Shell,
    State(mail): State<Mail>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let who = shell.principal();
    let owner = owner(&mail, who, whose.is_installation())?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let wanted = Filter {
        installation: whose.is_installation(),
        state: filter.state.parse().ok(),
        kind: Some(filter.kind.as_str()).filter(|kind| !kind.is_empty()),
        to: None,
        search: query.search(),
    };
    let reading = async {
        let rows = mail.list(who, &wanted, &slice).await?;
        Ok::<_, ApiError>((mail.account().await?, mail.backlog(owner).await?, slice.page(rows, |message| message.id.0)))
    };
    let (account, backlog, page) = shell.shared(reading).await?;
    let filters = [("state", &*filter.state), ("kind", &*filter.kind), ("whose", &*whose.whose)];
    let pager = Pager::new("/settings/mail", &filters, &query, page.next_cursor.as_deref());
    let (messages, operator) = (page.data, who.is_operator());
    shell.render(&List { shell: &shell, account, backlog, messages, query, filter, whose, pager, operator })
}

pub(super) async fn test(
    shell: Shell,
    State(mail): State<Mail>,
    Query(whose): Query<Whose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let to = Address::parse(shell.email()).map_err(|error| MailError::bad_address("/to", error))?;
    mail.send_test(shell.principal(), owner, &to, shell.lang().code()).await?;
    let said = Flash::ok("mail-test-to").with("address", shell.email());
    Ok(shell.redirect(&format!("/settings/mail{}", whose.query()), &said))
}

fn message_path(id: MessageId) -> String {
    format!("/settings/mail/messages/{id}")
}

pub(super) async fn show(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<MessageId>,
    Query(View { view }): Query<View>,
    Query(Images { images }): Query<Images>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let detail = mail.get(shell.principal(), id).await?;
    let view = VIEWS.into_iter().find(|name| *name == view).unwrap_or("html");
    shell.render(&Show { shell: &shell, detail, view, images })
}

/// The HTML of a message, for the frame on its page.
pub(super) async fn html(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<MessageId>,
    Query(images): Query<Images>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let detail = mail.get(shell.principal(), id).await?;
    Ok(document(detail.html.unwrap_or_default(), images))
}

pub(super) async fn retry(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<MessageId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.retry(shell.principal(), id).await?;
    Ok(shell.redirect(&message_path(id), &Flash::ok("mail-retried")))
}

pub(super) async fn cancel(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<MessageId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.cancel(shell.principal(), id).await?;
    Ok(shell.redirect(&message_path(id), &Flash::ok("mail-cancelled")))
}
