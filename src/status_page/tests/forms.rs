//! Finished answers: their sizes, their languages, that nothing in them is code, and what machines read.

use super::*;
use crate::{
    Render, Set,
    page::{Chart, ChartPoint, Proof},
    render::{GATUS, HTML, render_both},
    statuspage,
    words::Words,
};
use console::Lang;

/// The limit of the issue, bytes.
const LARGEST: usize = 50_000;

fn rendered(model: &PageModel) -> Vec<Render> {
    render_both(model, now(), &Words::new(Lang::En)).unwrap()
}

fn find<'a>(all: &'a [Render], set: Set, path: &str) -> &'a Render {
    all.iter().find(|render| render.set == set && render.path == path).unwrap_or_else(|| panic!("{path}"))
}

/// Twenty bad days.
fn troubled(number: usize) -> Shown {
    let mut shown = component(number);
    for day in 0..20 {
        let begin = now() - TimeDelta::days(80 - 4 * day);
        let status = if day % 2 == 0 { ComponentStatus::MajorOutage } else { ComponentStatus::DegradedPerformance };
        shown.changes.push((begin, status));
        shown.changes.push((begin + TimeDelta::minutes(40), ComponentStatus::Operational));
    }
    shown
}

#[test]
fn a_hundred_components_with_twenty_bad_days_are_below_fifty_kilobytes() {
    let all = rendered(&model((0..100).map(troubled).collect()));
    for render in all.iter().filter(|render| render.content_type == HTML) {
        assert!(render.body.len() < LARGEST, "{}: {} bytes", render.stored_path(), render.body.len());
    }
    let page = text(&find(&all, Set::Current, "index.en").body);
    assert_eq!(page.matches("<use").count(), 100);
    assert!(page.contains("Component 99"));
}

#[test]
fn groups_without_room_have_pages_of_their_own() {
    let mut page = model((0..150).map(component).collect());
    page.page.groups = vec![group(0, "First"), group(1, "Second")];
    for (index, shown) in page.components.iter_mut().enumerate() {
        shown.group = Some(page.page.groups[usize::from(index >= 90)].id);
    }
    let all = rendered(&page);
    let first = text(&find(&all, Set::Current, "index.en").body);
    assert!(first.contains("Component 89") && !first.contains("Component 90"));
    assert!(first.contains("/status/shop/en/group/g00000000001"));
    let second = text(&find(&all, Set::Current, "group/g00000000001.ru").body);
    assert!(second.contains("Component 90") && second.contains("Работает"));
}

#[test]
fn nothing_of_a_page_is_code() {
    let mut shown = component(0);
    shown.name = "<script>alert(1)</script>\"'".into();
    let body = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) [y](https://example.com) **b**";
    let mut page = model(vec![shown]);
    page.page.about = "<script>about</script>".into();
    page.incidents = vec![incident(0, Impact::Critical, &page.components[0], body)];
    for render in rendered(&page).iter().filter(|render| render.content_type == HTML) {
        let html = text(&render.body);
        for code in ["<script", "<img src=x", "href=\"javascript", "<status>"] {
            assert!(!html.contains(code), "{code} in {}", render.path);
        }
    }
    let all = rendered(&page);
    let html = text(&find(&all, Set::Current, "incident/i00000000000.en").body);
    assert!(html.contains("<strong>b</strong>"), "{html}");
    assert!(html.contains("<a rel=\"nofollow noopener\" href=\"https://example.com\">"), "{html}");
}

#[test]
fn a_stale_page_says_so_and_a_current_one_does_not() {
    let all = rendered(&model(vec![component(0)]));
    let words = "This page could not be brought up to date since 2026-11-30 12:00 UTC.";
    assert!(text(&find(&all, Set::Stale, "index.en").body).contains(words));
    assert!(!text(&find(&all, Set::Current, "index.en").body).contains("could not"));
    assert!(text(&find(&all, Set::Stale, "index.ru").body).contains("не удаётся обновить"));
    assert!(!all.iter().any(|render| render.set == Set::Stale && render.path == GATUS));
}

#[test]
fn answers_are_compressed_ahead_and_have_tags_of_their_content() {
    let model = model((0..20).map(component).collect());
    let (one, other) = (rendered(&model), rendered(&model));
    let page = find(&one, Set::Current, "index.en");
    assert_eq!(page.etag, find(&other, Set::Current, "index.en").etag);
    assert!(page.gzip.as_ref().unwrap().len() < page.body.len() / 2);
    assert!(page.br.as_ref().unwrap().len() < page.body.len() / 2);
    assert_ne!(page.etag, find(&one, Set::Stale, "index.en").etag);
    assert_eq!(find(&one, Set::Current, "up").body, "ok\n");
}

