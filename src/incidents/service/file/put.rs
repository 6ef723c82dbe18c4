//! Makes, changes and removes what the file manages.

use std::ops::Range;

use sqlx::PgConnection;

use super::{
    CHANNELS, COMPONENTS, FilePart, ROTAS, RULES,
    format::{ChannelEntry, ComponentEntry, RotaEntry, RuleEntry, millis, seconds},
};
use crate::{
    IncidentsError,
    model::{
        ChannelId, ComponentId, ComponentMonitor, ComponentStatus, Layer, Matches, Owner, Rota, RotaId, Rule, RuleId,
        Step,
    },
    service::{code, rota::layers_faults, rules},
    store::{channels, components, rota, rules as stored},
};
use platform::{error::FieldError, http::Slice, ids::UserId, names::tidy};
use uptime::{
    ManagedBy,
    file::{Action, Changes, Entry, Problems, Scope},
};

/// Who made what the file describes.
const BY: &str = "file";
const TAKEN: &str = "taken_by_hand: something with this key exists that the file does not manage";

fn setting(table: &str, key: &str) -> String {
    format!("{table}.{key}")
}

fn told(errors: Vec<FieldError>, table: &str, key: &str, place: &Range<usize>, problems: &mut Problems) -> bool {
    let is_right = errors.is_empty();
    for error in errors {
        problems.push(place, format!("{table}.{key}{}", error.pointer.replace('/', ".")), error.detail);
    }
    is_right
}

/// Whether what has this key is none that the file manages.
fn is_taken(managed_by: Option<&str>) -> bool {
    managed_by != Some(ManagedBy::File.as_str())
}

fn action(is_new: bool, is_changed: bool) -> Action {
    match (is_new, is_changed) {
        (true, _) => Action::Created,
        (false, true) => Action::Changed,
        (false, false) => Action::Unchanged,
    }
}

impl FilePart {
    pub(super) async fn put_components(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let org = scope.owner.org();
        let known = components::keys(conn, org).await?;
        for entry in &self.components {
            let found = known.iter().find(|(key, ..)| *key == entry.key);
            if found.is_some_and(|(_, _, by, _)| is_taken(by.as_deref())) {
                problems.push(&entry.place, setting(COMPONENTS, &entry.key), TAKEN);
                continue;
            }
            let Some(monitors) = self.monitors_of(conn, scope, entry, problems).await? else { continue };
            let was = found.map(|(_, id, _, removed)| (*id, *removed));
            let action = self.put_component(conn, scope, entry, was, &monitors).await?;
            changes.note(action, COMPONENTS, entry.key.clone());
        }
        for (key, id, by, removed) in known {
            if !removed && !is_taken(by.as_deref()) && !self.components.iter().any(|entry| entry.key == key) {
                components::remove(conn, id, scope.now).await?;
                changes.note(Action::Removed, COMPONENTS, key);
            }
        }
        Ok(())
    }

    /// `None`: it names a monitor that there is not.
    async fn monitors_of(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ComponentEntry>,
        problems: &mut Problems,
    ) -> Result<Option<Vec<ComponentMonitor>>, IncidentsError> {
        let mut monitors = Vec::new();
        let mut is_complete = true;
        for (key, weight) in &entry.value.monitors {
            let mut wrong = |why: String| {
                is_complete = false;
                problems.push(&entry.place, setting(COMPONENTS, &entry.key), why);
            };
            if matches!(weight, ComponentStatus::Operational | ComponentStatus::UnderMaintenance) {
                wrong(format!("{key}: degraded_performance, partial_outage or major_outage"));
            }
            match self.incidents.inner.rooms.uptime.find_monitor(conn, scope.owner, key).await? {
                Some(monitor_id) => monitors.push(ComponentMonitor { monitor_id, weight: *weight }),
                None => wrong(format!("there is no monitor {key}")),
            }
        }
        monitors.sort_by_key(|monitor| monitor.monitor_id);
        Ok(is_complete.then_some(monitors))
    }

