//! Uptime Kuma's export, `Uptime_Kuma_Backup_*.json` of 1.6 to 1.23: `{version, notificationList, monitorList, proxyList}`.

mod reader;

use std::collections::{BTreeMap, HashMap};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{
    Candidate, Fate, Left, MonitorRow, Parsed, Proposal, Unreadable,
    fields::Fields,
    keys::{Keys, is_long_enough},
    most_of,
};
use crate::{model::Kind, secrets::Secrets};
use platform::slug::slug_of;
use reader::Reader;

/// Monitors above one that are looked at: more is no folder of anybody's.
const DEEPEST: usize = 32;
/// Characters of a group's name.
const LONGEST_GROUP: usize = 100;

pub fn parse(text: &str) -> Result<Parsed, Unreadable> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Unreadable(format!("this is no JSON: {error}")))?;
    let mut file = Fields::of(&value).ok_or_else(|| Unreadable("this is no export of Uptime Kuma".to_owned()))?;
    let version = file.text("version").unwrap_or_default();
    let Some(list) = file.get("monitorList").and_then(Value::as_array) else {
        return Err(Unreadable("this is no export of Uptime Kuma: it has no monitorList".to_owned()));
    };
    most_of(&[list.as_slice(), file.list("notificationList"), file.list("proxyList")])?;
    let mut parsed = Parsed::default();
    let note = format!(
        "From Uptime Kuma {version}. Version 2 has no export: its file is made with 1.23, Settings, Backup, Export; history is not in it."
    );
    parsed.report.notes.push(note);
    let monitors: Vec<&Map<String, Value>> = list.iter().filter_map(Value::as_object).collect();
    let tree = Tree::of(&monitors);
    groups(&monitors, &tree, &mut parsed);
    for (place, monitor) in monitors.iter().enumerate() {
        if !tree.is_group(place) {
            one(monitor, place, &tree, &mut parsed);
        }
    }
    parents_first(&mut parsed.monitors);
    file.list("notificationList").iter().filter_map(Fields::of).for_each(|one| channel(one, &mut parsed));
    for proxy in file.list("proxyList").iter().filter_map(Fields::of).map(|mut proxy| proxy.text("host")) {
        let host = proxy.unwrap_or_default();
        parsed.report.left.push(Left::new("proxyList", host, "monitors connect without a proxy"));
    }
    let left = file.left().into_iter().map(|(field, value)| Left::new(field, value, "unknown here"));
    parsed.report.left.extend(left);
    Ok(parsed)
}

/// Monitors by their id, and the keys that they get.
struct Tree {
    parents: Vec<Option<usize>>,
    names: Vec<String>,
    groups: Vec<bool>,
    keys: Vec<String>,
}

impl Tree {
    fn of(monitors: &[&Map<String, Value>]) -> Self {
        let number = |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_i64);
        let text = |map: &Map<String, Value>, name: &str| {
            map.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
        };
        let by_id: BTreeMap<i64, usize> =
            monitors.iter().enumerate().filter_map(|(place, map)| Some((number(map, "id")?, place))).collect();
        let names: Vec<String> = monitors.iter().map(|map| text(map, "name")).collect();
        let mut given = Keys::default();
        let key = |name: &String| {
            let slug = Some(slug_of(name, 60)).filter(|slug| !slug.is_empty());
            given.give(slug.as_deref().unwrap_or("monitor"))
        };
        let keys = names.iter().map(key).collect();
        Self {
            parents: monitors.iter().map(|map| by_id.get(&number(map, "parent")?).copied()).collect(),
            groups: monitors.iter().map(|map| text(map, "type") == "group").collect(),
            names,
            keys,
        }
    }

    fn is_group(&self, place: usize) -> bool {
        self.groups.get(place).copied().unwrap_or_default()
    }

    /// What is above, the nearest first. A circle ends it, and so does a depth that nobody has.
    fn above(&self, place: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = self.parents[place];
        while let Some(parent) =
            at.filter(|parent| found.len() < DEEPEST && !found.contains(parent) && *parent != place)
        {
            found.push(parent);
            at = self.parents[parent];
        }
        found
    }
}

/// Groups have one level here: nested ones are named `a / b`.
fn groups(monitors: &[&Map<String, Value>], tree: &Tree, parsed: &mut Parsed) {
    for (place, _) in monitors.iter().enumerate().filter(|(place, _)| tree.is_group(*place)) {
        let above: Vec<usize> = tree.above(place).into_iter().filter(|above| tree.is_group(*above)).collect();
        let mut path: Vec<&str> = above.iter().rev().map(|above| tree.names[*above].as_str()).collect();
        path.push(&tree.names[place]);
        let name: String = path.join(" / ").chars().take(LONGEST_GROUP).collect();
        if path.len() > 1 {
            parsed.report.left.push(Left::new(
                "parent",
                name.clone(),
                "groups have one level here: its name says where it was",
            ));
        }
        parsed.report.groups.push(tree.keys[place].clone());
        parsed.groups.push((tree.keys[place].clone(), name));
    }
}