#[test]
fn summary_has_statuspages_form() {
    let mut page = model(vec![component(0), component(1)]);
    page.page.groups = vec![group(0, "Core")];
    page.components[1].group = Some(page.page.groups[0].id);
    page.components[1].status = ComponentStatus::MajorOutage;
    page.incidents =
        vec![incident(0, Impact::Critical, &page.components[1], "We *look* into [it](https://example.com).")];
    let all = rendered(&page);
    let summary: statuspage::Summary = serde_json::from_slice(&find(&all, Set::Current, "summary.json").body).unwrap();
    assert_eq!(
        (summary.page.time_zone.as_str(), summary.status.description.as_str()),
        ("Etc/UTC", "Major System Outage")
    );
    let names: Vec<_> = summary.components.iter().map(|found| (found.name.as_str(), found.group)).collect();
    assert_eq!(names, [("Core", true), ("Component 1", false), ("Component 0", false)]);
    assert_eq!(summary.components[0].components.as_ref().unwrap(), &[summary.components[1].id.clone()]);
    assert_eq!(summary.components[1].group_id.as_ref(), Some(&summary.components[0].id));
    let update = &summary.incidents[0].incident_updates[0];
    assert_eq!(update.body, "We look into it (https://example.com).");
    assert_eq!(update.affected_components.as_ref().unwrap()[0].name, "Core - Component 1");
    let json = text(&find(&all, Set::Current, "summary.json").body);
    assert!(json.contains("\"updated_at\":\"2026-11-30T12:00:00.000Z\""), "{json}");
    assert!(json.contains("\"description\":null") && !json.contains("scheduled_for"), "{json}");
    assert_eq!(find(&all, Set::Current, "up").body, "critical\n");
}

#[test]
fn feeds_and_calendars_have_what_is_announced() {
    let mut page = model(vec![component(0)]);
    let mut view = incident(0, Impact::Maintenance, &page.components[0], "Patches; reboot, twice");
    view.incident.kind = IncidentKind::Maintenance;
    view.incident.status = IncidentStatus::Scheduled;
    view.incident.scheduled_for = Some(at("2026-12-01T02:00:00Z"));
    view.incident.scheduled_until = Some(at("2026-12-01T03:30:00Z"));
    page.incidents = vec![view];
    let all = rendered(&page);
    let calendar = text(&find(&all, Set::Current, "maintenance.ics").body);
    for line in
        ["DTSTART:20261201T020000Z", "DTEND:20261201T033000Z", "UID:i00000000000@p00000000001", "STATUS:CONFIRMED"]
    {
        assert!(calendar.contains(line), "{line} in {calendar}");
    }
    assert!(calendar.contains("DESCRIPTION:Patches\\; reboot\\, twice"), "{calendar}");
    let atom = text(&find(&all, Set::Current, "history.atom").body);
    assert!(atom.contains("<id>tag:status.holdfast,2026-11-30:p00000000001/i00000000000</id>"), "{atom}");
    assert!(atom.contains("Shop &lt;status&gt;"));
    let rss = text(&find(&all, Set::Current, "history.rss").body);
    assert!(rss.contains("<guid isPermaLink=\"false\">tag:status.holdfast,"), "{rss}");
    let upcoming: statuspage::ScheduledMaintenances =
        serde_json::from_slice(&find(&all, Set::Current, "scheduled-maintenances/upcoming.json").body).unwrap();
    assert_eq!(upcoming.scheduled_maintenances.len(), 1);
    assert!(text(&find(&all, Set::Current, "index.en").body).contains("Planned maintenance"));
}