    async fn put_component(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ComponentEntry>,
        was: Option<(ComponentId, bool)>,
        monitors: &[ComponentMonitor],
    ) -> Result<Action, IncidentsError> {
        let (org, value, name) = (scope.owner.org(), &entry.value, tidy(&entry.value.name));
        let Some((id, removed)) = was else {
            let id = ComponentId::generate(&self.incidents.inner.clock);
            let new = components::NewComponent {
                id,
                org,
                key: &entry.key,
                code: &code(),
                name: &name,
                description: &value.description,
                announce: value.announce,
                managed_by: Some(ManagedBy::File),
                created_by: BY,
                now: scope.now,
            };
            components::insert(conn, &new).await?;
            components::set_monitors(conn, org, id, monitors).await?;
            self.incidents.refresh_components(conn, &[id], None).await?;
            return Ok(Action::Created);
        };
        let old = components::read(conn, &[id.0]).await?.pop();
        let set = old.as_ref().and_then(|old| old.set);
        let is_same = !removed
            && old.is_some_and(|old| {
                old.name == name
                    && old.description == value.description
                    && old.announce == value.announce
                    && old.monitors == monitors
            });
        if !is_same {
            components::update(conn, id, (&name, &value.description), (value.announce, set), scope.now).await?;
            components::set_monitors(conn, org, id, monitors).await?;
            self.incidents.refresh_components(conn, &[id], None).await?;
        }
        Ok(action(false, !is_same))
    }

    pub(super) async fn put_channels(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let known = channels::keys(conn, scope.owner.org()).await?;
        for entry in &self.channels {
            let found = known.iter().find(|(key, ..)| *key == entry.key);
            if found.is_some_and(|(_, _, by)| is_taken(by.as_deref())) {
                problems.push(&entry.place, setting(CHANNELS, &entry.key), TAKEN);
                continue;
            }
            if let Some(action) = self.put_channel(conn, scope, entry, found.map(|(_, id, _)| *id), problems).await? {
                changes.note(action, CHANNELS, entry.key.clone());
            }
        }
        for (key, id, by) in known {
            if !is_taken(by.as_deref()) && !self.channels.iter().any(|entry| entry.key == key) {
                channels::delete(conn, id).await?;
                changes.note(Action::Removed, CHANNELS, key);
            }
        }
        Ok(())
    }

    async fn put_channel(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<ChannelEntry>,
        was: Option<ChannelId>,
        problems: &mut Problems,
    ) -> Result<Option<Action>, IncidentsError> {
        let (incidents, value) = (&self.incidents, &entry.value);
        let (kind, settings, secrets) = match value.read() {
            Ok(read) => read,
            Err(why) => {
                problems.push(&entry.place, setting(CHANNELS, &entry.key), why);
                return Ok(None);
            }
        };
        let name = tidy(value.name.as_deref().unwrap_or(&entry.key));
        let (language, zone) = (value.language.as_deref().unwrap_or("en"), value.zone.as_deref().unwrap_or("UTC"));
        let errors = incidents.channel_faults(kind, &name, (language, zone), &settings, &secrets, true);
        if !told(errors, CHANNELS, &entry.key, &entry.place, problems) {
            return Ok(None);
        }
        let id = was.unwrap_or_else(|| ChannelId::generate(&incidents.inner.clock));
        let sealed = incidents.seal_secrets(id, &secrets)?;
        let draft = channels::Draft {
            key: &entry.key,
            name: &name,
            kind,
            settings: &settings,
            secrets: sealed.as_deref(),
            language,
            zone,
            managed_by: Some(ManagedBy::File),
        };
        let Some(old) = channels::read(conn, scope.owner.org(), &[id.0]).await?.pop() else {
            channels::insert(conn, scope.owner.org(), id, &draft, BY, scope.now).await?;
            return Ok(Some(Action::Created));
        };
        if old.kind() != kind {
            let why = "its kind has changed: give it another key";
            problems.push(&entry.place, setting(CHANNELS, &entry.key), why);
            return Ok(None);
        }
        // A chat that became a supergroup has another id here than in the file: the file's is the older one, and is kept only as long as it stays.
        let is_same = old.name == name
            && old.settings() == settings
            && (old.language.as_str(), old.zone.as_str()) == (language, zone)
            && incidents.open_secrets(&old).is_ok_and(|known| known == secrets);
        if !is_same {
            channels::update(conn, id, &draft, scope.now).await?;
        }
        Ok(Some(action(false, !is_same)))
    }

