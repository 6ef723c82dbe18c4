//! Providers that report bounces.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, said};
use crate::{Mail, MailboxState, Provider, Source, SourceId, routes::owner};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{ListQuery, Path, Query, Scope, Slice},
};

const PATH: &str = "/settings/mail/sources";

/// A provider to add.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceForm {
    provider: String,
    secret: String,
    installation: String,
}

impl SourceForm {
    fn is_of_installation(&self) -> bool {
        !self.installation.is_empty()
    }

    fn provider(&self) -> Result<Provider, ApiError> {
        let wrong = |error| ApiError::validation(vec![FieldError::new("/provider", "invalid", error)]);
        self.provider.parse().map_err(wrong)
    }
}

#[derive(Template)]
#[template(path = "mail/templates/sources.html")]
struct List<'a> {
    shell: &'a Shell,
    sources: Vec<Source>,
    /// Of the installation, for operators.
    installation: Vec<Source>,
    operator: bool,
    /// For operators: the installation's mailbox of bounces.
    mailbox: Option<MailboxState>,
    /// Address of the one that was made just now: shown only once.
    address: String,
    pager: Pager,
    form: SourceForm,
    errors: FormErrors,
}

impl List<'_> {
    /// The organisation's, and those of the installation under a heading.
    fn groups(&self) -> Vec<(String, &[Source])> {
        let all =
            [(String::new(), &self.sources), (self.shell.t("mail-whose-installation").to_string(), &self.installation)];
        all.into_iter().filter(|(_, list)| !list.is_empty()).map(|(heading, list)| (heading, list.as_slice())).collect()
    }

    /// Badge of the mailbox.
    fn mailbox_state(&self, mailbox: &MailboxState) -> (&'static str, String) {
        let (tone, key) = match (mailbox.failing_since, mailbox.read_at) {
            (Some(_), _) => ("error", "mail-mailbox-failing"),
            (None, Some(_)) => ("ok", "mail-mailbox-read"),
            (None, None) => ("neutral", "mail-mailbox-never"),
        };
        (tone, self.shell.t(key).to_string())
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.installation.is_empty()
    }
}

async fn render(
    shell: &Shell,
    mail: &Mail,
    query: ListQuery,
    address: String,
    refused: Option<(SourceForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let own = owner(mail, who, false)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(mail.sources(own, &slice).await?, |source| source.id.0);
    let operator = who.is_operator();
    let installation = if operator && query.cursor.is_empty() {
        mail.sources(owner(mail, who, true)?, &Slice::first(SHOWN.into())).await?
    } else {
        Vec::new()
    };
    let mailbox = if operator { mail.mailbox().await? } else { None };
    let pager = Pager::new(PATH, &[], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, sources: page.data, installation, operator, mailbox, address, pager, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(mail): State<Mail>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &mail, query, String::new(), None).await
}

pub(super) async fn add(shell: Shell, State(mail): State<Mail>, Form(form): Form<SourceForm>) -> PageResult {
    let owner = owner(&mail, shell.principal(), form.is_of_installation())?;
    let made =
        async { Ok::<_, ApiError>(mail.add_source(shell.principal(), owner, form.provider()?, &form.secret).await?) };
    match made.await {
        Ok(made) => render(&shell, &mail, ListQuery::default(), made.url, None).await,
        Err(error) => {
            let errors = said::form_errors(&shell, error)?;
            render(&shell, &mail, ListQuery::default(), String::new(), Some((form, errors))).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<SourceId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.delete_source(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("mail-sources-deleted")))
}
