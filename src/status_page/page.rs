//! What a page shows, before it becomes bytes. Pure: no database, no clock.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::{
    gatus::Endpoint,
    model::{Page, PageGroupId},
};
use incidents::{
    ComponentId, ComponentMonitor, ComponentStatus, Impact, Incident, IncidentKind, IncidentStatus, IncidentView,
};
use platform::text_enum;
use uptime::{Degraded, LiveView, ManagedBy, MonitorId, Status};

/// Days of a bar.
pub const DAYS: u64 = 90;

text_enum! {
    /// State of a whole page; the words of Statuspage.
    #[derive(PartialOrd, Ord)]
    pub enum Indicator {
        None = "none",
        Maintenance = "maintenance",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

/// State of a whole page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overall {
    pub indicator: Indicator,
    /// In Statuspage's words.
    pub description: &'static str,
    /// Translation key of the same.
    pub key: &'static str,
}

/// Everything that a page shows.
#[derive(Clone, Debug)]
pub struct PageModel {
    pub page: Page,
    pub zone: Tz,
    /// What links within the page begin with, without a slash at the end: `/status/shop`, or `https://status.shop.example`.
    pub root: String,
    /// The same with scheme and host: for feeds, JSON and mails.
    pub url: String,
    pub logo: Option<Logo>,
    /// In the order of groups and positions.
    pub components: Vec<Shown>,
    /// Incidents and announced maintenance, newest first.
    pub incidents: Vec<IncidentView>,
    pub charts: Vec<Chart>,
    /// Monitors of its components, as Gatus shows them.
    pub endpoints: Vec<Endpoint>,
    /// When history and incidents were read.
    pub read_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub content_type: &'static str,
    pub body: bytes::Bytes,
    /// Of the body: in its address, so that a new one is seen at once.
    pub digest: String,
}

/// A component on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub id: ComponentId,
    pub key: String,
    pub code: String,
    pub name: String,
    pub description: String,
    pub status: ComponentStatus,
    /// Set by hand: monitors do not change it.
    pub is_set: bool,
    pub monitors: Vec<ComponentMonitor>,
    pub group: Option<PageGroupId>,
    pub position: i32,
    pub showcase: bool,
    pub only_show_if_degraded: bool,
    pub start_date: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Of the appliance's backups, while they are made.
    pub proof: Option<Proof>,
    /// From when on it had which status, oldest first.
    pub changes: Vec<(DateTime<Utc>, ComponentStatus)>,
}

/// Whether backups can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The day of the last restore that was proven.
    On(NaiveDate),
    NotYet,
}

/// Latency of a monitor over 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    pub name: String,
    /// Of a quarter of an hour each, oldest first.
    pub points: Vec<ChartPoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartPoint {
    pub at: DateTime<Utc>,
    /// Microseconds; `None`: nothing was measured.
    pub median: Option<i32>,
    pub p95: Option<i32>,
}

/// A day of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub date: NaiveDate,
    /// `None`: nothing is known of it.
    pub worst: Option<ComponentStatus>,
    /// Seconds of partial and major outages.
    pub outage: i64,
    /// Seconds of degraded performance.
    pub degraded: i64,
    pub maintenance: i64,
    pub known: i64,
}

impl PageModel {
    /// Whether it is the appliance's own.
    pub fn is_appliance(&self) -> bool {
        self.page.managed_by == Some(ManagedBy::Builtin)
    }

    /// Incidents that are not over.
    pub fn open(&self) -> impl Iterator<Item = &IncidentView> {
        self.incidents_of(IncidentKind::Incident).filter(|view| !view.incident.status.is_over())
    }

    /// Announced maintenance that is not over, the next first.
    pub fn maintenances(&self) -> Vec<&IncidentView> {
        let mut all: Vec<_> =
            self.incidents_of(IncidentKind::Maintenance).filter(|view| !view.incident.status.is_over()).collect();
        all.sort_by_key(|view| view.incident.scheduled_for);
        all
    }

    pub fn incidents_of(&self, kind: IncidentKind) -> impl Iterator<Item = &IncidentView> {
        self.incidents.iter().filter(move |view| view.incident.kind == kind)
    }

    pub fn overall(&self) -> Overall {
        let statuses: Vec<_> = self.components.iter().map(|component| component.status).collect();
        let impacts: Vec<_> = self.open().map(|view| self.impact_now(view)).collect();
        overall(&statuses, &impacts)
    }