/// Names of 200 letters without a space, and names whose letters run the other way.
#[test]
fn names_wrap_and_change_the_direction_of_nothing_beside_them() {
    let css = crate::html::styles::css(&Theme::default());
    // The body's: names have no other.
    let body = css.split("body{").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    assert!(body.contains("overflow-wrap:anywhere") && !css.contains("nowrap"), "{css}");
    let name = "\u{202E}\u{5de}\u{5e6}\u{5d1}";
    let mut page = model(vec![component(0), component(1)]);
    page.page.groups = vec![group(0, name)];
    page.components[0].name = name.into();
    page.components[0].group = Some(page.page.groups[0].id);
    page.components[1].showcase = false;
    page.page.name = name.into();
    page.charts =
        vec![Chart { name: name.into(), points: vec![ChartPoint { at: now(), median: Some(1000), p95: None }] }];
    let mut view = incident(0, Impact::Critical, &page.components[0], "x");
    view.incident.name = name.into();
    page.incidents = vec![view];
    let all = rendered(&page);
    for (path, least) in [("index.en", 6), ("history.en", 2), ("incident/i00000000000.en", 3)] {
        let html = text(&find(&all, Set::Current, path).body);
        let (_, seen) = html.split_once("<body>").unwrap();
        let isolated = seen.matches(&format!("<bdi>{name}</bdi>")).count();
        // What programs read out is no text on the page.
        let labels = seen.matches(&format!("aria-label=\"Response time of {name}")).count();
        assert_eq!(isolated + labels, seen.matches(name).count(), "{path}: {html}");
        assert!(isolated >= least, "{path}: {isolated} {html}");
    }
}

/// Levels of headings are never skipped: readers of screens find their way by them.
#[test]
fn headings_have_an_order() {
    let mut page = model(vec![component(0)]);
    let body = "# Large\n\nand\n\n##### small";
    let open = incident(0, Impact::Critical, &page.components[0], body);
    let mut over = incident(1, Impact::Critical, &page.components[0], body);
    (over.incident.status, over.incident.resolved_at) = (IncidentStatus::Postmortem, Some(now()));
    over.incident.postmortem = Some(body.into());
    over.incident.postmortem_published_at = Some(now());
    let mut planned = incident(2, Impact::Maintenance, &page.components[0], body);
    (planned.incident.kind, planned.incident.status) = (IncidentKind::Maintenance, IncidentStatus::Scheduled);
    page.incidents = vec![open, over, planned];
    let all = rendered(&page);
    let mut seen = 0;
    for render in all.iter().filter(|render| render.content_type == HTML) {
        let html = text(&render.body);
        let levels: Vec<u32> =
            html.split("<h").skip(1).filter_map(|rest| rest.chars().next().and_then(|c| c.to_digit(10))).collect();
        assert_eq!(levels[0], 1, "{}", render.path);
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{}: {levels:?}", render.path);
        seen += levels.len();
    }
    assert!(seen > 40, "{seen}");
}

/// Nobody writes updates of what monitors open and end.
#[test]
fn an_incident_without_updates_has_a_beginning_and_an_end() {
    let mut page = model(vec![component(0)]);
    page.page.languages = vec!["ru".into(), "en".into()];
    let mut view = incident(0, Impact::Critical, &page.components[0], "x");
    view.updates.clear();
    page.incidents = vec![view];
    let incidents = |page: &PageModel| -> Vec<statuspage::Incident> {
        let all = rendered(page);
        let read: statuspage::Incidents =
            serde_json::from_slice(&find(&all, Set::Current, "incidents.json").body).unwrap();
        read.incidents
    };
    let atom = |page: &PageModel| text(&find(&rendered(page), Set::Current, "history.atom").body).to_owned();
    let open = incidents(&page).remove(0).incident_updates;
    assert_eq!((open.len(), open[0].body.as_str()), (1, "Выясняем причину."));
    assert_eq!(open[0].display_at.0, page.incidents[0].incident.started_at);
    assert_eq!(open[0].affected_components.as_ref().unwrap()[0].new_status, ComponentStatus::MajorOutage);
    assert!(atom(&page).contains("<updated>2026-11-30T10:00:00Z</updated>"), "{}", atom(&page));

    page.incidents[0].incident.status = IncidentStatus::Resolved;
    page.incidents[0].incident.resolved_at = Some(at("2026-11-30T10:07:00Z"));
    let over = incidents(&page).remove(0).incident_updates;
    let said: Vec<_> = over.iter().map(|update| (update.status, update.body.as_str())).collect();
    let (first, last) = ("Выясняем причину.", "Сбой устранён.");
    assert_eq!(said, [(IncidentStatus::Resolved, last), (IncidentStatus::Investigating, first)]);
    assert_eq!((over[1].id.as_str(), over[1].id.len()), (open[0].id.as_str(), 12), "it is the same update as before");
    assert_ne!(over[0].id, over[1].id);
    let feed = atom(&page);
    assert!(feed.contains("<updated>2026-11-30T10:07:00Z</updated>") && feed.contains(last), "{feed}");
    assert!(text(&find(&rendered(&page), Set::Current, "history.rss").body).contains("10:07:00 +0000"));
    let all = rendered(&page);
    assert!(text(&find(&all, Set::Current, "incident/i00000000000.en").body).contains("The problem is over."));
}

