//! Errors of the search index.

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The table does not exist: no index of this generation has been made yet, or it was dropped.
    #[error("index table `{0}` does not exist")]
    NoSuchTable(String),
    /// A file of the table is missing, truncated or not in Lance format. A reader may have raced with a purge; for the
    /// table's writer it means that the table must be rebuilt.
    #[error("a file of the index is missing or damaged")]
    Damaged(#[source] Box<lancedb::Error>),
    /// A vector's length differs from the table's: the embedding model changed without a new index generation.
    #[error("the vector has {got} dimensions, the index table {expected}")]
    Dimensions { expected: usize, got: usize },
    /// The table's columns do not match our schema.
    #[error("index table `{0}` has an unexpected schema")]
    Schema(String),
    /// Storage or LanceDB failed.
    #[error("the vector store failed")]
    Store(#[source] Box<lancedb::Error>),
    #[error("index rows could not be assembled")]
    Arrow(#[from] arrow_schema::ArrowError),
    #[error(transparent)]
    Guard(#[from] storage::StorageError),
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

/// Messages of lance and the object store for files that are missing, truncated or empty (full disk, power cut) or
/// overwritten. LanceDB has no error variant for these, and wraps them in errors of lance and `DataFusion`.
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
