//! The pages Alerts (firing, history, silences) and Runbooks.

use std::{borrow::Borrow, collections::HashSet};

use askama::Template;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Deserialize;

use super::{
    Alerting,
    alertmanager::Silence,
    model::{Alert, AlertDetail, AlertId, Delivery, Severity, Status},
    routes::{AlertFilter, require},
    runbooks,
    service::{DURATIONS, SilenceRequest, parse_matchers, silence_of},
};
use console::{AnonymousShell, Flash, Form, FormErrors, Html, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query},
};

/// Most firing alerts on a page: with more, one looks for the common cause and not at each alert.
const MOST_FIRING: i64 = 200;
/// Duration of a one-click silence.
const ONE_CLICK_HOURS: i64 = 2;

/// Path of the runbooks, which need no sign-in.
pub const RUNBOOKS: &str = "/runbooks";

/// The routes.
pub fn router() -> Router<Alerting> {
    Router::new()
        .route("/alerts", get(list))
        .route("/alerts/silences", get(silences).post(create_silence))
        .route("/alerts/silences/{id}/expire", post(expire_silence))
        .route("/alerts/{id}", get(show))
        .route("/alerts/{id}/silence", post(silence_alert))
        .route(RUNBOOKS, get(list_runbooks))
        .route("/runbooks/{name}", get(show_runbook))
}

/// The filters of the history.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListFilter {
    severity: String,
    /// Days in UTC, as a browser's date field sends them; both included.
    from: String,
    to: String,
}

impl ListFilter {
    fn is_plain(&self) -> bool {
        [&self.severity, &self.from, &self.to].iter().all(|text| text.is_empty())
    }

    fn api(&self) -> AlertFilter {
        let given = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let begin_of = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        AlertFilter {
            status: Some(Status::Resolved.as_str().to_owned()),
            severity: given(&self.severity),
            since: day(&self.from).map(begin_of),
            until: day(&self.to).and_then(|day| day.checked_add_days(Days::new(1))).map(begin_of),
        }
    }

    fn pager(&self, query: &ListQuery, next: Option<&str>) -> Pager {
        let filters = [("severity", &*self.severity), ("from", &*self.from), ("to", &*self.to)];
        Pager::new("/alerts", &filters, query, next)
    }
}

#[derive(Template)]
#[template(path = "alerting/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    is_on: bool,
    can_silence: bool,
    watchdog: Option<DateTime<Utc>>,
    firing: Vec<Alert>,
    /// Fingerprints of silenced alerts.
    silenced: HashSet<String>,
    history: Vec<Alert>,
    query: ListQuery,
    filter: ListFilter,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "alerting/templates/show.html")]
struct Show<'a> {
    shell: &'a Shell,
    detail: AlertDetail,
    can_silence: bool,
}

#[derive(Template)]
#[template(path = "alerting/templates/silences.html")]
struct Silences<'a> {
    shell: &'a Shell,
    is_on: bool,
    silences: Vec<Silence>,
    /// Why silences cannot be shown.
    problem: String,
    draft: SilenceForm,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "alerting/templates/runbooks.html")]
struct Runbooks<'a> {
    shell: &'a AnonymousShell,
    names: Vec<String>,
}

#[derive(Template)]
#[template(path = "alerting/templates/runbook.html")]
struct Runbook<'a> {
    shell: &'a AnonymousShell,
    name: String,
    html: Html,
}

/// View helpers shared by several pages.
trait ViewHelpers {
    fn shell(&self) -> &Shell;

    fn severity(&self, severity: impl Borrow<Severity>) -> String {
        self.shell().t(format!("alerting-severity-{}", severity.borrow().as_str())).to_string()
    }

    fn runbook(&self, alert: &Alert) -> String {
        runbooks::href(alert)
    }

    fn span(&self, from: impl Borrow<DateTime<Utc>>, to: impl Borrow<DateTime<Utc>>) -> String {
        let seconds = (*to.borrow() - *from.borrow()).as_seconds_f64();
        self.shell().duration(Some(seconds.max(0.0)))
    }
}

macro_rules! view_helpers {
    ($($page:ident)*) => {$(impl ViewHelpers for $page<'_> {
        fn shell(&self) -> &Shell {
            self.shell
        }
    })*};
}
view_helpers!(List Show Silences);

impl Show<'_> {
    fn delivery(&self, delivery: &Delivery) -> String {
        self.shell.t(format!("alerting-delivery-{}", delivery.state)).to_string()
    }

    fn event(&self, delivery: &Delivery) -> String {
        self.shell.t(format!("alerting-{}", delivery.event)).to_string()
    }
}

impl Silences<'_> {
    fn state(&self, silence: &Silence) -> String {
        match silence.state.as_str() {
            state @ ("active" | "pending" | "expired") => self.shell.t(format!("alerting-silence-{state}")).to_string(),
            other => other.to_owned(),
        }
    }

    fn hours(&self, hours: i64) -> String {
        self.shell.duration(Some(hours as f64 * 3600.0))
    }
}

impl Delivery {
    fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "delivered" => "ok",
            "dead" => "error",
            _ => "info",
        }
    }
}

impl Silence {
    fn tone(&self) -> &'static str {
        match self.state.as_str() {
            "active" => "warn",
            "pending" => "info",
            _ => "neutral",
        }
    }
}

