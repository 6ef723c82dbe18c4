//! Channels and rules.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{MOST_CHOICES, SHOWN, given, is_refused, owners, rule_form::RuleForm};
use crate::{
    ADMIN, ChannelDraft, Incidents, IncidentsError, Tried,
    model::{
        CauseSource, Channel, ChannelId, ChannelKind, ChannelSettings, Owner, Rota, Rule, Severity, Told, Weekday,
    },
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Slice},
};
use uptime::{Group, ManagedBy};
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
    /// Without what is secret: that stays, unless something is written.
    fn of(channel: &Channel) -> Self {
        Self {
            name: channel.name.clone(),
            to: channel.settings.to.join(", "),
            chat: channel.settings.chat.clone().unwrap_or_default(),
            topic: channel.settings.topic.map(|topic| topic.to_string()).unwrap_or_default(),
            language: channel.language.clone(),
            zone: channel.zone.clone(),
            ..Self::default()
        }
    }

    fn draft(&self) -> Result<ChannelDraft, IncidentsError> {
        let to = self.to.split([',', ' ', '\n']).filter_map(given).collect();
        let wrong = |_| IncidentsError::invalid("/settings/topic", "invalid", "the number of a topic");
        let topic = given(&self.topic).map(|topic| topic.parse::<i64>().map_err(wrong)).transpose()?;
        Ok(ChannelDraft {
            key: given(&self.key),
            name: given(&self.name),
            kind: self.kind.parse().ok(),
            settings: Some(ChannelSettings { to, chat: given(&self.chat), topic }),
            url: given(&self.url),
            token: given(&self.token),
            secret: None,
            language: given(&self.language),
            zone: given(&self.zone),
            enabled: None,
            installation: !self.installation.is_empty(),
        })
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
    query: ListQuery,
    has_mail: bool,
    rotas: Vec<Rota>,
    groups: Vec<Group>,
    rule_form: RuleForm,
    rule_errors: FormErrors,
}

impl List<'_> {
    fn is_without_mail(&self, kind: impl Borrow<ChannelKind>) -> bool {
        *kind.borrow() == ChannelKind::Mail && !self.has_mail
    }

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
    pub query: ListQuery,
}

/// What a rule can name: of this owner.
pub(super) struct Named {
    pub channels: Vec<Channel>,
    pub rotas: Vec<Rota>,
    pub groups: Vec<Group>,
}

impl Named {
    pub async fn of(incidents: &Incidents, owner: Owner) -> Result<Self, ApiError> {
        let most = Slice::first(MOST_CHOICES);
        Ok(Self {
            channels: incidents.list_channels(owner, None, &most).await?,
            rotas: incidents.list_rotas(owner, None, &most).await?,
            groups: incidents.groups(owner, &most).await?,
        })
    }
}

pub(super) async fn render_list(shell: &Shell, incidents: &Incidents, extra: Extra) -> PageResult {
    shell.principal().require(ADMIN)?;
    let Extra { secret, form, errors, rule: rule_form, rule_errors, query } = extra;
    // The search has the length that lists take.
    query.slice::<uuid::Uuid>()?;
    let most = Slice::first(MOST_CHOICES);
    let mut named = Named { channels: Vec::new(), rotas: Vec::new(), groups: Vec::new() };
    let mut rules = Vec::new();
    for owner in owners(incidents, shell)? {
        let found = Named::of(incidents, owner).await?;
        named.channels.extend(found.channels);
        named.rotas.extend(found.rotas);
        named.groups.extend(found.groups);
        rules.extend(incidents.list_rules(owner, query.search(), &most).await?);
    }
    rules.sort_by_key(|rule| (rule.installation, rule.position, rule.id));
    let Named { mut channels, rotas, groups } = named;
    if let Some(search) = query.search() {
        let search = search.to_lowercase();
        let texts = |channel: &Channel| format!("{} {} {}", channel.name, channel.key, channel.kind.as_str());
        channels.retain(|channel| texts(channel).to_lowercase().contains(&search));
    }
    let refused = !(errors.is_empty() && rule_errors.is_empty());
    let is_operator = shell.principal().is_operator();
    let has_mail = incidents.has_mail();
    let page = List {
        shell,
        channels,
        rules,
        is_operator,
        secret,
        form,
        errors,
        query,
        has_mail,
        rotas,
        groups,
        rule_form,
        rule_errors,
    };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
) -> PageResult {
    render_list(&shell, &incidents, Extra { query, ..Extra::default() }).await
}

pub(super) async fn create(
    shell: Shell,
    State(incidents): State<Incidents>,
    Form(form): Form<ChannelForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let made = async { incidents.create_channel(shell.principal(), form.draft()?).await };
    match made.await {
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
    has_mail: bool,
    form: ChannelForm,
    errors: FormErrors,
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

    fn is_without_mail(&self) -> bool {
        self.channel.kind == ChannelKind::Mail && !self.has_mail
    }

    fn is_editable(&self) -> bool {
        self.channel.managed_by != Some(ManagedBy::File)
    }

    fn is_gone(&self) -> bool {
        self.channel.disabled_reason == Some(crate::DisabledReason::Gone)
    }
}

/// What the page of a channel shows besides it.
#[derive(Default)]
struct Beside {
    tried: Option<Tried>,
    refused: Option<(ChannelForm, FormErrors)>,
}

async fn render_one(shell: &Shell, incidents: &Incidents, id: ChannelId, beside: Beside) -> PageResult {
    let who = shell.principal();
    who.require(ADMIN)?;
    let channel = incidents.get_channel(who, id).await?;
    let deliveries = incidents.deliveries_of(who, id, &Slice::first(SHOWN.into())).await?;
    let told = incidents.told_to(who, id, &Slice::first(SHOWN.into())).await?;
    let Beside { tried, refused } = beside;
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_else(|| (ChannelForm::of(&channel), FormErrors::default()));
    let page = Show { shell, channel, deliveries, told, tried, has_mail: incidents.has_mail(), form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(shell: Shell, State(incidents): State<Incidents>, Path(id): Path<ChannelId>) -> PageResult {
    render_one(&shell, &incidents, id, Beside::default()).await
}

pub(super) async fn edit(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(form): Form<ChannelForm>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let changed = async { incidents.update_channel(shell.principal(), id, form.draft()?).await };
    match changed.await {
        Ok(_) => Ok(shell.redirect(&format!("/settings/channels/{id}"), &Flash::ok("incidents-saved"))),
        Err(error) if is_refused(&error) => {
            let errors = shell.form_errors(error.into())?;
            let beside = Beside { refused: Some((form, errors)), ..Beside::default() };
            render_one(&shell, &incidents, id, beside).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn test(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<ChannelId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(ADMIN)?;
    let tried = Some(incidents.try_channel(shell.principal(), id).await?);
    render_one(&shell, &incidents, id, Beside { tried, ..Beside::default() }).await
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
