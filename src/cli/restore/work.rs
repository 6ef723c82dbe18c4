//! Restores everything, part by part; progress is recorded, so that an interrupted restore resumes.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::{Args, DATABASE, MODEL, OBJECTS, backup, parts, print_line, refuse_full, refuse_running};
use crate::{
    app::{Config, Stores},
    cli::{boot::Booted, eprint_line, user},
};
use ::backup::{BackupError, BackupId, Found, ProgressReporter, Restore, Restored, SettingsFiles, Unfinished};
use platform::{data_dir::INSTALLATION_ID, db::roles, error::chain, lifecycle::Lifecycle, telemetry::Telemetry};
use storage::Storage;

/// Prefix of problems that another copy may solve.
const DAMAGED: &str = "DAMAGED:";

/// What could not be restored, because it is damaged in the backup.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Prints them; returns whether there are any.
    pub fn tell(&self, from: &str, backup: BackupId) -> bool {
        self.0.iter().for_each(|problem| eprint_line(problem));
        if self.0.iter().any(|problem| problem.starts_with(DAMAGED)) {
            eprint_line(&format!(
                "Not everything was restored from {from}. Another copy may have the rest: holdfast restore --from OTHER --key-file FILE \
                 --backup {backup} --only PART"
            ));
        }
        !self.0.is_empty()
    }

    /// Records the result of a part.
    fn note(&mut self, part: &str, restored: Restored) {
        if restored.damaged == 0 {
            return;
        }
        let all = restored.damaged + restored.written + restored.there;
        self.0.push(format!("{DAMAGED} {part}: {} of {all} files could not be restored:", restored.damaged));
        let more = restored.damaged.saturating_sub(restored.problems.len() as u64);
        self.0.extend(restored.problems.into_iter().map(|problem| format!("  {problem}")));
        if more > 0 {
            self.0.push(format!("  and {more} more"));
        }
    }
}

/// A running restore.
struct Work<'a> {
    booted: &'a Booted,
    restore: &'a Restore,
    lifecycle: &'a Lifecycle,
    progress: ProgressReporter,
    /// Resumed: existing data is its own.
    goes_on: bool,
    left: Option<Unfinished>,
    problems: Problems,
}

