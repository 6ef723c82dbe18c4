//! `holdfast restore`

mod work;

use std::{
    fs,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;

use super::{backup, doctor, print_line};
use crate::app::{Config, participants};
use ::backup::{BackupId, Destination, KeyFile, Manifest, Plan, Restore, Unfinished};
use platform::{
    crypto::{self, MasterKey},
    data_dir::INSTALLATION_ID,
    db::{Target, migrate},
    lifecycle::Lifecycle,
    telemetry::Telemetry,
};

/// Parts that can be restored separately, besides the participants by name.
const DATABASE: &str = "database";
const OBJECTS: &str = "objects";
/// Only restored together with everything else.
const MODEL: &str = "embedding model";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast restore --from /mnt/nas/holdfast --key-file holdfast-backup.key\n  \
    holdfast restore --from s3://bucket/prefix --key-file FILE --plan\n  holdfast restore --from nas --passphrase-file FILE\n  \
    holdfast restore --from nas --key-file FILE --backup 0197f… --only objects\n\n\
    On an empty host nothing else is needed. S3: uses the account of [storage], or of the destination if --from names one.\n\
    Existing data is moved aside, never removed, and only after you have typed the installation's id.\n\
    An interrupted restore resumes when the same command is run again.")]
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
    /// Only this part: `database`, `objects` (those that are missing or differ; also while the appliance runs), or a participant that the plan
    /// lists (`vectors`).
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// The trusted signer, if the key file names no installation: the public key that the plan shows.
    #[arg(long, value_name = "KEY")]
    trust_signer: Option<String>,
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
        (backup, signer): (BackupId, String),
        plan: bool,
        confirm: Option<String>,
    ) -> Self {
        let (key_file, backup, trust_signer) = (Some(key_file), Some(backup), Some(signer));
        Self { from, key_file, passphrase_file: None, backup, only: None, trust_signer, plan, confirm, json: false }
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let names = parts(&config);
    if let Some(only) = args.only.as_deref().filter(|only| !names.contains(only)) {
        anyhow::bail!("--only {only}: there are {}", names.join(", "));
    }
    let lifecycle = Lifecycle::new();
    let from = destination(&config, &args.from, &lifecycle)?;
    let keys = match (&args.key_file, &args.passphrase_file) {
        (Some(path), _) => KeyFile::read(path)?,
        (None, Some(path)) => from.wrapped_keys(&backup::read_passphrase(path)?).await?,
        (None, None) => anyhow::bail!("name a key with --key-file"),
    };
    let keys = args.trust_signer.iter().try_fold(keys, |keys, signer| keys.trusting(signer))?;
    // The same command resumes an interrupted restore.
    let begun = Unfinished::read(&config.data_dir)?.filter(|_| args.only.is_none());
    let restore = Restore::open(from, &keys, args.backup.or_else(|| begun.as_ref().map(|begun| begun.backup))).await?;
    let begun = begun.filter(|begun| begun.backup == restore.manifest.id);
    let plan = restore.plan();
    show(&plan, args.json)?;
    for name in plan.participants.keys().filter(|name| !names.contains(&name.as_str())) {
        super::eprint_line(&format!(
            "warning: the backup contains {name}, which this version of Holdfast does not know: it is not restored; use the version that made the backup, with --only {name}"
        ));
    }
    let trusted = check_signer(&keys, &restore);
    if args.plan {
        trusted.unwrap_or_else(|error| super::eprint_line(&format!("warning: {error:#}")));
        return Ok(ExitCode::SUCCESS);
    }
    trusted?;
    if args.wants(DATABASE) {
        restore.check_version(&migrate::known())?;
    }
    match &begun {
        Some(begun) => {
            print_line(&format!("Going on with what was begun. Still to come: {}.", begun.parts.join(", ")));
        }
        None => make_room(&config, &args, &restore).await?,
    }
    let problems = Box::pin(work::bring_back(config.clone(), &args, &restore, begun, &lifecycle)).await?;
    lifecycle.drain(Duration::from_secs(5)).await;
    print_line("restored; checking every part (holdfast doctor):");
    let left = Unfinished::refuse(&config.data_dir);
    let looked = Box::pin(doctor::run(config, doctor::Args::default())).await?;
    left.unwrap_or_else(|error| super::eprint_line(&error.to_string()));
    Ok(if problems.tell(&args.from, restore.manifest.id) { ExitCode::FAILURE } else { looked })
}

/// Names of the parts that can be restored separately.
fn parts(config: &Config) -> Vec<&'static str> {
    let participants = participants(config, &config.data_dir).into_iter().map(|(name, _)| name);
    [DATABASE, OBJECTS].into_iter().chain(participants).collect()
}

/// A restore writes as root and runs SQL from the backup: its signer must be known to the operator.
fn check_signer(keys: &KeyFile, restore: &Restore) -> anyhow::Result<()> {
    let Manifest { signer, installation, id, .. } = &restore.manifest;
    let signer = STANDARD.encode(signer);
    anyhow::ensure!(
        keys.trusted().is_some(),
        "this key file does not say whose backups to trust, and anyone who can write to the destination can have put this one there. Backup {id} \
         claims to be of installation {installation}, and is signed with the key {signer}. If you know that this is yours, --trust-signer {signer} \
         restores it, and nothing signed by anyone else; on the installation itself `holdfast backup keys adopt` writes that key into the key file"
    );
    Ok(())
}

/// Checks the conditions of a restore, and moves existing data aside.
async fn make_room(config: &Config, args: &Args, restore: &Restore) -> anyhow::Result<()> {
    if args.wants(DATABASE) {
        let server = refuse_full_server(config).await?;
        restore.check_tools(config.tools_dir().as_deref(), server)?;
    }
    let aside = occupied(config, args);
    if aside.is_empty() {
        return Ok(());
    }
    let list = aside.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    print_line(&format!("There is data already: {list}. It will be moved aside, into folders named *.before-restore."));
    confirm(&restore.plan(), args.confirm.as_deref())?;
    refuse_running(config)?;
    aside.iter().try_for_each(|path| move_aside(path))
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
    // Restored separately they are added to the existing ones.
    if args.only.is_none() && config.storage.is_local() {
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
    let lock = platform::data_dir::try_lock(&config.data_dir)?;
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
