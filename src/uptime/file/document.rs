//! The text of the file as tables, and what is wrong with it, by line.

use std::{borrow::Cow, ops::Range};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};
use utoipa::ToSchema;

/// Something wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UptimeFileProblem)]
pub struct Problem {
    /// 1 for the first.
    pub line: usize,
    /// Such as `monitors.shop-home`.
    pub setting: String,
    pub problem: String,
}

/// Everything that is wrong with the file.
#[derive(Debug)]
pub struct Problems {
    /// Where each line begins.
    lines: Vec<usize>,
    list: Vec<Problem>,
}

impl Problems {
    pub fn new(text: &str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { lines: std::iter::once(0).chain(begins).collect(), list: Vec::new() }
    }

    /// `place`: bytes of the text, as [`Entry::place`].
    pub fn push(&mut self, place: &Range<usize>, setting: impl Into<String>, problem: impl Into<String>) {
        let line = self.lines.partition_point(|begin| *begin <= place.start);
        self.list.push(Problem { line, setting: setting.into(), problem: problem.into() });
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// By line.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.line);
        self.list
    }
}

/// The file, parsed.
#[derive(Debug)]
pub struct Document<'t> {
    tables: DeTable<'t>,
}

/// An entry of a table of the file: `[monitors.shop-home]`.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    pub key: String,
    /// Where its key stands, in bytes.
    pub place: Range<usize>,
    pub value: T,
}

impl<'t> Document<'t> {
    /// `None`: it is not TOML at all.
    pub fn parse(text: &'t str, problems: &mut Problems) -> Option<Self> {
        let (tables, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            problems.push(&error.span().unwrap_or_default(), "", error.message());
        }
        errors.is_empty().then(|| Self { tables: tables.into_inner() })
    }

    /// Names of its top-level tables and settings, with their places.
    pub fn names(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.tables.keys().map(|name| (&**name.get_ref(), name.span()))
    }

    /// The value of a top-level table or setting; `None` if it is missing, or wrong, which is a problem then.
    pub fn value<T: DeserializeOwned>(&self, name: &str, problems: &mut Problems) -> Option<T> {
        read(self.tables.get(name)?, name, problems)
    }

    /// The entries of a table of tables: `[monitors.<key>]`. Wrong ones are problems and left out.
    pub fn entries<T: DeserializeOwned>(&self, name: &str, problems: &mut Problems) -> Vec<Entry<T>> {
        let Some(found) = self.tables.get(name) else { return Vec::new() };
        let DeValue::Table(table) = found.get_ref() else {
            problems.push(&found.span(), name, format!("expected tables such as [{name}.a-key]"));
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (key, value) in table {
            let (key, place): (&Cow<'_, str>, _) = (key.get_ref(), key.span());
            if !is_key(key) {
                let why = "a key has 1 to 100 lower-case letters, digits, hyphens and underscores";
                problems.push(&place, format!("{name}.{key}"), why);
            } else if let Some(value) = read(value, &format!("{name}.{key}"), problems) {
                entries.push(Entry { key: key.clone().into_owned(), place, value });
            }
        }
        entries
    }

    /// Whether the file has `[<table>.<key>]`.
    pub fn has(&self, table: &str, key: &str) -> bool {
        let found = self.tables.get(table).map(Spanned::get_ref);
        matches!(found, Some(DeValue::Table(table)) if table.contains_key(key))
    }
}

fn read<T: DeserializeOwned>(value: &Spanned<DeValue<'_>>, setting: &str, problems: &mut Problems) -> Option<T> {
    match T::deserialize(ValueDeserializer::from(value.clone())) {
        Ok(read) => Some(read),
        Err(error) => {
            problems.push(&error.span().unwrap_or_else(|| value.span()), setting, error.message());
            None
        }
    }
}

/// Whether it can be the key of a monitor, a group, a window and the like. Gatus's keys are such: `<group>_<name>`.
pub fn is_key(key: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=100).contains(&key.len()) && key.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        #[serde(default)]
        count: u8,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_rest_is_read() {
        let text = "zone = 'UTC'\n[things.good]\nname = 'a'\n[things.Bad_Key]\nname = 'b'\n[things.typo]\nnmae = 'c'\n[things.high]\nname = 'd'\ncount = 300\n";
        let mut problems = Problems::new(text);
        let document = Document::parse(text, &mut problems).unwrap();
        let things: Vec<Entry<Thing>> = document.entries("things", &mut problems);
        assert_eq!(things.len(), 1);
        assert_eq!((things[0].key.as_str(), &things[0].value), ("good", &Thing { name: "a".into(), count: 0 }));
        assert_eq!(document.value::<String>("zone", &mut problems).as_deref(), Some("UTC"));
        assert!(document.has("things", "typo") && !document.has("things", "none") && !document.has("zone", "x"));
        let lines: Vec<(usize, String)> = problems.sorted().into_iter().map(|p| (p.line, p.setting)).collect();
        let lines: Vec<(usize, &str)> = lines.iter().map(|(line, setting)| (*line, setting.as_str())).collect();
        assert_eq!(lines, [(4, "things.Bad_Key"), (7, "things.typo"), (10, "things.high")]);
    }

    #[test]
    fn what_is_no_toml_is_no_document() {
        let text = "[things\nname = ";
        let mut problems = Problems::new(text);
        assert!(Document::parse(text, &mut problems).is_none());
        assert!(!problems.is_empty());
    }
}
