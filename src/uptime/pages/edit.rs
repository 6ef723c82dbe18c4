//! Making and changing a monitor.

use askama::Template;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    Whose,
    fields::{Fields, KINDS, PASSWORD, WITH_FIELDS, number},
    kind_name, monitors,
};
use crate::{
    Group, Kind, MonitorDetail, MonitorId, NewMonitor, Owner, Settings, Uptime, WRITE,
    routes::owner,
    secrets::Secrets,
    spec::{DnsRecordType, HttpMethod, MailTls, MonitorSpec, PostgresTls, SecretName},
};
use console::{Flash, Form, FormErrors, PageResult, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{Path, Query, Slice},
};

const PATH: &str = "/monitors";
const MOST_GROUPS: i64 = 200;

/// Errors are shown at these fields; all others above the form.
const SHOWN: [&str; 30] = [
    "name",
    "description",
    "tags",
    "group_id",
    "parent_id",
    "interval_seconds",
    "timeout_ms",
    "retries",
    "retry_ms",
    "successes",
    "slow_ms",
    "certificate_days",
    "target",
    "key",
    "spec.url",
    "spec.method",
    "spec.status",
    "spec.redirects",
    "spec.host",
    "spec.port",
    "spec.record",
    "spec.server",
    "spec.count",
    "spec.tls",
    "spec.database",
    "spec.user",
    "spec.grace_seconds",
    "spec.days",
    "spec.json",
    "spec.cron",
];

/// The form of a monitor, as texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MonitorForm {
    kind: String,
    name: String,
    description: String,
    /// Separated by commas.
    tags: String,
    group_id: String,
    parent_id: String,
    /// Seconds.
    interval: String,
    timeout: String,
    retries: String,
    successes: String,
    slow: String,
    certificate_days: String,
    /// Percent.
    target: String,
    badge: String,
    /// Of the password field; empty: the one that it has.
    password: String,
    installation: String,
    #[serde(flatten)]
    fields: Fields,
}

impl MonitorForm {
    fn new(kind: Kind) -> Self {
        let spec = MonitorSpec::Heartbeat(crate::spec::HeartbeatSpec::default());
        let defaults = Settings::new("", spec);
        let interval = if kind == Kind::Domain { "86400" } else { "60" };
        Self {
            kind: kind.as_str().to_owned(),
            interval: interval.to_owned(),
            timeout: (defaults.timeout_ms / 1000).to_string(),
            retries: if kind == Kind::Heartbeat { "0" } else { "2" }.to_owned(),
            successes: defaults.successes.to_string(),
            certificate_days: defaults.certificate_days.to_string(),
            fields: Fields::new(kind),
            ..Self::default()
        }
    }

    fn of(detail: &MonitorDetail) -> Self {
        let monitor = &detail.monitor;
        let seconds = |ms: i32| trimmed(f64::from(ms) / 1000.0);
        let has_password = detail.secrets.iter().any(|name| name == PASSWORD);
        Self {
            kind: monitor.kind.as_str().to_owned(),
            name: monitor.name.clone(),
            description: monitor.description.clone(),
            tags: monitor.tags.join(", "),
            group_id: monitor.group_id.map_or_else(String::new, |id| id.to_string()),
            parent_id: monitor.parent_id.map_or_else(String::new, |id| id.to_string()),
            interval: monitor.interval_seconds.to_string(),
            timeout: seconds(detail.timeout_ms),
            retries: detail.retries.to_string(),
            successes: detail.successes.to_string(),
            slow: detail.slow_ms.map_or_else(String::new, seconds),
            certificate_days: detail.certificate_days.to_string(),
            target: detail.target.map_or_else(String::new, |target| trimmed(target * 100.0)),
            badge: if detail.badge { "on".to_owned() } else { String::new() },
            fields: Fields::of(&detail.spec, has_password),
            ..Self::default()
        }
    }

    fn kind(&self) -> Kind {
        self.kind.parse().unwrap_or(Kind::Http)
    }

    fn is_of_installation(&self) -> bool {
        !self.installation.is_empty()
    }

