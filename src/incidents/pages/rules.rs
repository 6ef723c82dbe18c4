//! Rules: made with one step, shown, and tried against the past. What else a rule can do is set by the API or the file.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    channels::{Extra, render_list},
    given,
};
use crate::{
    ADMIN, Incidents, Preview, PreviewRequest, RuleDraft,
    model::{CauseSource, ChannelId, Matches, Rule, RuleId, Step},
};
use console::{Flash, Form, Nothing, PageResult, Shell};
use platform::http::{Path, Query};

/// Fields of the form of a rule.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleForm {
    pub key: String,
    pub name: String,
    pub position: String,
    pub channels: Vec<String>,
    pub tags: String,
    /// For certificates and domains that end soon, too.
    pub endings: String,
    pub proceed: String,
    pub installation: String,
}

impl RuleForm {
    pub fn has(&self, channel: &ChannelId) -> bool {
        self.channels.iter().any(|chosen| *chosen == channel.to_string())
    }

    fn draft(&self) -> RuleDraft {
        let step = Step {
            after_seconds: 0,
            channels: self.channels.iter().filter_map(|id| id.parse().ok()).collect(),
            rota: None,
            repeat_seconds: None,
        };
        let tags = self.tags.split([',', ' ']).filter_map(given).collect();
        let sources = if self.endings.is_empty() { Vec::new() } else { CauseSource::ALL.to_vec() };
        RuleDraft {
            key: given(&self.key),
            name: given(&self.name),
            position: self.position.trim().parse().ok(),
            matches: Some(Matches { tags, sources, ..Matches::default() }),
            steps: Some(vec![step]),
            proceed: Some(!self.proceed.is_empty()),
            installation: !self.installation.is_empty(),
            ..RuleDraft::default()
        }
    }
}

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<RuleForm>) -> PageResult {
    shell.principal().require(ADMIN)?;
    match incidents.create_rule(shell.principal(), form.draft()).await {
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
}

impl Show<'_> {
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

pub(super) async fn show(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<RuleId>,
    Query(days): Query<Days>,
) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let rule = incidents.get_rule(who, id).await?;
    let preview = match days.days {
        Some(days) => {
            let request =
                PreviewRequest { rule_id: Some(id), rule: RuleDraft::default(), days, installation: rule.installation };
            Some(incidents.preview(who, request).await?)
        }
        None => None,
    };
    let json = serde_json::to_string_pretty(&rule).unwrap_or_default();
    shell.render(&Show { shell: &shell, rule, json, preview, days: days.days.unwrap_or_default() })
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
