//! Hosts of monitors, by which outages share a cause.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Uptime;
use crate::{UptimeError, model::MonitorId, prober::host_of, store::specs};

impl Uptime {
    /// As in [`crate::Transition::host`]. Those without one are left out.
    pub async fn hosts(
        &self,
        conn: &mut PgConnection,
        monitors: &[MonitorId],
    ) -> Result<BTreeMap<MonitorId, String>, UptimeError> {
        let ids: Vec<Uuid> = monitors.iter().map(|id| id.0).collect();
        let found = specs::read(conn, &ids).await?;
        Ok(found.into_iter().filter_map(|(id, spec)| Some((id, host_of(&spec)?))).collect())
    }
}
