//! Reading alerts.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::Row;
use crate::model::{Alert, AlertId, Filter, Labels, Severity, Status};
use platform::{db::contains, http::Slice};

/// Newest first.
pub async fn alerts(conn: &mut PgConnection, filter: &Filter, slice: &Slice) -> sqlx::Result<Vec<Alert>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: AlertId", fingerprint, name, severity, starts_at, ends_at, labels AS "labels: Json<Labels>",
             annotations AS "annotations: Json<Labels>", generator_url, received_at, heard_at
           FROM alerts WHERE id = ANY (ARRAY(SELECT alerts_found($1, $2, $3, $4, $5, $6, $7))) ORDER BY id DESC"#,
        filter.status.map(|status| status == Status::Firing),
        filter.severity.map(Severity::as_str),
        filter.search.as_deref().map(contains),
        filter.since,
        filter.until,
        slice.beyond(),
        slice.rows()
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Into::into).collect())
}

/// How many fired between: began before `until`, and had not ended by `since`.
pub async fn fired_between(conn: &mut PgConnection, since: DateTime<Utc>, until: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM alerts WHERE starts_at < $2 AND (ends_at IS NULL OR ends_at >= $1)"#,
        since,
        until
    )
    .fetch_one(conn)
    .await
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
