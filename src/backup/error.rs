//! Errors of backups.

use std::{error::Error, path::PathBuf, time::Duration};

use super::{
    catalogue::CatalogueError, destination::DestinationError, dump::DumpError, keys::KeyError, manifest::ManifestError,
    model::BackupId, seal::SealError, unfinished::Unfinished,
};
use platform::{db::DbError, error::ApiError, pools::WorkLost};
use storage::{ParticipantError, StorageError};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "no backups are configured: run `holdfast backup keys generate`, then set backup.recipients and a destination"
    )]
    Off,
    #[error("another backup, drill or clean-up is running: wait for it, `holdfast backup list` shows it")]
    Busy,
    #[error("there is no backup {0}")]
    NotFound(BackupId),
    #[error(
        "the restore of backup {} (of {}) into this data directory has not ended, still to come: {}. Run the same `holdfast restore` once more: \
         it resumes; to do without the rest, remove {}", .unfinished.backup, .unfinished.taken_at.format("%Y-%m-%d %H:%M:%SZ"),
        .unfinished.parts.join(", "), .path.display()
    )]
    RestoreUnfinished { unfinished: Unfinished, path: PathBuf },
    #[error(
        "{} cannot be read: a restore into this data directory has not ended. Restore again, or remove that file if nothing is missing", .0.display()
    )]
    Mark(PathBuf),
    #[error(
        "the newest backup at {destination}, {id}, cannot be read; {}", match .readable {
            Some(older) => format!("the newest readable one is {older}: use --backup {older}"),
            None => "this key decrypts none of the others".to_owned(),
        }
    )]
    NewestUnreadable { destination: String, id: BackupId, readable: Option<BackupId>, source: Box<BackupError> },
    #[error("a restore from {destination} without --backup would not take {expected}: {found}")]
    NotTaken { destination: String, expected: BackupId, found: String },
    #[error("there is no backup yet")]
    None,
    #[error(
        "no backup found at {place}: is that the folder or prefix that backups were made to (the one with `backups` and `blobs`)?"
    )]
    NothingThere { place: String },
    #[error("there is no destination {name:?}; configured are: {known}")]
    NoDestination { name: String, known: String },
    #[error(
        "destination {destination} holds only backups of other installations ({installations}): use the key file of one of them"
    )]
    OnlyOthers { destination: String, installations: String },
    #[error(
        "destination {destination} holds backups of several installations that this key decrypts ({installations}), and the key file does not \
         name its installation: choose a backup with --backup; `holdfast restore --plan --backup ID` shows its installation"
    )]
    Ambiguous { destination: String, installations: String },
    #[error("no key: set backup.key_file, or name one with --key-file")]
    NoKey,
    #[error("files are being deleted, and that did not finish within {0:?}")]
    NotQuiet(Duration),
    #[error(
        "the lock that prevents deletions was lost during the backup (did the database restart?): files may be missing"
    )]
    HoldLost,
    #[error("the file {0} changed while it was read")]
    Changed(String),
    #[error(
        "this backup was made by Holdfast {holdfast}, whose database has migration {migration}; this version knows migrations up to {known}: \
         install that version or a newer one"
    )]
    NewerHoldfast { holdfast: String, migration: i64, known: i64 },
    #[error(
        "this backup was made with pg_dump {tool}: it can only be restored into PostgreSQL 17 or newer, and the server is {server}. Restore into a \
         newer server (database.url), or without database.url into a private one"
    )]
    OldServer { server: u32, tool: String },
    #[error("{free} bytes are free in {dir}, {needed} are needed")]
    DiskFull { dir: String, free: u64, needed: u64 },
    #[error("every destination failed: {0}")]
    NoCopy(String),
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    #[error("the restored data differs: {0}")]
    Differs(String),
    #[error("cancelled")]
    Cancelled,
    #[error("cannot use {path}")]
    Io { path: String, source: std::io::Error },
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Lost(#[from] WorkLost),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("{name} failed")]
    Participant { name: String, source: ParticipantError },
    #[error("the backup holds {0}, which this version of Holdfast does not know: take the version that made it")]
    UnknownParticipant(String),
    #[error("the roles could not be created")]
    Roles(#[from] platform::db::roles::RolesError),
    #[error("the scratch server failed")]
    Scratch(#[from] platform::db::managed::ManagedError),
}

platform::from_sqlx!(BackupError);

impl BackupError {
    /// Whether the copy is damaged, as opposed to unreachable. Looks into wrapped errors.
    pub fn is_damage(&self) -> bool {
        let mut causes = std::iter::successors(Some(self as &(dyn Error + 'static)), |cause| Error::source(*cause));
        causes.any(|cause| {
            let destination = match cause.downcast_ref::<Self>() {
                Some(Self::Damaged(_) | Self::Seal(SealError::Damaged(_)) | Self::Manifest(_)) => return true,
                Some(Self::Destination(error)) => Some(error),
                _ => cause.downcast_ref::<DestinationError>(),
            };
            matches!(
                destination,
                Some(
                    DestinationError::Damaged { .. }
                        | DestinationError::Missing { .. }
                        | DestinationError::Manifest { .. }
                )
            )
        })
    }

    /// Maps the error of the participant `name`.
    pub(super) fn of(name: &str) -> impl Fn(ParticipantError) -> Self {
        let name = name.to_owned();
        move |error| match error {
            ParticipantError::Differs(words) => Self::Differs(words),
            source => Self::Participant { name: name.clone(), source },
        }
    }

    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { path, source }
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match &error {
            BackupError::Off => Self::conflict("backups_off", error.to_string()),
            BackupError::Busy => Self::conflict("backup_running", error.to_string()),
            BackupError::NotFound(_) | BackupError::None => Self::not_found("backup"),
            BackupError::NoDestination { .. } => Self::not_found("destination"),
            BackupError::NoKey => Self::conflict("no_backup_key", error.to_string()),
            BackupError::Db(_) => match error {
                BackupError::Db(error) => error.into(),
                other => Self::internal(other),
            },
            _ => Self::internal(error),
        }
    }
}
