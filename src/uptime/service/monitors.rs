//! Monitors: made, changed, paused, checked by hand, found.
//!
//! ```ignore
//! impl Uptime {
//!     pub async fn find_monitor(&self, conn: &mut PgConnection, owner: Owner, key: &str) -> Result<Option<MonitorId>, UptimeError>;
//!     pub async fn find_group(&self, conn: &mut PgConnection, owner: Owner, key: &str) -> Result<Option<GroupId>, UptimeError>;
//!     // In no order; what does not exist is left out.
//!     pub async fn monitors(&self, conn: &mut PgConnection, ids: &[MonitorId]) -> Result<Vec<Monitor>, UptimeError>;
//! }
//! ```
