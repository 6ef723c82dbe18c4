//! The queue and the log, and one message.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::{Images, SHOWN, Whose, Words as _, document, said, words};
use crate::{
    Account, Address, Attachment, Attempt, AttemptOutcome, Backlog, Bounced, Filter, Kind, Mail, MailError, Message,
    MessageDetail, MessageId, Owner, State as MailState, kinds,
    render::TemplateInfo,
    routes::{owner, served},
};
use console::{Flash, Form, Nothing, PageResult, Pager, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{ListQuery, Path, Query, Scope},
};

/// The filters of the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    /// A state, or [`BOUNCED`].
    pub state: String,
    pub kind: String,
    pub to: String,
    /// UTC, as a `datetime-local` field sends it.
    pub since: String,
    pub until: String,
}

/// Instead of a state: what came back, or was called spam.
const BOUNCED: &str = "bounced";

impl ListFilter {
    fn is_plain(&self) -> bool {
        self.fields().iter().all(|(_, value)| value.is_empty())
    }

    fn has_details(&self) -> bool {
        [&self.to, &self.since, &self.until].iter().any(|value| !value.is_empty())
    }

    /// Names and values, for addresses and hidden fields.
    pub fn fields(&self) -> [(&'static str, &str); 5] {
        let Self { state, kind, to, since, until } = self;
        [("state", state), ("kind", kind), ("to", to), ("since", since), ("until", until)]
    }

    /// 422 for a time that cannot be read.
    pub fn filter<'a>(&'a self, query: &'a ListQuery, whose: &Whose) -> Result<Filter<'a>, ApiError> {
        let given = |text: &'a str| Some(text.trim()).filter(|text| !text.is_empty());
        Ok(Filter {
            installation: whose.is_installation(),
            state: self.state.parse().ok(),
            kind: given(&self.kind),
            to: given(&self.to),
            search: query.search(),
            bounced: self.state == BOUNCED,
            answer: None,
            since: time(&self.since, "/since")?,
            until: time(&self.until, "/until")?,
        })
    }
}

/// `2026-11-23T03:20`, as `<input type="datetime-local">` sends it, or a time with its offset.
fn time(text: &str, field: &str) -> Result<Option<DateTime<Utc>>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let time = read("%Y-%m-%dT%H:%M").or_else(|| read("%Y-%m-%dT%H:%M:%S%.f")).map(|time| time.and_utc());
    time.or_else(|| text.parse().ok()).map(Some).ok_or_else(|| {
        let detail = format!("{text:?} is not a time such as 2026-11-23T03:20 (UTC)");
        ApiError::validation(vec![FieldError::new(field, "invalid", detail)])
    })
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
    /// To filter by.
    kinds: Vec<&'static Kind>,
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

    fn error(&self, error: &str) -> String {
        said::error(self.shell, error).into_owned()
    }

    fn oldest(&self) -> String {
        self.shell.duration(Some(self.backlog.oldest_seconds))
    }

    /// Values of the filter besides the search, for the forms that work on what it finds.
    fn filters(&self) -> Vec<(&'static str, &str)> {
        super::bulk::fields(&self.filter, &self.query, &self.whose)
    }

    /// What can be done with all that the filter finds.
    fn actions(&self) -> Vec<(&'static str, String)> {
        let of = |name: &'static str| (name, self.shell.t(format!("mail-many-{name}")).to_string());
        match self.filter.state.parse() {
            Ok(MailState::Failed | MailState::Suppressed | MailState::Cancelled) => vec![of("retry")],
            Ok(MailState::Queued) => vec![of("cancel")],
            _ => Vec::new(),
        }
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

    /// Where one came from, and where its template is.
    fn whose(&self) -> Whose {
        Whose::of(self.detail.message.installation)
    }

    fn error(&self, error: &str) -> String {
        said::error(self.shell, error).into_owned()
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
    let wanted = filter.filter(&query, &whose)?;
    let reading = async {
        let rows = mail.list(who, &wanted, &slice).await?;
        Ok::<_, ApiError>((mail.account().await?, mail.backlog(owner).await?, slice.page(rows, |message| message.id.0)))
    };
    let (account, backlog, page) = shell.shared(reading).await?;
    let filters: Vec<(&str, &str)> = filter.fields().into_iter().chain([("whose", &*whose.whose)]).collect();
    let pager = Pager::new("/settings/mail", &filters, &query, page.next_cursor.as_deref());
    let (messages, operator, kinds) = (page.data, who.is_operator(), kinds::sent_by(owner));
    shell.render(&List { shell: &shell, account, backlog, messages, query, filter, whose, pager, operator, kinds })
}

pub(super) async fn test(
    shell: Shell,
    State(mail): State<Mail>,
    Query(whose): Query<Whose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let to = Address::parse(shell.email()).map_err(|error| MailError::bad_address("/to", error))?;
    let id = mail.send_test(shell.principal(), owner, &to, shell.lang().code()).await?;
    let said = tested(&shell, &mail, owner, id).await?;
    Ok(shell.redirect(&format!("/settings/mail{}", whose.query()), &said))
}

/// Whether a test is on its way: a suppressed address gets none.
pub(super) async fn tested(shell: &Shell, mail: &Mail, owner: Owner, id: MessageId) -> Result<Flash, ApiError> {
    let said = match mail.message(owner, id).await?.state {
        MailState::Suppressed => Flash::warn("mail-test-suppressed"),
        _ => Flash::ok("mail-test-to"),
    };
    Ok(said.with("address", shell.email()))
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

/// A file of a message.
pub(super) async fn attachment(
    shell: Shell,
    State(mail): State<Mail>,
    Path((id, number)): Path<(MessageId, usize)>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    Ok(served(mail.open_attachment(shell.principal(), id, number).await?))
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
