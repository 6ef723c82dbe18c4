//! Applies the file: reads it, lets each section parse it, then apply it in one transaction under an advisory lock.
//!
//! ```ignore
//! impl Uptime {
//!     pub async fn apply_file(&self, dry_run: bool, allow_empty: bool) -> Result<Applied, UptimeError>;   // Applied { changes, problems, applied }
//!     pub(crate) async fn watch_file(&self) -> anyhow::Result<()>;        // at the start of the duty, and when its time or size changes
//! }
//! ```