    /// What it says, over `before`. `has_password`: the monitor has one already.
    fn settings(&self, before: Option<Settings>, has_password: bool) -> Result<Settings, ApiError> {
        let mut errors: Vec<FieldError> = Vec::new();
        let mut kept = |result: Result<i32, Vec<FieldError>>| {
            result.unwrap_or_else(|mut error| {
                errors.append(&mut error);
                0
            })
        };
        let interval_seconds = kept(number("/interval_seconds", &self.interval));
        let timeout_ms = kept(millis("/timeout_ms", &self.timeout));
        let slow = Some(self.slow.trim()).filter(|slow| !slow.is_empty());
        let slow_ms = slow.map(|slow| kept(millis("/slow_ms", slow)));
        let retries = kept(number("/retries", &self.retries));
        let successes = kept(number("/successes", &self.successes));
        let certificate_days = kept(number("/certificate_days", &self.certificate_days));
        let target = match self.target.trim().trim_end_matches('%').trim() {
            "" => None,
            text => match text.replace(',', ".").parse::<f64>() {
                // As it is written: 99.9 is 0.999 and no digit more.
                Ok(percent) => Some((percent * 1e4).round() / 1e6),
                Err(_) => {
                    errors.push(FieldError::new("/target", "invalid", "a percentage such as 99.9"));
                    None
                }
            },
        };
        let has_password = has_password || !self.password.is_empty();
        let spec = self.fields.spec(self.kind(), has_password).unwrap_or_else(|mut error| {
            errors.append(&mut error);
            MonitorSpec::Heartbeat(crate::spec::HeartbeatSpec::default())
        });
        if !errors.is_empty() {
            return Err(ApiError::validation(errors));
        }
        let small = |number: i32| i16::try_from(number).unwrap_or(i16::MAX);
        let before = before.unwrap_or_else(|| Settings::new("", spec.clone()));
        Ok(Settings {
            name: self.name.clone(),
            description: self.description.clone(),
            spec,
            group_id: self.group_id.parse().ok(),
            parent_id: self.parent_id.parse().ok(),
            tags: self.tags.split(',').map(str::to_owned).collect(),
            interval_seconds,
            timeout_ms,
            retries: small(retries),
            successes: small(successes),
            slow_ms,
            certificate_days: small(certificate_days),
            target,
            badge: !self.badge.is_empty(),
            ..before
        })
    }
}

/// Seconds, with a point or a comma, as milliseconds.
fn millis(pointer: &str, text: &str) -> Result<i32, Vec<FieldError>> {
    let seconds: f64 = number(pointer, &text.replace(',', "."))?;
    number(pointer, &format!("{:.0}", seconds * 1000.0))
}

/// Without digits that say nothing.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[derive(Template)]
#[template(path = "uptime/templates/edit.html")]
struct Edit<'a> {
    shell: &'a Shell,
    /// `None`: a new one.
    detail: Option<MonitorDetail>,
    kind: Kind,
    form: MonitorForm,
    errors: FormErrors,
    groups: Vec<Group>,
    parents: Vec<(MonitorId, String)>,
    operator: bool,
    whose: Whose,
}

