//! Rules: who is told of what.

use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Incidents, owners};
use crate::{
    IncidentsError,
    model::{Matches, Owner, Quiet, Rule, RuleId, Step},
    store::{channels, rota, rules},
};
use jobs::Cron;
use platform::{
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};
use uptime::{ManagedBy, file::is_key};

/// Rules of an owner, and steps of a rule.
const MOST: usize = 100;
pub(crate) const MOST_STEPS: usize = 20;

/// What a rule is made of. Absent when changing: it stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentRuleDraft)]
pub struct RuleDraft {
    /// Its identity: 1 to 100 lower-case letters, digits, hyphens and underscores. Only when it is made.
    pub key: Option<String>,
    pub name: Option<String>,
    /// The first that matches is taken, by this number.
    pub position: Option<i32>,
    pub matches: Option<Matches>,
    /// Of the escalation; at least one.
    pub steps: Option<Vec<Step>>,
    #[schema(minimum = 0, maximum = 86400)]
    pub after_seconds: Option<i32>,
    #[schema(minimum = 0, maximum = 60000)]
    pub group_wait_ms: Option<i32>,
    #[schema(minimum = 10, maximum = 86400)]
    pub group_interval_seconds: Option<i32>,
    #[schema(minimum = 2, maximum = 16)]
    pub flap_changes: Option<i32>,
    #[schema(minimum = 1, maximum = 1440)]
    pub flap_minutes: Option<i32>,
    pub quiet: Option<Vec<Quiet>>,
    /// The next rule that matches is taken, too.
    pub proceed: Option<bool>,
    pub disabled: Option<bool>,
    /// Of the installation; operators only, and only when it is made.
    pub installation: bool,
}

impl RuleDraft {
    /// Put over a rule. The key of that stays.
    pub(super) fn over(&self, old: &Rule) -> Rule {
        Rule {
            name: self.name.as_deref().map_or_else(|| old.name.clone(), tidy),
            position: self.position.unwrap_or(old.position),
            matches: self.matches.clone().unwrap_or_else(|| old.matches.clone()),
            steps: self.steps.clone().unwrap_or_else(|| old.steps.clone()),
            after_seconds: self.after_seconds.unwrap_or(old.after_seconds),
            group_wait_ms: self.group_wait_ms.unwrap_or(old.group_wait_ms),
            group_interval_seconds: self.group_interval_seconds.unwrap_or(old.group_interval_seconds),
            flap_changes: self.flap_changes.unwrap_or(old.flap_changes),
            flap_minutes: self.flap_minutes.unwrap_or(old.flap_minutes),
            quiet: self.quiet.clone().unwrap_or_else(|| old.quiet.clone()),
            proceed: self.proceed.unwrap_or(old.proceed),
            disabled: self.disabled.unwrap_or(old.disabled),
            ..old.clone()
        }
    }
}

/// As the store takes it.
pub(super) fn row(rule: &Rule) -> rules::Draft<'_> {
    rules::Draft {
        key: &rule.key,
        name: &rule.name,
        position: rule.position,
        matches: &rule.matches,
        steps: &rule.steps,
        after_seconds: rule.after_seconds,
        group_wait_ms: rule.group_wait_ms,
        group_interval_seconds: rule.group_interval_seconds,
        flap_changes: rule.flap_changes,
        flap_minutes: rule.flap_minutes,
        quiet: &rule.quiet,
        proceed: rule.proceed,
        disabled: rule.disabled,
        managed_by: rule.managed_by,
    }
}

