//! This room's own part of the file: groups, monitors and windows.

mod windows;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use sqlx::PgConnection;

use super::{
    Action, Changes, Document, Entry, Part, Problems, Scope, Section,
    convert::{self, Wanted},
    format::{Defaults, GroupEntry, MonitorEntry, WindowEntry},
};
use crate::{
    NewMonitor, Uptime, UptimeError,
    model::ManagedBy,
    secrets::Secrets,
    store::{self, file, groups, monitors},
};
use platform::crypto;

/// Who made what the file describes.
const BY: &str = "file";

/// Groups, monitors and windows.
pub(super) struct Own(pub Uptime);

struct OwnPart {
    uptime: Uptime,
    groups: Vec<Entry<GroupEntry>>,
    /// Parents before those that depend on them.
    monitors: Vec<Entry<Wanted>>,
    windows: Vec<Entry<WindowEntry>>,
}

impl Section for Own {
    fn tables(&self) -> &'static [&'static str] {
        &["organisation", "defaults", "groups", "monitors", "windows"]
    }

    fn parse(&self, document: &Document<'_>, problems: &mut Problems) -> Box<dyn Part> {
        let defaults: Defaults = document.value("defaults", problems).unwrap_or_default();
        let groups = document.entries("groups", problems);
        let entries: Vec<Entry<MonitorEntry>> = document.entries("monitors", problems);
        let mut monitors = Vec::new();
        for Entry { key, place, value } in entries {
            match convert::monitor(&key, &value, &defaults) {
                Ok(wanted) => monitors.push(Entry { key, place, value: wanted }),
                Err(texts) => texts.into_iter().for_each(|text| problems.push(&place, format!("monitors.{key}"), text)),
            }
        }
        let windows = document.entries("windows", problems);
        let monitors = in_order(monitors, problems);
        Box::new(OwnPart { uptime: self.0.clone(), groups, monitors, windows })
    }
}

/// Parents first. Those that depend on each other in a circle are problems.
fn in_order(mut waiting: Vec<Entry<Wanted>>, problems: &mut Problems) -> Vec<Entry<Wanted>> {
    let mut ordered: Vec<Entry<Wanted>> = Vec::new();
    loop {
        let keys: BTreeSet<String> = waiting.iter().map(|entry| entry.key.clone()).collect();
        let waits = |entry: &Entry<Wanted>| entry.value.parent.as_ref().is_some_and(|parent| keys.contains(parent));
        let (later, now): (Vec<_>, Vec<_>) = waiting.into_iter().partition(waits);
        let is_stuck = now.is_empty();
        ordered.extend(now);
        waiting = later;
        if waiting.is_empty() {
            return ordered;
        }
        if is_stuck {
            for entry in &waiting {
                problems.push(
                    &entry.place,
                    format!("monitors.{}", entry.key),
                    "circle: it depends on itself through its parents",
                );
            }
            return ordered;
        }
    }
}

#[async_trait]
impl Part for OwnPart {
    async fn apply(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> anyhow::Result<()> {
        self.apply_groups(conn, scope, changes, problems).await?;
        self.apply_monitors(conn, scope, changes, problems).await?;
        self.apply_windows(conn, scope, changes, problems).await?;
        self.remove(conn, scope, changes).await?;
        Ok(())
    }
}

impl OwnPart {
    async fn apply_groups(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), UptimeError> {
        for Entry { key, place, value } in &self.groups {
            let setting = format!("groups.{key}");
            let action = match groups::find(conn, scope.owner.org(), key).await? {
                None => {
                    let file = Some(ManagedBy::File);
                    let made = self.uptime.insert_group(conn, scope.owner, Some(key), &value.name, file, BY).await;
                    match made {
                        Ok(_) => Action::Created,
                        Err(error) => {
                            told(problems, place, &setting, error)?;
                            continue;
                        }
                    }
                }
                Some(id) => {
                    let Some(found) = groups::get(conn, scope.owner.org(), id).await? else { continue };
                    if found.managed_by != Some(ManagedBy::File) {
                        problems.push(place, setting, TAKEN);
                        continue;
                    }
                    if found.name == value.name {
                        Action::Unchanged
                    } else {
                        groups::rename(conn, id, &value.name, scope.now).await?;
                        Action::Changed
                    }
                }
            };
            changes.note(action, "groups", key.clone());
        }
        Ok(())
    }

    async fn apply_monitors(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), UptimeError> {
        let mut refused: BTreeSet<&str> = BTreeSet::new();
        for entry in &self.monitors {
            let setting = format!("monitors.{}", entry.key);
            let wanted = &entry.value;
            let mut settings = wanted.settings.clone();
            if let Some(group) = &wanted.group {
                settings.group_id = groups::find(conn, scope.owner.org(), group).await?;
                if settings.group_id.is_none() {
                    problems.push(&entry.place, setting.as_str(), format!("there is no group {group}"));
                    refused.insert(&entry.key);
                    continue;
                }
            }
            if let Some(parent) = wanted.parent.as_deref().filter(|parent| !refused.contains(*parent)) {
                settings.parent_id = monitors::find(conn, scope.owner.org(), parent).await?;
                if settings.parent_id.is_none() {
                    problems.push(&entry.place, setting.as_str(), format!("there is no monitor {parent}"));
                    refused.insert(&entry.key);
                    continue;
                }
            }
            let wanted = Wanted { settings, ..wanted.clone() };
            match self.apply_monitor(conn, scope, &entry.key, wanted).await {
                Ok(Some(action)) => changes.note(action, "monitors", entry.key.clone()),
                Ok(None) => {
                    problems.push(&entry.place, setting, TAKEN);
                    refused.insert(&entry.key);
                }
                Err(error) => {
                    told(problems, &entry.place, &setting, error)?;
                    refused.insert(&entry.key);
                }
            }
        }
        Ok(())
    }

