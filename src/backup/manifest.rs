//! The manifest: a signed description of a backup. A backup exists if its manifest does.
//!
//! At a destination:
//! ```text
//! blobs/<2 digits>/<name>               sealed data; the name says what it must be
//! backups/<id>/blobs                    names of all blobs of the backup, a line each
//! backups/<id>/manifest.json            written last
//! keys/<recipient>.age                  secret keys sealed with a passphrase, where one was set
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    model::{BackupId, Kind},
    seal::{Fingerprint, Sealed},
};
use platform::crypto::{self, Digest, SigningKey};

/// Version of the layout and the manifest.
pub const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest cannot be read")]
    Malformed(#[source] serde_json::Error),
    #[error("the manifest was changed after it was signed")]
    Changed,
    #[error("the backup is of another installation ({0}) than the key is for")]
    OtherInstallation(Uuid),
    #[error("the manifest has format {0}; this version of Holdfast reads format {FORMAT}")]
    Format(u32),
    #[error("the manifest of {found} is in the place of that of {expected}")]
    Misplaced { expected: BackupId, found: BackupId },
}

/// Name of an encrypted file at a destination: the keyed hash of its content (so that equal content is stored once), and the hash and
/// length of its encrypted bytes (so that integrity can be checked without a key).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName {
    /// HMAC-SHA256 of recipients and plain content.
    pub content: Digest,
    /// SHA-256 of the sealed bytes.
    pub sealed: Digest,
    /// Length of the sealed bytes.
    pub size: u64,
}

impl BlobName {
    pub fn new(content: Digest, sealed: &Fingerprint) -> Self {
        Self { content, sealed: sealed.sha256, size: sealed.size }
    }

    /// Expected length and hash of its bytes.
    pub fn whole(&self) -> Fingerprint {
        Fingerprint { size: self.size, sha256: self.sealed }
    }

    /// Key at a destination.
    pub fn key(&self) -> String {
        format!("blobs/{:02x}/{self}", self.content.0[0])
    }

    /// Length of a name with its line break, bytes: two hashes, two dots, twenty digits.
    pub const MAX_LINE: u64 = 64 + 1 + 64 + 1 + 20 + 1;

    /// Whether a key in a listing belongs to an incompletely written blob.
    pub fn is_partial(key: &str) -> bool {
        let hashes = key.strip_prefix("blobs/").and_then(|rest| rest.split_once('/')?.1.strip_suffix("partial"));
        hashes.is_some_and(|hashes| format!("{hashes}0").parse::<Self>().is_ok())
    }

    /// Parses a key in a listing; `None` if it is not a blob's.
    pub fn of_key(key: &str) -> Option<Self> {
        key.strip_prefix("blobs/")?.split_once('/')?.1.parse().ok()
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.content, self.sealed, self.size)
    }
}

/// Not the name of a blob.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not the name of a blob")]
pub struct BadName;

impl FromStr for BlobName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let mut parts = text.split('.');
        let mut hash = || parts.next()?.parse().ok();
        let (content, sealed) = (hash().ok_or(BadName)?, hash().ok_or(BadName)?);
        match (parts.next().map(str::parse), parts.next()) {
            (Some(Ok(size)), None) => Ok(Self { content, sealed, size }),
            _ => Err(BadName),
        }
    }
}

impl Serialize for BlobName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlobName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An encrypted file and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    pub name: BlobName,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// Length of the content, bytes.
    pub size: u64,
}

impl Blob {
    pub fn new(content: Digest, sealed: &Sealed) -> Self {
        Self { name: BlobName::new(content, &sealed.sealed), sha256: sealed.plain.sha256, size: sealed.plain.size }
    }
}

/// The database in the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// `pg_dump` in custom format.
    pub dump: Blob,
    pub server_version: String,
    pub tool_version: String,
    /// Entries in the dump's table of contents.
    pub entries: u64,
    pub schema: Schema,
}

/// Comparable facts of a database, collected in the snapshot of the dump, and again after a restore.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Rows per table.
    pub rows: BTreeMap<String, u64>,
    /// Tables with forced row-level security.
    pub forced: Vec<String>,
    /// `table: policy for roles using (...) with check (...)`
    pub policies: Vec<String>,
    /// `table: definition`; constraints that are not validated are marked.
    pub constraints: Vec<String>,
    pub indexes: Vec<String>,
    /// The highest migration number, which versions before `migrations` compare.
    pub migration: i64,
    /// All migrations; empty in backups of versions before this field.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub migrations: BTreeSet<i64>,
}

impl Schema {
    /// Whether a program with the migrations `known` knows all migrations of this database.
    pub fn is_known(&self, known: &BTreeSet<i64>) -> bool {
        // Older numbers were assigned in blocks, and every program with this code knows all of them.
        if self.migrations.is_empty() { known.contains(&self.migration) } else { self.migrations.is_subset(known) }
    }
}

/// A tree of files: objects, or a participant's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Lines of [`FileEntry`].
    pub index: Blob,
    pub files: u64,
    pub bytes: u64,
}

/// A participant's part of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub tree: Tree,
    /// Expected state of the files when restored, in the participant's own format.
    pub state: serde_json::Value,
}

/// The participant from before the field `participants`.
const FIRST: &str = "vectors";

/// A file of a [`Tree`]; displayed as a line of its index, with the line break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub key: String,
    pub blob: Blob,
}

