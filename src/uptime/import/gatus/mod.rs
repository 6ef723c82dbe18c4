//! Gatus's configuration, version 5: one YAML text. `${VAR}` is left as it is, because its value is elsewhere: it becomes a secret to fill in.

mod asked;
mod conditions;
mod endpoint;
mod notes;
mod others;
mod yaml;

use super::{Left, Parsed, Unreadable, fields::Fields, keys::Keys, most_of};
use crate::file::is_key;

/// More is no configuration.
const LONGEST: usize = 1024 * 1024;
/// Parts of the file that are about Gatus itself.
const OWN: [&str; 9] = [
    "storage",
    "web",
    "security",
    "concurrency",
    "remote",
    "connectivity",
    "tunneling",
    "skip-invalid-config-update",
    "disable-monitoring-lock",
];

pub fn parse(text: &str) -> Result<Parsed, Unreadable> {
    if text.len() > LONGEST {
        return Err(Unreadable(format!("the file is larger than {LONGEST} bytes")));
    }
    let value = yaml::read(text).map_err(|error| Unreadable(format!("this is no YAML: {error}")))?;
    let mut file = Fields::of(&value).ok_or_else(|| Unreadable("this is no configuration of Gatus".to_owned()))?;
    let mut parsed = Parsed::default();
    let mut reader = Reader { keys: Keys::default(), group_keys: Keys::default(), parsed: &mut parsed };
    let endpoints = file.list("endpoints");
    let (external, suites) = (file.list("external-endpoints"), file.list("suites"));
    if endpoints.is_empty() && external.is_empty() && suites.is_empty() {
        return Err(Unreadable("this is no configuration of Gatus: it has no endpoints".to_owned()));
    }
    most_of(&[endpoints, external, suites, file.list("announcements")])?;
    endpoints.iter().filter_map(Fields::of).for_each(|one| reader.endpoint(one));
    external.iter().filter_map(Fields::of).for_each(|one| reader.external(one));
    suites.iter().filter_map(Fields::of).for_each(|one| reader.suite(one));
    if let Some(maintenance) = file.object("maintenance") {
        reader.maintenance("maintenance", maintenance, None);
    }
    if let Some(alerting) = file.object("alerting") {
        reader.alerting(alerting);
    }
    if let Some(ui) = file.object("ui") {
        reader.page(ui);
    }
    file.list("announcements").iter().filter_map(Fields::of).for_each(|one| reader.announcement(one));
    for name in OWN {
        if file.get(name).is_some_and(super::fields::says_something) {
            reader.parsed.report.left.push(Left::new(name, "(several settings)", "it is about Gatus itself"));
        }
    }
    for name in ["metrics", "debug"] {
        if file.flag(name) {
            reader.parsed.report.left.push(Left::new(name, "true", "it is about Gatus itself"));
        }
    }
    let left = file.left().into_iter().map(|(field, value)| Left::new(field, value, "not known here"));
    parsed.report.left.extend(left);
    parsed.report.left.sort_by(|one, other| one.field.cmp(&other.field));
    Ok(parsed)
}

struct Reader<'p> {
    keys: Keys,
    group_keys: Keys,
    parsed: &'p mut Parsed,
}

impl Reader<'_> {
    /// Gatus's own key, so that addresses of badges go on to work; another where it does not fit or is taken.
    fn key(&mut self, group: &str, name: &str) -> String {
        let key = format!("{}_{}", sanitized(group), sanitized(name));
        let key = if is_key(&key) {
            key
        } else {
            let fits = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' };
            key.chars().map(fits).take(90).collect()
        };
        self.keys.give(&key)
    }

    /// The group's key; made with the first monitor of it.
    fn group(&mut self, name: &str) -> Option<String> {
        if name.is_empty() {
            return None;
        }
        if let Some((key, _)) = self.parsed.groups.iter().find(|(_, known)| known == name) {
            return Some(key.clone());
        }
        let slug = Some(platform::slug::slug_of(name, 60)).filter(|slug| !slug.is_empty());
        let slug = slug.unwrap_or_else(|| "group".to_owned());
        let key = self.group_keys.give(&slug);
        self.parsed.groups.push((key.clone(), name.to_owned()));
        self.parsed.report.groups.push(key.clone());
        Some(key)
    }
}

/// As Gatus does it in addresses.
fn sanitized(text: &str) -> String {
    let replaced = |c: char| if matches!(c, '/' | '_' | '.' | ',' | ' ' | '#' | '+' | '&') { '-' } else { c };
    text.trim().to_lowercase().chars().map(replaced).collect()
}

/// A duration as Go writes it, `1h30m`, milliseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        rest = &rest[end..];
        total = total.checked_add(format!("{:.0}", number * unit).parse().ok()?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, ms) in [("30s", 30_000), ("1m30s", 90_000), ("500ms", 500), ("24h", 86_400_000), ("1.5m", 90_000)] {
            assert_eq!(duration(text), Some(ms), "{text}");
        }
        for wrong in ["", "30", "s", "1d", "-5s", "5 s"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_are_those_of_its_badges() {
        assert_eq!(sanitized("Front end/API_v1.2, a#b+c&d"), "front-end-api-v1-2--a-b-c-d");
        let mut parsed = Parsed::default();
        let mut reader = Reader { keys: Keys::default(), group_keys: Keys::default(), parsed: &mut parsed };
        assert_eq!(reader.key("Core", "Front page"), "core_front-page");
        assert_eq!(reader.key("", "blog"), "_blog");
        assert_eq!(reader.key("", "blog"), "_blog-2");
        assert_eq!(reader.key("", "Блог (new)"), "_------new-");
    }
}
