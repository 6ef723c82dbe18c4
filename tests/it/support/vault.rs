//! A place for backups outside the data directory, and the key that opens them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use holdfast::backup::{Identity, KeyFile};

/// A destination's folder and a key file; both go with this value.
pub struct Vault {
    dir: tempfile::TempDir,
    recipient: String,
}

impl Vault {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("hfvault").tempdir().unwrap();
        let identity = Identity::generate();
        let recipient = identity.recipient();
        KeyFile { identities: vec![identity], installation: None }.write(&dir.path().join("key")).unwrap();
        for folder in ["near", "far"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir, recipient }
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    pub fn keys(&self) -> KeyFile {
        KeyFile::read(&self.key_file()).unwrap()
    }

    /// The folder of the destination `near` or `far`.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Backups to the folder `near`, with the key at hand.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOLDFAST_BACKUP__RECIPIENTS", self.recipient.clone()),
            ("HOLDFAST_BACKUP__KEY_FILE", self.key_file().display().to_string()),
            // 90 MB that most tests can do without.
            ("HOLDFAST_BACKUP__EMBEDDING_MODEL", "false".into()),
            ("HOLDFAST_BACKUP__TOOLS_DIR", super::cluster::binaries().display().to_string()),
            ("HOLDFAST_DATABASE__BIN_DIR", super::cluster::binaries().display().to_string()),
            ("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", self.folder("near").display().to_string()),
        ]
    }

    /// As [`Self::settings`], and to `far` as well.
    pub fn two(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.settings();
        settings.push(("HOLDFAST_BACKUP__DESTINATIONS__FAR__URL", self.folder("far").display().to_string()));
        settings
    }
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