impl fmt::Display for FileEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Strings and numbers only: cannot fail.
        writeln!(f, "{}", serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for FileEntry {
    type Err = serde_json::Error;

    fn from_str(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// Everything that a restore needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub id: BackupId,
    pub sequence: i64,
    pub kind: Kind,
    pub installation: Uuid,
    /// Version of Holdfast that made it.
    pub holdfast: String,
    pub role_prefix: String,
    /// The time of the snapshot.
    pub taken_at: DateTime<Utc>,
    pub recipients: Vec<String>,
    pub database: Database,
    pub objects: Tree,
    /// Participants by name.
    #[serde(default)]
    pub participants: BTreeMap<String, Part>,
    /// The participant [`FIRST`] in the format of versions before `participants`, which still read it (a rollback to a former version uses
    /// a backup made by this one). Only used when reading and writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vectors: Option<Tree>,
    /// Files of the embedding model, if included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Tree>,
    /// See `vectors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vector_tables: Option<serde_json::Value>,
    /// Master key, configuration, and the secret files that it names.
    pub settings: Blob,
    /// SHA-256 of the file `blobs`.
    pub blobs_sha256: Digest,
    /// Blobs of the backup, each counted once.
    pub blobs: u64,
    /// Total size of their encrypted bytes.
    pub total_bytes: u64,
    /// Reserved for data that continues a backup to a later time (WAL); readers that do not know it ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal: Option<serde_json::Value>,
    /// The public key that its signature was checked with: the envelope's, not the signed text's.
    #[serde(skip)]
    pub signer: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    /// The manifest as JSON text, because signatures cover bytes.
    manifest: String,
    signature: String,
    /// Public key of the installation; readers get the trusted one elsewhere.
    public_key: String,
}

impl Manifest {
    /// All file trees, with their names.
    pub fn trees(&self) -> impl Iterator<Item = (&str, &Tree)> {
        let participants = self.participants.iter().map(|(name, part)| (name.as_str(), &part.tree));
        let model = self.model.iter().map(|tree| ("models", tree));
        std::iter::once(("objects", &self.objects)).chain(participants).chain(model)
    }

    /// Bytes of the participants' files.
    pub fn participant_bytes(&self) -> u64 {
        self.participants.values().map(|part| part.tree.bytes).sum()
    }

    pub fn key(id: BackupId) -> String {
        format!("backups/{id}/manifest.json")
    }

    /// Key of the list of its blobs.
    pub fn blobs_key(id: BackupId) -> String {
        format!("backups/{id}/blobs")
    }

    /// The id in a manifest's key; `None` for other keys.
    pub fn id_of_key(key: &str) -> Option<BackupId> {
        key.strip_prefix("backups/")?.strip_suffix("/manifest.json")?.parse().ok()
    }

    /// The id in the key of a blob list, complete or not; `None` for other keys, which may be foreign files.
    pub fn id_of_blobs_key(key: &str) -> Option<BackupId> {
        let (id, file) = key.strip_prefix("backups/")?.split_once('/')?;
        id.parse().ok().filter(|_| matches!(file, "blobs" | "blobs.partial"))
    }

    /// Serialises and signs the manifest.
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, ManifestError> {
        let mut manifest = self.clone();
        if let Some(first) = manifest.participants.get(FIRST) {
            (manifest.vectors, manifest.vector_tables) = (Some(first.tree.clone()), Some(first.state.clone()));
        }
        let manifest = serde_json::to_string(&manifest).map_err(ManifestError::Malformed)?;
        let signature = STANDARD.encode(key.sign(manifest.as_bytes()));
        let envelope = Envelope { manifest, signature, public_key: STANDARD.encode(key.public()) };
        serde_json::to_vec_pretty(&envelope).map_err(ManifestError::Malformed)
    }

    /// Verifies and parses the output of [`Self::sign`] for backup `id`. `trusted`: the installation's public key; without it any
    /// consistent signature is accepted, which only protects against accidents.
    pub fn open(bytes: &[u8], id: BackupId, trusted: Option<&[u8; 32]>) -> Result<Self, ManifestError> {
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(ManifestError::Malformed)?;
        let own: Option<[u8; 32]> = STANDARD.decode(&envelope.public_key).ok().and_then(|key| key.try_into().ok());
        let own = own.ok_or(ManifestError::Changed)?;
        let signature = STANDARD.decode(&envelope.signature).map_err(|_| ManifestError::Changed)?;
        if !crypto::is_signed(&own, envelope.manifest.as_bytes(), &signature) {
            return Err(ManifestError::Changed);
        }
        let format: Format = serde_json::from_str(&envelope.manifest).map_err(ManifestError::Malformed)?;
        if trusted.is_some_and(|trusted| *trusted != own) {
            return Err(ManifestError::OtherInstallation(format.installation));
        }
        if format.format != FORMAT {
            return Err(ManifestError::Format(format.format));
        }
        let mut manifest: Self = serde_json::from_str(&envelope.manifest).map_err(ManifestError::Malformed)?;
        manifest.signer = own;
        if let (Some(tree), Some(state)) = (manifest.vectors.take(), manifest.vector_tables.take()) {
            manifest.participants.entry(FIRST.to_owned()).or_insert(Part { tree, state });
        }
        if manifest.id != id {
            return Err(ManifestError::Misplaced { expected: id, found: manifest.id });
        }
        Ok(manifest)
    }
}

/// Parsed before the rest, whose layout depends on the format.
#[derive(Deserialize)]
struct Format {
    format: u32,
    #[serde(default)]
    installation: Uuid,
}