/// A monitor.
fn one(map: &Map<String, Value>, place: usize, tree: &Tree, parsed: &mut Parsed) {
    let mut reader = Reader { fields: Fields::new(map), left: Vec::new(), secrets: Secrets::default(), pause: None };
    let key = tree.keys[place].clone();
    let name = Some(tree.names[place].clone()).filter(|name| !name.is_empty()).unwrap_or_else(|| key.clone());
    if slug_of(&name, 60) != key {
        reader.left.push(Left::new(
            "name",
            name.clone(),
            format!("its key is {key}: another has its name, or it has no letters"),
        ));
    }
    // Asked for in other places, or of no meaning elsewhere.
    for field in [
        "id",
        "name",
        "parent",
        "childrenIDs",
        "pathName",
        "path",
        "type",
        "weight",
        "includeSensitiveData",
        "dns_last_result",
    ] {
        reader.fields.get(field);
    }
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let above = tree.above(place);
    let group = above.iter().find(|above| tree.is_group(**above)).map(|above| tree.keys[*above].clone());
    let parent = above.first().filter(|above| !tree.is_group(**above)).map(|above| tree.keys[*above].clone());
    let spec = reader.spec(&kind);
    let is_offered = spec.is_err();
    let (spec, refusal) = match spec {
        Ok(spec) => (Some(spec), None),
        Err(reason) => (reader.stand_in(), Some(reason)),
    };
    let settings = spec.map(|spec| reader.settings(&name, spec));
    let token = reader.fields.text("pushToken");
    if kind == "push" && !token.as_deref().is_some_and(is_long_enough) {
        let reason = "none, or one that can be guessed: a new one is made, and senders must be told";
        reader.left.push(Left::new("pushToken", "(not shown)", reason));
    }
    let token = token.filter(|token| is_long_enough(token)).map(SecretString::from);
    let is_paused = reader.is_paused();
    reader.rest();
    let Reader { mut left, secrets, pause, .. } = reader;
    left.sort_by(|one, other| one.field.cmp(&other.field));
    let (fate, reason) = match (&settings, refusal, &pause) {
        (None, reason, _) => (Fate::NotTaken, reason),
        (Some(_), Some(reason), _) => (Fate::Offered, Some(reason)),
        (Some(_), None, Some(pause)) => (Fate::Paused, Some(pause.clone())),
        (Some(_), None, None) => (Fate::Taken, None),
    };
    parsed.report.monitors.push(MonitorRow {
        name,
        key: settings.is_some().then(|| key.clone()),
        kind: settings.as_ref().map(|settings| settings.spec.kind()),
        fate,
        reason,
        secrets: Vec::new(),
        left,
    });
    if let Some(settings) = settings {
        let token = token.filter(|_| settings.spec.kind() == Kind::Heartbeat);
        let is_paused = is_paused || pause.is_some() || is_offered;
        parsed.monitors.push(Candidate { key, group, parent, settings, secrets, token, paused: is_paused, is_offered });
    }
}

/// Those that others depend on come first. Whose parent is not made has none, and neither have those of a circle.
fn parents_first(monitors: &mut Vec<Candidate>) {
    let places: HashMap<&str, usize> =
        monitors.iter().enumerate().map(|(place, one)| (one.key.as_str(), place)).collect();
    let parents: Vec<Option<usize>> = monitors.iter().map(|one| places.get(one.parent.as_deref()?).copied()).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); monitors.len()];
    for (place, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(place);
        }
    }
    let mut order: Vec<usize> = (0..monitors.len()).filter(|place| parents[*place].is_none()).collect();
    let tops = order.len();
    let mut next = 0;
    while let Some(place) = order.get(next).copied() {
        order.extend(&children[place]);
        next += 1;
    }
    let mut waiting: Vec<Option<Candidate>> = std::mem::take(monitors).into_iter().map(Some).collect();
    for (nth, place) in order.into_iter().enumerate() {
        let one = waiting[place].take();
        monitors.extend(one.map(|one| if nth < tops { Candidate { parent: None, ..one } } else { one }));
    }
    monitors.extend(waiting.into_iter().flatten().map(|one| Candidate { parent: None, ..one }));
}

/// A way to tell people: room incidents makes it.
fn channel(mut one: Fields<'_>, parsed: &mut Parsed) {
    let name = one.text("name").unwrap_or_default();
    let config: Value = one.text("config").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let kind = config.get("type").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    match kind.to_lowercase().as_str() {
        known @ ("slack" | "mattermost" | "discord" | "teams" | "telegram" | "smtp" | "webhook") => {
            let to = config.get("smtpTo").and_then(Value::as_str).map_or_else(String::new, |to| format!(" to {to}"));
            let text = format!("{known}{to}: make it on the page of channels; its address or token is in the export");
            parsed.report.proposals.push(Proposal { what: "channel".to_owned(), name, text });
        }
        _ => parsed.report.left.push(Left::new("notificationList", name, format!("{kind} is not known here"))),
    }
}
