//! The manifest: what a backup consists of, signed. A backup exists where its manifest is.
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
use crate::platform::crypto::{self, Digest, SigningKey};

/// Of the layout and the manifest together.
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
    #[error("the manifest of {found} lies where that of {expected} belongs")]
    Misplaced { expected: BackupId, found: BackupId },
}

/// A sealed file at a destination, named for what it is: the keyed hash of its content (so that the same content is stored
/// once), and the hash and length of its sealed bytes (so that whoever reads it can tell whether it is whole, without a key).
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

    /// What its bytes must be.
    pub fn whole(&self) -> Fingerprint {
        Fingerprint { size: self.size, sha256: self.sealed }
    }

    /// Where it lies at a destination.
    pub fn key(&self) -> String {
        format!("blobs/{:02x}/{self}", self.content.0[0])
    }

    /// A name and the end of its line, bytes: two hashes, two dots, twenty digits.
    pub const MAX_LINE: u64 = 64 + 1 + 64 + 1 + 20 + 1;

    /// Whether a key in a listing is that of a blob that was not written to its end.
    pub fn is_partial(key: &str) -> bool {
        let hashes = key.strip_prefix("blobs/").and_then(|rest| rest.split_once('/')?.1.strip_suffix("partial"));
        hashes.is_some_and(|hashes| format!("{hashes}0").parse::<Self>().is_ok())
    }

    /// From a key in a listing; `None` for what is no blob.
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

/// A sealed file and what is in it.
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

/// The database at the backup's instant.
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

/// What can be counted and compared of a database. Taken from the snapshot that the dump was made of, and again from what was
/// restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Tables whose row-level security is forced.
    pub forced: Vec<String>,
    /// `table: policy for roles using (...) with check (...)`
    pub policies: Vec<String>,
    /// `table: definition`, those that are not validated marked.
    pub constraints: Vec<String>,
    pub indexes: Vec<String>,
    /// The highest number of a migration; what versions before `migrations` compare.
    pub migration: i64,
    /// All migrations; empty in backups of versions before this field.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub migrations: BTreeSet<i64>,
}

impl Schema {
    /// Whether a program that knows these migrations knows all of this database's.
    pub fn is_known(&self, known: &BTreeSet<i64>) -> bool {
        // Numbers of before were handed out in blocks, and every program with this line knows all of them.
        if self.migrations.is_empty() { known.contains(&self.migration) } else { self.migrations.is_subset(known) }
    }
}

/// A tree of files: objects, or those of a participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Lines of [`FileEntry`].
    pub index: Blob,
    pub files: u64,
    pub bytes: u64,
}

/// What takes part in a backup beside database and objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub tree: Tree,
    /// What the files must show when they come back, in the words of the room that they are of.
    pub state: serde_json::Value,
}

/// The participant that was there before the field `participants`.
const FIRST: &str = "vectors";

/// A file of a [`Tree`]; as text a line of its index, with the end of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub key: String,
    pub blob: Blob,
}

impl fmt::Display for FileEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Strings and numbers: cannot fail.
        writeln!(f, "{}", serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for FileEntry {
    type Err = serde_json::Error;

    fn from_str(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

/// Everything that a restore needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub id: BackupId,
    pub sequence: i64,
    pub kind: Kind,
    pub installation: Uuid,
    /// Version that made it.
    pub holdfast: String,
    pub role_prefix: String,
    /// The instant that it shows.
    pub taken_at: DateTime<Utc>,
    pub recipients: Vec<String>,
    pub database: Database,
    pub objects: Tree,
    /// What took part beside them, by name.
    #[serde(default)]
    pub participants: BTreeMap<String, Part>,
    /// The participant [`FIRST`] as versions before `participants` wrote it and still read it (a former version rolls back to a backup that
    /// this one made). Only on the way out and in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vectors: Option<Tree>,
    /// Files of the embedding model, where they travel with the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Tree>,
    /// See `vectors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vector_tables: Option<serde_json::Value>,
    /// Master key, configuration and the files with secrets that it names.
    pub settings: Blob,
    /// SHA-256 of the file `blobs`.
    pub blobs_sha256: Digest,
    /// Blobs of the backup, each counted once.
    pub blobs: u64,
    /// Sealed bytes of all of them.
    pub total_bytes: u64,
    /// Room for what continues a backup to any later instant (write-ahead log); readers that know none leave it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal: Option<serde_json::Value>,
    /// The public key that its signature was checked with: the envelope's, not the signed text's.
    #[serde(skip)]
    pub signer: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    /// The manifest as JSON text: signatures are of bytes.
    manifest: String,
    signature: String,
    /// Of the installation; whether it is the right one, the reader knows from elsewhere.
    public_key: String,
}

impl Manifest {
    /// Every tree of files, with its name.
    pub fn trees(&self) -> impl Iterator<Item = (&str, &Tree)> {
        let participants = self.participants.iter().map(|(name, part)| (name.as_str(), &part.tree));
        let model = self.model.iter().map(|tree| ("models", tree));
        std::iter::once(("objects", &self.objects)).chain(participants).chain(model)
    }

    /// Bytes of what participants keep.
    pub fn participant_bytes(&self) -> u64 {
        self.participants.values().map(|part| part.tree.bytes).sum()
    }

    pub fn key(id: BackupId) -> String {
        format!("backups/{id}/manifest.json")
    }

    /// Where the names of its blobs lie.
    pub fn blobs_key(id: BackupId) -> String {
        format!("backups/{id}/blobs")
    }

    /// The id in a key of a listing; `None` for what is no manifest.
    pub fn id_of_key(key: &str) -> Option<BackupId> {
        key.strip_prefix("backups/")?.strip_suffix("/manifest.json")?.parse().ok()
    }

    /// The id in the key of a list of blobs, whole or not; `None` for what is none: other files may lie there that are not ours.
    pub fn id_of_blobs_key(key: &str) -> Option<BackupId> {
        let (id, file) = key.strip_prefix("backups/")?.split_once('/')?;
        id.parse().ok().filter(|_| matches!(file, "blobs" | "blobs.partial"))
    }

    /// As it is stored.
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

    /// Reads what [`Self::sign`] made for backup `id`. `trusted`: the installation's public key; without one any consistent
    /// signature does, which protects from accidents only.
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

/// Read before the rest, which another format may hold otherwise.
#[derive(Deserialize)]
struct Format {
    format: u32,
    #[serde(default)]
    installation: Uuid,
}
