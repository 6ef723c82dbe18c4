//! Storing notifications, and ending stale alerts.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};

use super::Row;
use crate::model::{Alert, AlertId, Labels, Report};
use platform::{clock::Clock, db::lock_until_commit};

/// A stored alert, and whether this notification started or ended it.
pub struct Change {
    pub alert: Alert,
    pub changed: bool,
}

/// Locks out other notifications until the transaction ends: what is new depends on the rows there.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    lock_until_commit(conn, "alerting.intake").await
}

/// Upserts all reports in one statement. Unknown alerts are inserted. Known ones get the new labels and annotations,
/// end when reported resolved, and fire again only if they ended before `straggler_from`: an earlier "firing" was
/// overtaken by the message of its end. An alert that fires although a later one of its fingerprint is known ended when
/// that one started.
pub async fn take(
    conn: &mut PgConnection,
    clock: &Clock,
    reports: &[Report],
    straggler_from: DateTime<Utc>,
) -> sqlx::Result<Vec<Change>> {
    let ids: Vec<uuid::Uuid> = reports.iter().map(|_| AlertId::generate(clock).0).collect();
    let fingerprints: Vec<String> = reports.iter().map(|r| r.fingerprint.clone()).collect();
    let starts: Vec<DateTime<Utc>> = reports.iter().map(|r| r.starts_at).collect();
    let ends: Vec<Option<DateTime<Utc>>> = reports.iter().map(|r| r.ends_at).collect();
    let names: Vec<String> = reports.iter().map(|r| r.name.clone()).collect();
    let severities: Vec<String> = reports.iter().map(|r| r.severity.as_str().to_owned()).collect();
    let labels: Vec<Json<&Labels>> = reports.iter().map(|r| Json(&r.labels)).collect();
    let annotations: Vec<Json<&Labels>> = reports.iter().map(|r| Json(&r.annotations)).collect();
    let generators: Vec<String> = reports.iter().map(|r| r.generator_url.clone()).collect();
    let rows = sqlx::query!(
        r#"WITH said AS (
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[], $9::text[])
               AS s (id, fingerprint, starts_at, ends_at, name, severity, labels, annotations, generator_url)
           ), before AS (
             SELECT a.fingerprint, a.starts_at, a.ends_at FROM alerts a JOIN said USING (fingerprint, starts_at)
           ), kept AS (
             INSERT INTO alerts AS a (id, fingerprint, starts_at, ends_at, name, severity, labels, annotations, generator_url, received_at, heard_at)
             SELECT s.id, s.fingerprint, s.starts_at,
                    coalesce(s.ends_at, (SELECT min(later.starts_at) FROM alerts later WHERE later.fingerprint = s.fingerprint AND later.starts_at > s.starts_at)),
                    s.name, s.severity, s.labels, s.annotations, s.generator_url, $10, $10
             FROM said s ORDER BY s.fingerprint, s.starts_at
             ON CONFLICT (fingerprint, starts_at) DO UPDATE SET
               ends_at = CASE WHEN a.ends_at IS NULL THEN excluded.ends_at
                              WHEN excluded.ends_at IS NULL AND a.heard_at < $11 THEN NULL
                              ELSE a.ends_at END,
               heard_at = CASE WHEN a.ends_at IS NOT NULL AND excluded.ends_at IS NULL AND a.heard_at >= $11 THEN a.heard_at ELSE excluded.heard_at END,
               annotations = excluded.annotations, labels = excluded.labels, generator_url = excluded.generator_url
             RETURNING *
           )
           SELECT k.id AS "id!: AlertId", k.fingerprint AS "fingerprint!", k.name AS "name!", k.severity AS "severity!", k.starts_at AS "starts_at!",
                  k.ends_at, k.labels AS "labels!: Json<Labels>", k.annotations AS "annotations!: Json<Labels>", k.generator_url AS "generator_url!",
                  k.received_at AS "received_at!", k.heard_at AS "heard_at!",
                  (b.fingerprint IS NULL OR (b.ends_at IS NULL) <> (k.ends_at IS NULL)) AS "changed!"
           FROM kept k LEFT JOIN before b USING (fingerprint, starts_at) ORDER BY k.id"#,
        &ids,
        &fingerprints,
        &starts,
        &ends as &[Option<DateTime<Utc>>],
        &names,
        &severities,
        &labels as &[Json<&Labels>],
        &annotations as &[Json<&Labels>],
        &generators,
        clock.now(),
        straggler_from
    );
    let rows = rows.fetch_all(conn).await?.into_iter().map(|r| {
        let alert = Row {
            id: r.id,
            fingerprint: r.fingerprint,
            name: r.name,
            severity: r.severity,
            starts_at: r.starts_at,
            ends_at: r.ends_at,
            labels: r.labels,
            annotations: r.annotations,
            generator_url: r.generator_url,
            received_at: r.received_at,
            heard_at: r.heard_at,
        };
        Change { alert: alert.into(), changed: r.changed }
    });
    Ok(rows.collect())
}

/// Firing alerts that must have ended unreported: a later alert with the same fingerprint fires, or they were not
/// repeated since `unheard_since`.
pub async fn unheard(conn: &mut PgConnection, unheard_since: DateTime<Utc>) -> sqlx::Result<Vec<AlertId>> {
    sqlx::query_scalar!(
        r#"SELECT a.id AS "id: AlertId" FROM alerts a WHERE a.ends_at IS NULL AND (a.heard_at < $1
             OR EXISTS (SELECT FROM alerts later WHERE later.fingerprint = a.fingerprint AND later.starts_at > a.starts_at))"#,
        unheard_since
    )
    .fetch_all(conn)
    .await
}

/// Ends those that still fire: at the start of the next one with their fingerprint, or now.
pub async fn close(conn: &mut PgConnection, ids: &[AlertId], now: DateTime<Utc>) -> sqlx::Result<Vec<Alert>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"UPDATE alerts a SET heard_at = $2, ends_at = coalesce(
             (SELECT min(later.starts_at) FROM alerts later WHERE later.fingerprint = a.fingerprint AND later.starts_at > a.starts_at),
             greatest($2, a.starts_at))
           WHERE a.id = ANY ($1) AND a.ends_at IS NULL
           RETURNING id AS "id: AlertId", fingerprint, name, severity, starts_at, ends_at, labels AS "labels: Json<Labels>",
             annotations AS "annotations: Json<Labels>", generator_url, received_at, heard_at"#,
        &ids,
        now
    );
    Ok(rows.fetch_all(conn).await?.into_iter().map(Into::into).collect())
}

pub async fn seen_watchdog(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO alert_watchdog AS w (seen_at) VALUES ($1) ON CONFLICT (singleton) DO UPDATE SET seen_at = greatest(w.seen_at, $1)",
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes alerts that ended before `ended_before`. Returns how many.
pub async fn maintain(conn: &mut PgConnection, ended_before: DateTime<Utc>) -> sqlx::Result<u64> {
    Ok(sqlx::query!("DELETE FROM alerts WHERE ends_at < $1", ended_before).execute(conn).await?.rows_affected())
}
