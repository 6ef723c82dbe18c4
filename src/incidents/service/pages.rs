//! What status pages read. `conn` is a transaction of the owner, or one of role `system`.
//!
//! ```ignore
//! impl Incidents {
//!     pub async fn find_component(&self, conn: &mut PgConnection, owner: Owner, key: &str) -> Result<Option<ComponentId>, IncidentsError>;
//!     // With their monitors. In no order; what does not exist is left out.
//!     pub async fn components(&self, conn: &mut PgConnection, ids: &[ComponentId]) -> Result<Vec<Component>, IncidentsError>;
//!     // What was shown when, oldest first; for each component also its last change before `since`.
//!     pub async fn changes_of(
//!         &self, conn: &mut PgConnection, ids: &[ComponentId], since: DateTime<Utc>,
//!     ) -> Result<Vec<ComponentChange>, IncidentsError>;
//!     // Published incidents and maintenances that affect any of them: open ones, and those that began since then. Newest first.
//!     pub async fn shown(
//!         &self, conn: &mut PgConnection, components: &[ComponentId], since: DateTime<Utc>,
//!     ) -> Result<Vec<IncidentView>, IncidentsError>;
//!     // One of them, for mails to subscribers.
//!     pub async fn view(&self, conn: &mut PgConnection, id: IncidentId) -> Result<Option<IncidentView>, IncidentsError>;
//! }
//! ```
