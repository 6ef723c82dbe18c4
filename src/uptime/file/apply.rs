//! Applies the file: reads it, lets each section parse it, then apply it in one transaction under an advisory lock.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Action, Change, Changes, Document, Part, Problem, Problems, Scope, Section, own::Own};
use crate::{
    Owner, Uptime, UptimeError,
    model::ManagedBy,
    store::{file, groups, monitors, windows},
};
use jobs::{By, Loops, Standing};
use platform::{crypto, db, text_file};

/// How often the file's time and size are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One process applies the file at a time.
const LOCK: &str = "uptime file";

/// What the sections read, and the slug of the organisation that it is for.
type Parsed = (Vec<Box<dyn Part>>, Option<String>);

/// How many things the file made, changed, removed and left as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = UptimeFileCounts)]
pub struct Counts {
    pub created: usize,
    pub changed: usize,
    pub removed: usize,
    pub unchanged: usize,
}

impl Counts {
    fn of(changes: &Changes) -> Self {
        Self {
            created: changes.count(Action::Created),
            changed: changes.count(Action::Changed),
            removed: changes.count(Action::Removed),
            unchanged: changes.count(Action::Unchanged),
        }
    }
}

/// What the file does, or would do, or why it is refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UptimeFileResult)]
pub struct Applied {
    /// It holds now. False of a dry run, and if there is a problem.
    pub applied: bool,
    pub counts: Counts,
    /// In the order in which they were applied; those that stay as they are, too.
    pub changes: Vec<Change>,
    /// Everything that is wrong, by line: then nothing was changed.
    pub problems: Vec<Problem>,
}

/// What was seen of the file last: its time and its size. `None`: nothing yet, or it was not there.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Option<(SystemTime, u64)>>);

impl Uptime {
    /// Applies the file, whether it has changed or not. `dry_run`: says what it would do. `allow_empty`: an empty file removes everything.
    pub async fn apply_file(&self, dry_run: bool, allow_empty: bool) -> Result<Applied, UptimeError> {
        let path = self.monitors_file().ok_or_else(no_file)?.to_owned();
        let text = match text_file::read(&path) {
            Ok(text) => text,
            Err(error) => {
                let problem = format!("{} cannot be read: {error}; what it managed stays as it was", path.display());
                let problems = vec![Problem { line: 1, setting: String::new(), problem }];
                if !dry_run {
                    self.refuse(&path, "", &problems).await?;
                }
                return Ok(refused(problems));
            }
        };
        let mut tx = self.system().await?;
        db::lock_until_commit(&mut tx, LOCK).await?;
        let (changes, problems) = self.apply_text(&mut tx, &text, allow_empty).await?;
        if !problems.is_empty() {
            tx.rollback().await?;
            if !dry_run {
                self.refuse(&path, &text, &problems).await?;
            }
            return Ok(refused(problems));
        }
        let counts = Counts::of(&changes);
        if dry_run {
            tx.rollback().await?;
        } else {
            let digest = crypto::sha256(&text);
            file::applied(&mut tx, &path.to_string_lossy(), &digest, counts, self.inner.clock.now()).await?;
            tx.commit().await?;
            self.changed();
            let Counts { created, changed, removed, unchanged } = counts;
            tracing::info!(created, changed, removed, unchanged, "file of monitors applied");
        }
        Ok(Applied { applied: !dry_run, counts, changes: changes.all().to_vec(), problems })
    }

    /// Everything that is done with the text, within the transaction.
    async fn apply_text(
        &self,
        conn: &mut PgConnection,
        text: &str,
        allow_empty: bool,
    ) -> Result<(Changes, Vec<Problem>), UptimeError> {
        let mut problems = Problems::new(text);
        let mut changes = Changes::default();
        // The document is not kept while others wait: it belongs to this thread.
        let parsed = self.parse(text, allow_empty, &mut problems);
        let Some((parts, organisation)) = parsed.filter(|_| problems.is_empty()) else {
            return Ok((changes, problems.sorted()));
        };
        let owner = match organisation {
            None => Owner::Installation,
            Some(slug) => match file::organisation(conn, &slug).await? {
                Some(org) => Owner::Org(org),
                None => {
                    problems.push(&(0..0), "organisation", format!("there is no organisation {slug}"));
                    return Ok((changes, problems.sorted()));
                }
            },
        };
        let scope = Scope { owner, now: self.inner.clock.now() };
        for part in parts {
            part.apply(conn, &scope, &mut changes, &mut problems).await.map_err(UptimeError::Section)?;
        }
        Ok((changes, problems.sorted()))
    }

