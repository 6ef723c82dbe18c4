//! Addresses to which nothing is sent.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, Whose, Words as _, words};
use crate::{
    Kind, Mail, NewSuppression, Reason, Suppression, SuppressionFilter, SuppressionId, kinds::sent_by, routes::owner,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query, Scope};

const PATH: &str = "/settings/mail/suppressions";

/// Everything that an organisation sends.
const EVERYTHING: &str = "*";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    reason: String,
}

/// An address to add.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AddressForm {
    address: String,
    kind: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "mail/templates/suppressions.html")]
struct List<'a> {
    shell: &'a Shell,
    rows: Vec<Suppression>,
    query: ListQuery,
    filter: ListFilter,
    whose: Whose,
    pager: Pager,
    operator: bool,
    /// To choose from.
    kinds: Vec<&'static Kind>,
    form: AddressForm,
    errors: FormErrors,
}

words!(List);

impl List<'_> {
    fn reason(&self, row: &Suppression) -> String {
        self.reason_of(row.reason)
    }

    fn reason_of(&self, reason: impl std::borrow::Borrow<Reason>) -> String {
        self.shell.t(format!("mail-reason-{}", reason.borrow().as_str().replace('_', "-"))).to_string()
    }

    /// Which mail is not sent.
    fn scope(&self, row: &Suppression) -> String {
        if row.kind == EVERYTHING { self.shell.t("mail-suppressions-all").to_string() } else { self.kind(&row.kind) }
    }

    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.filter.reason.is_empty()
    }
}

async fn render(
    shell: &Shell,
    mail: &Mail,
    (query, filter, whose): (ListQuery, ListFilter, Whose),
    refused: Option<(AddressForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let installation = whose.is_installation();
    let kinds = sent_by(owner(mail, who, installation)?);
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let wanted = SuppressionFilter { installation, reason: filter.reason.parse().ok(), search: query.search() };
    let page = slice.page(mail.suppressions(who, &wanted, &slice).await?, |row| row.id.0);
    let filters = [("reason", &*filter.reason), ("whose", &*whose.whose)];
    let pager = Pager::new(PATH, &filters, &query, page.next_cursor.as_deref());
    let (is_refused, operator) = (refused.is_some(), who.is_operator());
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, rows: page.data, query, filter, whose, pager, operator, kinds, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(mail): State<Mail>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    render(&shell, &mail, (query, filter, whose), None).await
}

pub(super) async fn add(
    shell: Shell,
    State(mail): State<Mail>,
    Query(whose): Query<Whose>,
    Form(form): Form<AddressForm>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let kind = if form.kind.is_empty() { EVERYTHING } else { &form.kind };
    let new = NewSuppression { address: &form.address, kind, detail: &form.detail };
    match mail.add_suppression(shell.principal(), owner, &new).await {
        Ok(_) => Ok(shell.redirect(&format!("{PATH}{}", whose.query()), &Flash::ok("mail-suppressions-added"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let all = (ListQuery::default(), ListFilter::default(), whose);
            render(&shell, &mail, all, Some((form, errors))).await
        }
    }
}

pub(super) async fn remove(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<SuppressionId>,
    Query(whose): Query<Whose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.remove_suppression(shell.principal(), id).await?;
    Ok(shell.redirect(&format!("{PATH}{}", whose.query()), &Flash::ok("mail-suppressions-removed")))
}
