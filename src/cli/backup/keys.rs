//! `holdfast backup keys`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Subcommand;
use secrecy::SecretString;

use super::super::{eprint_line, print_line};
use crate::app::Config;
use backup::{Backups, Identity, Installation, KeyFile};
use platform::{data_dir::DataDir, text_file};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Generate a key and print the settings for it. Needs no appliance, and starts none.
    #[command(after_help = "Examples:\n  holdfast backup keys generate --out holdfast-backup.key\n  \
        holdfast backup keys generate --out NEW --add-to OLD     a rotation: NEW holds the new key and the old ones\n  \
        holdfast backup keys generate --out /run/backup/holdfast-backup.key --begin-installation --keep     as compose/ does before \
        the first start")]
    Generate {
        /// The key file: store it off this host, and a printed copy in a safe.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// A key file whose keys are copied into the new one, so that older backups still open.
        #[arg(long, value_name = "FILE")]
        add_to: Option<PathBuf>,
        /// Create the data directory's secret key if there is none, so that the file can name the installation before its first start.
        #[arg(long)]
        begin_installation: bool,
        /// If the file exists, change nothing.
        #[arg(long)]
        keep: bool,
        /// Do not print the settings; the configuration has them already.
        #[arg(long)]
        quiet: bool,
    },
    /// Record in a key file that it is for this installation: for a file generated before the first start, elsewhere, or for another
    /// installation.
    #[command(after_help = "Examples:\n  holdfast backup keys adopt --key-file FILE")]
    Adopt {
        /// Key file; default: `backup.key_file`.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Print a recovery sheet for the safe: the key, its installation, and how to restore with it.
    #[command(after_help = "Examples:\n  holdfast backup keys sheet --key-file FILE | lp")]
    Sheet {
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Check that a key decrypts the newest backup of each destination.
    #[command(after_help = "Examples:\n  holdfast backup keys check --key-file FILE")]
    Check {
        /// Key file; default: `backup.key_file`.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Store the key at every destination, encrypted with a passphrase, so that a restore needs no key file.
    #[command(
        after_help = "Examples:\n  holdfast backup keys wrap --key-file FILE --passphrase-file /run/secrets/passphrase"
    )]
    Wrap {
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// File with the passphrase, at least 20 characters.
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
}

/// Runs the commands that need no appliance and must not create one. Returns the command if it does need one.
pub(super) fn alone(config: &Config, command: Command) -> anyhow::Result<Option<Command>> {
    match command {
        Command::Generate { out, add_to, begin_installation, keep, quiet } => {
            if keep && out.exists() {
                print_line(&format!("{} is there already: nothing was changed", out.display()));
                tell_whose(config, &out);
                return Ok(None);
            }
            let recipient = generate(config, &out, add_to.as_deref(), begin_installation)?;
            if !quiet {
                print_line(&format!(
                    "\nPut this into the configuration:\n\n[backup]\nrecipients = [\"{recipient}\"]\n\n\
                     [backup.destinations.nas]\nurl = \"/mnt/nas/holdfast\"      # or s3://bucket/prefix"
                ));
            }
        }
        Command::Adopt { key_file } => adopt(config, key_file)?,
        Command::Sheet { key_file } => {
            print_line(&sheet(&KeyFile::read(&key_file)?, config));
        }
        command @ (Command::Check { .. } | Command::Wrap { .. }) => return Ok(Some(command)),
    }
    Ok(None)
}

/// Warns if an existing key file is for another installation, e.g. after all volumes were removed: no backup is made with it.
fn tell_whose(config: &Config, file: &Path) {
    let checked = installation(config).and_then(|ours| match ours {
        Some(ours) => Ok(KeyFile::read(file)?.check_is_for(&ours)?),
        None => Ok(()),
    });
    if let Err(error) = checked {
        eprint_line(&format!("warning: no backup is made with {}: {error:#}", file.display()));
    }
}

/// The installation in the data directory, without starting anything.
fn installation(config: &Config) -> anyhow::Result<Option<Installation>> {
    Installation::of_data_dir(&config.data_dir, config.secret_key_file.as_deref())
}

/// Writes a key file. Returns the public key.
fn generate(config: &Config, out: &Path, add_to: Option<&Path>, begin: bool) -> anyhow::Result<String> {
    let mut identities = vec![Identity::generate()];
    if let Some(old) = add_to {
        identities.extend(KeyFile::read(old)?.identities);
    }
    // A running appliance has created it already and holds the lock.
    if begin && installation(config)?.is_none() {
        drop(DataDir::open(&config.data_dir, config.secret_key_file.as_deref())?);
    }
    let file = KeyFile { identities, installation: installation(config)? };
    file.write(out)?;
    let recipient = file.identities[0].recipient();
    let whose = match &file.installation {
        Some(installation) => format!("It is for the installation in {} ({installation}).", config.data_dir.display()),
        None => format!(
            "There is no installation in {} yet, so the file names none: after the first start run\n  holdfast backup keys adopt --key-file {}",
            config.data_dir.display(),
            out.display()
        ),
    };
    print_line(&format!(
        "The key is in {0}. Anyone who has it can read every backup; without it no backup can be restored.\n{whose}\n\
         Store it off this host, and print it for the safe: holdfast backup keys sheet --key-file {0}",
        out.display()
    ));
    Ok(recipient)
}

fn adopt(config: &Config, key_file: Option<PathBuf>) -> anyhow::Result<()> {
    let path = key_file.or_else(|| config.backup.key_file.clone());
    let path = path.context("name a key with --key-file, or set backup.key_file")?;
    let ours = installation(config)?.with_context(|| {
        format!("there is no installation in {}: start it once, or set HOLDFAST_DATA_DIR", config.data_dir.display())
    })?;
    let mut file = KeyFile::read(&path)?;
    let former = file.installation.replace(ours);
    if former == Some(ours) {
        print_line(&format!("{} is for this installation ({ours}) already", path.display()));
        return Ok(());
    }
    file.replace(&path)?;
    let before = former.filter(|former| former.key != ours.key);
    let before = before.map(|former| format!("; before, it was for {former}")).unwrap_or_default();
    print_line(&format!(
        "{} is for this installation now ({ours}){before}. Replace the copies that you keep elsewhere, the printed one too.",
        path.display()
    ));
    Ok(())
}

/// Commands that use the keys at the destinations.
pub(super) async fn with_appliance(backups: &Backups, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Generate { .. } | Command::Adopt { .. } | Command::Sheet { .. } => {}
        Command::Check { key_file } => {
            let path = key_file.or_else(|| backups.config().key_file.clone());
            let path = path.context("name a key with --key-file, or set backup.key_file")?;
            for (backup, destination) in backups.check_key(&KeyFile::read(&path)?).await? {
                print_line(&format!("{} opens backup {backup} at {destination}", path.display()));
            }
        }
        Command::Wrap { key_file, passphrase_file } => {
            let passphrase = read_passphrase(&passphrase_file)?;
            for destination in backups.wrap_keys(&KeyFile::read(&key_file)?, &passphrase).await? {
                print_line(&format!("sealed with the passphrase at {destination}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a passphrase from a file; refuses one that is short enough to be guessed.
pub fn read_passphrase(path: &Path) -> anyhow::Result<SecretString> {
    let text = text_file::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = text.trim();
    anyhow::ensure!(
        text.chars().count() >= 20,
        "the passphrase in {} has fewer than 20 characters: anyone who can read a destination could guess it",
        path.display()
    );
    Ok(text.to_owned().into())
}

fn sheet(file: &KeyFile, config: &Config) -> String {
    let destinations: Vec<String> =
        config.backup.destinations.iter().map(|(name, d)| format!("  {name}: {}", d.url)).collect();
    format!(
        "HOLDFAST RECOVERY SHEET\n=======================\n\nKeep this in a safe. Type the lines between the rules into a file, for example holdfast-backup.key.\n\n\
         ----------------------------------------------------------------\n{}\
         ----------------------------------------------------------------\n\n\
         Backups are at:\n{}\n\nTo restore, on an empty host with holdfast and PostgreSQL's server binaries:\n\n  \
         holdfast restore --from <folder or s3://bucket/prefix> --key-file holdfast-backup.key\n\nIt shows a plan, and asks before it writes over what is there.",
        file.text(),
        destinations.join("\n")
    )
}
