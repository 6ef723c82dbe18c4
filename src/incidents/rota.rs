//! Who is on call at a time. Pure.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{
    local,
    model::{Layer, Override, Turn},
    quiet::on_day,
};
use platform::ids::UserId;

/// Somebody's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub person: UserId,
    pub from: DateTime<Utc>,
    /// Not any more.
    pub until: DateTime<Utc>,
}

/// Who is on call at `t`; `None`: nobody. Overrides come first, the newest of them; then of two layers that cover it the later one.
pub fn on_call(layers: &[Layer], overrides: &[Override], zone: Tz, t: DateTime<Utc>) -> Option<UserId> {
    let stands_in = overrides.iter().filter(|o| o.starts_at <= t && t < o.ends_at).max_by_key(|o| o.id);
    stands_in.map(|o| o.user_id).or_else(|| layers.iter().rev().find_map(|layer| of_layer(layer, zone, t)))
}

/// Who of a layer is on call at `t`.
fn of_layer(layer: &Layer, zone: Tz, t: DateTime<Utc>) -> Option<UserId> {
    if !is_covered(layer, zone, t) {
        return None;
    }
    let turn = turn_at(layer, zone, t)?;
    let people = i64::try_from(layer.people.len()).ok().filter(|count| *count > 0)?;
    let place = usize::try_from(turn.rem_euclid(people)).ok()?;
    layer.people.get(place).copied()
}

/// Number of the turn that `t` is in; `None` before the first.
fn turn_at(layer: &Layer, zone: Tz, t: DateTime<Utc>) -> Option<i64> {
    let first = local::instant(layer.starts, zone);
    if t < first {
        return None;
    }
    if let Turn::Hours(hours) = layer.turn {
        return Some((t - first).num_seconds() / (i64::from(hours.max(1)) * 3600));
    }
    let days = if layer.turn == Turn::Week { 7 } else { 1 };
    let passed = (t.with_timezone(&zone).date_naive() - layer.starts.date()).num_days();
    // The clock may say another day than the handover's: one too many or too few is put right here.
    let guess = passed / days;
    (guess - 1..=guess + 1).rev().find(|turn| *turn >= 0 && handover(layer, zone, days, *turn) <= t)
}

fn handover(layer: &Layer, zone: Tz, days: i64, turn: i64) -> DateTime<Utc> {
    let day: NaiveDateTime = layer.starts + TimeDelta::days(days * turn);
    local::instant(day, zone)
}

fn is_covered(layer: &Layer, zone: Tz, t: DateTime<Utc>) -> bool {
    if layer.hours.is_empty() {
        return true;
    }
    let today = t.with_timezone(&zone).date_naive();
    layer.hours.iter().any(|hours| {
        [today.pred_opt(), Some(today)].into_iter().flatten().any(|day| {
            on_day(&hours.days, hours.from, hours.until, day, zone).is_some_and(|(from, until)| from <= t && t < until)
        })
    })
}