async fn list(
    shell: Shell,
    State(alerting): State<Alerting>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> PageResult {
    require(shell.principal())?;
    let query = query.sized(50);
    let reading = async {
        let firing = alerting.firing(MOST_FIRING).await?;
        let silenced = if firing.is_empty() { HashSet::new() } else { alerting.silenced().await };
        Ok::<_, ApiError>((firing, silenced, alerting.watchdog().await?, filter.api().page(&alerting, &query).await?))
    };
    let (firing, silenced, watchdog, history) = shell.shared(reading).await?;
    let page = List {
        is_on: alerting.is_on(),
        can_silence: alerting.inner.alertmanager.is_on(),
        watchdog,
        silenced,
        firing,
        pager: filter.pager(&query, history.next_cursor.as_deref()),
        history: history.data,
        query,
        filter,
        shell: &shell,
    };
    shell.render(&page)
}

async fn show(shell: Shell, State(alerting): State<Alerting>, Path(id): Path<AlertId>) -> PageResult {
    require(shell.principal())?;
    let detail = alerting.get(id).await?;
    let can_silence = alerting.inner.alertmanager.is_on();
    shell.render(&Show { shell: &shell, detail, can_silence })
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SilenceForm {
    /// One per line.
    matchers: String,
    hours: i64,
    comment: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prefill {
    /// The alert to silence.
    alert: Option<AlertId>,
}

async fn silences(shell: Shell, State(alerting): State<Alerting>, Query(prefill): Query<Prefill>) -> PageResult {
    require(shell.principal())?;
    let mut form = SilenceForm { hours: ONE_CLICK_HOURS, ..SilenceForm::default() };
    if let Some(id) = prefill.alert {
        let lines: Vec<String> = silence_of(&alerting.get(id).await?.alert).iter().map(ToString::to_string).collect();
        form.matchers = lines.join("\n");
    }
    let page = silences_page(&shell, &alerting, form, FormErrors::default()).await?;
    shell.render(&page)
}

/// Shows the silences, or why they cannot be read.
async fn silences_page<'a>(
    shell: &'a Shell,
    alerting: &Alerting,
    draft: SilenceForm,
    errors: FormErrors,
) -> Result<Silences<'a>, ApiError> {
    let is_on = alerting.inner.alertmanager.is_on();
    let (silences, problem) = match alerting.silences().await {
        Ok(silences) => (silences, String::new()),
        Err(error) => (Vec::new(), words(shell, error.into())?),
    };
    Ok(Silences { shell, is_on, silences, problem, draft, errors })
}

/// The error in the reader's language. An unreachable Alertmanager is reported on the page, whose other parts still
/// work.
fn words(shell: &Shell, mut error: ApiError) -> Result<String, ApiError> {
    if error.code.starts_with("alertmanager") {
        if let Some(source) = error.source.take() {
            tracing::warn!(error = format!("{source:#}"), "Alertmanager cannot be reached");
        }
        error.status = StatusCode::CONFLICT;
    }
    Ok(shell.form_errors(error)?.general().to_owned())
}

async fn create_silence(shell: Shell, State(alerting): State<Alerting>, Form(form): Form<SilenceForm>) -> PageResult {
    require(shell.principal())?;
    let made = async {
        let matchers = parse_matchers(&form.matchers)?;
        let duration_seconds = form.hours.saturating_mul(3600);
        let request = SilenceRequest { matchers, duration_seconds, comment: form.comment.clone() };
        alerting.create_silence(shell.principal(), &request).await
    };
    match made.await {
        Ok(_) => Ok(shell.redirect("/alerts/silences", &Flash::ok("alerting-silenced"))),
        Err(error) => {
            let error = ApiError::from(error);
            if error.status.is_server_error() {
                return refused(&shell, error, "/alerts/silences");
            }
            let errors = shell.form_errors(error)?;
            let page = silences_page(&shell, &alerting, form, errors).await?;
            shell.render_invalid(&page)
        }
    }
}

async fn silence_alert(
    shell: Shell,
    State(alerting): State<Alerting>,
    Path(id): Path<AlertId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    require(shell.principal())?;
    let alert = alerting.get(id).await?.alert;
    let request = SilenceRequest {
        matchers: silence_of(&alert),
        duration_seconds: ONE_CLICK_HOURS * 3600,
        comment: format!("{} silenced from its page", alert.name),
    };
    match alerting.create_silence(shell.principal(), &request).await {
        Ok(_) => Ok(shell.redirect("/alerts/silences", &Flash::ok("alerting-silenced"))),
        Err(error) => refused(&shell, error.into(), &format!("/alerts/{id}")),
    }
}

async fn expire_silence(
    shell: Shell,
    State(alerting): State<Alerting>,
    Path(id): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    require(shell.principal())?;
    match alerting.expire_silence(shell.principal(), &id).await {
        Ok(()) => Ok(shell.redirect("/alerts/silences", &Flash::ok("alerting-expired"))),
        Err(error) => refused(&shell, error.into(), "/alerts/silences"),
    }
}

/// Redirects back with Alertmanager's message; other errors become an error page.
fn refused(shell: &Shell, error: ApiError, back: &str) -> Result<Response, ApiError> {
    if error.code.starts_with("alertmanager") {
        let why = words(shell, error)?;
        return Ok(shell.redirect(back, &Flash::error("alerting-refused").with("why", &why)));
    }
    Err(error)
}

/// Runbooks hold no secrets and are needed most when nobody can sign in: served without a session and without the
/// database.
async fn list_runbooks(shell: AnonymousShell) -> PageResult {
    shell.render(&Runbooks { shell: &shell, names: runbooks::names() })
}

async fn show_runbook(shell: AnonymousShell, Path(name): Path<String>) -> PageResult {
    let html = runbooks::html(&name).ok_or_else(|| ApiError::not_found("runbook"))?;
    shell.render(&Runbook { shell: &shell, name, html })
}
