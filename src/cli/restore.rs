//! `holdfast restore`

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;

use super::{backup, boot::Booted, doctor, print_line};
use crate::{
    app::{Config, Stores, participants},
    backup::{BackupId, Destination, KeyFile, Plan, ProgressReporter, Restore},
    platform::{
        crypto::{self, MasterKey},
        data_dir::INSTALLATION_ID,
        db::{Target, migrate, roles},
        lifecycle::Lifecycle,
        telemetry::Telemetry,
    },
    storage::{self, Storage},
};

/// Parts that can be restored separately, besides the participants by name.
const DATABASE: &str = "database";
const OBJECTS: &str = "objects";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast restore --from /mnt/nas/holdfast --key-file holdfast-backup.key\n  \
    holdfast restore --from s3://bucket/prefix --key-file FILE --plan\n  holdfast restore --from nas --passphrase-file FILE\n  \
    holdfast restore --from nas --key-file FILE --backup 0197f… --only objects\n\n\
    On an empty host nothing else is needed. S3: uses the account of [storage], or of the destination if --from names one.\n\
    Existing data is moved aside, never removed, and only after you have typed the installation's id.")]
pub struct Args {
    /// A folder, `s3://bucket/prefix`, or the name of a configured destination.
    #[arg(long)]
    from: String,
    /// Key file.
    #[arg(long, value_name = "FILE", required_unless_present = "passphrase_file")]
    key_file: Option<PathBuf>,
    /// File with the passphrase, if the key is stored at the destination.
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    passphrase_file: Option<PathBuf>,
    /// Backup id; default: the newest.
    #[arg(long)]
    backup: Option<BackupId>,
    /// Restore only this part: `database`, `objects`, or a participant as shown in the plan (`vectors`).
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Only show what would be restored.
    #[arg(long)]
    plan: bool,
    /// The id of the installation, as shown in the plan: skips the prompt before data is replaced.
    #[arg(long, value_name = "ID")]
    confirm: Option<String>,
    /// Print JSON (the plan).
    #[arg(long)]
    json: bool,
}

