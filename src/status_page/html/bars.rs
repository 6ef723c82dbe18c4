//! Ninety days as a bar. All days are drawn green once for the whole page; a component draws only those that were not.

use std::fmt::Write as _;

use super::tone;
use crate::{
    page::{DAYS, Day, Shown, share},
    words::Words,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use incidents::ComponentStatus;

/// Days with trouble that are named beside a bar, the newest first.
const NAMED: usize = 2;

/// Ninety green days, which bars refer to.
pub const SYMBOL: &str = r#"<svg width="0" height="0" aria-hidden="true"><symbol id="d" viewBox="0 0 90 9"><path class="o" d="M0 4.5h90" stroke="currentColor" stroke-width="9" stroke-dasharray=".7 .3"/></symbol></svg>"#;

/// A bar, and in words what it shows.
pub struct Bar {
    pub svg: String,
    /// `99.98 %`; empty: nothing is known.
    pub share: String,
    /// Days with trouble; empty: there was none.
    pub trouble: String,
}

pub fn bar(shown: &Shown, zone: Tz, as_of: DateTime<Utc>, words: &Words) -> Bar {
    let days = shown.days(zone, as_of);
    let share = share(&days).map(|share| words.percent(share)).unwrap_or_default();
    // The name and the status stand before it.
    let label = if share.is_empty() { words.t("status-page-no-history") } else { share.clone() };
    let mut svg =
        format!(r#"<svg viewBox="0 0 90 9" role=img aria-label="{}"><use href=#d />"#, console::escape(&label));
    let kinds = [
        None,
        Some(ComponentStatus::UnderMaintenance),
        Some(ComponentStatus::DegradedPerformance),
        Some(ComponentStatus::PartialOutage),
        Some(ComponentStatus::MajorOutage),
    ];
    for kind in kinds {
        let (mut path, mut last) = (String::new(), None);
        for (index, _) in days.iter().enumerate().filter(|(_, day)| day.worst == kind) {
            // Relative to the one before: a hundred components have thousands of them.
            let _ = match last {
                None => write!(path, "M{index} 0v9"),
                Some(last) => write!(path, "m{}-9v9", index - last),
            };
            last = Some(index);
        }
        if !path.is_empty() {
            let _ = write!(svg, r#"<path class={} d="{path}"/>"#, kind.map_or("n", tone));
        }
    }
    svg.push_str("</svg>");
    Bar { svg, share, trouble: trouble(&days, words) }
}

/// `2026-11-12: 3 min, ...`
fn trouble(days: &[Day], words: &Words) -> String {
    let bad: Vec<&Day> = days.iter().rev().filter(|day| day.outage + day.degraded > 0).collect();
    let named = bad
        .iter()
        .take(NAMED)
        .map(|day| format!("{} {}", words.day(day.date), words.length(day.outage + day.degraded)));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if bad.len() > NAMED {
        let more = i64::try_from(bad.len() - NAMED).unwrap_or_default();
        let _ = write!(text, ", {}", words.tn("status-page-more-days", more));
    }
    text
}

/// Days of a bar, for the words under it.
pub fn days() -> i64 {
    i64::try_from(DAYS).unwrap_or(i64::MAX)
}
