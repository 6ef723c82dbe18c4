//! What pages and other rooms read of the past. `conn` is a transaction of the owner, or one of role `system`.
//!
//! ```ignore
//! impl Uptime {
//!     // From `from` to the day before `until`, in this zone. Days on which a monitor did not exist are left out.
//!     pub async fn totals(
//!         &self, conn: &mut PgConnection, monitors: &[MonitorId], from: NaiveDate, until: NaiveDate, zone: Tz,
//!     ) -> Result<Vec<DayTotal>, UptimeError>;
//!     pub async fn series(
//!         &self, conn: &mut PgConnection, monitor: MonitorId, step: Step, from: DateTime<Utc>, until: DateTime<Utc>,
//!     ) -> Result<Vec<Point>, UptimeError>;
//!     pub async fn availability(
//!         &self, conn: &mut PgConnection, monitor: MonitorId, from: DateTime<Utc>, until: DateTime<Utc>,
//!     ) -> Result<Availability, UptimeError>;
//!     // Spans of status `down`, oldest first.
//!     pub async fn outages(&self, conn: &mut PgConnection, owner: Owner, since: DateTime<Utc>) -> Result<Vec<Span>, UptimeError>;
//!     // The newest of each monitor, newest first.
//!     pub async fn last_checks(
//!         &self, conn: &mut PgConnection, monitors: &[MonitorId], most: i64,
//!     ) -> Result<Vec<(MonitorId, Check)>, UptimeError>;
//! }
//! ```
