//! Addresses to which nothing is sent.

use askama::Template;
use axum::{
    body::Bytes,
    extract::{Multipart, State, multipart::MultipartError},
    http::StatusCode,
};
use serde::Deserialize;

use super::{SHOWN, Whose, Words as _, said, words};
use crate::{
    Imported, Kind, Mail, NewSuppression, Reason, Rejected, Suppression, SuppressionFilter, SuppressionId,
    kinds::sent_by,
    routes::{csv_file, owner},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Scope, Slice},
};

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
    /// What a file came to.
    imported: Option<Imported>,
    import_errors: FormErrors,
}

/// What becomes of a form on the page.
enum Done {
    Nothing,
    Refused(AddressForm, FormErrors),
    Imported(Imported),
    NotImported(FormErrors),
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

    /// Values of the filter, for the export.
    fn filters(&self) -> Vec<(&'static str, &str)> {
        let search = self.query.search().unwrap_or_default();
        let all = [("reason", self.filter.reason.as_str()), ("q", search), ("whose", self.whose.whose.as_str())];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn import_tone(&self, done: &Imported) -> &'static str {
        if done.rejected == 0 { "ok" } else { "warn" }
    }

    fn import_told(&self, done: &Imported) -> String {
        let told = self.shell.t("mail-import-done").with("added", done.added).with("known", done.known);
        told.with("rejected", done.rejected).to_string()
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn has_more(&self, done: &Imported) -> bool {
        done.rejected > done.errors.len() as u64
    }

    fn fault(&self, wrong: &Rejected) -> String {
        said::detail(self.shell, &wrong.detail).unwrap_or_else(|| wrong.detail.clone())
    }
}

async fn render(
    shell: &Shell,
    mail: &Mail,
    (query, filter, whose): (ListQuery, ListFilter, Whose),
    done: Done,
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
    let operator = who.is_operator();
    let (mut form, mut errors, mut imported, mut import_errors) =
        (AddressForm::default(), FormErrors::default(), None, FormErrors::default());
    let is_refused = matches!(done, Done::Refused(..) | Done::NotImported(_));
    match done {
        Done::Nothing => {}
        Done::Refused(typed, wrong) => (form, errors) = (typed, wrong),
        Done::Imported(done) => imported = Some(done),
        Done::NotImported(wrong) => import_errors = wrong,
    }
    let rows = page.data;
    let page =
        List { shell, rows, query, filter, whose, pager, operator, kinds, form, errors, imported, import_errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(mail): State<Mail>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    render(&shell, &mail, (query, filter, whose), Done::Nothing).await
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
            let errors = said::form_errors(&shell, error)?;
            let all = (ListQuery::default(), ListFilter::default(), whose);
            render(&shell, &mail, all, Done::Refused(form, errors)).await
        }
    }
}

/// The addresses of a CSV file.
pub(super) async fn import(
    shell: Shell,
    State(mail): State<Mail>,
    Query(whose): Query<Whose>,
    mut form: Multipart,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let (mut token, mut reason, mut file) = (String::new(), Reason::Manual, Bytes::new());
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        match field.name() {
            Some("csrf") => token = field.text().await.map_err(unreadable)?,
            Some("reason") => reason = field.text().await.map_err(unreadable)?.parse().unwrap_or(reason),
            Some("file") => {
                // The fields stand before it.
                shell.check_csrf(&token)?;
                file = field.bytes().await.map_err(unreadable)?;
            }
            _ => {}
        }
    }
    shell.check_csrf(&token)?;
    let done = match mail.import_suppressions(shell.principal(), owner, &file, reason).await {
        Ok(done) => Done::Imported(done),
        Err(error) => Done::NotImported(said::form_errors(&shell, error)?),
    };
    render(&shell, &mail, (ListQuery::default(), ListFilter::default(), whose), done).await
}

fn unreadable(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::payload_too_large("the file is larger than 8 MiB"),
        _ => ApiError::bad_request("invalid_form", "the form could not be read"),
    }
}

pub(super) async fn export(
    shell: Shell,
    State(mail): State<Mail>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let installation = whose.is_installation();
    let owner = owner(&mail, shell.principal(), installation)?;
    let _: Slice = query.slice()?;
    let wanted = SuppressionFilter { installation, reason: filter.reason.parse().ok(), search: query.search() };
    Ok(csv_file("mail-suppressions.csv", mail.export_suppressions(owner, &wanted)))
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
