//! Sign-in, sign-out, and one-time links.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::with_cookie;
use crate::{
    Auth, AuthError, Client, LinkPurpose, clear_session_cookie,
    service::{Accept, Accepted, LinkInfo},
    session_cookie,
};
use console::{AnonymousShell, Flash, Form, FormErrors, Nothing, PageResult, local_path, see_other};
use platform::{
    error::ApiError,
    http::{Principal, Query},
};

#[derive(Default, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "auth/templates/login.html")]
struct LoginPage<'a> {
    shell: &'a AnonymousShell,
    email: &'a str,
    next: &'a str,
    /// Translated error; empty on a fresh form.
    error: String,
}

pub(super) async fn show(
    shell: AnonymousShell,
    who: Option<axum::Extension<Principal>>,
    Query(query): Query<Next>,
) -> PageResult {
    if who.is_some_and(|who| who.user().is_some()) {
        return Ok(see_other(&query.next));
    }
    shell.render(&LoginPage { shell: &shell, email: "", next: local_path(&query.next), error: String::new() })
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    #[serde(default)]
    email: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

pub(super) async fn submit(
    shell: AnonymousShell,
    State(auth): State<Auth>,
    client: Client,
    Form(form): Form<LoginForm>,
) -> PageResult {
    let error = match auth.sign_in(&form.email, &form.password, &client).await {
        Ok(signed_in) => return Ok(with_cookie(see_other(&form.next), session_cookie(&auth, &signed_in))),
        Err(error) => error,
    };
    let key = match &error {
        AuthError::InvalidCredentials => "auth-login-wrong",
        AuthError::NoOrganisation => "auth-login-no-organisation",
        AuthError::TooMany(_) => "auth-login-too-many",
        AuthError::Busy => "auth-login-busy",
        _ => return Err(error.into()),
    };
    let text = shell.t(key).to_string();
    // Same status and Retry-After as the API.
    let refused = ApiError::from(error);
    let page = LoginPage { shell: &shell, email: &form.email, next: local_path(&form.next), error: text };
    let mut response = shell.render(&page)?;
    *response.status_mut() = refused.status;
    if let Some(after) = refused.retry_after {
        response.headers_mut().insert(axum::http::header::RETRY_AFTER, after.as_secs().max(1).into());
    }
    Ok(response)
}

pub(super) async fn sign_out(
    State(auth): State<Auth>,
    who: Option<axum::Extension<Principal>>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    if let Some(who) = who {
        auth.sign_out(&who).await?;
    }
    Ok(with_cookie(see_other("/login"), clear_session_cookie(&auth)))
}

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
}

#[derive(Template)]
#[template(path = "auth/templates/accept.html")]
struct AcceptPage<'a> {
    shell: &'a AnonymousShell,
    /// `None`: the link is no longer valid.
    link: Option<LinkInfo>,
    token: &'a str,
    /// E-mail of the signed-in person, or empty.
    signed_in_as: &'a str,
    entered_name: &'a str,
    errors: FormErrors,
}

impl AcceptPage<'_> {
    fn is_reset(&self) -> bool {
        self.link.as_ref().is_some_and(|l| l.purpose == LinkPurpose::Reset)
    }
}

fn email_of(who: Option<&Principal>) -> &str {
    who.and_then(Principal::user).map_or("", |u| &u.email)
}

pub(super) async fn show_link(
    shell: AnonymousShell,
    State(auth): State<Auth>,
    client: Client,
    who: Option<axum::Extension<Principal>>,
    Query(query): Query<Token>,
) -> PageResult {
    let who = who.as_deref();
    let (link, status) = match auth.open_link(&query.token, &client).await {
        Ok(link) => (Some(link), StatusCode::OK),
        Err(AuthError::LinkInvalid) => (None, StatusCode::GONE),
        Err(error) => return Err(error.into()),
    };
    let page = AcceptPage {
        shell: &shell,
        link,
        token: &query.token,
        signed_in_as: email_of(who),
        entered_name: "",
        errors: FormErrors::default(),
    };
    Ok((status, shell.render(&page)?).into_response())
}

#[derive(Deserialize)]
pub(super) struct AcceptForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    password: Option<SecretString>,
}

pub(super) async fn use_link(
    shell: AnonymousShell,
    State(auth): State<Auth>,
    client: Client,
    who: Option<axum::Extension<Principal>>,
    Form(form): Form<AcceptForm>,
) -> PageResult {
    let who = who.as_deref();
    let accept = Accept { name: form.name.clone(), password: form.password };
    let error = match auth.accept_link(&form.token, accept, who, &client).await {
        Ok(Accepted::SignedIn(signed_in)) => {
            return Ok(with_cookie(welcome(&shell), session_cookie(&auth, &signed_in)));
        }
        Ok(Accepted::Joined(_)) => return Ok(welcome(&shell)),
        Err(error) => error,
    };
    let link = match auth.open_link(&form.token, &client).await {
        Ok(link) => Some(link),
        Err(AuthError::LinkInvalid) => None,
        Err(error) => return Err(error.into()),
    };
    let errors = match link {
        Some(_) => shell.form_errors(error.into())?,
        None => FormErrors::default(),
    };
    let page = AcceptPage {
        shell: &shell,
        link,
        token: &form.token,
        signed_in_as: email_of(who),
        entered_name: &form.name,
        errors,
    };
    shell.render_invalid(&page)
}

fn welcome(shell: &AnonymousShell) -> Response {
    shell.redirect("/", &Flash::ok("auth-accept-done"))
}
