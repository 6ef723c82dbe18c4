//! Files of other monitor programs: `kuma/` (Uptime Kuma 1.6 to 1.23), `gatus/` (Gatus 5). Pure: a text becomes monitors, groups and windows to
//! make, and a report (`report.rs`) of each field that is set and not taken. `fields.rs` sees to it that none is overlooked.

mod fields;
mod gatus;
mod keys;
mod kuma;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use gatus::duration as go_duration;
pub use report::{Candidate, Fate, Import, Left, MonitorRow, Parsed, Proposal, Report, Unreadable, WindowCandidate};

use serde_json::Value;

use crate::model::ImportSource;

/// More is no file of monitors.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// Entries of a file's lists together: ten times what an organisation may have of monitors by default.
const MOST: usize = 5000;

/// A day, seconds: the longest interval here.
const DAY: i64 = 86_400;
/// A week, seconds: the longest time that a report may be late here.
const WEEK: i64 = 604_800;

/// How a report is expected that comes less often than once a day: an interval of a day, and the rest as the time that it may be late. `interval`: seconds.
/// `None`: that is more than a day and a week.
fn seldom(interval: i64) -> Option<i32> {
    let late = interval.saturating_sub(DAY).max(0);
    i32::try_from(late).ok().filter(|_| late <= WEEK)
}

/// Refuses a file with too many entries, before anything is made of them.
fn most_of(lists: &[&[Value]]) -> Result<(), Unreadable> {
    let entries: usize = lists.iter().map(|list| list.len()).sum();
    if entries > MOST {
        return Err(Unreadable(format!("the file has {entries} monitors and other entries: at most {MOST}")));
    }
    Ok(())
}

/// Reads a file.
pub fn parse(source: ImportSource, text: &str) -> Result<Parsed, Unreadable> {
    if text.len() > LONGEST {
        return Err(Unreadable(format!("the file is larger than {LONGEST} bytes")));
    }
    match source {
        ImportSource::UptimeKuma => kuma::parse(text),
        ImportSource::Gatus => gatus::parse(text),
    }
}
