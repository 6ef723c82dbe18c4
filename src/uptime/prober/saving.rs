//! Writes the rows of a batch, so that one that the database refuses for what it contains cannot hold up the others. A part that is refused is undone to
//! its savepoint and halved, until the bad row is alone: that one is dropped, counted and logged.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    metrics::{Dropped, ProberMetrics},
    outbox::Changed,
};
use crate::store::{
    checks::{self, CheckRow},
    spans::{self, SpanRow},
    state::{self, StateWrite},
};
use platform::error::chain;

/// Whether the database refuses what a statement contains, so that trying it again is of no use: SQLSTATE classes 22 (data exception), 23 (integrity
/// constraint violation) and 54 (program limit exceeded).
fn is_refused(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// Parts of the rows that are still to be written, the next one last.
struct Parts<'r, T>(Vec<&'r [T]>);

impl<'r, T> Parts<'r, T> {
    fn of(rows: &'r [T]) -> Self {
        Self(if rows.is_empty() { Vec::new() } else { vec![rows] })
    }

    /// This part was refused: its halves are tried, in their order. Returns the row if it is alone.
    fn refused(&mut self, part: &'r [T]) -> Option<&'r T> {
        if let [row] = part {
            return Some(row);
        }
        let (first, second) = part.split_at(part.len() / 2);
        self.0.extend([second, first]);
        None
    }
}

pub async fn checks(conn: &mut PgConnection, rows: &[CheckRow], metrics: &ProberMetrics) -> sqlx::Result<()> {
    let mut parts = Parts::of(rows);
    while let Some(part) = parts.0.pop() {
        let mut tx = conn.begin().await?;
        match checks::insert(&mut tx, part).await {
            Ok(()) => tx.commit().await?,
            Err(error) if is_refused(&error) => {
                tx.rollback().await?;
                if let Some(row) = parts.refused(part) {
                    let (number, at, error) = (row.number, row.check.at, chain(&error));
                    tracing::error!(monitor_number = number, %at, error, "the database refuses a check: it is dropped");
                    metrics.dropped_checks(Dropped::Refused, 1);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns the spans that were not there yet.
pub async fn changes(
    conn: &mut PgConnection,
    term: i64,
    rows: &[Changed],
    metrics: &ProberMetrics,
) -> sqlx::Result<HashSet<Uuid>> {
    let (mut parts, mut fresh) = (Parts::of(rows), HashSet::new());
    while let Some(part) = parts.0.pop() {
        let mut tx = conn.begin().await?;
        match spans::write(&mut tx, term, &spans_of(part)).await {
            Ok(written) => {
                tx.commit().await?;
                fresh.extend(written);
            }
            Err(error) if is_refused(&error) => {
                tx.rollback().await?;
                if let Some(row) = parts.refused(part) {
                    let (monitor, key, error) = (row.transition.monitor, row.transition.key.as_str(), chain(&error));
                    tracing::error!(%monitor, key, error, "the database refuses a change of monitor {key}: it is dropped");
                    metrics.dropped(Dropped::Refused, 1);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(fresh)
}

pub async fn states(
    conn: &mut PgConnection,
    term: i64,
    now: DateTime<Utc>,
    rows: &[StateWrite],
    metrics: &ProberMetrics,
) -> sqlx::Result<()> {
    let mut parts = Parts::of(rows);
    while let Some(part) = parts.0.pop() {
        let mut tx = conn.begin().await?;
        match state::write(&mut tx, term, now, part).await {
            Ok(()) => tx.commit().await?,
            Err(error) if is_refused(&error) => {
                tx.rollback().await?;
                if let Some(row) = parts.refused(part) {
                    let (monitor, error) = (row.monitor, chain(&error));
                    tracing::error!(%monitor, error, "the database refuses the state of monitor {monitor}: it is dropped");
                    metrics.dropped(Dropped::Refused, 1);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Spans of changes: each ends where the monitor's next one begins.
fn spans_of(changes: &[Changed]) -> Vec<SpanRow> {
    let mut rows: Vec<SpanRow> = changes.iter().map(|changed| changed.span.clone()).collect();
    let mut next: HashMap<Uuid, DateTime<Utc>> = HashMap::new();
    for row in rows.iter_mut().rev() {
        row.ends_at = next.insert(row.monitor, row.starts_at);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_part_that_is_refused_the_bad_rows_alone_are_left_out_and_the_order_stays() {
        let rows: Vec<u32> = (0..1000).collect();
        let is_bad = |row: &u32| [0, 499, 999].contains(row);
        let (mut parts, mut written, mut dropped) = (Parts::of(&rows), Vec::<u32>::new(), Vec::<&u32>::new());
        while let Some(part) = parts.0.pop() {
            if part.iter().any(is_bad) {
                dropped.extend(parts.refused(part));
            } else {
                written.extend_from_slice(part);
            }
        }
        assert_eq!(dropped, [&0, &499, &999]);
        assert!(written.len() == 997 && written.is_sorted(), "{}", written.len());
        assert!(Parts::<u32>::of(&[]).0.is_empty());
    }
}
