//! Imports: a file is kept sealed with its report, and applied with choices.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use secrecy::SecretString;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};
use utoipa::ToSchema;

use super::{NewMonitor, NewWindow, Uptime, owners};
use crate::{
    UptimeError,
    import::{self, Candidate, Import, Left, Parsed, Report, WindowCandidate},
    model::{GroupId, ImportId, ImportSource, MonitorId, Owner},
    settings::Settings,
    spec::SecretName,
    store::{
        groups,
        imports::{self, NewRow},
    },
};
use platform::{
    db::Tx,
    http::{Principal, Slice},
    names::tidy,
};

/// Purpose of the key that seals files: they may hold passwords.
const LABEL: &str = "uptime.import";
const LONGEST_NAME: usize = 200;

/// What is to be made of a file.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UptimeImportChoices)]
pub struct Choices {
    /// Keys of monitors that are not made.
    #[serde(default)]
    pub leave: BTreeSet<String>,
    /// Keys of stand-ins that are made.
    #[serde(default)]
    pub offered: BTreeSet<String>,
    /// Secrets that the file does not hold, by the key of the monitor and the name.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, String>>)]
    pub secrets: BTreeMap<String, BTreeMap<String, SecretString>>,
}

impl Uptime {
    /// Newest first.
    pub async fn imports(&self, owner: Owner, slice: &Slice) -> Result<Vec<Import>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(imports::list(&mut tx, owner.org(), slice).await?)
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get_import(&self, who: &Principal, id: ImportId) -> Result<Import, UptimeError> {
        let (_, _, import, _) = self.own_import(who, id).await?;
        Ok(import)
    }

    /// Reads a file and says what would become of it. Nothing else changes.
    pub async fn create_import(
        &self,
        who: &Principal,
        owner: Owner,
        source: ImportSource,
        file_name: &str,
        content: &str,
    ) -> Result<Import, UptimeError> {
        let parsed = self.parsed(source, content.to_owned()).await?;
        let file_name: String = tidy(file_name).chars().take(LONGEST_NAME).collect();
        let id = ImportId::generate(&self.inner.clock);
        let sealed = self.inner.master_key.seal(LABEL, id.0.as_bytes(), content.as_bytes())?;
        let row = NewRow {
            id,
            org: owner.org(),
            source,
            file_name: &file_name,
            content: &sealed,
            report: &parsed.report,
            created_by: &who.subject(),
            now: self.inner.clock.now(),
        };
        let mut tx = self.begin(owner).await?;
        imports::insert(&mut tx, &row).await?;
        let (import, _) = imports::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        tracing::info!(import_id = %id, source = source.as_str(), by = who.subject(), "file of another monitor program read");
        Ok(import)
    }

    /// Makes what the file describes. What cannot be made is told, and does not hold up the rest.
    pub async fn apply_import(&self, who: &Principal, id: ImportId, choices: &Choices) -> Result<Import, UptimeError> {
        let (mut tx, owner, import, sealed) = self.own_import(who, id).await?;
        let Some(sealed) = sealed else {
            let text = "it was applied already, or is older than a day: read the file again";
            return Err(UptimeError::Conflict("import_closed", text.to_owned()));
        };
        let content = self.inner.master_key.open(LABEL, id.0.as_bytes(), &sealed)?;
        let content = String::from_utf8_lossy(&content).into_owned();
        let mut parsed = self.parsed(import.source, content).await?;
        self.make(&mut tx, owner, &mut parsed, choices, &who.subject()).await?;
        imports::applied(&mut tx, id, &parsed.report, self.inner.clock.now()).await?;
        let (import, _) = imports::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.changed();
        let (made, failed) = (import.report.made.len(), import.report.failed.len());
        tracing::info!(import_id = %id, made, failed, by = who.subject(), "monitors of another program made");
        Ok(import)
    }

    /// Reads a file where that holds up no request.
    async fn parsed(&self, source: ImportSource, content: String) -> Result<Parsed, UptimeError> {
        let parsed = self.inner.files.run(move || import::parse(source, &content)).await?;
        parsed.map_err(|error| UptimeError::invalid("/content", "unreadable", error.to_string()))
    }