    /// `None`: it is not TOML.
    fn parse(&self, text: &str, allow_empty: bool, problems: &mut Problems) -> Option<Parsed> {
        let document = Document::parse(text, problems)?;
        let mut sections: Vec<Arc<dyn Section>> = vec![Arc::new(Own(self.clone()))];
        sections.extend(self.inner.sections.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        let known: Vec<&'static str> = sections.iter().flat_map(|section| section.tables()).copied().collect();
        let mut is_empty = true;
        for (name, place) in document.names() {
            is_empty = false;
            if !known.contains(&name) {
                let nearest = nearest(name, &known).map_or_else(String::new, |near| format!("; is {near} meant?"));
                problems.push(&place, name, format!("this file has no such table{nearest}"));
            }
        }
        if is_empty && !allow_empty {
            let text = "the file is empty: `holdfast uptime apply --allow-empty` removes everything that it managed";
            problems.push(&(0..0), "", text);
        }
        let organisation = document.value("organisation", problems);
        let parts = sections.iter().map(|section| section.parse(&document, problems)).collect();
        Some((parts, organisation))
    }

    async fn refuse(&self, path: &Path, text: &str, problems: &[Problem]) -> Result<(), UptimeError> {
        let mut tx = self.system().await?;
        let digest = crypto::sha256(text);
        file::refused(&mut tx, &path.to_string_lossy(), &digest, problems, self.inner.clock.now()).await?;
        tx.commit().await?;
        let first = problems.first().map_or("", |problem| problem.problem.as_str());
        let count = problems.len();
        tracing::warn!(problems = count, first, "file of monitors refused: what runs stays as it was");
        Ok(())
    }

    /// Gives what has this key to the file, with its history: the file names it already, or will. Returns the tables of the file in which it is.
    pub async fn adopt(&self, key: &str) -> Result<Vec<&'static str>, UptimeError> {
        let owner = self.owner_of_file().await?;
        let org = owner.org();
        let mut tx = self.system().await?;
        let file = Some(ManagedBy::File);
        let mut adopted = Vec::new();
        if let Some(id) = monitors::find(&mut tx, org, key).await? {
            let builtin = file::managed_by(&mut tx, id.0).await?.as_deref() == Some(ManagedBy::Builtin.as_str());
            if builtin {
                let text = "this monitor belongs to the appliance".to_owned();
                return Err(UptimeError::Conflict("managed", text));
            }
            monitors::set_managed(&mut tx, id, file).await?;
            adopted.push("monitors");
        }
        if let Some(id) = groups::find(&mut tx, org, key).await? {
            groups::set_managed(&mut tx, id, file).await?;
            adopted.push("groups");
        }
        if let Some(id) = windows::find(&mut tx, org, key).await? {
            windows::set_managed(&mut tx, id, file).await?;
            adopted.push("windows");
        }
        if adopted.is_empty() {
            return Err(UptimeError::NotFound("monitor"));
        }
        tx.commit().await?;
        tracing::info!(key, tables = adopted.join(", "), "given to the file of monitors");
        Ok(adopted)
    }

    async fn owner_of_file(&self) -> Result<Owner, UptimeError> {
        let path = self.monitors_file().ok_or_else(no_file)?;
        let text = text_file::read(path).map_err(|error| UptimeError::Conflict("no_file", error.to_string()))?;
        let mut problems = Problems::new(&text);
        let slug: Option<String> =
            Document::parse(&text, &mut problems).and_then(|d| d.value("organisation", &mut problems));
        let Some(slug) = slug else { return Ok(Owner::Installation) };
        let mut tx = self.system().await?;
        let org = file::organisation(&mut tx, &slug).await?.ok_or(UptimeError::NotFound("organisation"))?;
        Ok(Owner::Org(org))
    }

    /// Looks at the file now and then, in the worker that checks the monitors.
    pub(crate) fn watch_file(&self, loops: &Loops) {
        if self.inner.monitors_file.is_none() {
            return;
        }
        let (this, duty, seen) = (self.clone(), loops.prober(), Arc::new(Seen::default()));
        loops.every("uptime.file", LOOK_EVERY, By::EveryProcess, move || {
            let (this, seen) = (this.clone(), seen.clone());
            let is_ours = matches!(duty.standing(), Standing::Ours { .. });
            async move { if is_ours { Ok(this.look_at_file(&seen).await?) } else { Ok(()) } }
        });
    }

    /// Applies it if its text is another than at the last reading.
    async fn look_at_file(&self, seen: &Seen) -> Result<(), UptimeError> {
        let Some(path) = self.monitors_file() else { return Ok(()) };
        let found = std::fs::metadata(path).and_then(|data| Ok((data.modified()?, data.len())));
        let now = found.as_ref().ok().copied();
        let mut tx = self.system().await?;
        let last = file::get(&mut tx).await?;
        drop(tx);
        let is_known = *seen.0.lock().unwrap_or_else(PoisonError::into_inner) == now;
        // A file that was never there is none to speak of; one that vanished is told once.
        if (is_known && last.is_some()) || (now.is_none() && last.as_ref().is_none_or(|last| !last.problems.is_empty()))
        {
            return Ok(());
        }
        let digest = text_file::read(path).ok().map(crypto::sha256);
        let is_same = digest.is_some_and(|digest| last.is_some_and(|last| last.digest == digest));
        if !is_same {
            self.apply_file(false, false).await?;
        }
        *seen.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }
}

fn no_file() -> UptimeError {
    let text = "no file of monitors is set: uptime.monitors_file, or uptime.toml in the folder of holdfast.toml";
    UptimeError::Conflict("no_file", text.to_owned())
}

fn refused(problems: Vec<Problem>) -> Applied {
    Applied { applied: false, counts: Counts::default(), changes: Vec::new(), problems }
}

/// The name that is meant, if one is near: at most two letters off.
fn nearest<'n>(name: &str, known: &[&'n str]) -> Option<&'n str> {
    known.iter().map(|near| (distance(name, near), *near)).filter(|(off, _)| *off <= 2).min().map(|(_, near)| near)
}

/// How many letters must be added, removed or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = place + 1;
        for (at, target) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *target);
            before = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(before + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_near_is_proposed() {
        let known = ["monitors", "windows", "groups"];
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("same", "same")), (3, 3, 0));
        assert_eq!(nearest("monitor", &known), Some("monitors"));
        assert_eq!(nearest("widnows", &known), Some("windows"));
        assert_eq!(nearest("pages", &known), None);
    }
}
