//! `uptime_checks`, `uptime_hours_open`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Check, Outcome, Phases, Reason};

/// A check with the monitor that it is of.
#[derive(Clone, Debug)]
pub struct CheckRow {
    /// `uptime_monitors.number`
    pub number: i32,
    pub org: Option<Uuid>,
    pub check: Check,
}

/// Checks that are there already are left alone.
pub async fn insert(conn: &mut PgConnection, rows: &[CheckRow]) -> sqlx::Result<()> {
    fn all<T>(rows: &[CheckRow], of: impl Fn(&CheckRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    sqlx::query!(
        "INSERT INTO uptime_checks (at, monitor, org_id, total, resolve, connect, tls, first_byte, transfer, lag, outcome, reason, attempt,
           code, maintenance, address, error)
         SELECT n.at, n.monitor, n.org_id, n.total, n.resolve, n.connect, n.tls, n.first_byte, n.transfer, n.lag, n.outcome, n.reason,
           n.attempt, n.code, n.maintenance, n.address::inet, n.error
         FROM unnest($1::timestamptz[], $2::int4[], $3::uuid[], $4::int4[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int4[],
           $10::int4[], $11::int2[], $12::int2[], $13::int2[], $14::int2[], $15::bool[], $16::text[], $17::text[])
           AS n (at, monitor, org_id, total, resolve, connect, tls, first_byte, transfer, lag, outcome, reason, attempt, code, maintenance,
             address, error)
         ON CONFLICT DO NOTHING",
        &all(rows, |row| row.check.at),
        &all(rows, |row| row.number),
        &all(rows, |row| row.org) as &[Option<Uuid>],
        &all(rows, |row| row.check.total),
        &all(rows, |row| row.check.phases.resolve) as &[Option<i32>],
        &all(rows, |row| row.check.phases.connect) as &[Option<i32>],
        &all(rows, |row| row.check.phases.tls) as &[Option<i32>],
        &all(rows, |row| row.check.phases.first_byte) as &[Option<i32>],
        &all(rows, |row| row.check.phases.transfer) as &[Option<i32>],
        &all(rows, |row| row.check.lag),
        &all(rows, |row| row.check.outcome.number()),
        &all(rows, |row| row.check.reason.map_or(0, Reason::number)),
        &all(rows, |row| row.check.attempt),
        &all(rows, |row| row.check.code) as &[Option<i16>],
        &all(rows, |row| row.check.maintenance),
        &all(rows, |row| row.check.address.map(|address| address.to_string())) as &[Option<String>],
        &all(rows, |row| row.check.error.clone()) as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Names hours that must be rolled up.
pub async fn open_hours(conn: &mut PgConnection, hours: &[DateTime<Utc>]) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_hours_open (hour) SELECT hour FROM unnest($1::timestamptz[]) AS n (hour)
         ON CONFLICT (hour) DO UPDATE SET named = uptime_hours_open.named + 1",
        hours,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest checks of each of these monitors since a time, newest first: at most so many of each.
pub async fn last(
    conn: &mut PgConnection,
    numbers: &[i32],
    since: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<CheckRow>> {
    let rows = sqlx::query!(
        r#"SELECT n.number AS "number!", c.at AS "at!", c.org_id AS "org_id?", c.total AS "total!", c.resolve AS "resolve?",
             c.connect AS "connect?", c.tls AS "tls?", c.first_byte AS "first_byte?", c.transfer AS "transfer?", c.lag AS "lag!",
             c.outcome AS "outcome!", c.reason AS "reason!", c.attempt AS "attempt!", c.code AS "code?", c.maintenance AS "maintenance!",
             host(c.address) AS "address?", c.error AS "error?"
           FROM unnest($1::int4[]) AS n (number)
           CROSS JOIN LATERAL (
             SELECT * FROM uptime_checks k WHERE k.monitor = n.number AND k.at > $2 ORDER BY k.at DESC LIMIT $3
           ) c
           ORDER BY n.number, c.at DESC"#,
        numbers,
        since,
        most,
    )
    .fetch_all(conn)
    .await?;
    let checks = rows.into_iter().filter_map(|row| {
        Some(CheckRow {
            number: row.number,
            org: row.org_id,
            check: Check {
                at: row.at,
                outcome: Outcome::of_number(row.outcome)?,
                reason: Reason::of_number(row.reason),
                attempt: row.attempt,
                total: row.total,
                phases: Phases {
                    resolve: row.resolve,
                    connect: row.connect,
                    tls: row.tls,
                    first_byte: row.first_byte,
                    transfer: row.transfer,
                },
                code: row.code,
                lag: row.lag,
                maintenance: row.maintenance,
                address: row.address.and_then(|text| text.parse().ok()),
                error: row.error,
            },
        })
    });
    Ok(checks.collect())
}