impl Args {
    /// A full restore of one backup at a configured destination.
    pub(super) fn whole(
        from: String,
        key_file: PathBuf,
        backup: BackupId,
        plan: bool,
        confirm: Option<String>,
    ) -> Self {
        let (key_file, backup) = (Some(key_file), Some(backup));
        Self { from, key_file, passphrase_file: None, backup, only: None, plan, confirm, json: false }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let parts = [DATABASE, OBJECTS]
        .into_iter()
        .chain(participants(&config, &config.data_dir).into_iter().map(|(name, _)| name));
    let parts: Vec<&str> = parts.collect();
    if let Some(only) = args.only.as_deref().filter(|only| !parts.contains(only)) {
        anyhow::bail!("--only {only}: there are {}", parts.join(", "));
    }
    let lifecycle = Lifecycle::new();
    let from = destination(&config, &args.from, &lifecycle)?;
    let keys = match (&args.key_file, &args.passphrase_file) {
        (Some(path), _) => KeyFile::read(path)?,
        (None, Some(path)) => from.wrapped_keys(&backup::read_passphrase(path)?).await?,
        (None, None) => anyhow::bail!("name a key with --key-file"),
    };
    if keys.installation.is_none() {
        super::eprint_line(
            "warning: this key does not name an installation: it cannot be checked whether somebody else put the backup there",
        );
    }
    let restore = Restore::open(from, &keys, args.backup).await?;
    let plan = restore.plan();
    show(&plan, args.json)?;
    for name in plan.participants.keys().filter(|name| !parts.contains(&name.as_str())) {
        super::eprint_line(&format!(
            "warning: the backup contains {name}, which this version of Holdfast does not know: it is not restored; use the version that made the backup, with --only {name}"
        ));
    }
    if args.plan {
        return Ok(ExitCode::SUCCESS);
    }
    if args.wants(DATABASE) {
        restore.check_version(&migrate::known())?;
        let server = refuse_full_server(&config).await?;
        restore.check_tools(config.tools_dir().as_deref(), server)?;
    }
    let aside = occupied(&config, &args);
    if !aside.is_empty() {
        let list = aside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        print_line(&format!(
            "There is existing data: {list}. It will be moved aside, into folders named *.before-restore."
        ));
        confirm(&plan, args.confirm.as_deref())?;
        refuse_running(&config)?;
        aside.iter().try_for_each(|path| move_aside(path))?;
    }
    bring_back(config.clone(), &args, &restore, &lifecycle).await?;
    lifecycle.drain(Duration::from_secs(5)).await;
    print_line("restored; checking every part (holdfast doctor):");
    Box::pin(doctor::run(config, doctor::Args::default())).await
}

/// A destination by name, by folder or by bucket.
fn destination(config: &Config, from: &str, lifecycle: &Lifecycle) -> anyhow::Result<Destination> {
    let named = config.backup.destinations.get(from).cloned();
    let (name, place) = match named {
        Some(place) => (from, place),
        None => {
            anyhow::ensure!(
                from.starts_with("s3://") || Path::new(from).is_absolute(),
                "--from {from}: neither a configured destination, nor s3://bucket/prefix, nor the absolute path of a folder"
            );
            ("restore", storage::Config { url: from.to_owned(), ..config.storage.clone() })
        }
    };
    let metrics = Telemetry::new().register("storage", storage::Metrics::register);
    Ok(Destination::open(name, &place, config.backup.timeouts(), lifecycle, &metrics)?)
}

fn show(plan: &Plan, json: bool) -> anyhow::Result<()> {
    if json {
        print_line(&serde_json::to_string_pretty(plan)?);
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let participants = plan.participants.iter();
    let participants =
        participants.map(|(name, part)| format!("{name:<13} {} files, {} MiB\n", part.files, mib(part.bytes)));
    let participants: String = participants.collect();
    print_line(&format!(
        "backup        {} (number {}), taken {}\ninstallation  {}\nmade by       Holdfast {} on PostgreSQL {}\n\
         database      {} tables, {} rows, {} MiB\nobjects       {} files, {} MiB\n{}model         {}\nto read       {} MiB",
        plan.backup,
        plan.sequence,
        plan.taken_at.format("%Y-%m-%d %H:%M:%SZ"),
        plan.installation,
        plan.holdfast,
        plan.server_version,
        plan.tables,
        plan.rows,
        mib(plan.database_bytes),
        plan.objects,
        mib(plan.object_bytes),
        participants,
        match plan.model_bytes {
            0 => "not in this backup: scripts/fetch-model puts it in place, or copy its folder here".to_owned(),
            bytes => format!("{} MiB, restored if missing", mib(bytes)),
        },
        mib(plan.total_bytes)
    ));
    Ok(())
}

/// Folders on this host that a restore would replace.
fn occupied(config: &Config, args: &Args) -> Vec<PathBuf> {
    let data = &config.data_dir;
    let mut paths = Vec::new();
    if args.wants(DATABASE) && config.database.url.is_none() {
        paths.push(data.join("postgres"));
        paths.push(data.join(INSTALLATION_ID));
    }
    if args.only.is_none() && config.secret_key_file.is_none() {
        paths.push(data.join("secrets").join("master.key"));
    }
    if args.wants(OBJECTS) && config.storage.is_local() {
        paths.push(storage::Config::local_folder(data));
    }
    let folders = participants(config, data).into_iter().filter(|(name, _)| args.wants(name));
    paths.extend(folders.filter_map(|(_, folder)| folder));
    let is_there = |path: &PathBuf| match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    };
    paths.into_iter().filter(is_there).collect()
}

fn confirm(plan: &Plan, given: Option<&str>) -> anyhow::Result<()> {
    let expected = plan.installation.to_string();
    let typed = match given {
        Some(text) => text.to_owned(),
        None if std::io::stdin().is_terminal() => {
            super::eprint_line("Type the installation's id to go on:");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line)?;
            line
        }
        None => String::new(),
    };
    anyhow::ensure!(typed.trim() == expected, "not confirmed: nothing was changed (--confirm {expected} says yes)");
    Ok(())
}

/// Nothing is moved while an appliance is running.
fn refuse_running(config: &Config) -> anyhow::Result<()> {
    // Locked and released: the real lock is taken when the restored key is in place.
    let lock = crate::platform::data_dir::try_lock(&config.data_dir)?;
    drop(lock);
    Ok(())
}

/// Moves a path to the first free name.
fn move_aside(path: &Path) -> anyhow::Result<()> {
    let name = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(if n == 0 { ".before-restore".to_owned() } else { format!(".before-restore-{n}") });
        PathBuf::from(name)
    };
    let free = (0..1000).map(name).find(|path| !path.exists()).context("no free name")?;
    fs::rename(path, &free).with_context(|| format!("cannot move {} aside", path.display()))
}

async fn bring_back(config: Config, args: &Args, restore: &Restore, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    if args.only.is_none() {
        put_settings(&config, restore).await?;
    }
    // The key is in place: from here on the data directory is opened and locked as usual.
    let booted = Booted::open(config).await?;
    let result = with_database(&booted, args, restore, lifecycle).await;
    booted.close().await;
    result
}

