//! Configuration: one TOML file, `HOLDFAST_<SECTION>__<KEY>` overrides, `*_file` for every secret.
//!
//! This module loads raw sections and overrides; each capability owns the struct and checks of its section, and `app` assembles them. All
//! errors are reported at once, with the setting's name.

mod messages;
pub mod secret;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::text_file;

/// All errors found in the configuration.
#[derive(Clone, Debug, Default)]
pub struct ConfigErrors {
    section: String,
    list: Vec<(String, String)>,
}

impl ConfigErrors {
    /// Reports the following names below `section`.
    pub fn enter(&mut self, section: &str) {
        section.clone_into(&mut self.section);
    }

    /// Records an error of `setting` in the current section.
    pub fn push(&mut self, setting: &str, message: impl Into<String>) {
        let name = match (self.section.as_str(), setting) {
            ("", s) | (s, "") => s.to_owned(),
            (section, setting) => format!("{section}.{setting}"),
        };
        self.list.push((name, message.into()));
    }

    /// Records a value outside `min..=max`.
    #[expect(clippy::needless_pass_by_value, reason = "numbers: literals read better without &")]
    pub fn range<T: PartialOrd + fmt::Display>(&mut self, setting: &str, value: T, min: T, max: T) {
        if value < min || value > max {
            self.push(setting, format!("{value} is outside {min} to {max}"));
        }
    }