/// Who is on call between two times, in steps of a quarter of an hour, which is the finest that pages show.
pub fn shifts(
    layers: &[Layer],
    overrides: &[Override],
    zone: Tz,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
) -> Vec<Shift> {
    const STEP: TimeDelta = TimeDelta::minutes(15);
    let mut shifts: Vec<Shift> = Vec::new();
    let mut at = from;
    while at < until {
        let next = (at + STEP).min(until);
        if let Some(person) = on_call(layers, overrides, zone, at) {
            match shifts.last_mut() {
                Some(last) if last.person == person && last.until == at => last.until = next,
                _ => shifts.push(Shift { person, from: at, until: next }),
            }
        }
        at = next;
    }
    shifts
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use uuid::Uuid;

    use super::*;
    use crate::model::{OnHours, OverrideId, RotaId, Weekday};

    fn person(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    fn layer(people: u128, turn: Turn) -> Layer {
        Layer {
            people: (1..=people).map(person).collect(),
            starts: "2026-01-05T09:00:00".parse().unwrap(),
            turn,
            hours: Vec::new(),
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn turns_change_at_the_handover_of_the_zone() {
        let (layers, zone) = ([layer(2, Turn::Week)], chrono_tz::Europe::Berlin);
        let who = |t: &str| on_call(&layers, &[], zone, at(t));
        assert_eq!(who("2026-01-05T07:59:59Z"), None);
        assert_eq!(who("2026-01-05T08:00:00Z"), Some(person(1)));
        assert_eq!(who("2026-01-12T07:59:59Z"), Some(person(1)));
        assert_eq!(who("2026-01-12T08:00:00Z"), Some(person(2)));
        // Summer time: 9:00 is 7:00 UTC.
        assert_eq!(who("2026-03-30T06:59:59Z"), Some(person(2)));
        assert_eq!(who("2026-03-30T07:00:00Z"), Some(person(1)));
    }

    #[test]
    fn every_moment_has_exactly_one_person_through_all_changes_of_clocks() {
        for zone in [chrono_tz::Europe::Berlin, chrono_tz::Australia::Lord_Howe, chrono_tz::America::St_Johns] {
            for (turn, seconds) in [(Turn::Day, 86_400), (Turn::Week, 7 * 86_400), (Turn::Hours(12), 43_200)] {
                let mut rota = layer(3, turn);
                // In the middle of what is skipped and doubled.
                rota.starts = "2026-01-05T02:15:00".parse().unwrap();
                let layers = [rota];
                let (mut t, mut last) = (at("2026-02-01T00:00:00Z"), None);
                let (mut changed, mut longest) = (t, TimeDelta::zero());
                while t < at("2027-05-01T00:00:00Z") {
                    let who = on_call(&layers, &[], zone, t);
                    assert!(who.is_some(), "{zone} {t}");
                    if last != who {
                        if last.is_some() && changed > at("2026-02-15T00:00:00Z") {
                            longest = longest.max(t - changed);
                        }
                        (last, changed) = (who, t);
                    }
                    t += TimeDelta::minutes(15);
                }
                let turn_seconds = TimeDelta::seconds(seconds);
                assert!(longest >= turn_seconds && longest <= turn_seconds + TimeDelta::hours(1), "{zone} {longest}");
            }
        }
    }

    #[test]
    fn the_rota_covers_every_moment() {
        let ten_years = at("2036-01-05T00:00:00Z");
        for (turn, days, every) in [(Turn::Week, 7, 5), (Turn::Day, 1, 30)] {
            for zone in chrono_tz::TZ_VARIANTS.into_iter().step_by(every) {
                let mut rota = layer(3, turn);
                // Clocks change at about this time nearly everywhere.
                rota.starts = "2026-01-05T02:30:00".parse().unwrap();
                let layers = [rota];
                let mut before = handover(&layers[0], zone, days, 0);
                for (turn, next) in (1..).map(|turn| (turn, handover(&layers[0], zone, days, turn))) {
                    // Exactly one has each moment: turns follow each other, and each begins at its handover.
                    assert!(next > before, "{zone} {next}");
                    let who = |t: DateTime<Utc>| on_call(&layers, &[], zone, t);
                    let (last, first) = (who(next - TimeDelta::seconds(1)), who(next));
                    let of = |turn: i64| Some(person(u128::try_from(turn % 3 + 1).unwrap()));
                    assert_eq!((last, first), (of(turn - 1), of(turn)), "{zone} {next}");
                    before = next;
                    if next > ten_years {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_later_layer_and_an_override_come_first() {
        let zone = chrono_tz::UTC;
        let mut days = layer(1, Turn::Week);
        days.people = vec![person(9)];
        days.hours = vec![OnHours {
            days: vec![Weekday::Monday],
            from: NaiveTime::from_hms_opt(8, 0, 0).unwrap(),
            until: NaiveTime::from_hms_opt(18, 0, 0).unwrap(),
        }];
        let layers = [layer(1, Turn::Week), days];
        assert_eq!(on_call(&layers, &[], zone, at("2026-01-12T10:00:00Z")), Some(person(9)));
        assert_eq!(on_call(&layers, &[], zone, at("2026-01-12T18:00:00Z")), Some(person(1)));
        assert_eq!(on_call(&layers, &[], zone, at("2026-01-13T10:00:00Z")), Some(person(1)));
        let instead = Override {
            id: OverrideId(Uuid::from_u128(1)),
            rota_id: RotaId(Uuid::nil()),
            user_id: person(5),
            starts_at: at("2026-01-12T09:00:00Z"),
            ends_at: at("2026-01-12T11:00:00Z"),
            created_by: String::new(),
            created_at: at("2026-01-01T00:00:00Z"),
        };
        assert_eq!(on_call(&layers, &[instead], zone, at("2026-01-12T10:00:00Z")), Some(person(5)));
    }

    #[test]
    fn shifts_are_whole() {
        let layers = [layer(2, Turn::Day)];
        let found = shifts(&layers, &[], chrono_tz::UTC, (at("2026-01-06T09:00:00Z"), at("2026-01-08T09:00:00Z")));
        assert_eq!(found.iter().map(|shift| shift.person).collect::<Vec<_>>(), [person(2), person(1)]);
        assert_eq!(found[0].until, at("2026-01-07T09:00:00Z"));
    }
}
