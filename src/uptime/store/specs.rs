//! Specs of many monitors.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{model::MonitorId, spec::MonitorSpec};

/// In no order; what does not exist, and what only a newer version can read, is left out.
pub async fn read(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(MonitorId, MonitorSpec)>> {
    let rows = sqlx::query!("SELECT id, spec FROM uptime_monitors WHERE id = ANY($1)", ids).fetch_all(conn).await?;
    let read = |id, spec| Some((MonitorId(id), serde_json::from_value(spec).ok()?));
    Ok(rows.into_iter().filter_map(|row| read(row.id, row.spec)).collect())
}
