//! The settings in a backup: the master key, the configuration files, and settings from the environment.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::stream;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Backups, Restore};
use crate::{BackupError, manifest::Blob, writer::Writer};
use platform::crypto::MasterKey;

/// File with the settings from the environment, beside the configuration files.
const ENVIRONMENT: &str = "environment.env";

/// Settings that a restore needs besides database, objects and participants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// 64 hexadecimal digits.
    master_key: String,
    installation: Uuid,
    /// Base64 contents by path.
    files: BTreeMap<PathBuf, String>,
    /// Settings from the environment, by variable; empty in backups of earlier versions.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// The configuration at the time of the backup, for the operator to compare.
#[derive(Debug, Default)]
pub struct SettingsFiles {
    /// Content by path below the folder that they are written to.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Paths outside of that folder: not written.
    pub refused: Vec<PathBuf>,
}

impl Backups {
    pub(super) async fn save_settings(&self, writer: &Writer, installation: Uuid) -> Result<Blob, BackupError> {
        let deps = &self.inner.deps;
        let mut files = BTreeMap::new();
        for path in &deps.settings_files {
            // The backup's own key must not be in the backup.
            if Some(path) != deps.config.key_file.as_ref() {
                let bytes = tokio::fs::read(path).await.map_err(BackupError::io(path))?;
                files.insert(whole_path(path).map_err(BackupError::io(path))?, STANDARD.encode(bytes));
            }
        }
        let master_key = deps.master_key.reveal().expose_secret().to_owned();
        let environment = deps.environment.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
        let settings = Settings { master_key, installation, files, environment: environment.collect() };
        let settings = serde_json::to_vec(&settings).map_err(|error| BackupError::Damaged(error.to_string()))?;
        writer.put(stream::iter([Ok::<_, std::io::Error>(Bytes::from(settings))])).await
    }
}

impl Restore {
    pub(super) async fn settings(&self) -> Result<Settings, BackupError> {
        let bytes = self.reader().read(&self.manifest.settings).await?;
        serde_json::from_slice(&bytes).map_err(|error| BackupError::Damaged(format!("the settings: {error}")))
    }

    /// The installation's master key.
    pub async fn master_key(&self) -> Result<MasterKey, BackupError> {
        let settings = self.settings().await?;
        MasterKey::parse(&settings.master_key).map_err(|error| BackupError::Damaged(error.to_string()))
    }

    /// The configuration as it was.
    pub async fn settings_files(&self) -> Result<SettingsFiles, BackupError> {
        let settings = self.settings().await?;
        let mut found = SettingsFiles::default();
        for (path, text) in settings.files {
            let bytes = STANDARD.decode(text);
            let bytes =
                bytes.map_err(|_| BackupError::Damaged("the settings hold a file that is not base64".to_owned()))?;
            match below(&path) {
                Some(to) => drop(found.files.insert(to, bytes)),
                None => found.refused.push(path),
            }
        }
        if !settings.environment.is_empty() {
            found.files.insert(ENVIRONMENT.into(), assignments(&settings.environment).into_bytes());
        }
        Ok(found)
    }
}

/// The absolute path without `..`; the file name itself is not resolved if it is a link.
fn whole_path(path: &Path) -> std::io::Result<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default()))
}

/// `path` relative to a folder; `None` if it leads out of it: paths in a backup are not trusted.
fn below(path: &Path) -> Option<PathBuf> {
    let mut below = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => below.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    (!below.as_os_str().is_empty()).then_some(below)
}

/// One line per variable, in shell syntax.
fn assignments(variables: &BTreeMap<String, String>) -> String {
    let line =
        |text: String, (name, value): (&String, &String)| text + name + "='" + &value.replace('\'', r"'\''") + "'\n";
    variables.iter().fold(String::new(), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_of_a_backup_leads_out_of_the_folder() {
        for (path, expected) in [
            ("/etc/holdfast/holdfast.toml", Some("etc/holdfast/holdfast.toml")),
            ("./holdfast.toml", Some("holdfast.toml")),
            ("//etc//x", Some("etc/x")),
            ("../../holdfast.toml", None),
            ("/etc/../../srv/.ssh/authorized_keys", None),
            ("a/../b", None),
            ("..", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(below(Path::new(path)).as_deref(), expected.map(Path::new), "{path}");
        }
    }

    #[test]
    fn a_shell_reads_back_what_the_environment_said() {
        let said = BTreeMap::from([("HOLDFAST_A".to_owned(), "it's $HOME \"x\"".to_owned())]);
        assert_eq!(assignments(&said), "HOLDFAST_A='it'\\''s $HOME \"x\"'\n");
    }
}
