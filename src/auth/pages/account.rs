//! The user's own account: name, password, sessions.

use askama::Template;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;

use super::with_cookie;
use crate::{Auth, Session, SessionId, clear_session_cookie};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell, see_other};
use platform::http::{ListQuery, Path, Query};

/// Sessions on a page.
const SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "auth/templates/account.html")]
struct AccountPage<'a> {
    shell: &'a Shell,
    entered_name: &'a str,
    sessions: Vec<Session>,
    pager: Pager,
    errors: FormErrors,
}

async fn render(shell: &Shell, auth: &Auth, query: &ListQuery, name: &str, errors: FormErrors) -> PageResult {
    let query = query.clone().sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(auth.list_sessions(shell.principal(), &slice).await?, |s| s.id.0);
    let pager = Pager::new("/account", &[], &query, page.next_cursor.as_deref());
    let refused = !errors.is_empty();
    let page = AccountPage { shell, entered_name: name, sessions: page.data, pager, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(shell: Shell, State(auth): State<Auth>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &auth, &query, &shell.user().name, FormErrors::default()).await
}

#[derive(Deserialize)]
pub(super) struct NameForm {
    #[serde(default)]
    name: String,
}

pub(super) async fn rename(shell: Shell, State(auth): State<Auth>, Form(form): Form<NameForm>) -> PageResult {
    match auth.rename_self(shell.principal(), &form.name).await {
        Ok(()) => Ok(shell.redirect("/account", &Flash::ok("auth-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &auth, &ListQuery::default(), &form.name, errors).await
        }
    }
}

#[derive(Template)]
#[template(path = "auth/templates/password.html")]
struct PasswordPage<'a> {
    shell: &'a Shell,
    errors: FormErrors,
}

pub(super) async fn show_password(shell: Shell) -> PageResult {
    shell.render(&PasswordPage { shell: &shell, errors: FormErrors::default() })
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    current_password: SecretString,
    new_password: SecretString,
}

pub(super) async fn change_password(
    shell: Shell,
    State(auth): State<Auth>,
    Form(form): Form<PasswordForm>,
) -> PageResult {
    match auth.change_password(shell.principal(), &form.current_password, &form.new_password).await {
        Ok(()) => {
            let to = if shell.user().must_change_password { "/" } else { "/account" };
            Ok(shell.redirect(to, &Flash::ok("auth-password-changed")))
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            shell.render_invalid(&PasswordPage { shell: &shell, errors })
        }
    }
}

pub(super) async fn end_session(
    shell: Shell,
    State(auth): State<Auth>,
    Path(id): Path<SessionId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let own = shell.user().session_id == id.0;
    auth.end_session(shell.principal(), id).await?;
    if own {
        return Ok(with_cookie(see_other("/login"), clear_session_cookie(&auth)));
    }
    Ok(shell.redirect("/account", &Flash::ok("auth-session-ended")))
}

pub(super) async fn end_others(shell: Shell, State(auth): State<Auth>, Form(Nothing {}): Form<Nothing>) -> PageResult {
    auth.end_other_sessions(shell.principal()).await?;
    Ok(shell.redirect("/account", &Flash::ok("auth-sessions-ended")))
}