    /// The impact that an open incident has now. One that a monitor or an alert opened stays open for a while after its cause is over, and has no more
    /// impact by then than the components show that it affects. What a person has set stays.
    fn impact_now(&self, view: &IncidentView) -> Impact {
        let of = &view.incident;
        if of.impact_override || !is_automatic(of) {
            return view.impact_now;
        }
        let affected = view.components.iter().filter_map(|(id, _)| self.component(*id));
        let worst = affected.map(|shown| shown.status).max().unwrap_or(ComponentStatus::Operational);
        view.impact_now.min(Impact::from(worst))
    }

    pub fn component(&self, id: ComponentId) -> Option<&Shown> {
        self.components.iter().find(|component| component.id == id)
    }

    /// Components of a group; `None`: of no group.
    pub fn of_group(&self, group: Option<PageGroupId>) -> impl Iterator<Item = &Shown> {
        self.components.iter().filter(move |component| component.group == group)
    }

    /// The same page, when the database cannot be asked: of the appliance's own page it is known that its database is down.
    #[must_use]
    pub fn stale(&self) -> Self {
        let mut stale = self.clone();
        if self.is_appliance() {
            for component in stale.components.iter_mut().filter(|component| component.key == "appliance-database") {
                component.status = ComponentStatus::MajorOutage;
            }
        }
        stale
    }

    /// The same page with what the prober of this process knows now: history and incidents stay as they were read.
    #[must_use]
    pub fn with_live(&self, live: &LiveView) -> Self {
        let mut current = self.clone();
        for component in current.components.iter_mut().filter(|component| !component.is_set) {
            component.status = live_status(component, live);
        }
        current
    }

    /// The tone of the whole group.
    pub fn worst_of(&self, group: Option<PageGroupId>) -> ComponentStatus {
        self.of_group(group).map(|component| component.status).max().unwrap_or(ComponentStatus::Operational)
    }
}

/// What monitors say of a component now. Those that are paused or unknown say nothing; if none says anything, it keeps its status.
fn live_status(component: &Shown, live: &LiveView) -> ComponentStatus {
    let said = component.monitors.iter().filter_map(|monitor| {
        let now = live.monitors.get(&monitor.monitor_id)?;
        match (now.status, now.degraded) {
            (Status::Down, _) => Some(monitor.weight),
            (Status::Maintenance, _) => Some(ComponentStatus::UnderMaintenance),
            (Status::Up, Some(Degraded::Slow | Degraded::Certificate | Degraded::Domain)) => {
                Some(ComponentStatus::DegradedPerformance)
            }
            (Status::Up, None) => Some(ComponentStatus::Operational),
            (Status::Paused | Status::Unknown, _) => None,
        }
    });
    said.max().unwrap_or(component.status)
}

/// State of a page out of its components and the impacts of open incidents.
pub fn overall(components: &[ComponentStatus], impacts: &[Impact]) -> Overall {
    let count = |status| components.iter().filter(|component| **component == status).count();
    let (major, partial) = (count(ComponentStatus::MajorOutage), count(ComponentStatus::PartialOutage));
    let by_components = if major > 0 && major == components.len() {
        CRITICAL
    } else if major > 0 || (partial > 0 && partial * 2 >= components.len()) {
        MAJOR
    } else if partial > 0 {
        MINOR
    } else if count(ComponentStatus::DegradedPerformance) > 0 {
        DEGRADED
    } else if count(ComponentStatus::UnderMaintenance) > 0 {
        MAINTENANCE
    } else {
        OPERATIONAL
    };
    let by_incidents = match impacts.iter().max() {
        Some(Impact::Critical) => CRITICAL,
        Some(Impact::Major) => MAJOR,
        Some(Impact::Minor) => MINOR,
        Some(Impact::Maintenance | Impact::None) | None => OPERATIONAL,
    };
    // Of equal ones the components' is more exact.
    if by_incidents.indicator > by_components.indicator { by_incidents } else { by_components }
}

const OPERATIONAL: Overall =
    Overall { indicator: Indicator::None, description: "All Systems Operational", key: "status-page-all-operational" };
const MAINTENANCE: Overall = Overall {
    indicator: Indicator::Maintenance,
    description: "Service Under Maintenance",
    key: "status-page-all-maintenance",
};
const DEGRADED: Overall =
    Overall { indicator: Indicator::Minor, description: "Partially Degraded Service", key: "status-page-all-degraded" };
const MINOR: Overall =
    Overall { indicator: Indicator::Minor, description: "Minor Service Outage", key: "status-page-all-minor" };
const MAJOR: Overall =
    Overall { indicator: Indicator::Major, description: "Partial System Outage", key: "status-page-all-major" };