impl Edit<'_> {
    fn action(&self) -> String {
        self.detail.as_ref().map_or_else(|| PATH.to_owned(), |detail| format!("{PATH}/{}", detail.monitor.id))
    }

    fn back(&self) -> String {
        self.detail.as_ref().map_or_else(|| PATH.to_owned(), |detail| format!("{PATH}/{}", detail.monitor.id))
    }

    fn title(&self) -> String {
        self.shell.t(if self.detail.is_some() { "uptime-edit" } else { "uptime-new" }).to_string()
    }

    fn kinds(&self) -> Vec<(Kind, String)> {
        KINDS.into_iter().map(|kind| (kind, kind_name(self.shell, kind))).collect()
    }

    fn kind_name(&self) -> String {
        kind_name(self.shell, self.kind)
    }

    /// Whether it is edited as JSON.
    fn is_json(&self) -> bool {
        !self.form.fields.json.is_empty() || !WITH_FIELDS.contains(&self.kind)
    }

    fn is(&self, names: &str) -> bool {
        names.split(' ').any(|name| name == self.kind.as_str())
    }

    fn can_be_json(&self) -> bool {
        self.detail.as_ref().is_none_or(|detail| detail.monitor.managed_by.is_none())
    }

    fn methods(&self) -> Vec<(&'static str, bool)> {
        HttpMethod::ALL.iter().map(|one| (one.as_str(), self.form.fields.method == one.as_str())).collect()
    }

    fn records(&self) -> Vec<(&'static str, bool)> {
        DnsRecordType::ALL.iter().map(|one| (one.as_str(), self.form.fields.record == one.as_str())).collect()
    }

    /// Of mail servers and PostgreSQL.
    fn encryptions(&self) -> Vec<(&'static str, bool)> {
        let all: Vec<&'static str> = if self.kind == Kind::Postgres {
            PostgresTls::ALL.iter().map(|one| one.as_str()).collect()
        } else {
            MailTls::ALL.iter().map(|one| one.as_str()).collect()
        };
        all.into_iter().map(|one| (one, self.form.fields.tls == one)).collect()
    }

    fn choices_of_groups(&self) -> Vec<(String, &str, bool)> {
        let all = self.groups.iter().map(|group| (group.id.to_string(), group.name.as_str()));
        all.map(|(id, name)| (id.clone(), name, id == self.form.group_id)).collect()
    }

    /// Not itself.
    fn choices_of_parents(&self) -> Vec<(String, &str, bool)> {
        let own = self.detail.as_ref().map(|detail| detail.monitor.id);
        let others = self.parents.iter().filter(|(id, _)| Some(*id) != own);
        others.map(|(id, name)| (id.to_string(), name.as_str(), id.to_string() == self.form.parent_id)).collect()
    }
}

async fn render(
    shell: &Shell,
    uptime: &Uptime,
    of: Owner,
    detail: Option<MonitorDetail>,
    (form, errors): (MonitorForm, Option<FormErrors>),
) -> PageResult {
    let groups = uptime.groups(of, &Slice::first(MOST_GROUPS)).await?;
    let parents = uptime.monitor_choices(of).await?;
    let (operator, kind) = (shell.principal().is_operator(), form.kind());
    let whose = Whose { whose: if of == Owner::Installation { Whose::INSTALLATION.to_owned() } else { String::new() } };
    let is_refused = errors.is_some();
    let errors = errors.unwrap_or_default();
    let page = Edit { shell, detail, kind, form, errors, groups, parents, operator, whose };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

/// Which kind a new monitor has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    kind: String,
    /// `json`: written as JSON.
    r#as: String,
}

pub(super) async fn new(
    shell: Shell,
    State(uptime): State<Uptime>,
    Query(wanted): Query<Wanted>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let of = owner(&uptime, shell.principal(), WRITE, whose.is_installation())?;
    let kind = wanted.kind.parse().ok().filter(|kind| KINDS.contains(kind)).unwrap_or(Kind::Http);
    let mut form = MonitorForm::new(kind);
    if wanted.r#as == "json" && form.fields.json.is_empty() {
        form.fields.json = format!("{{\n  \"kind\": \"{}\"\n}}", kind.as_str());
    }
    if whose.is_installation() {
        "on".clone_into(&mut form.installation);
    }
    render(&shell, &uptime, of, None, (form, None)).await
}

pub(super) async fn create(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<MonitorForm>) -> PageResult {
    let of = owner(&uptime, shell.principal(), WRITE, form.is_of_installation())?;
    let made = async {
        let settings = form.settings(None, false)?;
        let new = NewMonitor { secrets: password(&form), ..NewMonitor::new(settings) };
        Ok::<_, ApiError>(uptime.create_monitor(shell.principal(), of, new).await?)
    };
    match made.await {
        Ok(made) => {
            let id = made.monitor.monitor.id;
            if made.token.is_some() {
                // A redirect cannot carry the token, which is shown only once.
                return monitors::render(&shell, &uptime, id, "", (None, Some(made))).await;
            }
            let to = format!("{PATH}/{id}");
            Ok(shell.redirect(&to, &Flash::ok("uptime-made").with("name", &made.monitor.monitor.name)))
        }
        Err(error) => {
            let errors = shell.form_errors(gathered(error))?;
            render(&shell, &uptime, of, None, (form, Some(errors))).await
        }
    }
}