    pub(super) async fn put_rotas(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), IncidentsError> {
        let org = scope.owner.org();
        let known = rota::keys(conn, org).await?;
        for entry in &self.rotas {
            let found = known.iter().find(|(key, ..)| *key == entry.key);
            if found.is_some_and(|(_, _, by)| is_taken(by.as_deref())) {
                problems.push(&entry.place, setting(ROTAS, &entry.key), TAKEN);
                continue;
            }
            let Some(layers) = self.layers(scope.owner, entry, problems).await? else { continue };
            let errors = layers_faults(&entry.value.zone, &layers);
            if !told(errors, ROTAS, &entry.key, &entry.place, problems) {
                continue;
            }
            let name = tidy(entry.value.name.as_deref().unwrap_or(&entry.key));
            let zone = entry.value.zone.as_str();
            let old = match found {
                Some((_, id, _)) => rota::read(conn, org, &[id.0]).await?.pop(),
                None => None,
            };
            let done = match old {
                None => {
                    let new = Rota {
                        id: RotaId::generate(&self.incidents.inner.clock),
                        installation: org.is_none(),
                        key: entry.key.clone(),
                        name,
                        zone: zone.to_owned(),
                        layers,
                        managed_by: Some(ManagedBy::File),
                        created_at: scope.now,
                        updated_at: scope.now,
                    };
                    rota::insert(conn, org, &new, BY).await?;
                    Action::Created
                }
                Some(old) => {
                    let is_same = old.name == name && old.zone == zone && old.layers == layers;
                    if !is_same {
                        rota::update(conn, old.id, (&name, zone, &layers), scope.now).await?;
                    }
                    action(false, !is_same)
                }
            };
            changes.note(done, ROTAS, entry.key.clone());
        }
        for (key, id, by) in known {
            if !is_taken(by.as_deref()) && !self.rotas.iter().any(|entry| entry.key == key) {
                rota::delete(conn, id).await?;
                changes.note(Action::Removed, ROTAS, key);
            }
        }
        Ok(())
    }

    /// People are named by their addresses. `None`: one of them is not here.
    async fn layers(
        &self,
        owner: Owner,
        entry: &Entry<RotaEntry>,
        problems: &mut Problems,
    ) -> Result<Option<Vec<Layer>>, IncidentsError> {
        let mut layers = Vec::new();
        let mut is_complete = true;
        for layer in &entry.value.layers {
            let mut people = Vec::new();
            for email in &layer.people {
                match self.person(owner, email).await? {
                    Some(user) => people.push(user),
                    None => {
                        is_complete = false;
                        problems.push(
                            &entry.place,
                            setting(ROTAS, &entry.key),
                            format!("there is no person {email} here"),
                        );
                    }
                }
            }
            let hours = layer.hours.iter().map(super::format::HoursEntry::read).collect::<Result<Vec<_>, _>>();
            match (layer.first(), layer.turn(), hours) {
                (Ok(starts), Ok(turn), Ok(hours)) => layers.push(Layer { people, starts, turn, hours }),
                (starts, turn, hours) => {
                    is_complete = false;
                    let whys = [starts.err(), turn.err(), hours.err()];
                    for why in whys.into_iter().flatten() {
                        problems.push(&entry.place, setting(ROTAS, &entry.key), why);
                    }
                }
            }
        }
        Ok(is_complete.then_some(layers))
    }

    async fn person(&self, owner: Owner, email: &str) -> Result<Option<UserId>, IncidentsError> {
        let auth = &self.incidents.inner.rooms.auth;
        let found = auth.list_users(Some(email), &Slice::first(50)).await?;
        let Some(user) = found.into_iter().find(|user| user.email.eq_ignore_ascii_case(email)) else { return Ok(None) };
        let is_here = match owner {
            Owner::Org(org) => auth.membership(org, user.id).await?.is_some(),
            Owner::Installation => user.is_operator,
        };
        Ok(is_here.then_some(user.id))
    }

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
            if !told(errors, RULES, &entry.key, &entry.place, problems) {
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
        let blank = rules::blank(id, scope.owner, &entry.key, scope.now);
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
    let told = |rule: &Rule| {
        (
            (rule.name.clone(), rule.position, rule.matches.clone(), rule.steps.clone(), rule.quiet.clone()),
            (rule.after_seconds, rule.group_wait_ms, rule.group_interval_seconds),
            (rule.flap_changes, rule.flap_minutes, rule.proceed, rule.disabled),
        )
    };
    told(old) == told(new)
}
