//! Which backups are pruned, and when one is missing.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{
    Config,
    model::BackupId,
    retention::{Candidate, Rules, plan},
};

fn candidate(n: u32, taken_at: DateTime<Utc>, bytes: u64, held: bool) -> Candidate {
    Candidate {
        id: BackupId(Uuid::from_u128(u128::from(n))),
        // The first is the newest.
        sequence: 1_000_000 - i64::from(n),
        taken_at,
        bytes,
        held,
        verified: true,
    }
}

const RULES: Rules = Rules { daily: 7, weekly: 4, monthly: 12, yearly: 2, max_total_bytes: 0 };

#[test]
fn the_longest_gap_of_a_schedule_says_when_a_backup_is_missing() {
    let hours = |schedule: &str, zone: &str| {
        let config = Config {
            recipients: vec!["age1".into()],
            schedule: schedule.into(),
            time_zone: zone.into(),
            ..Config::default()
        };
        config.interval("2026-11-23T05:00:00Z".parse().unwrap()).unwrap().num_hours()
    };
    assert_eq!(hours("30 2 * * *", "UTC"), 24);
    assert_eq!(hours("30 2 * * 1-5", "UTC"), 72, "over the weekend");
    assert_eq!(hours("0 12 1 * *", "UTC"), 31 * 24);
    assert_eq!(hours("0 12 * * *", "Europe/Berlin"), 25, "in the night when the clock goes back");
    assert_eq!(hours("off", "UTC"), 24, "something else makes them, and may have stopped");
    let off = Config::default();
    assert_eq!(off.interval("2026-11-23T05:00:00Z".parse().unwrap()), None);
    let blind = Config { recipients: vec!["age1".into()], ..Config::default() };
    assert_eq!(blind.drill_interval("2026-11-23T05:00:00Z".parse().unwrap()), None, "no key, no drills");
}

#[test]
fn grandfather_father_and_son() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    // Two a day for two years.
    let all: Vec<_> =
        (0..1460).map(|n| candidate(n, noon - TimeDelta::hours(12 * i64::from(n)), 1, n == 700)).collect();
    let gone = plan(&all, &RULES, chrono_tz::UTC);
    let kept: Vec<_> = all.iter().filter(|c| !gone.contains(&c.id)).collect();
    // 7 days, 3 more weeks, 11 or 10 more months, one more year, and the protected one.
    assert!((20..=25).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].id, all[0].id, "the newest");
    assert!(kept.iter().any(|c| c.held));
    let days: Vec<i64> = kept.iter().take(7).map(|c| (noon - c.taken_at).num_days()).collect();
    assert_eq!(days, [0, 1, 2, 3, 4, 5, 6], "the newest of each day");
    assert_eq!(plan(&kept.iter().map(|c| **c).collect::<Vec<_>>(), &RULES, chrono_tz::UTC), [], "nothing more goes");
}

#[test]
fn the_size_of_all_is_bounded_but_the_newest_and_the_held_stay() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let all: Vec<_> = (0..5).map(|n| candidate(n, noon - TimeDelta::days(i64::from(n)), 100, n == 4)).collect();
    let rules = Rules { max_total_bytes: 250, ..RULES };
    let gone: Vec<_> = plan(&all, &rules, chrono_tz::UTC);
    assert_eq!(gone, [all[2].id, all[3].id]);
    let rules = Rules { max_total_bytes: 1, ..RULES };
    assert_eq!(plan(&all, &rules, chrono_tz::UTC), [all[1].id, all[2].id, all[3].id]);
    assert_eq!(plan(&[], &rules, chrono_tz::UTC), []);
}

#[test]
fn what_is_not_verified_takes_nobodys_place() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let day = |n: u32| candidate(n, noon - TimeDelta::days(i64::from(n)), 100, false);
    let odd = |n: u32, hours: i64| Candidate {
        verified: false,
        sequence: 2_000_000 - i64::from(n),
        taken_at: noon - TimeDelta::hours(hours),
        ..candidate(n, noon, 100, false)
    };
    let rules = Rules { daily: 3, weekly: 0, monthly: 0, yearly: 0, max_total_bytes: 300 };
    let good = [day(5), day(6), day(7)];
    // Five bad days evict no good one, and are not evicted themselves while nothing verified is younger.
    let bad: Vec<_> = (0..5).map(|n| odd(100 + n, 24 * i64::from(n))).collect();
    assert_eq!(plan(&[&good[..], &bad].concat(), &rules, chrono_tz::UTC), []);
    // A verified one is kept longer than those before it.
    let after = Candidate { taken_at: noon + TimeDelta::hours(1), sequence: 3_000_000, ..day(50) };
    let gone = plan(&[&good[..], &bad, &[after]].concat(), &rules, chrono_tz::UTC);
    assert_eq!(gone, [vec![good[2].id], bad.iter().map(|b| b.id).collect()].concat());
}

#[test]
fn a_backup_of_a_clock_that_was_ahead_outlives_nothing_that_was_made_after_it() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let ahead = candidate(9, noon + TimeDelta::days(400), 100, false);
    // Made after the clock was corrected, so newer by number; a destination fails, so none is complete everywhere.
    let since: Vec<_> = (0_u32..5)
        .map(|n| Candidate { verified: false, ..candidate(n, noon - TimeDelta::days(i64::from(n)), 100, false) })
        .collect();
    assert_eq!(plan(&[&since[..], &[ahead]].concat(), &RULES, chrono_tz::UTC), []);
}

proptest! {
    #[test]
    fn retention_never_removes_the_newest_or_a_held_one(
        ages in prop::collection::vec((0_i64..20_000, 0_u64..1000, any::<bool>()), 1..60),
        daily in 1_usize..5, weekly in 0_usize..5, monthly in 0_usize..5, max in 0_u64..5000,
    ) {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let all: Vec<_> = (0_u32..).zip(&ages).map(|(n, (age, bytes, held))| candidate(n, now - TimeDelta::hours(*age), *bytes, *held)).collect();
        let rules = Rules { daily, weekly, monthly, yearly: 0, max_total_bytes: max };
        let gone = plan(&all, &rules, chrono_tz::Europe::Moscow);
        // Regardless of clock changes in between.
        prop_assert!(!gone.contains(&all[0].id));
        prop_assert!(all.iter().filter(|c| c.held).all(|c| !gone.contains(&c.id)));
        prop_assert!(all.len() - gone.len() <= 1 + daily + weekly + monthly + all.iter().filter(|c| c.held).count());
    }
}