pub(super) async fn edit(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Query(wanted): Query<Wanted>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let detail = uptime.get_monitor(shell.principal(), id).await?;
    let of = if detail.monitor.installation { Owner::Installation } else { Owner::Org(shell.org_id()) };
    let mut form = MonitorForm::of(&detail);
    if wanted.r#as == "json" {
        form.fields.json = serde_json::to_string_pretty(&detail.spec).unwrap_or_default();
    }
    render(&shell, &uptime, of, Some(detail), (form, None)).await
}

pub(super) async fn save(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(form): Form<MonitorForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let detail = uptime.get_monitor(shell.principal(), id).await?;
    let of = if detail.monitor.installation { Owner::Installation } else { Owner::Org(shell.org_id()) };
    let has_password = detail.secrets.iter().any(|name| name == PASSWORD);
    let saved = async {
        // What the form does not show stays as it is.
        let wanted = form.settings(None, has_password)?;
        let secrets = password(&form).0.into_iter().map(|(name, value)| (name.0, Some(value))).collect();
        let is_internal = detail.monitor.kind == Kind::Internal;
        let change = |settings: &mut Settings| {
            let (retry_ms, spec) = (settings.retry_ms, settings.spec.clone());
            *settings = Settings { retry_ms, ..wanted };
            if is_internal {
                settings.spec = spec;
            }
        };
        Ok::<_, ApiError>(uptime.update_monitor(shell.principal(), id, secrets, change).await?)
    };
    match saved.await {
        Ok(_) => Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("uptime-saved"))),
        Err(error) => {
            let errors = shell.form_errors(gathered(error))?;
            render(&shell, &uptime, of, Some(detail), (form, Some(errors))).await
        }
    }
}

/// The secret that the form asks for.
fn password(form: &MonitorForm) -> Secrets {
    let given = Some(form.password.clone()).filter(|password| !password.is_empty());
    Secrets(given.map(|given| (SecretName(PASSWORD.to_owned()), SecretString::from(given))).into_iter().collect())
}

/// Errors at fields that the form does not have are told together, above it.
fn gathered(error: ApiError) -> ApiError {
    let is_shown =
        |field: &FieldError| SHOWN.contains(&field.pointer.trim_start_matches('/').replace('/', ".").as_str());
    let (shown, others): (Vec<FieldError>, Vec<FieldError>) = error.errors.iter().cloned().partition(is_shown);
    if others.is_empty() {
        return error;
    }
    let texts: Vec<String> = others.iter().map(|field| format!("{}: {}", field.pointer, field.detail)).collect();
    let mut errors = shown;
    errors.push(FieldError::new("/spec", "invalid", texts.join("; ")));
    ApiError { errors, ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_the_settings_that_made_it() {
        let form = MonitorForm {
            name: "Shop".into(),
            target: "99,9 %".into(),
            slow: "0.8".into(),
            tags: "a, b".into(),
            fields: Fields { url: "https://shop.example/".into(), ..Fields::new(Kind::Http) },
            ..MonitorForm::new(Kind::Http)
        };
        let settings = form.settings(None, false).unwrap().tidied();
        assert_eq!((settings.slow_ms, settings.timeout_ms, settings.interval_seconds), (Some(800), 10_000, 60));
        assert!((settings.target.unwrap() - 0.999).abs() < 1e-9);
        assert_eq!(settings.tags, ["a", "b"]);
    }

    #[test]
    fn what_is_no_number_is_told_at_its_field() {
        let form = MonitorForm { retries: "many".into(), timeout: "soon".into(), ..MonitorForm::new(Kind::Tcp) };
        let error = form.settings(None, false).unwrap_err();
        let pointers: Vec<&str> = error.errors.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/timeout_ms", "/retries", "/spec/port"]);
    }

    #[test]
    fn errors_of_fields_that_are_not_shown_stand_above() {
        let all =
            vec![FieldError::new("/name", "required", "x"), FieldError::new("/spec/steps/0/http/url", "invalid", "y")];
        let told = gathered(ApiError::validation(all));
        let pointers: Vec<&str> = told.errors.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/spec"]);
        assert!(told.errors[1].detail.contains("/spec/steps/0/http/url"));
    }
}
