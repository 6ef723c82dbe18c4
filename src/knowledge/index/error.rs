//! What the index can answer instead of a result.

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The table does not exist: the base has no index of this generation yet, or it was dropped.
    #[error("index table `{0}` does not exist")]
    NoSuchTable(String),
    /// A file of the table is missing, cut off or no file of LanceDB. For a reader that may be a purge that ran at this moment; for the
    /// table's writer it means that the table must be made again.
    #[error("a file of the index is missing or broken")]
    Damaged(#[source] Box<lancedb::Error>),
    /// A vector of another length than the table's: the embedding model was changed without a new index generation.
    #[error("the vector has {got} numbers, the index table {expected}")]
    Dimensions { expected: usize, got: usize },
    /// A table of ours with columns that are not ours.
    #[error("index table `{0}` has an unexpected schema")]
    Schema(String),
    /// Storage or LanceDB failed.
    #[error("the vector store failed")]
    Store(#[source] Box<lancedb::Error>),
    #[error("index rows could not be assembled")]
    Arrow(#[from] arrow_schema::ArrowError),
    #[error(transparent)]
    Guard(#[from] crate::storage::StorageError),
}

impl From<lancedb::Error> for IndexError {
    fn from(error: lancedb::Error) -> Self {
        match error {
            lancedb::Error::TableNotFound { name, .. } => Self::NoSuchTable(name),
            other if is_damage(&other) => Self::Damaged(Box::new(other)),
            other => Self::Store(Box::new(other)),
        }
    }
}

/// What lance and the object store say of a file that is missing, of one that a full disk or a power cut left shorter or empty, and
/// of one with other bytes at its end. LanceDB has no variant for it, and what it makes of these arrives wrapped by lance and
/// `DataFusion` in turn.
const DAMAGE: [&str; 7] = [
    "Not found: ",
    "file size is too small",
    "failed to fill whole buffer",
    "Invalid range ",
    "does not appear to be a Lance file",
    "Encountered corrupt file",
    "magic number does not match",
];

fn is_damage(error: &lancedb::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if DAMAGE.iter().any(|damage| text.contains(damage)) {
            return true;
        }
        cause = error.source();
    }
    false
}
