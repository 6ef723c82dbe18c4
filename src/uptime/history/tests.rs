//! Availability and rollups against slow and simple counts, and a month by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    Sketch, hour_of,
    pack::{MINUTES, Minute},
    report::{Input, Month, row},
    spans::{Stretch, Sums, begin_of, by_minutes, days},
};
use crate::{
    model::{MonitorId, Outcome, Status},
    store::rollups::Raw,
};
use console::Lang;
use platform::crypto::random_below;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn stretch(status: Status, from: &str, until: &str) -> Stretch {
    Stretch { status, from: at(from), until: at(until), begins_outage: status == Status::Down }
}

const ID: MonitorId = MonitorId(uuid::Uuid::nil());

#[test]
fn uptime_of_any_window_is_what_counting_seconds_gives() {
    let begin = at("2026-11-01T00:00:00Z");
    for _ in 0..100 {
        // Stretches of random lengths, some of them missing, and one second of each status noted for it.
        let (mut stretches, mut seconds, mut now) = (Vec::new(), BTreeMap::new(), 0_i64);
        while now < 3600 {
            let length = i64::try_from(1 + random_below(300)).unwrap();
            let status = Status::ALL[random_below(5)];
            let is_missing = random_below(6) == 0;
            for second in now..now + length {
                seconds.insert(second, if is_missing { Status::Unknown } else { status });
            }
            if !is_missing {
                let (from, until) = (begin + TimeDelta::seconds(now), begin + TimeDelta::seconds(now + length));
                stretches.push(Stretch { status, from, until, begins_outage: status == Status::Down });
            }
            now += length;
        }
        let from = i64::try_from(random_below(1800)).unwrap();
        let until = from + i64::try_from(random_below(1800)).unwrap();
        let count = |wanted: &[Status]| {
            let all = (from..until).filter(|second| seconds.get(second).is_some_and(|status| wanted.contains(status)));
            i64::try_from(all.count()).unwrap()
        };
        let sums = Sums::between(&stretches, begin + TimeDelta::seconds(from), begin + TimeDelta::seconds(until));
        let expected = [
            count(&[Status::Up]),
            count(&[Status::Down]),
            count(&[Status::Maintenance]),
            count(&[Status::Unknown, Status::Paused]),
        ];
        assert_eq!(sums.seconds(), expected);
        assert!(sums.share().is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
}

#[test]
fn stretches_that_overlap_count_once() {
    let all = [
        stretch(Status::Up, "2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z"),
        stretch(Status::Down, "2026-11-01T01:00:00Z", "2026-11-01T03:00:00Z"),
    ];
    let sums = Sums::between(&all, at("2026-11-01T00:00:00Z"), at("2026-11-01T03:00:00Z"));
    assert_eq!(sums.seconds(), [7200, 3600, 0, 0]);
}

#[test]
fn seconds_add_up_whatever_the_parts_of_seconds_are() {
    let begin = at("2026-11-01T00:00:00Z");
    let point = |micros| begin + TimeDelta::microseconds(micros);
    let parts =
        [(Status::Up, 0, 333_333), (Status::Down, 333_333, 1_666_666), (Status::Maintenance, 1_666_666, 2_999_999)];
    let all = parts.map(|(status, from, until)| Stretch {
        status,
        from: point(from),
        until: point(until),
        begins_outage: false,
    });
    let sums = Sums::between(&all, begin, point(3_000_000));
    assert_eq!(sums.seconds().iter().sum::<i64>(), 3);
}

#[test]
fn days_have_the_length_that_their_zone_gives_them() {
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let up = [stretch(Status::Up, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")];
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let of = |first: &str, end: &str, existed: &str, now: &str| {
        let found = days(ID, &up, (day(first), day(end)), zone, (at(existed), at(now)));
        found.into_iter().map(|total| total.up + total.down + total.maintenance + total.unknown).collect::<Vec<_>>()
    };
    let (long_ago, later) = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(of("2026-03-28", "2026-03-31", long_ago, later), [86_400, 82_800, 86_400], "an hour is skipped");
    assert_eq!(of("2026-10-25", "2026-10-26", long_ago, later), [90_000], "an hour comes twice");
    assert_eq!(
        of("2026-06-01", "2026-06-03", "2026-06-02T10:00:00Z", later),
        [43_200],
        "made at noon of the second day"
    );
    assert_eq!(of("2026-06-01", "2026-06-04", long_ago, "2026-06-01T22:00:01Z"), [86_400, 1], "the rest is to come");
    // Lebanon skips midnight.
    let beirut: Tz = "Asia/Beirut".parse().unwrap();
    assert_eq!(begin_of(day("2026-03-29"), beirut), at("2026-03-28T22:00:00Z"));
}

#[test]
fn maintenance_that_counts_is_judged_by_its_minutes() {
    let from = at("2026-11-01T02:00:00Z");
    let mut good = Sketch::default();
    good.add(1000);
    let minute = |n: i64, minute: Minute| (from + TimeDelta::minutes(n), minute);
    let minutes = [
        minute(0, Minute::of(1, 0, &good)),
        minute(1, Minute::of(1, 1, &Sketch::default())),
        minute(2, Minute::Nothing),
        minute(3, Minute::of(2, 0, &good)),
    ];
    let found = by_minutes(&minutes, from + TimeDelta::seconds(30), from + TimeDelta::minutes(5));
    let sums = Sums::between(&found, from + TimeDelta::seconds(30), from + TimeDelta::minutes(5));
    assert_eq!((sums.seconds(), sums.outages), ([150, 120, 0, 0], 1));
    assert!(by_minutes(&[], from, from).is_empty());
}

fn raw(second: i64, outcome: Outcome, total: i32) -> Raw {
    Raw { monitor: 1, at: at("2026-11-01T05:00:00Z") + TimeDelta::seconds(second), total, outcome: outcome.number() }
}

#[test]
fn rollups_equal_the_raw_checks() {
    for _ in 0..50 {
        let checks: Vec<Raw> = (0..360)
            .map(|n| raw(n * 10, Outcome::ALL[random_below(4)], i32::try_from(1000 + random_below(500_000)).unwrap()))
            .collect();
        let (minutes, hour) = hour_of(&checks, &[]);
        let count = |wanted: &[Outcome]| {
            checks.iter().filter(|check| wanted.iter().any(|one| one.number() == check.outcome)).count()
        };
        let good = [Outcome::Up, Outcome::Degraded];
        assert_eq!(usize::try_from(hour.checks).unwrap(), count(&[Outcome::Up, Outcome::Degraded, Outcome::Down]));
        assert_eq!(usize::try_from(hour.failed).unwrap(), count(&[Outcome::Down]));
        let of_good: Vec<u64> = checks
            .iter()
            .filter(|check| good.iter().any(|one| one.number() == check.outcome))
            .map(|check| u64::try_from(check.total).unwrap())
            .collect();
        assert_eq!(hour.total, of_good.iter().sum::<u64>());
        assert_eq!(u64::from(hour.slowest), of_good.iter().max().copied().unwrap_or_default());
        assert_eq!(hour.sketch.count(), of_good.len() as u64);
        assert_eq!(minutes.len(), MINUTES);
        assert_eq!(minutes.iter().map(Minute::checks).sum::<u32>(), hour.checks);
        assert_eq!(minutes.iter().map(Minute::failed).sum::<u32>(), hour.failed);
        // Again, with what is stored: the same.
        assert_eq!(hour_of(&checks, &minutes), (minutes, hour));
    }
}

#[test]
fn what_was_folded_survives_a_rollup() {
    let mut sketch = Sketch::default();
    (0..10).for_each(|_| sketch.add(20_000));
    let mut before = vec![Minute::Nothing; MINUTES];
    before[7] = Minute::Folded { failed: 2, sketch };
    let (minutes, hour) = hour_of(&[raw(0, Outcome::Up, 20_000)], &before);
    assert_eq!(minutes[7], before[7]);
    assert_eq!((hour.checks, hour.failed, hour.sketch.count()), (13, 2, 11));
    assert_eq!(hour_of(&[raw(0, Outcome::Up, 20_000)], &minutes), (minutes.clone(), hour));
}

/// October 2026 in Berlin, by hand. The clocks go back on the 25th: the month has 31 x 86 400 + 3600 = 2 682 000 seconds.
/// Maintenance on the 4th from 2:00 to 3:30 (5400 s). An outage on the 10th of 12 min 30 s (750 s), one over the change of the clocks on the 25th
/// from 2:30 summer time to 2:30 winter time, which is an hour (3600 s). Nobody checked on the 20th for two hours (7200 s).
/// Down: 4350. Up: 2 682 000 - 5400 - 7200 - 4350 = 2 665 050. Share: 2 665 050 / 2 669 400 = 0.998 370...
/// Target 0.999: 2669.4 s may be down, 4350 were: 1680.6 too many, cut to -1681.
fn october() -> (Month, Input) {
    let up = |from, until| stretch(Status::Up, from, until);
    let stretches = vec![
        up("2026-09-01T00:00:00Z", "2026-10-04T00:00:00Z"),
        stretch(Status::Maintenance, "2026-10-04T00:00:00Z", "2026-10-04T01:30:00Z"),
        up("2026-10-04T01:30:00Z", "2026-10-10T10:00:00Z"),
        stretch(Status::Down, "2026-10-10T10:00:00Z", "2026-10-10T10:12:30Z"),
        up("2026-10-10T10:12:30Z", "2026-10-20T00:00:00Z"),
        stretch(Status::Unknown, "2026-10-20T00:00:00Z", "2026-10-20T02:00:00Z"),
        up("2026-10-20T02:00:00Z", "2026-10-25T00:30:00Z"),
        stretch(Status::Down, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        up("2026-10-25T01:30:00Z", "2026-12-01T00:00:00Z"),
    ];
    let input = Input {
        id: ID,
        key: "shop".into(),
        name: "=Shop & more".into(),
        target: Some(0.999),
        stretches,
        existed_from: at("2026-09-01T00:00:00Z"),
        checks: 44_000,
        sketch: Sketch::default(),
    };
    (Month::parse("2026-10", "Europe/Berlin".parse().unwrap()).unwrap(), input)
}

#[test]
fn a_month_by_hand() {
    let (month, input) = october();
    let (from, until) = month.bounds();
    assert_eq!((from, until), (at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z")));
    let row = row(&input, from, until);
    assert_eq!((row.up, row.down, row.maintenance, row.unknown), (2_665_050, 4350, 5400, 7200));
    assert!((row.share.unwrap() - 2_665_050.0 / 2_669_400.0).abs() < 1e-12);
    assert_eq!((row.budget_left, row.is_met, row.outages), (Some(-1681), Some(false), 2));
    assert_eq!(row.down_times.iter().map(|time| time.seconds).collect::<Vec<_>>(), [750, 3600]);
    assert_eq!(row.maintenance_times.len(), 1);
}

#[test]
fn report_csv_json_html_say_the_same() {
    let (month, input) = october();
    let (from, until) = month.bounds();
    let report = super::report::Report {
        month: month.text(),
        zone: month.zone.name().to_owned(),
        from,
        until,
        monitors: vec![row(&input, from, until)],
    };
    let csv = String::from_utf8(report.csv().unwrap()).unwrap();
    let line = csv.lines().nth(1).unwrap();
    assert!(
        line.starts_with(
            "2026-10,Europe/Berlin,shop,'=Shop & more,0.998370,0.999,false,2665050,4350,5400,7200,-1681,2,44000"
        ),
        "{line}"
    );
    let json = serde_json::to_value(&report).unwrap();
    let of = &json["monitors"][0];
    assert_eq!(
        (of["up"].as_i64(), of["down"].as_i64(), of["budget_left"].as_i64()),
        (Some(2_665_050), Some(4350), Some(-1681))
    );
    for (lang, share, down) in
        [(Lang::En, "99.83\u{a0}%", "1\u{a0}h 12\u{a0}min"), (Lang::Ru, "99.83\u{a0}%", "1\u{a0}ч 12\u{a0}мин")]
    {
        let html = report.html(lang).unwrap();
        assert!(html.contains(share) && html.contains(down), "{html}");
        assert!(html.contains("=Shop &#38; more") || html.contains("=Shop &amp; more"), "{html}");
        assert!(html.contains("2026-10-25 02:30:00"), "in the zone of the report: {html}");
    }
}

#[test]
fn months_are_written_in_one_way() {
    let utc = Tz::UTC;
    assert_eq!(Month::parse("2026-11", utc).unwrap().text(), "2026-11");
    assert_eq!(Month::parse("2026-01", utc).unwrap().before().unwrap().text(), "2025-12");
    for wrong in ["2026-13", "2026-1", "26-11", "2026-11-01", ""] {
        assert!(Month::parse(wrong, utc).is_none(), "{wrong}");
    }
    assert_eq!(Month::of(at("2026-10-31T23:30:00Z"), "Europe/Berlin".parse().unwrap()).text(), "2026-11");
}
