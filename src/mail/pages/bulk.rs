//! What is done with all messages that a filter finds: queued again, cancelled, exported.

use askama::Template;
use axum::extract::State;
use chrono::SecondsFormat;
use serde::Deserialize;

use super::{Whose, messages::ListFilter};
use crate::{
    Mail, State as MailState,
    routes::{csv_file, owner},
};
use console::{Flash, Form, PageResult, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{ListQuery, Query, Slice},
    text_enum,
};

text_enum! {
    /// What is done with the messages.
    pub enum Action {
        Retry = "retry",
        Cancel = "cancel",
    }
}

/// What is asked for, besides the filter.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Wanted {
    action: Action,
}

/// The filter and what is done, as one form.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChangeForm {
    action: Action,
    #[serde(default)]
    whose: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
}

#[derive(Template)]
#[template(path = "mail/templates/many.html")]
struct Ask<'a> {
    shell: &'a Shell,
    action: Action,
    /// Of the filter.
    fields: Vec<(&'static str, String)>,
    /// Messages that it finds.
    found: usize,
    /// There are more than are changed at once.
    more: bool,
}

impl Ask<'_> {
    fn title(&self) -> String {
        self.shell.t(format!("mail-many-{}", self.action.as_str())).to_string()
    }

    /// With the number of messages.
    fn question(&self) -> String {
        self.shell.tn(format!("mail-many-{}-ask", self.action.as_str()), self.found).to_string()
    }

    fn style(&self) -> &'static str {
        match self.action {
            Action::Retry => "primary",
            Action::Cancel => "danger",
        }
    }
}

/// Names and values of a filter, for hidden fields.
pub(super) fn fields<'a>(
    filter: &'a ListFilter,
    query: &'a ListQuery,
    whose: &'a Whose,
) -> Vec<(&'static str, &'a str)> {
    let more = [("q", query.search().unwrap_or_default()), ("whose", whose.whose.as_str())];
    filter.fields().into_iter().chain(more).filter(|(_, value)| !value.is_empty()).collect()
}

/// The state that an action is for; 422 for another one.
fn state_for(action: Action, filter: &ListFilter) -> Result<MailState, ApiError> {
    match (action, filter.state.parse::<MailState>()) {
        (Action::Retry, Ok(state @ (MailState::Failed | MailState::Suppressed | MailState::Cancelled)))
        | (Action::Cancel, Ok(state @ MailState::Queued)) => Ok(state),
        _ => {
            let detail = "choose failed, suppressed or cancelled messages to send again, queued ones to cancel";
            Err(ApiError::validation(vec![FieldError::new("/state", "invalid", detail)]))
        }
    }
}

/// How many there are, and the question.
pub(super) async fn ask(
    shell: Shell,
    State(mail): State<Mail>,
    Query(Wanted { action }): Query<Wanted>,
    Query(query): Query<ListQuery>,
    Query(mut filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    state_for(action, &filter)?;
    // What comes after the number was read is not meant.
    if filter.until.is_empty() {
        filter.until = mail.inner.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    }
    let _: Slice = query.slice()?;
    let found = mail.count(owner, &filter.filter(&query, &whose)?).await?;
    let more = found > Mail::MOST_AT_ONCE;
    let found = found.min(Mail::MOST_AT_ONCE);
    let fields = fields(&filter, &query, &whose).into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    shell.render(&Ask { shell: &shell, action, fields, found, more })
}

pub(super) async fn change(shell: Shell, State(mail): State<Mail>, Form(form): Form<ChangeForm>) -> PageResult {
    let ChangeForm { action, whose, q, state, kind, to, since, until } = form;
    let (filter, whose) = (ListFilter { state, kind, to, since, until }, Whose { whose });
    let query = ListQuery { q, ..ListQuery::default() };
    let _: Slice = query.slice()?;
    let who = shell.principal();
    owner(&mail, who, whose.is_installation())?;
    let state = state_for(action, &filter)?;
    let wanted = filter.filter(&query, &whose)?;
    let (done, key) = match action {
        Action::Retry => (mail.retry_many(who, state, &wanted).await?, "mail-many-retried"),
        Action::Cancel => (mail.cancel_many(who, &wanted).await?, "mail-many-cancelled"),
    };
    let key = if done.more { "mail-many-more" } else { key };
    let said = if done.skipped == 0 && !done.more { Flash::ok(key) } else { Flash::warn(key) };
    let said = said.with("n", &done.changed).with("skipped", &done.skipped);
    Ok(shell.redirect(&format!("/settings/mail{}", whose.query()), &said))
}

pub(super) async fn export(
    shell: Shell,
    State(mail): State<Mail>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let _: Slice = query.slice()?;
    Ok(csv_file("mail-log.csv", mail.export_log(owner, &filter.filter(&query, &whose)?)))
}
