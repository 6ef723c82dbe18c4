//! Rules: made, changed, shown, and tried against the past. Monitors that a rule names one by one, and its limits for grouping and flapping, are set by the API
//! or the file.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    channels::{Extra, Named, render_list},
    is_refused,
    rule_form::RuleForm,
};
use crate::{
    ADMIN, Incidents, Preview, PreviewRequest, RuleDraft,
    model::{CauseSource, Channel, Owner, Rota, Rule, RuleId, Severity, Weekday},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::http::{Path, Query};
use uptime::{Group, ManagedBy};

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<RuleForm>) -> PageResult {
    shell.principal().require(ADMIN)?;
    let made = async { incidents.create_rule(shell.principal(), form.draft(None)?).await };
    match made.await {
        Ok(made) => Ok(shell.redirect(&path(made.id), &Flash::ok("incidents-rule-made"))),
        Err(error) => {
            let rule_errors = shell.form_errors(error.into())?;
            render_list(&shell, &incidents, Extra { rule: form, rule_errors, ..Extra::default() }).await
        }
    }
}

fn path(id: RuleId) -> String {
    format!("/settings/incident-rules/{id}")
}

/// How far back the preview looks; nothing: no preview.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Days {
    days: Option<u16>,
}

#[derive(Template)]
#[template(path = "incidents/templates/rule.html")]
struct Show<'a> {
    shell: &'a Shell,
    rule: Rule,
    /// The rule as the API has it.
    json: String,
    preview: Option<Preview>,
    days: u16,
    channels: Vec<Channel>,
    rotas: Vec<Rota>,
    groups: Vec<Group>,
    rule_form: RuleForm,
    rule_errors: FormErrors,
}

impl Show<'_> {
    fn is_editable(&self) -> bool {
        self.rule.managed_by != Some(ManagedBy::File)
    }

    fn what(&self, message: &crate::Would) -> String {
        self.shell.t(format!("incidents-what-{}", message.what.as_str())).to_string()
    }

    fn counted(&self, preview: &Preview) -> String {
        self.shell
            .t("incidents-preview-text")
            .with("messages", preview.messages)
            .with("incidents", preview.incidents)
            .to_string()
    }
}

async fn render(
    shell: &Shell,
    incidents: &Incidents,
    id: RuleId,
    days: Option<u16>,
    refused: Option<(RuleForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let rule = incidents.get_rule(who, id).await?;
    let preview = match days {
        Some(days) => {
            let request =
                PreviewRequest { rule_id: Some(id), rule: RuleDraft::default(), days, installation: rule.installation };
            Some(incidents.preview(who, request).await?)
        }
        None => None,
    };
    let owner = if rule.installation { Owner::Installation } else { Owner::Org(who.org_id) };
    let Named { channels, rotas, groups } = Named::of(incidents, owner).await?;
    let is_refused = refused.is_some();
    let (rule_form, rule_errors) = refused.unwrap_or_else(|| (RuleForm::of(&rule), FormErrors::default()));
    let json = serde_json::to_string_pretty(&rule).unwrap_or_default();
    let days = days.unwrap_or_default();
    let page = Show { shell, rule, json, preview, days, channels, rotas, groups, rule_form, rule_errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RuleId>,
    Query(days): Query<Days>,
) -> PageResult {
    render(&shell, &incidents, id, days.days, None).await
}

pub(super) async fn edit(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RuleId>,
    Form(form): Form<RuleForm>,
) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let old = incidents.get_rule(who, id).await?;
    let changed = async { incidents.update_rule(who, id, form.draft(Some(&old))?).await };
    match changed.await {
        Ok(_) => Ok(shell.redirect(&path(id), &Flash::ok("incidents-saved"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, id, None, Some((form, errors))).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
pub(super) struct EnabledForm {
    enabled: bool,
}

pub(super) async fn set_enabled(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RuleId>,
    Form(form): Form<EnabledForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let draft = RuleDraft { disabled: Some(!form.enabled), ..RuleDraft::default() };
    incidents.update_rule(shell.principal(), id, draft).await?;
    Ok(shell.redirect(&path(id), &Flash::ok("incidents-saved")))
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RuleId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    incidents.delete_rule(shell.principal(), id).await?;
    Ok(shell.redirect("/settings/channels", &Flash::ok("incidents-deleted")))
}
