//! What a month's report reads.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::MonitorId;
use platform::ids::OrgId;

/// A monitor of a report.
#[derive(Clone, Debug)]
pub struct Reported {
    pub id: MonitorId,
    pub number: i32,
    pub key: String,
    pub name: String,
    pub target: Option<f64>,
    pub created_at: DateTime<Utc>,
}

/// By name. `ids`: empty for all of the owner's.
pub async fn monitors(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    ids: &[Uuid],
    most: i64,
) -> sqlx::Result<Vec<Reported>> {
    let rows = sqlx::query!(
        "SELECT id, number, key, name, target, created_at FROM uptime_monitors
         WHERE org_id IS NOT DISTINCT FROM $1 AND removed_at IS NULL AND (cardinality($2::uuid[]) = 0 OR id = ANY ($2))
         ORDER BY name, id LIMIT $3",
        org.map(|org| org.0),
        ids,
        most,
    )
    .fetch_all(conn)
    .await?;
    let reported = rows.into_iter().map(|row| Reported {
        id: MonitorId(row.id),
        number: row.number,
        key: row.key,
        name: row.name,
        target: row.target,
        created_at: row.created_at,
    });
    Ok(reported.collect())
}

/// Days (UTC) from `first` to the day before `end`: number, checks, percentiles as bytes.
pub async fn days(
    conn: &mut PgConnection,
    monitors: &[i32],
    first: NaiveDate,
    end: NaiveDate,
) -> sqlx::Result<Vec<(i32, i32, Vec<u8>)>> {
    let rows = sqlx::query!(
        "SELECT monitor, checks, sketch FROM uptime_days WHERE monitor = ANY ($1) AND day >= $2 AND day < $3",
        monitors,
        first,
        end,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.monitor, row.checks, row.sketch)).collect())
}
