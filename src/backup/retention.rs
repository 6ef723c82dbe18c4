//! Retention (grandfather-father-son): which backups are kept. Pure functions on complete copies. Only verified backups represent their
//! day, so a failed, damaged or suspicious one never replaces a good one.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, Utc};
use chrono_tz::Tz;

use super::{Config, model::BackupId};

/// A complete copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: BackupId,
    /// Decides which is newer, because a clock may have been wrong.
    pub sequence: i64,
    pub taken_at: DateTime<Utc>,
    pub bytes: u64,
    pub held: bool,
    /// Nothing suspicious about its contents. Suspicious backups neither represent their day nor displace good ones.
    pub verified: bool,
}

/// The retention rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub daily: usize,
    pub weekly: usize,
    pub monthly: usize,
    pub yearly: usize,
    /// 0: no limit.
    pub max_total_bytes: u64,
}

impl Rules {
    pub fn of(config: &Config) -> Self {
        Self {
            daily: config.keep_daily,
            weekly: config.keep_weekly,
            monthly: config.keep_monthly,
            yearly: config.keep_yearly,
            max_total_bytes: config.max_total_bytes,
        }
    }
}

/// Maps a time to its day, week, month or year.
type Period = fn(DateTime<Tz>) -> (i32, u32);

/// The backups to remove. Never the newest verified one or one on hold; an unverified one only if a verified one is newer.
pub fn plan(backups: &[Candidate], rules: &Rules, zone: Tz) -> Vec<BackupId> {
    let (mut newest_first, others): (Vec<Candidate>, Vec<Candidate>) =
        backups.iter().partition(|backup| backup.verified);
    newest_first.sort_by_key(|backup| std::cmp::Reverse((backup.sequence, backup.id)));
    let newest = newest_first.first().map(|backup| backup.sequence);
    let outlived = others.iter().filter(|backup| !backup.held && newest.is_some_and(|newest| backup.sequence < newest));
    let mut keep: HashSet<BackupId> = newest_first.iter().take(1).map(|backup| backup.id).collect();
    keep.extend(newest_first.iter().filter(|backup| backup.held).map(|backup| backup.id));
    let periods: [(usize, Period); 4] = [
        (rules.daily, |t| (t.year(), t.ordinal())),
        (rules.weekly, |t| (t.iso_week().year(), t.iso_week().week())),
        (rules.monthly, |t| (t.year(), t.month())),
        (rules.yearly, |t| (t.year(), 0)),
    ];
    for (count, period) in periods {
        let mut seen = HashSet::new();
        for backup in &newest_first {
            let period = period(backup.taken_at.with_timezone(&zone));
            // The newest backup of each period represents it.
            if !seen.contains(&period) && seen.len() < count {
                seen.insert(period);
                keep.insert(backup.id);
            }
        }
    }
    let mut total = 0_u64;
    let mut kept = Vec::new();
    for (at, backup) in newest_first.iter().enumerate() {
        total = total.saturating_add(backup.bytes);
        let fits = rules.max_total_bytes == 0 || total <= rules.max_total_bytes || at == 0 || backup.held;
        if keep.contains(&backup.id) && fits {
            kept.push(backup.id);
        } else {
            total = total.saturating_sub(backup.bytes);
        }
    }
    let goes = newest_first.iter().map(|backup| backup.id).filter(|id| !kept.contains(id));
    goes.chain(outlived.map(|backup| backup.id)).collect()
}
