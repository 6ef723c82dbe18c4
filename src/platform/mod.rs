//! The ground floor: what every capability stands on and what knows none of them.

/// The one source of wall-clock time.
pub mod clock;
/// Reading configuration and reporting all of its errors.
pub mod config;
/// Randomness, hashes, the master key.
pub mod crypto;
/// The data directory, its lock and the master key.
pub mod data_dir;
/// Transactions that belong to an organisation; roles, migrations, the private cluster.
pub mod db;
/// Room on the file systems that are written to.
pub mod disk;
/// Errors as clients see them.
pub mod error;
/// Checks for `doctor` and readiness.
pub mod health;
/// Accept loop, limits, authentication, extractors.
pub mod http;
/// The two HTTP clients.
pub mod http_client;
/// Typed identifiers.
pub mod ids;
/// Starting, draining, stopping.
pub mod lifecycle;
/// Names that people give to things.
pub mod names;
/// Bounded threads for CPU work.
pub mod pools;
/// Names as they stand in addresses.
pub mod slug;
/// Logs and metrics.
pub mod telemetry;
/// Small text files that people write.
pub mod text_file;
