//! Names of things that other rooms have, and finding them: what the palette, usage, jobs, logs and traces show instead of ids.
//!
//! A room that has things with names implements [`Directory`] and hands it over with its module. Rooms below it (jobs, llm, logs) can so show a
//! document's name without knowing that there are documents.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::future::join_all;
use uuid::Uuid;

use super::Shell;
use platform::error::{ApiError, chain};
use platform::ids::OrgId;

/// A thing's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub label: String,
    /// Its page, for those who may open it.
    pub href: Option<String>,
    /// Subject of who made it: `user:<id>` or `key:<id>`.
    pub by: Option<String>,
}

/// Something that a search of the palette found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Translation key of its heading.
    pub group: &'static str,
    /// A symbol of `assets/icons.svg`.
    pub icon: &'static str,
    pub label: String,
    /// A second line, or empty.
    pub note: String,
    pub href: String,
}

/// What a room can name. The kinds in use: `user`, `key` (auth), `agent`, `conversation`, `trace` (agents), `base`, `document` (knowledge).
#[async_trait]
pub trait Directory: Send + Sync {
    fn kinds(&self) -> &'static [&'static str];

    /// Names of ids of one kind, of this organisation; those that do not exist are absent. One statement.
    async fn names(&self, org: OrgId, kind: &str, ids: &[Uuid]) -> Result<HashMap<Uuid, Named>, ApiError>;

    /// Up to `most` of each kind that the person may open, best first. One statement for each kind, which an index serves.
    async fn find(&self, shell: &Shell, wanted: &str, most: usize) -> Result<Vec<Found>, ApiError>;

    /// The newest id of a kind, for samples of the API reference.
    async fn newest(&self, org: OrgId, kind: &str) -> Result<Option<Uuid>, ApiError>;
}

/// What a page looked up.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<&'static str, HashMap<Uuid, Named>>);

impl Names {
    /// `None` if it does not exist (any more).
    pub fn get(&self, kind: &str, id: Uuid) -> Option<&Named> {
        self.0.get(kind)?.get(&id)
    }

    /// Of a subject: `user:<id>`, `key:<id>`.
    pub fn subject(&self, subject: &str) -> Option<&Named> {
        let (kind, id) = subject.split_once(':')?;
        self.get(kind, id.parse().ok()?)
    }

    /// What to look up for these subjects. Those of jobs and of the system have no name.
    pub fn of_subjects<'a>(subjects: impl IntoIterator<Item = &'a str>) -> Vec<(&'static str, Uuid)> {
        let one = |subject: &str| {
            let (kind, id) = subject.split_once(':')?;
            let kind = ["user", "key"].into_iter().find(|known| *known == kind)?;
            Some((kind, id.parse().ok()?))
        };
        subjects.into_iter().filter_map(one).collect()
    }
}

impl Shell {
    /// Names of these things, by kind and id. What cannot be looked up has none: a page without a name is better than no page.
    pub async fn names(&self, wanted: &[(&'static str, Uuid)]) -> Names {
        let mut by_kind: HashMap<&'static str, Vec<Uuid>> = HashMap::new();
        for (kind, id) in wanted {
            by_kind.entry(*kind).or_default().push(*id);
        }
        let (org, directories) = (self.org_id(), self.console().directories());
        let looked_up = by_kind.into_iter().filter_map(|(kind, mut ids)| {
            ids.sort_unstable();
            ids.dedup();
            let directory = directories.iter().find(|directory| directory.kinds().contains(&kind))?;
            Some(async move { (kind, directory.names(org, kind, &ids).await) })
        });
        let mut names = Names::default();
        for (kind, found) in join_all(looked_up).await {
            match found {
                Ok(found) => _ = names.0.insert(kind, found),
                Err(error) => tracing::warn!(kind, error = chain(&error), "names could not be looked up"),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_names_a_person_or_a_key() {
        let id = Uuid::from_u128(7);
        let named = Named { label: "Ada".into(), ..Named::default() };
        let names = Names(HashMap::from([("user", HashMap::from([(id, named.clone())]))]));
        assert_eq!(names.subject(&format!("user:{id}")), Some(&named));
        for other in [format!("key:{id}"), "job:agents".into(), "user:x".into(), String::new()] {
            assert_eq!(names.subject(&other), None, "{other}");
        }
        let (person, key) = (format!("user:{id}"), format!("key:{id}"));
        let wanted = Names::of_subjects([person.as_str(), key.as_str(), "job:agents", "system:demo"]);
        assert_eq!(wanted, [("user", id), ("key", id)]);
    }
}