    async fn make(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        parsed: &mut Parsed,
        choices: &Choices,
        by: &str,
    ) -> Result<(), UptimeError> {
        let mut group_ids: HashMap<String, GroupId> = HashMap::new();
        for (key, name) in &parsed.groups {
            let id = match groups::find(conn, owner.org(), key).await? {
                Some(id) => id,
                None => self.insert_group(conn, owner, Some(key), name, None, by).await?,
            };
            group_ids.insert(key.clone(), id);
        }
        let mut ids: HashMap<String, MonitorId> = HashMap::new();
        for one in std::mem::take(&mut parsed.monitors) {
            let key = one.key.clone();
            if choices.leave.contains(&key) || (one.is_offered && !choices.offered.contains(&key)) {
                continue;
            }
            let new = with_links(one, &group_ids, &ids, choices.secrets.get(&key));
            // What the database refuses undoes only this one.
            let mut point = conn.begin().await?;
            match self.insert_monitor(&mut point, owner, new, None, by).await {
                Ok((id, _)) => {
                    point.commit().await?;
                    ids.insert(key.clone(), id);
                    parsed.report.made.push(key);
                }
                Err(error) => {
                    point.rollback().await?;
                    parsed.report.failed.push(Left::new(key, "", in_words(error)?));
                }
            }
        }
        for one in std::mem::take(&mut parsed.windows) {
            let name = one.window.name.clone();
            let Some(window) = window_of(one, &group_ids, &ids) else {
                parsed.report.failed.push(Left::new(name, "", "what it is for is not made"));
                continue;
            };
            let mut point = conn.begin().await?;
            match self.create_window(&mut point, owner, &window, by).await {
                Ok(_) => point.commit().await?,
                Err(error) => {
                    point.rollback().await?;
                    parsed.report.failed.push(Left::new(name, "", in_words(error)?));
                }
            }
        }
        Ok(())
    }

    /// Reads a file, and with `apply` makes what it describes at once: for the command line. Stand-ins are not made.
    pub async fn import_at_once(
        &self,
        owner: Owner,
        source: ImportSource,
        content: &str,
        apply: bool,
        by: &str,
    ) -> Result<Report, UptimeError> {
        let mut parsed = self.parsed(source, content.to_owned()).await?;
        if apply {
            let mut tx = self.begin(owner).await?;
            self.make(&mut tx, owner, &mut parsed, &Choices::default(), by).await?;
            tx.commit().await?;
            self.changed();
        }
        Ok(parsed.report)
    }

    /// With its sealed file, and the transaction that sees it.
    async fn own_import(
        &self,
        who: &Principal,
        id: ImportId,
    ) -> Result<(Tx, Owner, Import, Option<Vec<u8>>), UptimeError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some((import, sealed)) = imports::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, import, sealed));
            }
        }
        Err(missing())
    }
}

fn missing() -> UptimeError {
    UptimeError::NotFound("uptime_import")
}

/// With ids for keys, and the secrets that were given.
fn with_links(
    one: Candidate,
    groups: &HashMap<String, GroupId>,
    monitors: &HashMap<String, MonitorId>,
    given: Option<&BTreeMap<String, SecretString>>,
) -> NewMonitor {
    let settings = Settings {
        group_id: one.group.as_ref().and_then(|key| groups.get(key)).copied(),
        parent_id: one.parent.as_ref().and_then(|key| monitors.get(key)).copied(),
        ..one.settings
    };
    let mut secrets = one.secrets;
    let given = given.into_iter().flatten().map(|(name, value)| (SecretName(name.clone()), value.clone()));
    secrets.0.extend(given);
    NewMonitor { key: Some(one.key), settings, secrets, paused: one.paused, token: one.token }
}

/// `None`: what it is for is not made.
fn window_of(
    one: WindowCandidate,
    groups: &HashMap<String, GroupId>,
    monitors: &HashMap<String, MonitorId>,
) -> Option<NewWindow> {
    let monitors: Vec<MonitorId> = one.monitors.iter().filter_map(|key| monitors.get(key)).copied().collect();
    let groups: Vec<GroupId> = one.groups.iter().filter_map(|key| groups.get(key)).copied().collect();
    let is_for_something = one.window.every || !monitors.is_empty() || !groups.is_empty();
    is_for_something.then_some(NewWindow { monitors, groups, ..one.window })
}

/// Why something was not made. `Err`: it is no fault of the file.
fn in_words(error: UptimeError) -> Result<String, UptimeError> {
    match error {
        UptimeError::Invalid(fields) => {
            let all: Vec<String> = fields.iter().map(|field| format!("{}: {}", field.pointer, field.detail)).collect();
            Ok(all.join("; "))
        }
        error @ (UptimeError::Conflict(..) | UptimeError::TooMany(_)) => Ok(error.to_string()),
        error => Err(error),
    }
}
