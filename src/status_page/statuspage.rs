//! The JSON of Statuspage's public API, version 2, to the letter: names, their order, times with milliseconds. Pure.
//!
//! Source: the "Status API" page that each Statuspage serves at `/api`, and stored answers of real pages in the tests.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, de::Error as _};

use super::page::{Indicator, PageModel, Shown};
use incidents::{ComponentStatus, Impact, IncidentKind, IncidentStatus, IncidentView, Update};

/// Incidents in a list.
const MOST: usize = 50;

/// A time as `2026-11-30T12:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text).map(|at| Self(at.with_timezone(&Utc))).map_err(D::Error::custom)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub id: String,
    pub name: String,
    pub url: String,
    pub time_zone: String,
    pub updated_at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub indicator: Indicator,
    pub description: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub id: String,
    pub name: String,
    pub status: ComponentStatus,
    pub created_at: Time,
    pub updated_at: Time,
    pub position: i32,
    pub description: Option<String>,
    pub showcase: bool,
    pub start_date: Option<NaiveDate>,
    pub group_id: Option<String>,
    pub page_id: String,
    pub group: bool,
    pub only_show_if_degraded: bool,
    /// Of a group alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affected {
    pub code: String,
    pub name: String,
    pub old_status: ComponentStatus,
    pub new_status: ComponentStatus,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentUpdate {
    pub id: String,
    pub status: IncidentStatus,
    pub body: String,
    pub incident_id: String,
    pub created_at: Time,
    pub updated_at: Time,
    pub display_at: Time,
    pub affected_components: Option<Vec<Affected>>,
    pub deliver_notifications: bool,
    pub custom_tweet: Option<String>,
    pub tweet_id: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    pub id: String,
    pub name: String,
    pub status: IncidentStatus,
    pub created_at: Time,
    pub updated_at: Time,
    pub monitoring_at: Option<Time>,
    pub resolved_at: Option<Time>,
    pub impact: Impact,
    pub shortlink: String,
    pub started_at: Time,
    pub page_id: String,
    pub incident_updates: Vec<IncidentUpdate>,
    pub components: Vec<Component>,
    pub reminder_intervals: Option<String>,
    /// Of maintenance alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_until: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    pub page: Page,
    pub components: Vec<Component>,
    pub incidents: Vec<Incident>,
    pub scheduled_maintenances: Vec<Incident>,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFile {
    pub page: Page,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    pub page: Page,
    pub components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incidents {
    pub page: Page,
    pub incidents: Vec<Incident>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledMaintenances {
    pub page: Page,
    pub scheduled_maintenances: Vec<Incident>,
}

/// Every file, by its path below `/api/v2/`.
pub fn files(model: &PageModel, as_of: DateTime<Utc>) -> Result<Vec<(String, Vec<u8>)>, serde_json::Error> {
    let page = page(model, as_of);
    let all: Vec<Incident> =
        model.incidents_of(IncidentKind::Incident).take(MOST).map(|view| incident(model, view)).collect();
    let unresolved: Vec<Incident> = model.open().map(|view| incident(model, view)).collect();
    let planned: Vec<Incident> =
        model.incidents_of(IncidentKind::Maintenance).take(MOST).map(|view| incident(model, view)).collect();
    let with = |statuses: &[IncidentStatus]| -> Vec<Incident> {
        let chosen = model.maintenances().into_iter().filter(|view| statuses.contains(&view.incident.status));
        chosen.map(|view| incident(model, view)).collect()
    };
    let upcoming = with(&[IncidentStatus::Scheduled]);
    let active = with(&[IncidentStatus::InProgress, IncidentStatus::Verifying]);
    let open = with(&[IncidentStatus::Scheduled, IncidentStatus::InProgress, IncidentStatus::Verifying]);
    let overall = model.overall();
    let status = Status { indicator: overall.indicator, description: overall.description.to_owned() };
    let summary = Summary {
        page: page.clone(),
        components: components(model),
        incidents: unresolved.clone(),
        scheduled_maintenances: open,
        status: status.clone(),
    };
    let maintenance = |list| ScheduledMaintenances { page: page.clone(), scheduled_maintenances: list };
    let file = |name: &str, bytes| (name.to_owned(), bytes);
    Ok(vec![
        file("summary.json", serde_json::to_vec(&summary)?),
        file("status.json", serde_json::to_vec(&StatusFile { page: page.clone(), status })?),
        file("components.json", serde_json::to_vec(&Components { page: page.clone(), components: components(model) })?),
        file("incidents.json", serde_json::to_vec(&Incidents { page: page.clone(), incidents: all })?),
        file(
            "incidents/unresolved.json",
            serde_json::to_vec(&Incidents { page: page.clone(), incidents: unresolved })?,
        ),
        file("scheduled-maintenances.json", serde_json::to_vec(&maintenance(planned))?),
        file("scheduled-maintenances/upcoming.json", serde_json::to_vec(&maintenance(upcoming))?),
        file("scheduled-maintenances/active.json", serde_json::to_vec(&maintenance(active))?),
    ])
}

fn page(model: &PageModel, as_of: DateTime<Utc>) -> Page {
    // As Statuspage writes it.
    let time_zone = if model.page.zone == "UTC" { "Etc/UTC".to_owned() } else { model.page.zone.clone() };
    Page {
        id: model.page.code.clone(),
        name: model.page.name.clone(),
        url: model.url.clone(),
        time_zone,
        updated_at: Time(as_of),
    }
}

/// Groups first, each with its components after it.
fn components(model: &PageModel) -> Vec<Component> {
    let mut all = Vec::new();
    for group in &model.page.groups {
        let inside: Vec<&Shown> = model.of_group(Some(group.id)).collect();
        // Statuspage shows no empty groups.
        let (Some(created), Some(updated)) =
            (inside.iter().map(|shown| shown.created_at).min(), inside.iter().map(|shown| shown.updated_at).max())
        else {
            continue;
        };
        all.push(Component {
            id: group.code.clone(),
            name: group.name.clone(),
            status: model.worst_of(Some(group.id)),
            created_at: Time(created),
            updated_at: Time(updated),
            position: group.position,
            description: None,
            showcase: false,
            start_date: None,
            group_id: None,
            page_id: model.page.code.clone(),
            group: true,
            only_show_if_degraded: false,
            components: Some(inside.iter().map(|shown| shown.code.clone()).collect()),
        });
        all.extend(inside.into_iter().map(|shown| component(model, shown)));
    }
    all.extend(model.of_group(None).map(|shown| component(model, shown)));
    all
}

fn component(model: &PageModel, shown: &Shown) -> Component {
    let group = shown.group.and_then(|id| model.page.groups.iter().find(|group| group.id == id));
    Component {
        id: shown.code.clone(),
        name: shown.name.clone(),
        status: shown.status,
        created_at: Time(shown.created_at),
        updated_at: Time(shown.updated_at),
        position: shown.position,
        description: Some(shown.description.clone()).filter(|text| !text.is_empty()),
        showcase: shown.showcase,
        start_date: shown.start_date,
        group_id: group.map(|group| group.code.clone()),
        page_id: model.page.code.clone(),
        group: false,
        only_show_if_degraded: shown.only_show_if_degraded,
        components: None,
    }
}

fn incident(model: &PageModel, view: &IncidentView) -> Incident {
    let of = &view.incident;
    let is_maintenance = of.kind == IncidentKind::Maintenance;
    let affected = view.components.iter().filter_map(|(id, _)| model.component(*id));
    Incident {
        id: of.code.clone(),
        name: of.name.clone(),
        status: of.status,
        created_at: Time(of.created_at),
        updated_at: Time(of.updated_at),
        monitoring_at: of.monitoring_at.map(Time),
        resolved_at: of.resolved_at.map(Time),
        impact: if is_maintenance { Impact::Maintenance } else { of.impact },
        shortlink: format!("{}/incident/{}", model.url, of.code),
        scheduled_for: of.scheduled_for.filter(|_| is_maintenance).map(Time),
        scheduled_until: of.scheduled_until.filter(|_| is_maintenance).map(Time),
        started_at: Time(of.started_at),
        page_id: model.page.code.clone(),
        incident_updates: view.updates.iter().map(|part| update(model, view, part)).collect(),
        components: affected.map(|shown| component(model, shown)).collect(),
        reminder_intervals: None,
    }
}

fn update(model: &PageModel, view: &IncidentView, part: &Update) -> IncidentUpdate {
    let affected = part.affected.iter().filter_map(|affected| {
        let shown = model.component(affected.component)?;
        let group = shown.group.and_then(|id| model.page.groups.iter().find(|group| group.id == id));
        let name = group.map_or_else(|| shown.name.clone(), |group| format!("{} - {}", group.name, shown.name));
        Some(Affected { code: shown.code.clone(), name, old_status: affected.old, new_status: affected.new })
    });
    let affected: Vec<Affected> = affected.collect();
    IncidentUpdate {
        id: part.code.clone(),
        status: part.status,
        body: plain(&part.body),
        incident_id: view.incident.code.clone(),
        created_at: Time(part.created_at),
        updated_at: Time(part.updated_at),
        display_at: Time(part.display_at),
        affected_components: (!affected.is_empty()).then_some(affected),
        deliver_notifications: part.notify,
        custom_tweet: None,
        tweet_id: None,
    }
}

/// Markdown as plain text: what a reader sees of it, with the addresses of links.
pub fn plain(markdown: &str) -> String {
    use pulldown_cmark::{Event, Parser, Tag, TagEnd};
    let mut out = String::with_capacity(markdown.len());
    let mut links: Vec<(String, usize)> = Vec::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::Rule => out.push('\n'),
            Event::Start(Tag::Item) => out.push_str("- "),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push((dest_url.to_string(), out.len()));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                if let Some((address, from)) = links.pop()
                    && out.get(from..) != Some(address.as_str())
                {
                    out.extend([" (", address.as_str(), ")"]);
                }
            }
            Event::End(TagEnd::Item) if !out.ends_with('\n') => out.push('\n'),
            Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::List(_)) => {
                out.push_str("\n\n");
            }
            _ => {}
        }
    }
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out.trim().to_owned()
}
