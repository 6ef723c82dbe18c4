//! What pages show, without a database.

mod days;
mod forms;
mod held;
mod samples;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::{
    PageComponent, PageGroup, PageGroupId, PageId, Visibility,
    model::{Page, Theme},
    page::{PageModel, Shown},
};
use incidents::{
    Affected, ComponentId, ComponentStatus, Impact, Incident, IncidentId, IncidentKind, IncidentStatus, IncidentView,
    Severity, Update, UpdateId,
};

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn now() -> DateTime<Utc> {
    at("2026-11-30T12:00:00Z")
}

fn id(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1)
}

/// A component of this number that has worked for a year.
pub fn component(number: usize) -> Shown {
    Shown {
        id: ComponentId(id(number)),
        key: format!("component-{number}"),
        code: format!("c{number:011}"),
        name: format!("Component {number}"),
        description: String::new(),
        status: ComponentStatus::Operational,
        is_set: false,
        monitors: Vec::new(),
        group: None,
        position: i32::try_from(number + 1).unwrap(),
        showcase: true,
        only_show_if_degraded: false,
        start_date: None,
        created_at: now() - TimeDelta::days(365),
        updated_at: now() - TimeDelta::days(1),
        proof: None,
        changes: vec![(now() - TimeDelta::days(365), ComponentStatus::Operational)],
    }
}

/// A page with these components.
pub fn model(components: Vec<Shown>) -> PageModel {
    let places = components.iter().map(|shown| PageComponent {
        component_id: shown.id,
        group_id: shown.group,
        name: None,
        position: shown.position,
        showcase: shown.showcase,
        only_show_if_degraded: shown.only_show_if_degraded,
        start_date: shown.start_date,
    });
    let page = Page {
        id: PageId(id(900)),
        installation: true,
        code: "p00000000001".into(),
        slug: "shop".into(),
        name: "Shop <status>".into(),
        about: String::new(),
        visibility: Visibility::Public,
        has_password: false,
        has_key: false,
        networks: Vec::new(),
        zone: "UTC".into(),
        languages: vec!["en".into(), "ru".into()],
        theme: Theme::default(),
        has_logo: false,
        home_url: None,
        contact_url: None,
        charts: Vec::new(),
        subscribe: true,
        groups: Vec::new(),
        components: places.collect(),
        domains: Vec::new(),
        managed_by: None,
        created_at: at("2026-01-01T00:00:00Z"),
        updated_at: at("2026-01-01T00:00:00Z"),
    };
    PageModel {
        page,
        zone: Tz::UTC,
        root: "/status/shop".into(),
        url: "https://holdfast.example/status/shop".into(),
        logo: None,
        components,
        incidents: Vec::new(),
        charts: Vec::new(),
        endpoints: Vec::new(),
        read_at: now(),
    }
}

pub fn group(number: usize, name: &str) -> PageGroup {
    PageGroup {
        id: PageGroupId(id(800 + number)),
        code: format!("g{number:011}"),
        name: name.into(),
        position: i32::try_from(number + 1).unwrap(),
        open: true,
    }
}

/// An open incident with one update of this text.
pub fn incident(number: usize, impact: Impact, affected: &Shown, body: &str) -> IncidentView {
    let began = now() - TimeDelta::hours(2);
    let incident_id = IncidentId(id(500 + number));
    let incident = Incident {
        id: incident_id,
        installation: true,
        code: format!("i{number:011}"),
        kind: IncidentKind::Incident,
        name: format!("Incident {number}"),
        status: IncidentStatus::Investigating,
        impact,
        impact_override: false,
        severity: Severity::Critical,
        published_at: Some(began),
        opened_by: "monitor".into(),
        started_at: began,
        acknowledged_at: None,
        acknowledged_by: None,
        monitoring_at: None,
        resolved_at: None,
        scheduled_for: None,
        scheduled_until: None,
        window_id: None,
        merged_into: None,
        flapping: false,
        postmortem: None,
        postmortem_published_at: None,
        version: 1,
        created_at: began,
        updated_at: began,
    };
    let update = Update {
        id: UpdateId(id(600 + number)),
        code: format!("u{number:011}"),
        incident_id,
        status: IncidentStatus::Investigating,
        body: body.into(),
        affected: vec![Affected {
            component: affected.id,
            old: ComponentStatus::Operational,
            new: ComponentStatus::MajorOutage,
        }],
        display_at: began,
        published: true,
        notify: true,
        created_by: "user:x".into(),
        created_at: began,
        updated_at: began,
    };
    let components = vec![(affected.id, ComponentStatus::MajorOutage)];
    IncidentView { incident, updates: vec![update], components, impact_now: impact }
}

pub fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
