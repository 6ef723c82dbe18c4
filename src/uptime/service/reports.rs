//! The report of a month: availability, outages, maintenance that is left out and says so, budget.

use std::collections::HashMap;

use uuid::Uuid;

use super::Uptime;
use crate::{
    UptimeError,
    history::{
        Sketch,
        report::{Input, Month, Report, row},
    },
    model::{MonitorId, Owner},
    store::reports,
};

/// Monitors of one report.
const MOST: i64 = 2000;

impl Uptime {
    /// `ids`: empty for all monitors of the owner, but for those that the file removed. Those of others are left out.
    pub async fn report(&self, owner: Owner, month: Month, ids: &[MonitorId]) -> Result<Report, UptimeError> {
        let (from, end) = month.bounds();
        let until = end.min(self.inner.clock.now()).max(from);
        let mut tx = self.begin(owner).await?;
        let wanted: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let known = reports::monitors(&mut tx, owner.org(), &wanted, MOST).await?;
        let numbers: Vec<(MonitorId, i32, chrono::DateTime<chrono::Utc>)> =
            known.iter().map(|one| (one.id, one.number, one.created_at)).collect();
        let mut stretches = self.stretches(&mut tx, &numbers, from, until).await?;
        let (first, next) = month.days();
        let of_numbers: Vec<i32> = known.iter().map(|one| one.number).collect();
        let mut latency: HashMap<i32, (i64, Sketch)> = HashMap::new();
        for (number, checks, bytes) in reports::days(&mut tx, &of_numbers, first, next).await? {
            let (count, sketch) = latency.entry(number).or_default();
            *count += i64::from(checks);
            sketch.merge(&Sketch::read(&bytes)?);
        }
        drop(tx);
        let mut rows = Vec::with_capacity(known.len());
        for one in known {
            let stretches = stretches.remove(&one.id).unwrap_or_default();
            let existed_from = stretches.first().map_or(one.created_at, |first| first.from.min(one.created_at));
            let (checks, sketch) = latency.remove(&one.number).unwrap_or_default();
            let input = Input {
                id: one.id,
                key: one.key,
                name: one.name,
                target: one.target,
                stretches,
                existed_from,
                checks,
                sketch,
            };
            rows.push(row(&input, from, until));
        }
        Ok(Report { month: month.text(), zone: month.zone.name().to_owned(), from, until, monitors: rows })
    }
}
