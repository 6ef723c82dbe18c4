//! Making and changing a monitor.

use askama::Template;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    Whose,
    fields::{KINDS, PASSWORD, WITH_FIELDS},
    form::MonitorForm,
    kind_name, micros, monitor, phases,
};
use crate::{
    Group, Kind, MonitorDetail, MonitorId, NewMonitor, Observation, Owner, Settings, Uptime, WRITE,
    routes::owner,
    secrets::Secrets,
    spec::{DnsRecordType, HttpMethod, MailTls, PostgresTls, SecretName},
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
    /// What was found by trying it just now.
    found: Option<Observation>,
}

impl Edit<'_> {
    /// Where it is tried.
    fn trial(&self) -> String {
        self.detail.as_ref().map_or_else(|| format!("{PATH}/try"), |detail| format!("{PATH}/{}/try", detail.monitor.id))
    }

    fn can_be_tried(&self) -> bool {
        !matches!(self.kind, Kind::Heartbeat | Kind::Internal)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn duration(&self, us: &i32) -> String {
        micros(self.shell, *us)
    }

    fn phases(&self, observation: &Observation) -> Vec<(String, String)> {
        phases(self.shell, observation)
    }

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
    found: Option<Observation>,
) -> PageResult {
    let groups = uptime.groups(of, &Slice::first(MOST_GROUPS)).await?;
    let parents = uptime.monitor_choices(of).await?;
    let (operator, kind) = (shell.principal().is_operator(), form.kind());
    let whose = Whose { whose: if of == Owner::Installation { Whose::INSTALLATION.to_owned() } else { String::new() } };
    let is_refused = errors.is_some();
    let errors = errors.unwrap_or_default();
    let page = Edit { shell, detail, kind, form, errors, groups, parents, operator, whose, found };
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
    render(&shell, &uptime, of, None, (form, None), None).await
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
                return monitor::render(&shell, &uptime, id, "", (None, Some(made))).await;
            }
            let to = format!("{PATH}/{id}");
            Ok(shell.redirect(&to, &Flash::ok("uptime-made").with("name", &made.monitor.monitor.name)))
        }
        Err(error) => {
            let errors = shell.form_errors(gathered(error))?;
            render(&shell, &uptime, of, None, (form, Some(errors)), None).await
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
    render(&shell, &uptime, of, Some(detail), (form, None), None).await
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
            render(&shell, &uptime, of, Some(detail), (form, Some(errors)), None).await
        }
    }
}

/// Shows the form again, with what was found.
async fn tried(
    shell: &Shell,
    uptime: &Uptime,
    of: Owner,
    detail: Option<MonitorDetail>,
    form: MonitorForm,
    found: Result<Observation, ApiError>,
) -> PageResult {
    match found {
        Ok(found) => render(shell, uptime, of, detail, (form, None), Some(found)).await,
        Err(error) => {
            let errors = shell.form_errors(gathered(error))?;
            render(shell, uptime, of, detail, (form, Some(errors)), None).await
        }
    }
}

pub(super) async fn try_new(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<MonitorForm>) -> PageResult {
    let of = owner(&uptime, shell.principal(), WRITE, form.is_of_installation())?;
    let asked = async {
        let settings = form.settings(None, false)?.tidied();
        Ok::<_, ApiError>(uptime.try_settings(of, &settings, &password(&form)).await?)
    };
    let found = asked.await;
    tried(&shell, &uptime, of, None, form, found).await
}

pub(super) async fn try_changed(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<MonitorId>,
    Form(form): Form<MonitorForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let detail = uptime.get_monitor(shell.principal(), id).await?;
    let of = if detail.monitor.installation { Owner::Installation } else { Owner::Org(shell.org_id()) };
    let has_password = detail.secrets.iter().any(|name| name == PASSWORD);
    let asked = async {
        let settings = form.settings(None, has_password)?.tidied();
        Ok::<_, ApiError>(uptime.try_change(shell.principal(), id, &settings, password(&form)).await?)
    };
    let found = asked.await;
    tried(&shell, &uptime, of, Some(detail), form, found).await
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
    fn errors_of_fields_that_are_not_shown_stand_above() {
        let all =
            vec![FieldError::new("/name", "required", "x"), FieldError::new("/spec/steps/0/http/url", "invalid", "y")];
        let told = gathered(ApiError::validation(all));
        let pointers: Vec<&str> = told.errors.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/spec"]);
        assert!(told.errors[1].detail.contains("/spec/steps/0/http/url"));
    }
}