    /// Records a file that is not there, or is a folder.
    pub fn file(&mut self, setting: &str, file: &Path) {
        let why = match std::fs::metadata(file) {
            Ok(found) if found.is_dir() => "it is a folder".to_owned(),
            Ok(_) => return,
            Err(error) => error.to_string(),
        };
        self.push(setting, format!("{} cannot be read: {why}", file.display()));
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// `(setting, message)` pairs in the order found.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(s, m)| (s.as_str(), m.as_str()))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} error(s)", self.list.len())?;
        self.list.iter().try_for_each(|(setting, message)| write!(f, "\n  {setting}: {message}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// The raw sections, before they are deserialised.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    table: Table,
    /// Overrides from the environment: path of lower-case names -> text.
    overrides: BTreeMap<Vec<String>, String>,
    /// The configuration file, and every file that a `*_file` setting names.
    files: Vec<PathBuf>,
    /// The overrides as they were written, by variable.
    environment: BTreeMap<String, String>,
    /// Sections requested so far.
    sections: Vec<String>,
}

/// Default path of the configuration file.
pub const DEFAULT_FILE: &str = "/etc/holdfast/holdfast.toml";

impl Raw {
    /// Reads `file` (or the default one if it exists) and the environment.
    #[expect(clippy::disallowed_methods, reason = "the home of the ban")]
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigErrors> {
        // Not `vars()`: it panics if any variable is not UTF-8.
        let vars = std::env::vars_os().filter_map(|(key, value)| {
            let key = key.into_string().ok().filter(|key| key.starts_with("HOLDFAST_"))?;
            Some((key, value.to_string_lossy().into_owned()))
        });
        let named = file.map(Path::to_owned).or_else(|| std::env::var("HOLDFAST_CONFIG").ok().map(PathBuf::from));
        Self::read(named.as_deref(), vars)
    }

    /// Reads `file`, if given, and the overrides in `vars`.
    pub fn read(file: Option<&Path>, vars: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let path = file.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
        let table = match text_file::read(&path) {
            Ok(text) => toml::from_str(&text).unwrap_or_else(|e| {
                errors.push(&path.display().to_string(), messages::of_syntax(&path, &text, &e));
                Table::new()
            }),
            Err(_) if file.is_none() => Table::new(),
            Err(e) => {
                errors.push(&path.display().to_string(), format!("cannot be read: {e}"));
                Table::new()
            }
        };
        let environment: BTreeMap<_, _> =
            vars.filter(|(key, _)| key.starts_with("HOLDFAST_") && key != "HOLDFAST_CONFIG").collect();
        let path_of = |key: &str| key["HOLDFAST_".len()..].split("__").map(str::to_lowercase).collect();
        let overrides = environment.iter().map(|(key, value)| (path_of(key), value.clone())).collect();
        let mut raw = Self { table, overrides, environment, ..Self::default() };
        raw.files = raw.named_files();
        if path.exists() {
            raw.files.insert(0, path);
        }
        if errors.is_empty() { Ok(raw) } else { Err(errors) }
    }

    /// The configuration file and every file that its settings name: together a copy of this host's settings.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.clone()
    }

    /// Settings from the environment, by variable.
    pub fn environment(&self) -> BTreeMap<String, SecretString> {
        self.environment.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect()
    }

    fn named_files(&self) -> Vec<PathBuf> {
        fn collect(table: &Table, found: &mut Vec<PathBuf>) {
            for (key, value) in table {
                match value {
                    Value::Table(table) => collect(table, found),
                    Value::String(path) if key.ends_with("_file") && !path.is_empty() => found.push(path.into()),
                    _ => {}
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.table, &mut found);
        let overridden =
            self.overrides.iter().filter(|(path, _)| path.last().is_some_and(|key| key.ends_with("_file")));
        found.extend(overridden.map(|(_, value)| PathBuf::from(value)));
        found.sort();
        found.dedup();
        found.retain(|path| path.is_file());
        found
    }

    /// Extracts section `name` ("": top-level settings) as `T`. An invalid value is reported and replaced by its default, so that checking
    /// goes on.
    pub fn section<T: DeserializeOwned + Serialize + Default>(&mut self, name: &str, errors: &mut ConfigErrors) -> T {
        errors.enter(name);
        self.sections.push(name.to_owned());
        let mut table = match self.table.remove(name) {
            _ if name.is_empty() => self.take_plain(),
            Some(Value::Table(table)) => table,
            None => Table::new(),
            Some(_) => {
                errors.push("", "must be a table");
                Table::new()
            }
        };
        let defaults = Value::try_from(T::default()).unwrap_or(Value::Table(Table::new()));
        // Overrides of settings without a default: their type is found by trying.
        let mut untyped: BTreeMap<Vec<String>, Vec<Value>> = BTreeMap::new();
        let mut singles: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for (path, text) in self.take_overrides(name) {
            if name.is_empty() {
                singles.insert(path.clone(), text.clone());
            }
            let like = path.iter().try_fold(&defaults, |v, key| v.get(key));
            if like.is_none() {
                untyped.insert(path.clone(), readings(&text));
            }
            insert(&mut table, &path, parse_like(&text, like));
        }
        loop {
            let result: Result<T, _> = serde_path_to_error::deserialize(Value::Table(table.clone()));
            let error = match result {
                Ok(section) => return section,
                Err(error) => error,
            };
            let path: Vec<String> = error.path().to_string().split('.').map(str::to_owned).collect();
            if let Some(reading) = untyped.get_mut(&path).and_then(Vec::pop) {
                insert(&mut table, &path, reading);
                continue;
            }
            let message = error.inner().to_string().trim().to_owned();
            // A variable without a section that matches no setting is not ours; `finish` warns about it.
            if let Some(text) = singles.remove(&path).filter(|_| message.starts_with("unknown field")) {
                self.overrides.insert(path.clone(), text);
            } else {
                errors.push(&path.join("."), messages::of_value(&path, &message));
            }
            if !remove(&mut table, &path) {
                return T::default();
            }
        }
    }

    /// Reports unused sections and variables, so that misspelt names are not ignored. Returns warnings, one line each.
    ///
    /// A variable with two underscores was meant as `HOLDFAST_SECTION__KEY`. Other variables with our prefix may come from elsewhere:
    /// Kubernetes sets `HOLDFAST_PORT` and `HOLDFAST_SERVICE_HOST` in every pod beside a service of that name.
    pub fn finish(self, errors: &mut ConfigErrors) -> Vec<String> {
        errors.enter("");
        for name in self.table.keys() {
            errors.push(name, "unknown section or setting");
        }
        let mut warnings = Vec::new();
        for path in self.overrides.keys() {
            let name = format!("HOLDFAST_{}", path.join("__").to_uppercase());
            match path.as_slice() {
                [single] => warnings.push(foreign(&name, single, &self.sections)),
                [first, ..] if is_anothers(first) => {
                    warnings.push(format!("{name} is not a setting of Holdfast and is ignored"));
                }
                _ => errors
                    .push(&name, "unknown environment variable: no setting has this name, see holdfast config docs"),
            }
        }
        warnings
    }

    fn take_plain(&mut self) -> Table {
        let (tables, plain) = std::mem::take(&mut self.table).into_iter().partition(|(_, v)| v.is_table());
        self.table = tables;
        plain
    }

    fn take_overrides(&mut self, name: &str) -> Vec<(Vec<String>, String)> {
        let mine: Vec<_> = self
            .overrides
            .keys()
            .filter(|path| if name.is_empty() { path.len() == 1 } else { path.len() > 1 && path[0] == name })
            .cloned()
            .collect();
        mine.into_iter()
            .filter_map(|path| {
                let text = self.overrides.remove(&path)?;
                let skip = usize::from(!name.is_empty());
                Some((path[skip..].to_vec(), text))
            })
            .collect()
    }
}

/// Whether a variable with two underscores belongs to another program, judged by the part before them: Kubernetes sets `HOLDFAST__DB_PORT`
/// beside a service `holdfast--db`; a Docker link to a container `holdfast` copies each of its variables as
/// `HOLDFAST_ENV_HOLDFAST_SERVER__LISTEN`.
fn is_anothers(first: &str) -> bool {
    first.is_empty() || first.split('_').any(|word| word == "env")
}

/// Warning about a variable that has our prefix but is no setting: `name` as written, `rest` the part after `HOLDFAST_` in lower case.
fn foreign(name: &str, rest: &str, sections: &[String]) -> String {
    let section =
        sections.iter().find_map(|section| Some((section, rest.strip_prefix(section.as_str())?.strip_prefix('_')?)));
    match section.filter(|(section, _)| !section.is_empty()) {
        Some((section, key)) => format!(
            "{name} is not a setting and is ignored; if it is meant as one, write HOLDFAST_{}__{} with two underscores",
            section.to_uppercase(),
            key.to_uppercase()
        ),
        None => format!("{name} is not a setting of Holdfast and is ignored"),
    }
}

/// Default data directory: `/var/lib/holdfast` for root (the database's user cannot traverse root's home), otherwise the user's data
/// folder.
#[expect(clippy::disallowed_methods, reason = "the home of the ban")]
pub fn default_data_dir() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/holdfast");
    }
    let base = std::env::var("XDG_DATA_HOME").map(PathBuf::from);
    base.or_else(|_| std::env::var("HOME").map(|home| Path::new(&home).join(".local/share")))
        .unwrap_or_else(|_| PathBuf::from("/var/lib"))
        .join("holdfast")
}

/// Parses `text` as the type of the default; as text if there is no default.
fn parse_like(text: &str, like: Option<&Value>) -> Value {
    let parsed = || format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    match like {
        None | Some(Value::String(_)) => Value::String(text.to_owned()),
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => Value::Array(
            text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| Value::String(s.to_owned())).collect(),
        ),
        Some(_) => parsed().unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

/// Other readings of a text, likeliest last: a list, or a TOML value.
fn readings(text: &str) -> Vec<Value> {
    let list = parse_like(text, Some(&Value::Array(Vec::new())));
    let value = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    std::iter::once(list).chain(value).collect()
}

fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if !entry.is_table() {
                *entry = Value::Table(Table::new());
            }
            if let Value::Table(inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}

/// Removes the value at `path`, or the nearest existing table above it.
fn remove(table: &mut Table, path: &[String]) -> bool {
    match path {
        [] => false,
        [key] => table.remove(key).is_some(),
        [key, rest @ ..] => {
            let inside = match table.get_mut(key) {
                Some(Value::Table(inner)) => remove(inner, rest),
                _ => false,
            };
            inside || table.remove(key).is_some()
        }
    }
}
