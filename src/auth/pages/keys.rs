//! API keys of the organisation.

use askama::Template;
use axum::extract::State;
use chrono::{Days, NaiveDate, NaiveTime};
use serde::Deserialize;

use crate::{ApiKey, ApiKeyId, Auth, AuthError, NewApiKey};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query, Scope};

const SHOWN: u32 = 50;

/// The form.
#[derive(Default, Deserialize)]
pub(super) struct KeyForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
    /// The last day (UTC) on which it works, or empty.
    #[serde(default)]
    last_day: String,
}

impl KeyForm {
    /// With the first scope chosen: the one that most keys are made for.
    fn fresh(auth: &Auth) -> Self {
        let scopes = auth.scopes().first().map(|scope| scope.as_str().to_owned());
        Self { scopes: scopes.into_iter().collect(), ..Self::default() }
    }
}

#[derive(Template)]
#[template(path = "auth/templates/api_keys.html")]
struct KeysPage<'a> {
    shell: &'a Shell,
    scopes: &'a [Scope],
    keys: Vec<ApiKey>,
    /// Just created: its secret is shown only once.
    new_key: Option<NewApiKey>,
    query: ListQuery,
    pager: Pager,
    form: KeyForm,
    errors: FormErrors,
    now: chrono::DateTime<chrono::Utc>,
}

impl KeysPage<'_> {
    fn choices(&self) -> Vec<Choice> {
        let choice = |scope: &Scope| Choice {
            value: scope.as_str(),
            key: format!("scope-{}", scope.as_str().replace('_', "-")),
            chosen: self.form.scopes.iter().any(|name| name == scope.as_str()),
        };
        self.scopes.iter().map(choice).collect()
    }

    fn is_expired(&self, key: &ApiKey) -> bool {
        key.expires_at.is_some_and(|at| at <= self.now)
    }
}

/// A checkbox.
struct Choice {
    value: &'static str,
    /// Translation key of its label.
    key: String,
    chosen: bool,
}

async fn render(
    shell: &Shell,
    auth: &Auth,
    query: ListQuery,
    new_key: Option<NewApiKey>,
    form: KeyForm,
    errors: FormErrors,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let page = slice.page(auth.list_api_keys(shell.principal(), query.search(), &slice).await?, |k| k.id.0);
    let pager = Pager::new("/settings/api-keys", &[], &query, page.next_cursor.as_deref());
    let refused = !errors.is_empty();
    let page = KeysPage {
        shell,
        scopes: auth.scopes(),
        keys: page.data,
        new_key,
        query,
        pager,
        form,
        errors,
        now: auth.now(),
    };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(auth): State<Auth>, Query(query): Query<ListQuery>) -> PageResult {
    let form = KeyForm::fresh(&auth);
    render(&shell, &auth, query, None, form, FormErrors::default()).await
}

pub(super) async fn create(shell: Shell, State(auth): State<Auth>, Form(form): Form<KeyForm>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let result = match expiry(&form.last_day) {
        Ok(expires_at) => auth.create_api_key(shell.principal(), &form.name, &form.scopes, expires_at).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(key) => {
            let fresh = KeyForm::fresh(&auth);
            render(&shell, &auth, ListQuery::default(), Some(key), fresh, FormErrors::default()).await
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &auth, ListQuery::default(), None, form, errors).await
        }
    }
}

/// The end of the last day.
fn expiry(last_day: &str) -> Result<Option<chrono::DateTime<chrono::Utc>>, AuthError> {
    if last_day.is_empty() {
        return Ok(None);
    }
    let day = last_day.parse::<NaiveDate>().ok().and_then(|day| day.checked_add_days(Days::new(1)));
    let day = day.ok_or_else(|| AuthError::Field("/last_day", "a date such as 2027-12-31".into()))?;
    Ok(Some(day.and_time(NaiveTime::MIN).and_utc()))
}

pub(super) async fn revoke(
    shell: Shell,
    State(auth): State<Auth>,
    Path(id): Path<ApiKeyId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    auth.revoke_api_key(shell.principal(), id).await?;
    Ok(shell.redirect("/settings/api-keys", &Flash::ok("auth-keys-revoked")))
}
