//! Channels and rules.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, given, owners, rules::RuleForm};
use crate::{
    ADMIN, ChannelDraft, Incidents, Tried,
    model::{Channel, ChannelId, ChannelKind, ChannelSettings, Rule, Told},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::http::{Path, Slice};
use webhooks::{Delivery, DeliveryId};

/// Fields of the form of a channel.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelForm {
    key: String,
    name: String,
    kind: String,
    /// Addresses, separated by commas or spaces.
    to: String,
    url: String,
    token: String,
    chat: String,
    topic: String,
    language: String,
    zone: String,
    installation: String,
}

impl ChannelForm {
    fn draft(&self) -> ChannelDraft {
        let to = self.to.split([',', ' ', '\n']).filter_map(given).collect();
        ChannelDraft {
            key: given(&self.key),
            name: given(&self.name),
            kind: self.kind.parse().ok(),
            settings: Some(ChannelSettings { to, chat: given(&self.chat), topic: self.topic.trim().parse().ok() }),
            url: given(&self.url),
            token: given(&self.token),
            secret: None,
            language: given(&self.language),
            zone: given(&self.zone),
            enabled: None,
            installation: !self.installation.is_empty(),
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/templates/channels.html")]
struct List<'a> {
    shell: &'a Shell,
    channels: Vec<Channel>,
    rules: Vec<Rule>,
    is_operator: bool,
    /// Made just now: shown only once.
    secret: String,
    form: ChannelForm,
    errors: FormErrors,
    rule: RuleForm,
    rule_errors: FormErrors,
}

impl List<'_> {
    fn kind(&self, kind: impl Borrow<ChannelKind>) -> String {
        kind_name(self.shell, *kind.borrow())
    }
}

fn kind_name(shell: &Shell, kind: ChannelKind) -> String {
    shell.t(format!("incidents-kind-{}", kind.as_str())).to_string()
}

/// What the page shows besides the lists.
#[derive(Default)]
pub(super) struct Extra {
    pub secret: String,
    pub form: ChannelForm,
    pub errors: FormErrors,
    pub rule: RuleForm,
    pub rule_errors: FormErrors,
}

pub(super) async fn render_list(shell: &Shell, incidents: &Incidents, extra: Extra) -> PageResult {
    shell.principal().require(ADMIN)?;
    let (mut channels, mut rules) = (Vec::new(), Vec::new());
    for owner in owners(incidents, shell)? {
        let most = Slice::first(i64::from(SHOWN) * 2);
        channels.extend(incidents.list_channels(owner, None, &most).await?);
        rules.extend(incidents.list_rules(owner, None, &most).await?);
    }
    rules.sort_by_key(|rule| (rule.installation, rule.position, rule.id));
    let Extra { secret, form, errors, rule, rule_errors } = extra;
    let refused = !(errors.is_empty() && rule_errors.is_empty());
    let is_operator = shell.principal().is_operator();
    let page = List { shell, channels, rules, is_operator, secret, form, errors, rule, rule_errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(incidents): State<Incidents>) -> PageResult {
    render_list(&shell, &incidents, Extra::default()).await
}

pub(super) async fn create(
    shell: Shell,
    State(incidents): State<Incidents>,
    Form(form): Form<ChannelForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    match incidents.create_channel(shell.principal(), form.draft()).await {
        Ok((made, None)) => {
            Ok(shell.redirect(&format!("/settings/channels/{}", made.id), &Flash::ok("incidents-channel-made")))
        }
        Ok((_, Some(secret))) => render_list(&shell, &incidents, Extra { secret, ..Extra::default() }).await,
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_list(&shell, &incidents, Extra { form, errors, ..Extra::default() }).await
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/templates/channel.html")]
struct Show<'a> {
    shell: &'a Shell,
    channel: Channel,
    deliveries: Vec<Delivery>,
    told: Vec<Told>,
    /// Of the test button.
    tried: Option<Tried>,
}

impl Show<'_> {
    fn kind(&self) -> String {
        kind_name(self.shell, self.channel.kind)
    }

    fn state(&self, delivery: &Delivery) -> String {
        self.shell.t(format!("incidents-delivery-{}", delivery.state.as_str())).to_string()
    }

    fn tried_state(&self, tried: &Tried) -> String {
        self.shell.t(format!("incidents-delivery-{}", tried.state)).to_string()
    }

    fn what(&self, told: &Told) -> String {
        self.shell.t(format!("incidents-what-{}", told.what.as_str())).to_string()
    }

    fn is_gone(&self) -> bool {
        self.channel.disabled_reason == Some(crate::DisabledReason::Gone)
    }
}

async fn render_one(shell: &Shell, incidents: &Incidents, id: ChannelId, tried: Option<Tried>) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let channel = incidents.get_channel(who, id).await?;
    let deliveries = incidents.deliveries_of(who, id, &Slice::first(SHOWN.into())).await?;
    let told = incidents.told_to(who, id, &Slice::first(SHOWN.into())).await?;
    shell.render(&Show { shell, channel, deliveries, told, tried })
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>, Path(id): Path<ChannelId>) -> PageResult {
    render_one(&shell, &incidents, id, None).await
}

pub(super) async fn test(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let tried = incidents.try_channel(shell.principal(), id).await?;
    render_one(&shell, &incidents, id, Some(tried)).await
}

#[derive(Deserialize)]
pub(super) struct EnabledForm {
    enabled: bool,
}

pub(super) async fn set_enabled(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(form): Form<EnabledForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let draft = ChannelDraft { enabled: Some(form.enabled), ..ChannelDraft::default() };
    incidents.update_channel(shell.principal(), id, draft).await?;
    Ok(shell.redirect(&format!("/settings/channels/{id}"), &Flash::ok("incidents-saved")))
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    incidents.delete_channel(shell.principal(), id).await?;
    Ok(shell.redirect("/settings/channels", &Flash::ok("incidents-deleted")))
}

#[derive(Deserialize)]
pub(super) struct ReplayForm {
    delivery: DeliveryId,
}

pub(super) async fn replay(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(form): Form<ReplayForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    incidents.replay(shell.principal(), id, form.delivery).await?;
    Ok(shell.redirect(&format!("/settings/channels/{id}"), &Flash::ok("incidents-replayed")))
}
