//! `incident_causes`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Cause, CauseSource, IncidentId};
use platform::ids::OrgId;

struct Row {
    source: String,
    reference: Uuid,
    incident_id: Uuid,
    subject: Uuid,
    name: String,
    traits: serde_json::Value,
    opened_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> (IncidentId, Cause) {
        let cause = Cause {
            source: self.source.parse().unwrap_or(CauseSource::Monitor),
            reference: self.reference,
            subject: self.subject,
            name: self.name,
            traits: serde_json::from_value(self.traits).unwrap_or_default(),
            opened_at: self.opened_at,
            closed_at: self.closed_at,
        };
        (IncidentId(self.incident_id), cause)
    }
}

/// Those of these incidents, oldest first.
pub async fn of(conn: &mut PgConnection, incidents: &[Uuid]) -> sqlx::Result<Vec<(IncidentId, Cause)>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT source, ref AS reference, incident_id, subject, name, traits, opened_at, closed_at
         FROM incident_causes WHERE incident_id = ANY($1) ORDER BY opened_at, ref",
        incidents,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// The incident that this cause has; locked.
pub async fn find(
    conn: &mut PgConnection,
    source: CauseSource,
    reference: Uuid,
) -> sqlx::Result<Option<(IncidentId, Cause)>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT source, ref AS reference, incident_id, subject, name, traits, opened_at, closed_at
         FROM incident_causes WHERE source = $1 AND ref = $2 FOR NO KEY UPDATE",
        source.as_str(),
        reference,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Row::read))
}

/// The incident of a monitor's certificate or domain that ends: `certificate` or `domain`. It lasts.
pub async fn ending_of(conn: &mut PgConnection, monitor: Uuid, what: &str) -> sqlx::Result<Option<IncidentId>> {
    let found = sqlx::query_scalar!(
        "SELECT incident_id FROM incident_causes
         WHERE subject = $1 AND source = 'ending' AND traits->>'ending' = $2 AND closed_at IS NULL ORDER BY opened_at LIMIT 1",
        monitor,
        what,
    );
    Ok(found.fetch_optional(conn).await?.map(IncidentId))
}

/// What ends soon and was not renewed, of all owners. As role `system`.
pub async fn endings(conn: &mut PgConnection) -> sqlx::Result<Vec<(IncidentId, Cause)>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT source, ref AS reference, incident_id, subject, name, traits, opened_at, closed_at
         FROM incident_causes WHERE source = 'ending' AND closed_at IS NULL ORDER BY opened_at LIMIT 1000",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// False: it has an incident already.
pub async fn insert(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    incident: IncidentId,
    cause: &Cause,
) -> sqlx::Result<bool> {
    let traits = serde_json::to_value(&cause.traits).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = sqlx::query!(
        "INSERT INTO incident_causes (source, ref, org_id, incident_id, subject, name, traits, opened_at, closed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (source, ref) DO NOTHING",
        cause.source.as_str(),
        cause.reference,
        org.map(|org| org.0),
        incident.0,
        cause.subject,
        cause.name,
        traits,
        cause.opened_at,
        cause.closed_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False: it was over already, or opened no incident.
pub async fn close(
    conn: &mut PgConnection,
    source: CauseSource,
    reference: Uuid,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incident_causes SET closed_at = greatest($3, opened_at) WHERE source = $1 AND ref = $2 AND closed_at IS NULL",
        source.as_str(),
        reference,
        at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Monitors whose outages opened or joined an incident of this owner since then.
pub async fn recent(conn: &mut PgConnection, org: Option<OrgId>, since: DateTime<Utc>) -> sqlx::Result<BTreeSet<Uuid>> {
    let found = sqlx::query_scalar!(
        r#"SELECT DISTINCT l.detail->>'subject' AS "subject!" FROM incident_log l JOIN incidents i ON i.id = l.incident_id
           WHERE i.org_id IS NOT DISTINCT FROM $1 AND i.resolved_at IS NULL AND i.created_at > $2::timestamptz - interval '30 minutes'
             AND l.what IN ('opened', 'joined') AND l.detail->>'source' = 'monitor' AND l.detail->>'subject' IS NOT NULL AND l.at > $2"#,
        org.map(|org| org.0),
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(found.iter().filter_map(|subject| subject.parse().ok()).collect())
}

/// How many monitors and alerts are its causes, and how many of these last.
pub async fn counts(conn: &mut PgConnection, incident: IncidentId) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(DISTINCT (source, subject)) AS "all!", count(*) FILTER (WHERE closed_at IS NULL) AS "last!" FROM incident_causes WHERE incident_id = $1"#,
        incident.0,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.all, row.last))
}

/// All of one incident, or only these, go to another.
pub async fn move_to(
    conn: &mut PgConnection,
    from: IncidentId,
    into: IncidentId,
    only: Option<&[Uuid]>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE incident_causes SET incident_id = $2 WHERE incident_id = $1 AND ($3::uuid[] IS NULL OR ref = ANY($3))",
        from.0,
        into.0,
        only,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// When outages of the same monitors began and ended since then: changes of the incident, by which it is flapping.
pub async fn changes(
    conn: &mut PgConnection,
    incident: IncidentId,
    since: DateTime<Utc>,
) -> sqlx::Result<Vec<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"SELECT at AS "at!" FROM incident_causes c CROSS JOIN LATERAL (VALUES (c.opened_at), (c.closed_at)) t (at)
           WHERE c.subject = (SELECT subject FROM incident_causes WHERE incident_id = $1
                              GROUP BY subject ORDER BY count(*) DESC, subject LIMIT 1)
             AND c.source <> 'ending' AND c.opened_at > $2::timestamptz - interval '1 day' AND t.at > $2
           ORDER BY at"#,
        incident.0,
        since,
    )
    .fetch_all(conn)
    .await
}
