//! The key file: it decrypts backups and names their installation. It must be outside the data directory, whose loss backups are for.
//!
//! ```text
//! # Holdfast backup key ...
//! # installation: <uuid>
//! # installation key: <base64>
//! AGE-SECRET-KEY-1...
//! ```
//!
//! The installation's public key verifies manifests signed with its secret key; a file without it accepts backups of any installation.

use std::{
    fmt::{self, Write as _},
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;

use uuid::Uuid;

use super::seal::{Identity, SealError};
use platform::{crypto::MasterKey, data_dir, text_file};

/// Prefix of the line with the installation's id.
const INSTALLATION: &str = "# installation:";
/// Prefix of the line with the installation's public key.
const INSTALLATION_KEY: &str = "# installation key:";
/// Purpose of the key that signs manifests.
pub const SIGNING_PURPOSE: &str = "backup.manifest";

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read the key file {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} contains no key: a line AGE-SECRET-KEY-1... is missing")]
    Empty { path: String },
    #[error("{path} exists already: keys are never overwritten")]
    Exists { path: String },
    #[error("cannot write the key file {path}")]
    Write { path: String, source: std::io::Error },
    #[error(
        "line {number} of the key file is neither a key (AGE-SECRET-KEY-1 and 58 letters and digits) nor a comment (#): it was changed or mistyped"
    )]
    Key { number: usize },
    #[error("the key file's line {line:?} cannot be parsed: it was changed or mistyped")]
    Line { line: String },
    #[error("{signer:?} is not an installation's public key: `holdfast restore --plan` shows the signer of a backup")]
    Signer { signer: String },
    #[error(
        "the passphrase decrypts keys of two installations ({ours}, {named}) at this destination: use the key file of one of them with --key-file"
    )]
    TwoInstallations { named: String, ours: String },
    #[error(
        "the key file is for installation {named}, this one is {ours}: a restore with it would refuse the backups made here. Use the right \
         file; if this one is meant for this installation, run `holdfast backup keys adopt --key-file FILE`"
    )]
    OtherInstallation { named: String, ours: String },
    #[error(
        "{path} is inside the data directory and would be lost with it. Keep the key elsewhere (another disk, a secret \
         mounted read-only) and set backup.key_file"
    )]
    InDataDir { path: String },
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The installation named in a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installation {
    /// For display; unknown before the first start.
    pub id: Option<Uuid>,
    /// Public key that verifies manifests.
    pub key: [u8; 32],
}

impl Installation {
    /// The installation of a data directory; `None` if there is none. Creates nothing.
    pub fn of_data_dir(dir: &Path, secret_key_file: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(key) = data_dir::existing_key(dir, secret_key_file)? else { return Ok(None) };
        Ok(Some(Self { id: data_dir::installation_id(dir), key: Self::public_key(&key)? }))
    }

    /// Public half of the key that signs an installation's manifests.
    pub fn public_key(key: &MasterKey) -> anyhow::Result<[u8; 32]> {
        key.signing_key(SIGNING_PURPOSE)
            .map(|key| key.public())
            .map_err(|_| anyhow::anyhow!("the master key makes no signing key"))
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "{id}"),
            None => write!(f, "with the public key {}", STANDARD.encode(self.key)),
        }
    }
}

/// Contents of a key file.
#[derive(Clone, Debug)]
pub struct KeyFile {
    /// One key, or several after a rotation: the newest first.
    pub identities: Vec<Identity>,
    /// The installation whose backups it is for; absent in a file with only age keys.
    pub installation: Option<Installation>,
}

