//! The settings of this installation as lines, for the page that shows them. What serialises a secret masks it.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::Config;
use console::SettingLine;

/// Every setting with its default and what it does: a test keeps it equal to the code.
const DOCUMENTATION: &str = include_str!("../../config/holdfast.toml");

/// The file that the settings are read from, if there is one.
pub fn file(config: &Config) -> Option<&Path> {
    super::config::settings_file(&config.settings_files)
}

/// All settings, as `holdfast config show` prints them.
pub fn lines(config: &Config) -> Vec<SettingLine> {
    let (now, defaults) = (flat(config), flat(&Config::default()));
    let abouts = abouts();
    let line = |(key, value): (String, Value)| SettingLine {
        is_default: defaults.iter().any(|(known, default)| *known == key && *default == value),
        about: abouts.get(&key).cloned().unwrap_or_default(),
        value: value.to_string(),
        key,
    };
    now.into_iter().map(line).collect()
}

/// `section.name` and value.
fn flat(config: &Config) -> Vec<(String, Value)> {
    fn open(table: Table, before: &str, found: &mut Vec<(String, Value)>) {
        for (name, value) in table {
            match value {
                Value::Table(inner) => open(inner, &format!("{before}{name}."), found),
                other => found.push((format!("{before}{name}"), other)),
            }
        }
    }
    let mut found = Vec::new();
    match Table::try_from(config) {
        Ok(table) => open(table, "", &mut found),
        Err(error) => tracing::error!(%error, "the settings cannot be shown"),
    }
    found
}

/// What the documentation says above each setting, also above those that are commented out.
fn abouts() -> BTreeMap<String, String> {
    let (mut section, mut said) = (String::new(), Vec::new());
    let mut found = BTreeMap::new();
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    for line in DOCUMENTATION.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
            said.clear();
        } else if let Some((name, _)) = bare.split_once(" = ").filter(|(name, _)| is_name(name)) {
            found.insert(format!("{section}{name}"), said.join(" "));
            said.clear();
        } else if line.starts_with("# ") {
            said.push(bare);
        } else {
            said.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_what_they_do_and_whether_they_were_changed() {
        let mut config = Config::default();
        config.agents.max_messages = 7;
        let lines = lines(&config);
        let line = |key: &str| lines.iter().find(|line| line.key == key).unwrap();
        let changed = line("agents.max_messages");
        assert_eq!((changed.value.as_str(), changed.is_default), ("7", false));
        assert!(changed.about.starts_with("Most messages"), "{}", changed.about);
        assert!(line("server.listen").is_default);
        let silent: Vec<_> = lines.iter().filter(|line| line.about.is_empty()).map(|line| &line.key).collect();
        assert!(silent.len() * 20 < lines.len(), "settings without a word: {silent:?}");
    }
}
