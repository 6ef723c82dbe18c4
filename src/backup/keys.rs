//! The key file: what opens backups and says whose they are. It never lies in the data directory, which a backup is for the loss of.
//!
//! ```text
//! # Holdfast backup key ...
//! # installation key: <base64>
//! AGE-SECRET-KEY-1...
//! ```

use std::{fmt::Write as _, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;

use super::seal::{Identity, SealError};
use crate::platform::text_file;

/// Precedes the installation's public key.
const INSTALLATION_KEY: &str = "# installation key:";

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key file {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} holds no key: a line AGE-SECRET-KEY-1... is missing")]
    Empty { path: String },
    #[error("{path} exists already: keys are never overwritten")]
    Exists { path: String },
    #[error("cannot write the key file {path}")]
    Write { path: String, source: std::io::Error },
    #[error(
        "{path} lies in the data directory: what is lost with it cannot restore it. Keep the key elsewhere (another disk, a secret \
         mounted read-only) and set backup.key_file"
    )]
    InDataDir { path: String },
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What a key file holds.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// One, or after a rotation several: the newest first.
    pub identities: Vec<Identity>,
    /// Checks manifests; absent in a file that only holds age keys.
    pub installation_key: Option<[u8; 32]>,
}

impl KeyFile {
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let text = text_file::read(path).map_err(|source| KeyError::Read { path: name(), source })?;
        let file = Self::parse(&text)?;
        if file.identities.is_empty() { Err(KeyError::Empty { path: name() }) } else { Ok(file) }
    }

    /// As [`Self::read`], for a proof: a key from the data directory proves nothing.
    pub fn read_outside(path: &Path, data_dir: &Path) -> Result<Self, KeyError> {
        let canonical = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if canonical(path).starts_with(canonical(data_dir)) {
            return Err(KeyError::InDataDir { path: path.display().to_string() });
        }
        Self::read(path)
    }

    /// Lines that are neither a key nor a comment are an error.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (mut identities, mut installation_key) = (Vec::new(), None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(key) = line.strip_prefix(INSTALLATION_KEY) {
                installation_key = STANDARD.decode(key.trim()).ok().and_then(|key| key.try_into().ok());
            } else if !line.starts_with('#') {
                identities.push(line.parse()?);
            }
        }
        Ok(Self { identities, installation_key })
    }

    /// Writes a new file that only its owner may read.
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        let name = || path.display().to_string();
        let mut file = match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(KeyError::Exists { path: name() });
            }
            other => other.map_err(|source| KeyError::Write { path: name(), source })?,
        };
        let written = file.write_all(self.text().as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| KeyError::Write { path: name(), source })
    }

    /// The file's text.
    pub fn text(&self) -> String {
        // Writing to a String cannot fail.
        let mut text = "# Holdfast backup key. Whoever has it reads every backup; without it none can be restored.\n\
                        # Keep it away from the appliance and from the backups, and a printed copy in a safe.\n"
            .to_owned();
        if let Some(key) = &self.installation_key {
            let _ = writeln!(text, "{INSTALLATION_KEY} {}", STANDARD.encode(key));
        }
        for identity in &self.identities {
            let (public, secret) = (identity.recipient(), identity.secret());
            let _ = writeln!(text, "# public key: {public}\n{}", secret.expose_secret());
        }
        text
    }

    /// The key that a backup was sealed for.
    pub fn for_recipients(&self, recipients: &[String]) -> Result<&Identity, SealError> {
        let fits = |identity: &&Identity| recipients.contains(&identity.recipient());
        self.identities.iter().find(fits).ok_or(SealError::WrongKey)
    }
}
