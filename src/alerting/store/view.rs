//! Reading alerts.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::Row;
use crate::alerting::model::{Alert, AlertId, Filter, Labels, Severity, Status};

/// Newest first, below `before`.
pub async fn alerts(
    conn: &mut PgConnection,
    filter: &Filter,
    before: Option<AlertId>,
    limit: i64,
) -> sqlx::Result<Vec<Alert>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlertId", fingerprint, name, severity, starts_at, ends_at, labels AS "labels: Json<Labels>",
             annotations AS "annotations: Json<Labels>", generator_url, received_at, heard_at
           FROM alerts WHERE ($1::uuid IS NULL OR id < $1) AND ($2::bool IS NULL OR (ends_at IS NULL) = $2)
             AND ($3::text IS NULL OR severity = $3)
             AND ($4::text IS NULL OR strpos(lower(name || ' ' || coalesce(annotations->>'summary', '')), lower($4)) > 0
                  OR EXISTS (SELECT FROM jsonb_each_text(labels) l WHERE strpos(lower(l.value), lower($4)) > 0))
             AND ($5::timestamptz IS NULL OR ends_at IS NULL OR ends_at >= $5) AND ($6::timestamptz IS NULL OR starts_at < $6)
           ORDER BY id DESC LIMIT $7"#,
        before.map(|id| id.0),
        filter.status.map(|status| status == Status::Firing),
        filter.severity.map(Severity::as_str),
        filter.search,
        filter.since,
        filter.until,
        limit
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Into::into).collect())
}

/// Firing alerts, worst first, then newest first.
pub async fn firing(conn: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<Alert>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlertId", fingerprint, name, severity, starts_at, ends_at, labels AS "labels: Json<Labels>",
             annotations AS "annotations: Json<Labels>", generator_url, received_at, heard_at
           FROM alerts WHERE ends_at IS NULL
           ORDER BY array_position(ARRAY['critical', 'warning', 'info', 'none'], severity), starts_at DESC, id LIMIT $1"#,
        limit
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Into::into).collect())
}

pub async fn alert(conn: &mut PgConnection, id: AlertId) -> sqlx::Result<Option<Alert>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlertId", fingerprint, name, severity, starts_at, ends_at, labels AS "labels: Json<Labels>",
             annotations AS "annotations: Json<Labels>", generator_url, received_at, heard_at
           FROM alerts WHERE id = $1"#,
        id.0
    );
    Ok(row.fetch_optional(conn).await?.map(Into::into))
}

/// Number of firing alerts by severity.
pub async fn firing_counts(conn: &mut PgConnection) -> sqlx::Result<Vec<(Severity, i64)>> {
    let rows =
        sqlx::query!(r#"SELECT severity, count(*) AS "count!" FROM alerts WHERE ends_at IS NULL GROUP BY severity"#);
    let rows = rows.fetch_all(conn).await?.into_iter();
    Ok(rows.map(|row| (Severity::parse(&row.severity).unwrap_or(Severity::None), row.count)).collect())
}

/// Firing alerts last repeated before the given time, with their fingerprints.
pub async fn firing_fingerprints(
    conn: &mut PgConnection,
    heard_before: DateTime<Utc>,
) -> sqlx::Result<Vec<(AlertId, String)>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: AlertId", fingerprint FROM alerts WHERE ends_at IS NULL AND heard_at < $1"#,
        heard_before
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.id, row.fingerprint)).collect())
}

/// When the last Watchdog was received.
pub async fn watchdog(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("SELECT seen_at FROM alert_watchdog").fetch_optional(conn).await
}