/// Restores everything that is wanted, or the rest of an interrupted restore. An error says how to resume.
pub async fn bring_back(
    config: Config,
    args: &Args,
    restore: &Restore,
    begun: Option<Unfinished>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Problems> {
    let data_dir = config.data_dir.clone();
    let brought = begin(config, args, restore, begun, lifecycle).await;
    let left = Unfinished::read(&data_dir)?;
    match (brought, left) {
        (Err(error), Some(left)) => Err(error.context(format!(
            "the restore has not ended, still to come: {}. Fix the following error and run the same command once more: it resumes. \
             Until then `holdfast serve` does not start",
            left.parts.join(", ")
        ))),
        (brought, _) => brought,
    }
}

async fn begin(
    config: Config,
    args: &Args,
    restore: &Restore,
    begun: Option<Unfinished>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Problems> {
    let mut problems = Problems::default();
    let goes_on = begun.is_some();
    let wanted: Vec<&str> = parts(&config)
        .into_iter()
        .filter(|part| args.wants(part))
        .chain(args.only.is_none().then_some(MODEL))
        .collect();
    private_folder(&config.data_dir)?;
    if wanted != [OBJECTS] {
        // The mark of an unfinished restore would prevent the next start of a running appliance.
        refuse_running(&config)?;
    }
    // An earlier full restore that did not finish, when one part of it is asked for by itself.
    let before = if args.only.is_some() { Unfinished::read(&config.data_dir)? } else { None };
    let left = match begun.or(before) {
        Some(left) => Some(left),
        // Objects are only added: an interruption does no harm.
        None if wanted == [OBJECTS] => None,
        None => Some(Unfinished::begin(&config.data_dir, &restore.manifest, &wanted)?),
    };
    if args.only.is_none() {
        put_settings(&config, restore, &mut problems).await?;
    }
    // The key is in place: from here on the data directory is opened and locked as usual.
    let booted = if wanted == [OBJECTS] { Booted::open_or_join(config).await? } else { Booted::open(config).await? };
    let progress = ProgressReporter::new(lifecycle.soft().clone(), backup::print_progress);
    let mut work = Work { booted: &booted, restore, lifecycle, progress, goes_on, left, problems };
    let result = work.each(&wanted).await;
    let problems = work.problems;
    booted.close().await;
    if result.is_err() {
        // From parts that count as done, and are not repeated.
        problems.tell(&args.from, restore.manifest.id);
    }
    result.map(|()| problems)
}

impl Work<'_> {
    async fn each(&mut self, wanted: &[&str]) -> anyhow::Result<()> {
        for part in wanted {
            let is_to_do = !self.goes_on || self.left.as_ref().is_some_and(|left| left.is_to_do(part));
            if *part == DATABASE {
                self.database(is_to_do).await?;
                continue;
            }
            let brought = if is_to_do { self.files(part).await } else { continue };
            match brought {
                Ok(()) => self.done(part)?,
                // The other parts can be restored all the same; this one remains to be restored from another copy.
                Err(error) if error.downcast_ref().is_some_and(BackupError::is_damage) => {
                    self.problems.0.push(format!("{DAMAGED} {part}: nothing could be restored: {error:#}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn done(&mut self, part: &str) -> anyhow::Result<()> {
        let data_dir = &self.booted.data_dir.path;
        Ok(self.left.as_mut().map_or(Ok(()), |left| left.done(part, data_dir))?)
    }

    async fn database(&mut self, is_to_do: bool) -> anyhow::Result<()> {
        let (booted, restore) = (self.booted, self.restore);
        let found = if self.goes_on { restore.found_in(&booted.target).await? } else { Found::Other };
        if is_to_do {
            if found == Found::Other {
                refuse_full(&booted.target).await?;
            }
            roles::ensure(&booted.target).await?;
            let tools_dir = booted.config.tools_dir();
            let unindexed = restore.database(&booted.target, tools_dir.as_deref(), found, &self.progress).await?;
            if !unindexed.is_empty() {
                eprint_line(&format!(
                    "warning: the database was restored without its search indexes, whose extensions this server lacks or has in another schema: \
                     {}. Searches work, but read all rows of the organisation; `holdfast doctor` says what to do (database.search)",
                    unindexed.join(", ")
                ));
            }
            self.done(DATABASE)?;
        } else {
            anyhow::ensure!(
                found != Found::Other,
                "the database is not that of backup {}, which was brought back before: is database.url another one now? To begin anew, remove {}",
                restore.manifest.id,
                Unfinished::path(&booted.data_dir.path).display()
            );
        }
        let marker = booted.data_dir.path.join(INSTALLATION_ID);
        fs::write(&marker, format!("{}\n", restore.manifest.installation))
            .with_context(|| format!("cannot write {}", marker.display()))?;
        // Migrates an older backup to this version, and verifies tenancy.
        booted.migrate_restored().await?;
        say_who_signs_in(booted).await;
        Ok(())
    }

    /// A part that consists of files.
    async fn files(&mut self, part: &str) -> anyhow::Result<()> {
        let (config, data_dir) = (&self.booted.config, &self.booted.data_dir.path);
        let (restore, progress, work_dir) = (self.restore, &self.progress, config.backup.work_dir(data_dir));
        let metrics = Telemetry::new().register("storage", storage::Metrics::register);
        if part == MODEL {
            return self.model(metrics).await;
        }
        let stores = Stores::open(config, data_dir, self.lifecycle, &metrics)?;
        let restored = if part == OBJECTS {
            stores.objects.take_over(&restore.manifest.installation.to_string()).await?;
            Some(restore.objects(&stores.objects, &work_dir, progress).await?)
        } else {
            let mut participants = stores.participants.iter();
            let participant = participants.find(|participant| participant.name() == part);
            let participant = participant.with_context(|| format!("nothing named {part} takes part in backups"))?;
            restore.participant(participant.as_ref(), &work_dir, progress).await?
        };
        match restored {
            Some(restored) => self.problems.note(part, restored),
            None => print_line(&format!("the backup has no {part}: it was made before they existed")),
        }
        Ok(())
    }

    /// Restores the embedding model's folder. If it cannot be written, that is reported but does not undo the rest: documents are then found by
    /// full-text search.
    async fn model(&mut self, metrics: storage::Metrics) -> anyhow::Result<()> {
        let (config, data_dir) = (&self.booted.config, &self.booted.data_dir.path);
        let embedding = &config.llm.embedding;
        if !embedding.is_local() {
            return Ok(());
        }
        let folder = embedding.dir(data_dir);
        let written = async {
            let place = storage::Config::default();
            let to = Storage::open_at("", folder.clone(), &place, self.lifecycle.clone(), metrics)?;
            self.restore.model(&to, &config.backup.work_dir(data_dir), &self.progress).await
        };
        match written.await {
            Ok(None) => {}
            Ok(Some(restored)) => {
                if restored.written > 0 {
                    print_line(&format!("the embedding model is in {} ({} files)", folder.display(), restored.written));
                }
                self.problems.note(MODEL, restored);
            }
            Err(error @ (BackupError::Storage(_) | BackupError::Io { .. })) => eprint_line(&format!(
                "warning: the embedding model could not be written to {}: {}",
                folder.display(),
                chain(&error)
            )),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Users sign in with the restored passwords, not with this host's first-start password: names the operators, and the remedy for a
/// forgotten one.
async fn say_who_signs_in(booted: &Booted) {
    let people = match user::operators(booted).await {
        Ok(people) => people,
        Err(error) => {
            eprint_line(&format!("warning: cannot read who can sign in: {error:#}"));
            Vec::new()
        }
    };
    let whose = people.first().map_or("EMAIL", String::as_str);
    let who = if people.is_empty() { String::new() } else { format!(" ({})", people.join(", ")) };
    print_line(&format!(
        "people sign in with their passwords at the time of the backup{who}; if one is forgotten: holdfast user reset-password {whose}"
    ));
}

/// Puts the master key in place, and the old configuration files beside it, for the operator to compare.
async fn put_settings(config: &Config, restore: &Restore, problems: &mut Problems) -> anyhow::Result<()> {
    let key = restore.master_key().await?;
    let secrets = config.data_dir.join("secrets");
    private_folder(&secrets)?;
    if config.secret_key_file.is_none() {
        write_private(&secrets.join("master.key"), format!("{}\n", key.reveal().expose_secret()).as_bytes())?;
    }
    let SettingsFiles { files, refused } = restore.settings_files().await?;
    problems.0.extend(refused.iter().map(|path| {
        format!("REFUSED: the backup contains a configuration file named {}, which would be outside of restored-settings: it was not written", path.display())
    }));
    if files.is_empty() {
        return Ok(());
    }
    let folder = config.data_dir.join("restored-settings");
    for (path, bytes) in files {
        let to = folder.join(path);
        if let Some(parent) = to.parent() {
            private_folder(parent)?;
        }
        write_private(&to, &bytes)?;
    }
    print_line(&format!("the configuration from the backup is in {}: compare it with this host's", folder.display()));
    Ok(())
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}
