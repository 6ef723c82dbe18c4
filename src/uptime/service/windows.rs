//! Maintenance windows, and when they are open.
//!
//! ```ignore
//! impl Uptime {
//!     pub async fn create_window(&self, conn: &mut PgConnection, owner: Owner, new: &NewWindow, by: &str) -> Result<WindowId, UptimeError>;
//!     pub async fn occurrences(
//!         &self, conn: &mut PgConnection, owner: Owner, from: DateTime<Utc>, until: DateTime<Utc>,
//!     ) -> Result<Vec<(Window, Occurrence)>, UptimeError>;
//! }
//! ```