    /// `None`: somebody else has the key.
    async fn apply_monitor(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        key: &str,
        wanted: Wanted,
    ) -> Result<Option<Action>, UptimeError> {
        let (uptime, owner) = (&self.uptime, scope.owner);
        let found = match monitors::find(conn, owner.org(), key).await? {
            Some(id) => monitors::get(conn, owner.org(), id).await?,
            None => None,
        };
        let Some(found) = found else {
            let Wanted { settings, secrets, token, paused, .. } = wanted;
            let new = NewMonitor { key: Some(key.to_owned()), settings, secrets, paused, token };
            uptime.insert_monitor(conn, owner, new, Some(ManagedBy::File), BY).await?;
            return Ok(Some(Action::Created));
        };
        if found.detail.monitor.managed_by != Some(ManagedBy::File) {
            return Ok(None);
        }
        let id = found.detail.monitor.id;
        let is_back = found.detail.monitor.removed_at.is_some();
        let kept = Secrets::open(&uptime.inner.master_key, id, found.secrets.as_deref())?;
        let is_same = found.settings() == wanted.settings && same(&kept, &wanted.secrets);
        if !is_same {
            uptime.change_monitor(conn, owner, id, wanted.settings, &wanted.secrets, false).await?;
        }
        if is_back {
            monitors::set_removed(conn, id, None).await?;
        }
        if let Some(token) = &wanted.token {
            monitors::set_token(conn, id, Some(crypto::sha256(token.expose_secret()).as_slice())).await?;
        }
        Ok(Some(if is_same && !is_back { Action::Unchanged } else { Action::Changed }))
    }

    /// What the file managed and does not name any more. Monitors keep their history for a while; groups and windows have none.
    async fn remove(&self, conn: &mut PgConnection, scope: &Scope, changes: &mut Changes) -> Result<(), UptimeError> {
        let org = scope.owner.org();
        let named = |has: &dyn Fn(&str) -> bool, owner, key: &str| owner == org && has(key);
        for (id, owner, key) in file::windows(conn).await? {
            if !named(&|key| self.windows.iter().any(|entry| entry.key == key), owner, &key) {
                store::windows::delete(conn, id).await?;
                changes.note(Action::Removed, "windows", key);
            }
        }
        for (id, owner, key, is_removed) in file::monitors(conn).await? {
            let is_named = named(&|key| self.monitors.iter().any(|entry| entry.key == key), owner, &key);
            if !is_named && !is_removed {
                monitors::set_removed(conn, id, Some(scope.now)).await?;
                changes.note(Action::Removed, "monitors", key);
            }
        }
        for (id, owner, key) in file::groups(conn).await? {
            if !named(&|key| self.groups.iter().any(|entry| entry.key == key), owner, &key) {
                groups::delete(conn, id).await?;
                changes.note(Action::Removed, "groups", key);
            }
        }
        Ok(())
    }
}

/// What holds of a key that people gave.
const TAKEN: &str = "taken_by_hand: it exists and the file does not manage it; `holdfast uptime adopt <key>` gives it to the file with its history";

/// An error of the rules is a problem of the entry; any other one ends the reading.
fn told(problems: &mut Problems, place: &Range<usize>, setting: &str, error: UptimeError) -> Result<(), UptimeError> {
    match error {
        UptimeError::Invalid(fields) => {
            for field in fields {
                problems.push(place, format!("{setting}{}", field.pointer.replace('/', ".")), field.detail);
            }
            Ok(())
        }
        error @ (UptimeError::Conflict(..) | UptimeError::TooMany(_)) => {
            problems.push(place, setting, error.to_string());
            Ok(())
        }
        error => Err(error),
    }
}

fn same(one: &Secrets, other: &Secrets) -> bool {
    let shown = |secrets: &Secrets| -> BTreeMap<String, String> {
        secrets.0.iter().map(|(name, value)| (name.0.clone(), value.expose_secret().to_owned())).collect()
    };
    shown(one) == shown(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Vec<String>, Vec<String>) {
        let mut problems = Problems::new(text);
        let document = Document::parse(text, &mut problems).unwrap();
        let entries: Vec<Entry<MonitorEntry>> = document.entries("monitors", &mut problems);
        let read = |entry: Entry<MonitorEntry>| Entry {
            value: convert::monitor(&entry.key, &entry.value, &Defaults::default()).unwrap(),
            key: entry.key,
            place: entry.place,
        };
        let ordered = in_order(entries.into_iter().map(read).collect(), &mut problems);
        let problems = problems.sorted().into_iter().map(|problem| format!("{} {}", problem.line, problem.setting));
        (ordered.into_iter().map(|entry| entry.key).collect(), problems.collect())
    }

    #[test]
    fn parents_come_first_and_circles_are_told() {
        let text = "[monitors.a]\nparent = 'b'\ntcp = { host = 'a.example', port = 1 }\n\
            [monitors.b]\nparent = 'c'\ntcp = { host = 'b.example', port = 1 }\n\
            [monitors.c]\nparent = 'elsewhere'\ntcp = { host = 'c.example', port = 1 }\n";
        assert_eq!(parse(text), (vec!["c".to_owned(), "b".to_owned(), "a".to_owned()], vec![]));
        let circle = text.replace("elsewhere", "a");
        let lines = ["1 monitors.a", "4 monitors.b", "7 monitors.c"].map(str::to_owned).to_vec();
        assert_eq!(parse(&circle), (vec![], lines));
    }
}
