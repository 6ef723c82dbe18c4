//! Rolls up hours that are over, in pieces, and says how many wait.

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike as _, Utc};
use tokio::time::Instant;

use super::Uptime;
use crate::{
    UptimeError,
    history::{
        hour_of,
        pack::{HOURS, Hour, read_hours, read_minutes, write_hours, write_minutes},
    },
    store::rollups::{self, NewDay, Raw},
};

/// Monitors of a transaction.
const PIECE: i64 = 500;
/// After its end: the writer is a second behind, or a little more.
const SETTLED: TimeDelta = TimeDelta::seconds(30);

impl Uptime {
    /// Rolls up every hour that is over and waits, oldest first. Returns how many.
    pub async fn roll_up(&self) -> Result<usize, UptimeError> {
        let before = self.inner.clock.now() - TimeDelta::hours(1) - SETTLED;
        let mut tx = self.system().await?;
        let open = rollups::open_hours(&mut tx, before).await?;
        drop(tx);
        for (hour, named) in &open {
            if self.inner.lifecycle.soft().is_cancelled() {
                break;
            }
            let began = Instant::now();
            self.roll_up_hour(*hour).await?;
            let mut tx = self.system().await?;
            rollups::close_hour(&mut tx, *hour, *named).await?;
            tx.commit().await?;
            self.inner.metrics.rolled_up(*hour, began.elapsed());
        }
        Ok(open.len())
    }

    async fn roll_up_hour(&self, hour: DateTime<Utc>) -> Result<(), UptimeError> {
        let (mut above, until) = (0, hour + TimeDelta::hours(1));
        loop {
            let mut tx = self.system().await?;
            let numbers = rollups::numbers(&mut tx, above, PIECE).await?;
            let Some(last) = numbers.last() else { return Ok(()) };
            above = *last;
            let raw = rollups::raw(&mut tx, &numbers, hour, until).await?;
            let stored = rollups::minutes_of(&mut tx, &numbers, hour).await?;
            let days = rollups::hours_of(&mut tx, &numbers, hour.date_naive()).await?;
            let (mut minutes, mut whole) = (Vec::new(), Vec::new());
            for number in numbers {
                let of_monitor = of(&raw, number);
                let before = stored.get(&number);
                if of_monitor.is_empty() && before.is_none() {
                    continue;
                }
                let before = read_minutes(before.map_or(&[][..], Vec::as_slice))?;
                let (of_minutes, of_hour) = hour_of(of_monitor, &before);
                minutes.push((number, write_minutes(&of_minutes)));
                let mut hours = read_hours(days.get(&number).map_or(&[][..], Vec::as_slice))?;
                if let Some(found) = usize::try_from(hour.hour()).ok().and_then(|place| hours.get_mut(place)) {
                    *found = of_hour;
                }
                whole.push(day_of(number, &hours));
            }
            rollups::put_minutes(&mut tx, hour, &minutes).await?;
            rollups::put_days(&mut tx, hour.date_naive(), &whole).await?;
            tx.commit().await?;
        }
    }

    /// Hours that are over and are not rolled up.
    pub(crate) async fn waiting_hours(&self) -> Result<i64, UptimeError> {
        let mut tx = self.system().await?;
        Ok(rollups::count_open(&mut tx, self.inner.clock.now() - TimeDelta::hours(1)).await?)
    }

    /// Deletes what is past retention, but for partitions. Returns how many rows.
    pub(crate) async fn forget(&self) -> Result<u64, UptimeError> {
        let config = &self.inner.config;
        let now = self.inner.clock.now();
        let before = now - TimeDelta::days(i64::from(config.keep_days));
        let day: NaiveDate = before.date_naive();
        let mut tx = self.system().await?;
        let rows = rollups::delete_days(&mut tx, day).await? + rollups::delete_spans(&mut tx, before).await?;
        let removed = now - TimeDelta::days(i64::from(config.keep_removed_days));
        let monitors = crate::store::monitors::delete_removed(&mut tx, removed).await?;
        let imports = crate::store::imports::forget_contents(&mut tx, now - TimeDelta::days(1)).await?;
        tx.commit().await?;
        Ok(rows + monitors + imports)
    }
}

/// Those of a monitor. `raw`: by monitor.
fn of(raw: &[Raw], monitor: i32) -> &[Raw] {
    &raw[raw.partition_point(|check| check.monitor < monitor)..raw.partition_point(|check| check.monitor <= monitor)]
}

fn day_of(monitor: i32, hours: &[Hour]) -> NewDay {
    let mut whole = Hour::default();
    hours.iter().take(HOURS).for_each(|hour| whole.merge(hour));
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    NewDay {
        monitor,
        checks: small(whole.checks),
        failed: small(whole.failed),
        slowest: small(whole.slowest),
        total: i64::try_from(whole.total).unwrap_or(i64::MAX),
        sketch: whole.sketch.write(),
        hours: write_hours(hours),
    }
}
