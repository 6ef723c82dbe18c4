//! Ninety days, shares, and the state of a whole page.

use super::*;
use crate::page::{DAYS, Indicator, midnight, overall, share, since_made};

#[test]
fn a_day_has_what_was_shown_on_it() {
    let mut shown = component(0);
    shown.changes = vec![
        (at("2026-11-01T00:00:00Z"), ComponentStatus::Operational),
        (at("2026-11-28T23:30:00Z"), ComponentStatus::MajorOutage),
        (at("2026-11-29T00:30:00Z"), ComponentStatus::UnderMaintenance),
        (at("2026-11-29T01:30:00Z"), ComponentStatus::Operational),
    ];
    let days = shown.days(Tz::UTC, now());
    assert_eq!(days.len(), usize::try_from(DAYS).unwrap());
    let of = |day: &str| *days.iter().find(|found| found.date.to_string() == day).unwrap();
    assert_eq!((of("2026-10-31").worst, of("2026-10-31").known), (None, 0), "nothing was known then");
    assert_eq!((of("2026-11-28").worst, of("2026-11-28").outage), (Some(ComponentStatus::MajorOutage), 1800));
    let next = of("2026-11-29");
    assert_eq!((next.outage, next.maintenance, next.known), (1800, 3600, 86_400));
    assert_eq!(of("2026-11-30").known, 12 * 3600, "today is not over");
    // 29.5 days, less an hour of maintenance; an hour of them was down.
    let counted = 29.5 * 86_400.0 - 3600.0;
    assert!((share(&days).unwrap() - (1.0 - 3600.0 / counted)).abs() < 1e-9);
}

/// A monitor that is up for 460 s, down for 40 s and up for 26 s has a share of 92.4 %. Its component has only two changes: it was made as operational.
#[test]
fn the_share_counts_the_time_before_the_first_change() {
    let made = now() - TimeDelta::seconds(526);
    let down = made + TimeDelta::milliseconds(460_700);
    let mut shown = component(0);
    shown.changes = since_made(
        made,
        // As they were read: in no order.
        vec![(down + TimeDelta::seconds(40), ComponentStatus::Operational), (down, ComponentStatus::MajorOutage)],
    );
    assert_eq!(shown.changes.len(), 3);
    let days = shown.days(Tz::UTC, now());
    assert_eq!((days.last().unwrap().known, days.last().unwrap().outage), (526, 40));
    assert!((share(&days).unwrap() - (1.0 - 40.0 / 526.0)).abs() < 1e-9);
    // What was written when it was made is not written twice.
    let whole = vec![(made, ComponentStatus::MajorOutage)];
    assert_eq!(since_made(made, whole.clone()), whole);
}

/// While it settles, an incident of a monitor has no more impact than its components show; what a person says stays.
#[test]
fn an_outage_that_is_over_is_over_on_the_page() {
    let mut page = model(vec![component(0), component(1)]);
    page.incidents = vec![incident(0, Impact::Critical, &page.components[0], "x")];
    assert_eq!(page.overall().indicator, Indicator::None, "its component works again");
    page.components[0].status = ComponentStatus::DegradedPerformance;
    assert_eq!(page.overall().description, "Partially Degraded Service");
    page.components[0].status = ComponentStatus::MajorOutage;
    assert_eq!(page.overall().indicator, Indicator::Critical);
    page.components[0].status = ComponentStatus::Operational;
    page.incidents[0].incident.impact_override = true;
    assert_eq!(page.overall().indicator, Indicator::Critical, "set by hand");
    page.incidents[0].incident.impact_override = false;
    page.incidents[0].incident.opened_by = "user:x".into();
    assert_eq!(page.overall().indicator, Indicator::Critical, "opened by hand");
}

#[test]
fn days_are_those_of_the_zone_and_of_its_clocks() {
    let berlin: Tz = "Europe/Berlin".parse().unwrap();
    let day = |text: &str| text.parse().unwrap();
    let hours = |one: &str, next: &str| (midnight(day(next), berlin) - midnight(day(one), berlin)).num_hours();
    assert_eq!((hours("2026-03-29", "2026-03-30"), hours("2026-10-25", "2026-10-26")), (23, 25));
    // In Beirut midnight is skipped: the day begins at one.
    let beirut: Tz = "Asia/Beirut".parse().unwrap();
    assert_eq!(midnight(day("2026-03-29"), beirut), at("2026-03-28T22:00:00Z"));
    let mut shown = component(0);
    shown.start_date = Some(day("2026-11-29"));
    let days = shown.days(berlin, now());
    assert_eq!(days.iter().filter(|day| day.known > 0).count(), 2, "bars begin with the date that was set");
}

#[test]
fn the_whole_page_has_statuspages_words() {
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};
    for (components, impacts, indicator, words) in [
        (vec![], vec![], Indicator::None, "All Systems Operational"),
        (vec![Operational, UnderMaintenance], vec![], Indicator::Maintenance, "Service Under Maintenance"),
        (vec![Operational, DegradedPerformance], vec![], Indicator::Minor, "Partially Degraded Service"),
        (vec![Operational, Operational, PartialOutage], vec![], Indicator::Minor, "Minor Service Outage"),
        (vec![Operational, PartialOutage], vec![], Indicator::Major, "Partial System Outage"),
        (vec![Operational, Operational, Operational, MajorOutage], vec![], Indicator::Major, "Partial System Outage"),
        (vec![MajorOutage, MajorOutage], vec![], Indicator::Critical, "Major System Outage"),
        (vec![Operational], vec![Impact::Critical, Impact::Minor], Indicator::Critical, "Major System Outage"),
        (vec![DegradedPerformance], vec![Impact::Minor], Indicator::Minor, "Partially Degraded Service"),
        (vec![Operational], vec![Impact::None], Indicator::None, "All Systems Operational"),
    ] {
        let found = overall(&components, &impacts);
        assert_eq!((found.indicator, found.description), (indicator, words), "{components:?} {impacts:?}");
    }
}

#[test]
fn an_incident_that_settles_is_no_outage() {
    let mut page = model(vec![component(0)]);
    let view = incident(1, Impact::Critical, &page.components[0], "");
    page.incidents = vec![view];
    assert_eq!(page.overall().indicator, Indicator::Critical);
    page.incidents[0].impact_now = Impact::None;
    assert_eq!(page.overall().indicator, Indicator::None);
}

#[test]
fn a_stale_page_of_the_appliance_says_that_its_database_is_down() {
    let mut database = component(0);
    database.key = "appliance-database".into();
    let mut page = model(vec![database, component(1)]);
    assert_eq!(page.stale().overall().indicator, Indicator::None, "it is not the appliance's own");
    page.page.managed_by = Some(uptime::ManagedBy::Builtin);
    assert_eq!(page.stale().components[0].status, ComponentStatus::MajorOutage);
    assert_eq!(page.stale().overall().indicator, Indicator::Major);
}
