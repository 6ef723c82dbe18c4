//! Figures of all owners, as role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ChannelId, Owner, Severity};
use platform::ids::OrgId;

/// Open incidents by severity; drafts and merged ones are counted as they are: as open, and not at all.
pub async fn open(conn: &mut PgConnection) -> sqlx::Result<Vec<(Severity, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT severity, count(*) AS "count!" FROM incidents
           WHERE resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident' GROUP BY severity"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.severity.parse().ok()?, row.count))).collect())
}

/// Since when the oldest critical incident of the installation waits for somebody; those of organisations are theirs. Not one that an alert opened: that is
/// acknowledged where alerts are, and the alert about this would open another one.
pub async fn unacknowledged(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "SELECT min(started_at) FROM incidents
         WHERE resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident' AND severity = 'critical' AND acknowledged_at IS NULL
           AND opened_by <> 'alert' AND org_id IS NULL"
    )
    .fetch_one(conn)
    .await
}

/// A channel that is used, or has disabled itself.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub id: ChannelId,
    /// `None`: the installation's.
    pub org: Option<OrgId>,
    /// It answered that it does not exist any more.
    pub is_gone: bool,
}

/// All channels that are used, and those that have disabled themselves.
pub async fn channels(conn: &mut PgConnection) -> sqlx::Result<Vec<Standing>> {
    let rows = sqlx::query!(
        r#"SELECT id, org_id, disabled_reason IS NOT NULL AS "gone!" FROM incident_channels
           WHERE disabled_at IS NULL OR disabled_reason = 'gone'"#
    )
    .fetch_all(conn)
    .await?;
    let standing = |id, org: Option<Uuid>, is_gone| Standing { id: ChannelId(id), org: org.map(OrgId), is_gone };
    Ok(rows.into_iter().map(|row| standing(row.id, row.org_id, row.gone)).collect())
}

/// How many owners watch something of which no rule tells anybody who can be reached. `only`: of this owner alone. `has_mail`: mail can be sent.
pub async fn untold(conn: &mut PgConnection, only: Option<Owner>, has_mail: bool) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
           FROM (SELECT DISTINCT org_id FROM uptime_monitors WHERE removed_at IS NULL AND paused_at IS NULL) m
           WHERE ($1::boolean OR m.org_id IS NOT DISTINCT FROM $2::uuid) AND NOT EXISTS (
             SELECT FROM incident_rules r CROSS JOIN LATERAL jsonb_array_elements(r.steps) step
             WHERE r.org_id IS NOT DISTINCT FROM m.org_id AND NOT r.disabled
               AND (jsonb_array_length(coalesce(r.matches->'severities', '[]')) = 0 OR r.matches->'severities' ? 'critical')
               AND (jsonb_array_length(coalesce(r.matches->'sources', '[]')) = 0 OR r.matches->'sources' ? 'monitor')
               AND (step->>'rota' IS NOT NULL OR EXISTS (
                 SELECT FROM incident_channels c
                 WHERE step->'channels' ? c.id::text AND c.disabled_at IS NULL AND ($3 OR c.kind <> 'mail'))))"#,
        only.is_none(),
        only.and_then(Owner::org).map(|org| org.0),
        has_mail,
    )
    .fetch_one(conn)
    .await
}

/// What the console's first page shows of an owner: open incidents, unacknowledged ones.
pub async fn of_owner(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "open!", count(*) FILTER (WHERE acknowledged_at IS NULL) AS "waiting!" FROM incidents
           WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident'"#,
        org.map(|org| org.0),
    )
    .fetch_one(conn)
    .await?;
    Ok((row.open, row.waiting))
}