const CRITICAL: Overall =
    Overall { indicator: Indicator::Critical, description: "Major System Outage", key: "status-page-all-critical" };

impl Indicator {
    /// Colour of the banner and of badges.
    pub fn tone(self) -> ComponentStatus {
        match self {
            Self::None => ComponentStatus::Operational,
            Self::Maintenance => ComponentStatus::UnderMaintenance,
            Self::Minor => ComponentStatus::DegradedPerformance,
            Self::Major => ComponentStatus::PartialOutage,
            Self::Critical => ComponentStatus::MajorOutage,
        }
    }
}

/// The beginning of a day. Where the clocks skip midnight, the first moment after it.
pub fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let naive = day.and_time(chrono::NaiveTime::MIN);
    let mut quarters = (0..16).map(|n| naive + TimeDelta::minutes(15 * n));
    let found = quarters.find_map(|at| zone.from_local_datetime(&at).earliest());
    found.map_or_else(|| naive.and_utc(), |at| at.with_timezone(&Utc))
}

impl Shown {
    /// The last 90 days in a zone, oldest first, today last.
    pub fn days(&self, zone: Tz, as_of: DateTime<Utc>) -> Vec<Day> {
        let today = as_of.with_timezone(&zone).date_naive();
        let first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
        let begins = self.start_date.map(|date| midnight(date, zone));
        let all = first.iter_days().take(usize::try_from(DAYS).unwrap_or(usize::MAX));
        all.map(|date| {
            let from = midnight(date, zone).max(begins.unwrap_or(DateTime::<Utc>::MIN_UTC));
            let until = midnight(date.succ_opt().unwrap_or(date), zone).min(as_of);
            self.day(date, from, until)
        })
        .collect()
    }

    fn day(&self, date: NaiveDate, from: DateTime<Utc>, until: DateTime<Utc>) -> Day {
        let mut day = Day { date, worst: None, outage: 0, degraded: 0, maintenance: 0, known: 0 };
        // The change before the day begins is the first that counts.
        let first = self.changes.partition_point(|(at, _)| *at <= from).saturating_sub(1);
        for (index, (at, status)) in self.changes.iter().enumerate().skip(first) {
            let end = self.changes.get(index + 1).map_or(until, |(next, _)| *next).min(until);
            // Of whole seconds on the clock, so that what is cut off does not add up.
            let seconds = end.timestamp() - (*at).max(from).timestamp();
            if *at >= until {
                break;
            }
            if seconds <= 0 {
                continue;
            }
            day.known += seconds;
            day.worst = day.worst.max(Some(*status));
            match status {
                ComponentStatus::Operational => {}
                ComponentStatus::UnderMaintenance => day.maintenance += seconds,
                ComponentStatus::DegradedPerformance => day.degraded += seconds,
                ComponentStatus::PartialOutage | ComponentStatus::MajorOutage => day.outage += seconds,
            }
        }
        day
    }
}

/// Share of the known time without an outage, maintenance left out; `None`: nothing is known.
pub fn share(days: &[Day]) -> Option<f64> {
    let counted: i64 = days.iter().map(|day| day.known - day.maintenance).sum();
    let outage: i64 = days.iter().map(|day| day.outage).sum();
    (counted > 0).then(|| 1.0 - outage as f64 / counted as f64)
}

/// What a component showed when, from when it was made: it is made as operational, and only what changes is written after that.
pub fn since_made(
    made: DateTime<Utc>,
    mut changes: Vec<(DateTime<Utc>, ComponentStatus)>,
) -> Vec<(DateTime<Utc>, ComponentStatus)> {
    changes.sort_by_key(|(at, _)| *at);
    if changes.first().is_none_or(|(at, _)| *at > made) {
        changes.insert(0, (made, ComponentStatus::Operational));
    }
    changes
}

/// Whether no person opened it.
pub fn is_automatic(incident: &Incident) -> bool {
    matches!(incident.opened_by.as_str(), "monitor" | "alert" | "ending")
}

/// Whether an incident's page shows it as maintenance.
pub fn is_maintenance(status: IncidentStatus) -> bool {
    status.kind() == IncidentKind::Maintenance
}

/// Monitors of all components, each once.
pub fn monitors(components: &[Shown]) -> Vec<MonitorId> {
    let mut all: Vec<_> =
        components.iter().flat_map(|component| &component.monitors).map(|monitor| monitor.monitor_id).collect();
    all.sort_unstable();
    all.dedup();
    all
}
