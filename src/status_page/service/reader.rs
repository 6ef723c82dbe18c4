//! Reads what a page shows.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use ipnet::IpNet;
use sqlx::PgConnection;

use super::{StatusPages, endpoints::Named};
use crate::{
    StatusPageError,
    holder::Access,
    html::styles,
    model::{Page, PageId, Visibility},
    page::{self, Chart, ChartPoint, DAYS, Logo, PageModel, Proof, Shown},
    render,
    restrict::Restriction,
    store::pages::{self, Stored},
};
use axum::http::HeaderValue;
use incidents::ComponentStatus;
use platform::crypto;
use uptime::{Monitor, MonitorId, Point, Status, Step};

/// How far back incidents are shown.
const HISTORY: TimeDelta = TimeDelta::days(366);
/// Points of a chart are so far apart.
const QUARTER: i64 = 15 * 60;
/// Key of the appliance's own monitor of its backups, and of its component.
const BACKUPS: &str = "appliance-backups";

impl StatusPages {
    /// What is known of a page without reading more.
    pub(super) fn access(&self, stored: &Stored) -> Access {
        let page = &stored.page;
        let (root, url) = self.addresses(page);
        let policy = styles::policy(&styles::css(&page.theme), &root);
        Access {
            restriction: Restriction {
                // They were checked when they were saved. One that cannot be read lets nobody in.
                networks: page
                    .networks
                    .iter()
                    .map(|network| network.parse().unwrap_or(IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
                    .collect(),
                password_hash: stored.password_hash.clone(),
                password_version: stored.password_version,
                key_hash: stored.key_hash.clone(),
            },
            policy: HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'")),
            links: self.public_addresses(page).0,
            root,
            url,
            revision: stored.revision,
            page: page.clone(),
        }
    }

    /// Where a page's links begin, without and with scheme and host.
    pub(crate) fn addresses(&self, page: &Page) -> (String, String) {
        if page.visibility == Visibility::Private {
            let root = format!("/settings/status-pages/{}/view", page.id);
            return (root.clone(), format!("{}{root}", self.inner.base_url));
        }
        self.public_addresses(page)
    }

    /// The same for strangers, whoever sees the page now: links in mails to subscribers go on working when it becomes private.
    pub(super) fn public_addresses(&self, page: &Page) -> (String, String) {
        if let Some(domain) = page.domains.iter().find(|domain| domain.proven_at.is_some()) {
            let url = format!("{}://{}", if self.is_https() { "https" } else { "http" }, domain.domain);
            return (url.clone(), url);
        }
        let root = format!("/status/{}", page.slug);
        (root.clone(), format!("{}{root}", self.inner.base_url))
    }

    /// Reads a page; `None`: there is none. `known`: monitors' figures, which change slowly, are taken from it.
    pub(super) async fn read_page(
        &self,
        conn: &mut PgConnection,
        id: PageId,
        known: Option<&PageModel>,
    ) -> Result<Option<(Stored, PageModel)>, StatusPageError> {
        let Some(stored) = pages::of_ids(conn, &[id]).await?.pop() else { return Ok(None) };
        let now = self.inner.clock.now();
        let components = self.components_of(conn, &stored.page, now).await?;
        let ids: Vec<_> = components.iter().map(|component| component.id).collect();
        let incidents = self.inner.rooms.incidents.shown(conn, &ids, now - HISTORY).await?;
        let logo = match pages::logo(conn, id).await? {
            Some((kind, body)) => render::known_type(&kind).map(|content_type| {
                let digest = crypto::hex(&crypto::sha256(&body)[..6]);
                Logo { content_type, body, digest }
            }),
            None => None,
        };
        let (root, url) = self.addresses(&stored.page);
        let mut model = PageModel {
            zone: stored.page.zone.parse().unwrap_or(Tz::UTC),
            page: stored.page.clone(),
            root,
            url,
            logo,
            components,
            incidents,
            charts: Vec::new(),
            endpoints: Vec::new(),
            read_at: now,
        };
        match known {
            Some(known) => {
                for component in &mut model.components {
                    component.proof = known.component(component.id).and_then(|before| before.proof);
                }
                model.charts.clone_from(&known.charts);
                model.endpoints.clone_from(&known.endpoints);
            }
            None => self.read_figures(conn, &stored, &mut model, now).await?,
        }
        Ok(Some((stored, model)))
    }

    /// Components with what was shown of them in the last 90 days, in the order of the page.
    async fn components_of(
        &self,
        conn: &mut PgConnection,
        page: &Page,
        now: DateTime<Utc>,
    ) -> Result<Vec<Shown>, StatusPageError> {
        let ids: Vec<_> = page.components.iter().map(|component| component.component_id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.inner.rooms.incidents.components(conn, &ids).await?;
        // A day more: the first bar's day begins before in some zones.
        let since = now - TimeDelta::days(i64::try_from(DAYS).unwrap_or(i64::MAX) + 1);
        let mut changes: HashMap<_, Vec<(DateTime<Utc>, ComponentStatus)>> = HashMap::new();
        for change in self.inner.rooms.incidents.changes_of(conn, &ids, since).await? {
            changes.entry(change.component).or_default().push((change.at, change.status));
        }
        let mut by_id: HashMap<_, _> = all.into_iter().map(|component| (component.id, component)).collect();
        let shown = page.components.iter().filter_map(|place| {
            let component = by_id.remove(&place.component_id)?;
            let mut changes = changes.remove(&component.id).unwrap_or_default();
            if changes.is_empty() {
                changes.push((component.since, component.status));
            }
            let changes = page::since_made(component.created_at, changes);
            Some(Shown {
                id: component.id,
                key: component.key,
                code: component.code,
                name: place.name.clone().unwrap_or(component.name),
                description: component.description,
                status: component.status,
                is_set: component.set.is_some(),
                monitors: component.monitors,
                group: place.group_id,
                position: place.position,
                showcase: place.showcase,
                only_show_if_degraded: place.only_show_if_degraded,
                start_date: place.start_date,
                created_at: component.created_at,
                updated_at: component.updated_at,
                proof: None,
                changes,
            })
        });
        Ok(shown.collect())
    }

    /// Charts and monitors: read once a minute.
    async fn read_figures(
        &self,
        conn: &mut PgConnection,
        stored: &Stored,
        model: &mut PageModel,
        now: DateTime<Utc>,
    ) -> Result<(), StatusPageError> {
        let uptime = &self.inner.rooms.uptime;
        let monitors = page::monitors(&model.components);
        let mut all = monitors.clone();
        all.extend(stored.page.charts.iter().filter(|monitor| !monitors.contains(monitor)));
        let known = uptime.monitors(conn, &all).await?;
        if model.is_appliance() {
            let proof = known.iter().find(|monitor| monitor.key == BACKUPS).and_then(proof_of);
            for component in model.components.iter_mut().filter(|component| component.key == BACKUPS) {
                component.proof = proof;
            }
        }
        model.charts.clear();
        for id in &stored.page.charts {
            // Removed meanwhile.
            let Some(monitor) = known.iter().find(|monitor| monitor.id == *id) else { continue };
            let points = uptime.series(conn, *id, Step::Minute, now - TimeDelta::hours(24), now).await?;
            model.charts.push(Chart { name: monitor.name.clone(), points: quarters(&points, now) });
        }
        let shown: Vec<Monitor> = known.into_iter().filter(|monitor| monitors.contains(&monitor.id)).collect();
        let endpoints = self.endpoints(conn, &shown, |monitor| public_name(model, monitor.id), now).await?;
        model.endpoints = endpoints;
        Ok(())
    }
}

/// A monitor under the name and the group of its component, as the page has them: its own name and key are for those within.
fn public_name(model: &PageModel, id: MonitorId) -> Named {
    let place = |component: &Shown| component.monitors.iter().position(|monitor| monitor.monitor_id == id);
    let Some((component, place)) = model.components.iter().find_map(|component| Some((component, place(component)?)))
    else {
        return Named { key: String::new(), name: String::new(), group: String::new() };
    };
    let group = model.page.groups.iter().find(|group| Some(group.id) == component.group);
    let (mut key, mut name) = (component.key.clone(), component.name.clone());
    if component.monitors.len() > 1 {
        let number = place + 1;
        (key, name) = (format!("{key}-{number}"), format!("{name} {number}"));
    }
    Named { key, name, group: group.map(|group| group.name.clone()).unwrap_or_default() }
}

/// What the backups' own monitor notes while it is up: the day of the last restore that was proven, or that there was none yet.
fn proof_of(monitor: &Monitor) -> Option<Proof> {
    let note = monitor.error.as_ref().filter(|_| monitor.status == Status::Up)?;
    let day: Option<NaiveDate> = note.split_whitespace().find_map(|word| word.parse().ok());
    Some(day.map_or(Proof::NotYet, Proof::On))
}

/// Minutes as quarters of an hour, 96 of them: the median of medians, and the highest 95th percentile, which no quarter's own exceeds.
fn quarters(points: &[Point], now: DateTime<Utc>) -> Vec<ChartPoint> {
    let last = now.timestamp().div_euclid(QUARTER);
    let mut found: HashMap<i64, (Vec<i32>, Option<i32>)> = HashMap::new();
    for point in points {
        let (medians, high) = found.entry(point.at.timestamp().div_euclid(QUARTER)).or_default();
        medians.extend(point.p50);
        *high = (*high).max(point.p95.or(point.p50));
    }
    let quarter = |number: i64| {
        let (mut medians, high) = found.get(&number).cloned().unwrap_or_default();
        medians.sort_unstable();
        let median = medians.get(medians.len() / 2).copied();
        ChartPoint { at: DateTime::from_timestamp(number * QUARTER, 0).unwrap_or_default(), median, p95: high }
    };
    (last - 95..=last).map(quarter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_quarter_for_each_of_24_hours() {
        let now = DateTime::from_timestamp(1_800_000_900, 0).unwrap();
        let point = |minutes: i64, p50| Point {
            at: now - TimeDelta::minutes(minutes),
            checks: 1,
            failed: 0,
            p50,
            p90: None,
            p95: None,
            p99: None,
            slowest: None,
        };
        let points =
            quarters(&[point(1, Some(3000)), point(2, Some(1000)), point(3, Some(2000)), point(60, None)], now);
        assert_eq!(points.len(), 96);
        assert_eq!((points[94].median, points[94].p95), (Some(2000), Some(3000)));
        assert_eq!(points.iter().filter(|point| point.median.is_some()).count(), 1);
    }
}
