//! The lowest layer: shared by all capabilities, depends on none.

/// The only source of wall-clock time.
pub mod clock;
/// Loads configuration and reports all of its errors.
pub mod config;
/// Randomness, hashes, the master key.
pub mod crypto;
/// The data directory, its lock and the master key.
pub mod data_dir;
/// Tenant transactions, roles, migrations, the private cluster.
pub mod db;
/// Free space of the file systems that are written to.
pub mod disk;
/// API errors.
pub mod error;
/// Bodies that are compressed with gzip.
pub mod gzip;
/// Checks for `doctor` and readiness.
pub mod health;
/// Accept loop, limits, authentication, extractors.
pub mod http;
/// The HTTP clients.
pub mod http_client;
/// Typed identifiers.
pub mod ids;
/// Startup and shutdown.
pub mod lifecycle;
/// Names and texts that people enter.
pub mod names;
/// Bounded threads for CPU work.
pub mod pools;
/// Names in URLs.
pub mod slug;
/// Logs and metrics.
pub mod telemetry;
/// Enums whose values have a fixed text.
pub mod text_enum;
/// Small text files that people write.
pub mod text_file;
/// The trace that a piece of work belongs to.
pub mod trace;