/// What a page says of an incident, newest first.
fn bodies(view: &IncidentView) -> Vec<String> {
    let mut page = model(vec![component(0)]);
    page.incidents = vec![view.clone()];
    let told = crate::told::told(&page, &Words::new(Lang::En));
    told.incidents[0].updates.iter().map(|update| update.body.clone()).collect()
}

/// What publishes itself is stored with its status, and without a text.
#[test]
fn what_says_its_status_by_itself_has_a_text_and_is_not_said_twice() {
    let mut view = incident(0, Impact::Critical, &component(0), "");
    view.updates[0].display_at += TimeDelta::seconds(30);
    assert_eq!(bodies(&view), ["We are investigating."]);
    // Two that became one.
    let mut next = view.updates[0].clone();
    next.display_at += TimeDelta::seconds(10);
    view.updates.insert(0, next.clone());
    assert_eq!(bodies(&view), ["We are investigating."]);
    next.status = IncidentStatus::Resolved;
    view.updates.insert(0, next);
    (view.incident.status, view.incident.resolved_at) = (IncidentStatus::Resolved, Some(now()));
    assert_eq!(bodies(&view), ["The problem is over.", "We are investigating."]);
    view.updates[1].body = "We look into it".into();
    assert_eq!(bodies(&view), ["The problem is over.", "We look into it", "We are investigating."]);
}

/// What people have written stays as it is, and is not said twice.
#[test]
fn what_people_say_of_an_incident_is_not_said_twice() {
    let mut view = incident(0, Impact::Critical, &component(0), "We look into it");
    assert_eq!(bodies(&view), ["We look into it"], "it was said when it began");
    view.updates[0].display_at += TimeDelta::minutes(5);
    assert_eq!(bodies(&view), ["We look into it", "We are investigating."]);
    view.incident.opened_by = "user:x".into();
    assert_eq!(bodies(&view), ["We look into it"]);
    (view.incident.status, view.incident.resolved_at) = (IncidentStatus::Resolved, Some(now()));
    assert_eq!(bodies(&view), ["The problem is over.", "We look into it"]);
    view.updates[0].status = IncidentStatus::Resolved;
    assert_eq!(bodies(&view), ["We look into it"]);
    view.updates.clear();
    view.incident.kind = IncidentKind::Maintenance;
    (view.incident.status, view.incident.resolved_at) = (IncidentStatus::Scheduled, None);
    assert_eq!(bodies(&view), ["Scheduled"]);
}

#[test]
fn the_day_of_the_last_proven_restore_is_on_the_page() {
    let mut shown = component(0);
    shown.proof = Some(Proof::On(chrono::NaiveDate::from_ymd_opt(2026, 11, 28).unwrap()));
    let all = rendered(&model(vec![shown.clone(), component(1)]));
    let page = text(&find(&all, Set::Current, "index.en").body);
    assert_eq!(page.matches("A restore was proven on 2026-11-28").count(), 1, "{page}");
    assert!(text(&find(&all, Set::Stale, "index.ru").body).contains("Восстановление из копии проверено 2026-11-28"));
    // Before the first one it is said, too, and is no trouble.
    shown.proof = Some(Proof::NotYet);
    let fresh = model(vec![shown]);
    assert_eq!(fresh.overall().description, "All Systems Operational");
    assert!(text(&find(&rendered(&fresh), Set::Current, "index.en").body).contains("No restore has been proven yet"));
}

#[test]
fn a_private_page_has_no_links_in_what_it_says_to_strangers() {
    let mut page = model(vec![component(0)]);
    let words = Words::new(Lang::En);
    let said = |page: &PageModel| {
        crate::html::message(page, &words, now(), ("Your subscription".into(), "Text".into()), None).unwrap()
    };
    assert!(said(&page).contains("/history.atom\">Atom"));
    page.page.visibility = Visibility::Private;
    let html = said(&page);
    assert!(!html.contains("<nav") && html.contains("Your subscription"), "{html}");
}