impl KeyFile {
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let text = text_file::read(path).map_err(|source| KeyError::Read { path: name(), source })?;
        let file = Self::parse(&text)?;
        if file.identities.is_empty() { Err(KeyError::Empty { path: name() }) } else { Ok(file) }
    }

    /// As [`Self::read`], for drills: a key from the data directory would prove nothing.
    pub fn read_outside(path: &Path, data_dir: &Path) -> Result<Self, KeyError> {
        let canonical = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if canonical(path).starts_with(canonical(data_dir)) {
            return Err(KeyError::InDataDir { path: path.display().to_string() });
        }
        Self::read(path)
    }

    /// Parses a key file; any line that is neither a key nor a comment is an error.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (mut identities, mut id, mut installation_key) = (Vec::new(), None, None);
        for (at, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
            // Ignoring half a line would yield a file that accepts any installation's backups.
            let broken = || KeyError::Line { line: line.to_owned() };
            if let Some(key) = line.strip_prefix(INSTALLATION_KEY) {
                let key = STANDARD.decode(key.trim()).ok().and_then(|key| key.try_into().ok());
                installation_key = Some(key.ok_or_else(broken)?);
            } else if let Some(text) = line.strip_prefix(INSTALLATION) {
                id = Some(text.trim().parse().map_err(|_| broken())?);
            } else if !line.starts_with('#') {
                // Typed from paper: capital letters, and typographic hyphens of word processors. Not echoed in errors.
                let typed =
                    line.to_uppercase().replace(['\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2212}'], "-");
                identities.push(typed.parse().map_err(|_| KeyError::Key { number: at + 1 })?);
            }
        }
        Ok(Self { identities, installation: installation_key.map(|key| Installation { id, key }) })
    }

    /// The keys of both. Fails if they are for different installations: backups of one must not be taken for the other's.
    pub fn with(mut self, other: Self) -> Result<Self, KeyError> {
        match (&self.installation, &other.installation) {
            (Some(ours), Some(theirs)) if ours.key != theirs.key => {
                return Err(KeyError::TwoInstallations { named: theirs.to_string(), ours: ours.to_string() });
            }
            (None, _) => self.installation = other.installation,
            _ => {}
        }
        for identity in other.identities {
            if !self.identities.iter().any(|known| known.recipient() == identity.recipient()) {
                self.identities.push(identity);
            }
        }
        Ok(self)
    }

    /// Trusts this signer, whose public key was given with `--trust-signer`.
    pub fn trusting(mut self, signer: &str) -> Result<Self, KeyError> {
        let key = STANDARD.decode(signer.trim()).ok().and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| KeyError::Signer { signer: signer.to_owned() })?;
        let typed = Installation { id: None, key };
        self.check_is_for(&typed)?;
        self.installation.get_or_insert(typed);
        Ok(self)
    }

    /// Writes a new file that only its owner can read.
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        self.write_new(path, path)
    }

    /// Replaces the file atomically, keeping permissions and owner.
    pub fn replace(&self, path: &Path) -> Result<(), KeyError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let failed = |source| KeyError::Write { path: path.display().to_string(), source };
        let former = fs::metadata(path).map_err(failed)?;
        // Left by an earlier attempt.
        let _ = fs::remove_file(&new);
        self.write_new(&new, path)?;
        let moved = fs::set_permissions(&new, former.permissions())
            .and_then(|()| std::os::unix::fs::chown(&new, Some(former.uid()), Some(former.gid())))
            .and_then(|()| fs::rename(&new, path));
        moved.map_err(failed)
    }

    fn write_new(&self, path: &Path, named: &Path) -> Result<(), KeyError> {
        let name = || named.display().to_string();
        let mut file = match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(KeyError::Exists { path: name() });
            }
            other => other.map_err(|source| KeyError::Write { path: name(), source })?,
        };
        let written = file.write_all(self.text().as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| KeyError::Write { path: name(), source })
    }

    /// Text of the file.
    pub fn text(&self) -> String {
        // Writing to a String cannot fail.
        let mut text =
            "# Holdfast backup key. Anyone who has it can read every backup; without it no backup can be restored.\n\
                        # Keep it away from the appliance and from the backups, and a printed copy in a safe.\n"
                .to_owned();
        if let Some(Installation { id, key }) = &self.installation {
            if let Some(id) = id {
                let _ = writeln!(text, "{INSTALLATION} {id}");
            }
            let _ = writeln!(text, "{INSTALLATION_KEY} {}", STANDARD.encode(key));
        }
        for identity in &self.identities {
            let (public, secret) = (identity.recipient(), identity.secret());
            let _ = writeln!(text, "# public key: {public}\n{}", secret.expose_secret());
        }
        text
    }

    /// The installation's public key, the only one that a restore trusts; without it any signature is accepted.
    pub fn trusted(&self) -> Option<&[u8; 32]> {
        self.installation.as_ref().map(|installation| &installation.key)
    }

    /// Fails if the file names an installation other than `ours`.
    pub fn check_is_for(&self, ours: &Installation) -> Result<(), KeyError> {
        match &self.installation {
            Some(named) if named.key != ours.key => {
                Err(KeyError::OtherInstallation { named: named.to_string(), ours: ours.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// The key that a backup was encrypted for.
    pub fn for_recipients(&self, recipients: &[String]) -> Result<&Identity, SealError> {
        let fits = |identity: &&Identity| recipients.contains(&identity.recipient());
        self.identities.iter().find(fits).ok_or(SealError::WrongKey)
    }
}