impl Incidents {
    pub async fn list_rules(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Rule>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let found = rules::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn get_rule(&self, who: &Principal, id: RuleId) -> Result<Rule, IncidentsError> {
        let (tx, _, rule) = self.find_rule(who, id).await?;
        tx.commit().await?;
        Ok(rule)
    }

    pub async fn create_rule(&self, who: &Principal, draft: RuleDraft) -> Result<Rule, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        let key = draft.key.clone().unwrap_or_default();
        let id = RuleId::generate(&self.inner.clock);
        let rule = draft.over(&Rule::blank(id, owner == Owner::Installation, &key, self.inner.clock.now()));
        let mut tx = self.begin(owner).await?;
        let mut errors = self.rule_faults(&mut tx, owner, &rule).await?;
        if !is_key(&key) {
            errors.push(FieldError::new(
                "/key",
                "invalid",
                "1 to 100 lower-case letters, digits, hyphens and underscores",
            ));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        if rules::all(&mut tx, owner.org()).await?.len() >= MOST {
            return Err(IncidentsError::Conflict("too_many_rules", format!("at most {MOST} rules")));
        }
        if !rules::insert(&mut tx, owner.org(), id, &row(&rule), &who.subject(), rule.created_at).await? {
            return Err(IncidentsError::Conflict("taken", format!("there is a rule with the key {key:?}")));
        }
        tx.commit().await?;
        tracing::info!(rule_id = %id, by = who.subject(), "rule of incidents made");
        Ok(rule)
    }

    pub async fn update_rule(&self, who: &Principal, id: RuleId, draft: RuleDraft) -> Result<Rule, IncidentsError> {
        let (mut tx, owner, old) = self.find_rule(who, id).await?;
        if old.managed_by == Some(ManagedBy::File) {
            return Err(IncidentsError::Managed);
        }
        let rule = Rule { updated_at: self.inner.clock.now(), ..draft.over(&old) };
        let errors = self.rule_faults(&mut tx, owner, &rule).await?;
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        rules::update(&mut tx, id, &row(&rule), rule.updated_at).await?;
        tx.commit().await?;
        tracing::info!(rule_id = %id, by = who.subject(), "rule of incidents changed");
        Ok(rule)
    }

    pub async fn delete_rule(&self, who: &Principal, id: RuleId) -> Result<(), IncidentsError> {
        let (mut tx, _, old) = self.find_rule(who, id).await?;
        match old.managed_by {
            Some(ManagedBy::File) => return Err(IncidentsError::Managed),
            Some(ManagedBy::Builtin) => {
                let why = "this rule is made again: disable it instead";
                return Err(IncidentsError::Conflict("builtin", why.to_owned()));
            }
            None => {}
        }
        rules::delete(&mut tx, id).await?;
        tx.commit().await?;
        tracing::info!(rule_id = %id, by = who.subject(), "rule of incidents deleted");
        Ok(())
    }

    async fn find_rule(&self, who: &Principal, id: RuleId) -> Result<(Tx, Owner, Rule), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            let found = rules::all(&mut tx, owner.org()).await?.into_iter().find(|rule| rule.id == id);
            if let Some(rule) = found {
                return Ok((tx, owner, rule));
            }
        }
        Err(IncidentsError::NotFound("rule"))
    }

    /// What is wrong with a rule, what it names included.
    pub(super) async fn rule_faults(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        rule: &Rule,
    ) -> Result<Vec<FieldError>, IncidentsError> {
        let mut errors = faults(rule);
        let wanted: Vec<Uuid> = rule.steps.iter().flat_map(|step| &step.channels).map(|id| id.0).collect();
        let known: Vec<Uuid> =
            channels::read(conn, owner.org(), &wanted).await?.into_iter().map(|row| row.id).collect();
        let rotas: Vec<Uuid> = rule.steps.iter().filter_map(|step| step.rota.map(|id| id.0)).collect();
        let known_rotas: Vec<Uuid> =
            rota::read(conn, owner.org(), &rotas).await?.into_iter().map(|rota| rota.id.0).collect();
        for id in wanted.iter().filter(|id| !known.contains(id)) {
            errors.push(FieldError::new("/steps", "unknown", format!("there is no channel {id}")));
        }
        for id in rotas.iter().filter(|id| !known_rotas.contains(id)) {
            errors.push(FieldError::new("/steps", "unknown", format!("there is no rota {id}")));
        }
        Ok(errors)
    }
}

fn faults(rule: &Rule) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |pointer: &str, code, text: String| errors.push(FieldError::new(pointer, code, text));
    if !(1..=200).contains(&rule.name.chars().count()) {
        wrong("/name", "invalid", "1 to 200 characters".into());
    }
    if !(1..=MOST_STEPS).contains(&rule.steps.len()) {
        wrong("/steps", "invalid", format!("1 to {MOST_STEPS} steps"));
    }
    if rule.steps.iter().any(|step| step.channels.is_empty() && step.rota.is_none()) {
        wrong("/steps", "invalid", "each step names a channel or a rota".into());
    }
    if rule.steps.iter().any(|step| !(0..=604_800).contains(&step.after_seconds)) {
        wrong("/steps", "invalid", "a step comes after 0 seconds to a week".into());
    }
    if rule.steps.first().is_some_and(|step| step.after_seconds > 0) {
        wrong(
            "/steps",
            "invalid",
            "the first step comes at once: `after_seconds` of the rule lets all of it wait".into(),
        );
    }
    if rule.steps.windows(2).any(|pair| matches!(pair, [one, next] if next.after_seconds < one.after_seconds)) {
        wrong("/steps", "invalid", "steps are in the order of their times".into());
    }
    if rule.steps.iter().any(|step| step.repeat_seconds.is_some_and(|repeat| !(60..=604_800).contains(&repeat))) {
        wrong("/steps", "invalid", "reminders come after a minute to a week".into());
    }
    let ranges = [
        ("after_seconds", rule.after_seconds, 0..=86_400),
        ("group_wait_ms", rule.group_wait_ms, 0..=60_000),
        ("group_interval_seconds", rule.group_interval_seconds, 10..=86_400),
        ("flap_changes", rule.flap_changes, 2..=16),
        ("flap_minutes", rule.flap_minutes, 1..=1440),
    ];
    for (field, value, range) in ranges {
        if !range.contains(&value) {
            wrong(&format!("/{field}"), "out_of_range", format!("{} to {}", range.start(), range.end()));
        }
    }
    if rule.quiet.len() > 20 || rule.quiet.iter().any(|quiet| !Cron::is_zone(&quiet.zone)) {
        wrong("/quiet", "invalid", "at most 20, each with a time zone such as Europe/Berlin".into());
    }
    errors
}
