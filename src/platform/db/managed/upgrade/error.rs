//! Why PostgreSQL was not upgraded. In every case the cluster in place is intact.

use super::super::{ManagedError, SUPPORTED};

#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    #[error("there is no private PostgreSQL cluster in {0}")]
    NoCluster(String),
    #[error(
        "the cluster is PostgreSQL {running}, and no newer version that Holdfast works with (up to {newest}) is found. Install one \
         (Debian, Ubuntu: apt-get install postgresql-N; for versions that the distribution lacks see \
         https://www.postgresql.org/download/), or name the folder of its programs with --bin-dir. Keep the old version installed until then",
        newest = SUPPORTED.end()
    )]
    NothingNewer { running: u32 },
    #[error(
        "PostgreSQL {wanted} is not found in {looked_in}: apt-get install postgresql-{wanted}, or name the folder of its programs with --bin-dir"
    )]
    NotInstalled { wanted: u32, looked_in: String },
    #[error("the cluster is PostgreSQL {running}: it cannot become {wanted}, PostgreSQL only upgrades. Holdfast works with {} to {}", SUPPORTED.start(), SUPPORTED.end())]
    NotUpwards { running: u32, wanted: u32 },
    #[error("{0} is kept from an earlier upgrade: first `holdfast upgrade-postgres --rollback`, or `--accept`")]
    Kept(String),
    #[error(
        "another `holdfast upgrade-postgres` is running here (the next start of Holdfast cleans up after an interrupted one)"
    )]
    UnderWay,
    #[error("PostgreSQL cannot be upgraded, and nothing was changed:\n  {}", .0.join("\n  "))]
    NotReady(Vec<String>),
    #[error("the new cluster differs from the old one and was discarded; the old one is in its place:\n  {}", .0.join("\n  "))]
    Different(Vec<String>),
    #[error("there is nothing to go back to: no upgrade was made, or it was accepted")]
    NothingToGoBackTo,
    #[error("{folder} was not shut down cleanly ({state}): nothing was changed")]
    NotStopped { folder: String, state: String },
    #[error(transparent)]
    Managed(#[from] ManagedError),
}

impl From<sqlx::Error> for UpgradeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Managed(error.into())
    }
}
