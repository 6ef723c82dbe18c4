//! `[[rules]]`

use sqlx::PgConnection;

use super::{
    FilePart, RULES,
    format::{RuleEntry, millis, seconds},
    put::{BY, TAKEN, action, is_right, setting},
};
use crate::{
    IncidentsError,
    model::{Matches, Rule, RuleId, Step},
    service::rules,
    store::{channels, rota, rules as stored},
};
use platform::names::tidy;
use uptime::{
    ManagedBy,
    file::{Action, Changes, Entry, Problems, Scope},
};

impl FilePart {
    pub(super) async fn put_rules(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let org = scope.owner.org();
        let known = stored::all(conn, org).await?;
        for (position, entry) in (0..).zip(&self.rules) {
            let found = known.iter().find(|rule| rule.key == entry.key);
            if found.is_some_and(|rule| rule.managed_by != Some(ManagedBy::File)) {
                problems.push(&entry.place, setting(RULES, &entry.key), TAKEN);
                continue;
            }
            let Some(rule) = self.rule(conn, scope, entry, found, position, problems).await? else { continue };
            let errors = self.incidents.rule_faults(conn, scope.owner, &rule).await?;
            if !is_right(errors, RULES, &entry.key, &entry.place, problems) {
                continue;
            }
            let is_same = found.is_some_and(|old| is_same(old, &rule));
            if found.is_none() {
                stored::insert(conn, org, rule.id, &rules::row(&rule), BY, scope.now).await?;
            } else if !is_same {
                stored::update(conn, rule.id, &rules::row(&rule), scope.now).await?;
            }
            changes.note(action(found.is_none(), !is_same), RULES, entry.key.clone());
        }
        for rule in known.iter().filter(|rule| rule.managed_by == Some(ManagedBy::File)) {
            if !self.rules.iter().any(|entry| entry.key == rule.key) {
                stored::delete(conn, rule.id).await?;
                changes.note(Action::Removed, RULES, rule.key.clone());
            }
        }
        Ok(())
    }

    async fn matches(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        value: &RuleEntry,
        whys: &mut Vec<String>,
    ) -> Result<Matches, IncidentsError> {
        let uptime = &self.incidents.inner.rooms.uptime;
        let mut matches = Matches {
            tags: value.tags.clone(),
            severities: value.severities.clone(),
            sources: value.sources.clone(),
            ..Matches::default()
        };
        for key in &value.groups {
            match uptime.find_group(conn, scope.owner, key).await? {
                Some(group) => matches.groups.push(group),
                None => whys.push(format!("there is no group {key}")),
            }
        }
        for key in &value.monitors {
            match uptime.find_monitor(conn, scope.owner, key).await? {
                Some(monitor) => matches.monitors.push(monitor),
                None => whys.push(format!("there is no monitor {key}")),
            }
        }
        Ok(matches)
    }

    /// `None`: it names what there is not.
    async fn rule(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<RuleEntry>,
        old: Option<&Rule>,
        position: i32,
        problems: &mut Problems,
    ) -> Result<Option<Rule>, IncidentsError> {
        let value = &entry.value;
        let mut whys = Vec::new();
        let matches = self.matches(conn, scope, value, &mut whys).await?;
        let (known_channels, known_rotas) =
            (channels::keys(conn, scope.owner.org()).await?, rota::keys(conn, scope.owner.org()).await?);
        let mut read = |text: Option<&str>, or: i32, unit: fn(&str) -> Result<i32, String>| match text.map(unit) {
            None => or,
            Some(Ok(value)) => value,
            Some(Err(why)) => {
                whys.push(why);
                or
            }
        };
        let mut steps = Vec::new();
        for step in &value.steps {
            steps.push(Step {
                after_seconds: read(step.after.as_deref(), 0, seconds),
                channels: Vec::new(),
                rota: None,
                repeat_seconds: step.repeat.as_deref().map(|text| read(Some(text), 1800, seconds)),
            });
        }
        let after_seconds = read(value.after.as_deref(), 0, seconds);
        let group_wait_ms = read(value.group_wait.as_deref(), 2000, millis);
        let group_interval_seconds = read(value.group_interval.as_deref(), 300, seconds);
        for (step, named) in steps.iter_mut().zip(&value.steps) {
            for key in &named.channels {
                match known_channels.iter().find(|(known, ..)| known == key) {
                    Some((_, id, _)) => step.channels.push(*id),
                    None => whys.push(format!("there is no channel {key}")),
                }
            }
            if let Some(key) = &named.rota {
                step.rota = known_rotas.iter().find(|(known, ..)| known == key).map(|(_, id, _)| *id);
                if step.rota.is_none() {
                    whys.push(format!("there is no rota {key}"));
                }
            }
        }
        let mut quiet = Vec::new();
        for hours in &value.quiet {
            match hours.read() {
                Ok(hours) => quiet.push(hours),
                Err(why) => whys.push(why),
            }
        }
        let is_complete = whys.is_empty();
        for why in whys {
            problems.push(&entry.place, setting(RULES, &entry.key), why);
        }
        let id = old.map_or_else(|| RuleId::generate(&self.incidents.inner.clock), |old| old.id);
        let blank = Rule::blank(id, scope.owner.org().is_none(), &entry.key, scope.now);
        Ok(is_complete.then(|| Rule {
            name: tidy(value.name.as_deref().unwrap_or(&entry.key)),
            position,
            matches,
            steps,
            after_seconds,
            group_wait_ms,
            group_interval_seconds,
            flap_changes: value.flap_changes.unwrap_or(blank.flap_changes),
            flap_minutes: value.flap_minutes.unwrap_or(blank.flap_minutes),
            quiet,
            proceed: value.proceed,
            managed_by: Some(ManagedBy::File),
            ..blank
        }))
    }
}

/// Whether two rules do the same. Times of making and changing do not count.
fn is_same(old: &Rule, new: &Rule) -> bool {
    let parts = |rule: &Rule| {
        (
            (rule.name.clone(), rule.position, rule.matches.clone(), rule.steps.clone(), rule.quiet.clone()),
            (rule.after_seconds, rule.group_wait_ms, rule.group_interval_seconds),
            (rule.flap_changes, rule.flap_minutes, rule.proceed, rule.disabled),
        )
    };
    parts(old) == parts(new)
}