async fn with_database(booted: &Booted, args: &Args, restore: &Restore, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let config = &booted.config;
    let progress = ProgressReporter::new(lifecycle.soft().clone(), backup::print_progress);
    if args.wants(DATABASE) {
        refuse_full(&booted.target).await?;
        roles::ensure(&booted.target).await?;
        restore.database(&booted.target, config.tools_dir().as_deref(), &progress).await?;
        let marker = booted.data_dir.path.join(INSTALLATION_ID);
        fs::write(&marker, format!("{}\n", restore.manifest.installation))
            .with_context(|| format!("cannot write {}", marker.display()))?;
        // Migrates an older backup to this version, and verifies tenancy.
        booted.migrate_restored().await?;
        say_who_signs_in(booted).await;
    }
    let stores = Stores::open(
        config,
        &booted.data_dir.path,
        lifecycle,
        &Telemetry::new().register("storage", storage::Metrics::register),
    )?;
    let work_dir = config.backup.work_dir(&booted.data_dir.path);
    if args.wants(OBJECTS) {
        restore.objects(&stores.objects, &work_dir, &progress).await?;
    }
    for participant in stores.participants.iter().filter(|participant| args.wants(participant.name())) {
        if !restore.participant(participant.as_ref(), &work_dir, &progress).await? {
            print_line(&format!("the backup has no {}: it was made before they existed", participant.name()));
        }
    }
    if args.only.is_none() {
        put_model(booted, restore, lifecycle, &progress).await;
    }
    Ok(())
}

/// Users sign in with the restored passwords, not with this host's first-start password: names the operators, and the remedy for a
/// forgotten one.
async fn say_who_signs_in(booted: &Booted) {
    let people = match super::user::operators(booted).await {
        Ok(people) => people,
        Err(error) => {
            super::eprint_line(&format!("warning: cannot read who can sign in: {error:#}"));
            Vec::new()
        }
    };
    let whose = people.first().map_or("EMAIL", String::as_str);
    let who = if people.is_empty() { String::new() } else { format!(" ({})", people.join(", ")) };
    print_line(&format!(
        "people sign in with their passwords at the time of the backup{who}; if one is forgotten: holdfast user reset-password {whose}"
    ));
}

/// Restores the embedding model's folder. A failure is reported but does not undo the rest: documents are then found by full-text search.
async fn put_model(booted: &Booted, restore: &Restore, lifecycle: &Lifecycle, progress: &ProgressReporter) {
    let (config, data_dir) = (&booted.config, &booted.data_dir.path);
    let embedding = &config.llm.embedding;
    if !embedding.is_local() {
        return;
    }
    let folder = embedding.dir(data_dir);
    let written = async {
        let metrics = Telemetry::new().register("storage", storage::Metrics::register);
        let to = Storage::open_at("", folder.clone(), &storage::Config::default(), lifecycle.clone(), metrics)?;
        restore.model(&to, &config.backup.work_dir(data_dir), progress).await
    };
    match written.await {
        Ok(None | Some(0)) => {}
        Ok(Some(files)) => print_line(&format!("the embedding model is in {} ({files} files)", folder.display())),
        Err(error) => super::eprint_line(&format!(
            "warning: the embedding model could not be written to {}: {:#}",
            folder.display(),
            anyhow::Error::new(error)
        )),
    }
}

/// Never restore into a database with tables: on an external server nothing can be moved aside.
async fn refuse_full(target: &Target) -> anyhow::Result<()> {
    let tables = Restore::tables_of(target).await?;
    anyhow::ensure!(
        tables == 0,
        "the database holds {tables} tables: restore into an empty one (CREATE DATABASE), and set database.url to it"
    );
    Ok(())
}

/// Checks an external server before anything is moved aside. Returns its major version.
async fn refuse_full_server(config: &Config) -> anyhow::Result<Option<u32>> {
    let Some(url) = &config.database.url else { return Ok(None) };
    // Nobody signs in with passwords derived from it here.
    let key = MasterKey::parse(&crypto::hex(&crypto::random_bytes::<32>()))?;
    let target = Target::from_url(url.expose_secret(), config.database.role_prefix.clone(), key);
    let target = target.context("database.url")?;
    refuse_full(&target).await?;
    Ok(Some(Restore::server_major(&target).await?))
}

/// Puts the master key in place, and the old configuration files beside it, for the operator to compare.
async fn put_settings(config: &Config, restore: &Restore) -> anyhow::Result<()> {
    let key = restore.master_key().await?;
    let secrets = config.data_dir.join("secrets");
    private_folder(&secrets)?;
    if config.secret_key_file.is_none() {
        write_private(&secrets.join("master.key"), format!("{}\n", key.reveal().expose_secret()).as_bytes())?;
    }
    let files = restore.settings_files().await?;
    if files.is_empty() {
        return Ok(());
    }
    let folder = config.data_dir.join("restored-settings");
    for (path, bytes) in files {
        let to = folder.join(path.strip_prefix("/").unwrap_or(&path));
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
