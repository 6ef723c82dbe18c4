//! The list of monitors.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{SHOWN, Whose, bars, degraded_name, kind_name, percent, status_name};
use crate::{DayTotal, Degraded, Group, Kind, Monitor, MonitorFilter, MonitorId, READ, Status, Uptime, routes::owner};
use console::{Html, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Query, Slice},
};

const PATH: &str = "/monitors";
/// Days of the little bars.
const DAYS: i64 = 30;
/// Groups in the filter.
const MOST_GROUPS: i64 = 200;

/// The filters of the list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    status: String,
    kind: String,
    group: String,
    tag: String,
}

impl ListFilter {
    fn is_plain(&self) -> bool {
        [&self.status, &self.kind, &self.group, &self.tag].iter().all(|one| one.is_empty())
    }
}

#[derive(Template)]
#[template(path = "uptime/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    by_status: Vec<(Status, i64)>,
    monitors: Vec<Monitor>,
    totals: Vec<DayTotal>,
    groups: Vec<Group>,
    query: ListQuery,
    filter: ListFilter,
    whose: Whose,
    pager: Pager,
    operator: bool,
}

/// A monitor in the list.
struct Row<'m> {
    monitor: &'m Monitor,
    bars: Html,
    share: String,
}

impl List<'_> {
    /// Every status that has monitors, and always those that are up and down.
    fn counts(&self) -> Vec<(Status, i64)> {
        let count = |status| self.by_status.iter().find(|(found, _)| *found == status).map_or(0, |(_, count)| *count);
        let all = Status::ALL.into_iter().map(|status| (status, count(status)));
        all.filter(|(status, count)| *count > 0 || matches!(status, Status::Up | Status::Down)).collect()
    }

    fn rows(&self) -> Vec<Row<'_>> {
        self.monitors
            .iter()
            .map(|monitor| {
                let days: Vec<&DayTotal> = self.totals.iter().filter(|day| day.monitor == monitor.id).collect();
                let share = share_of(&days).map_or_else(String::new, percent);
                Row { monitor, bars: bars(self.shell, &days), share }
            })
            .collect()
    }

    fn status(&self, status: impl Borrow<Status>) -> String {
        status_name(self.shell, *status.borrow())
    }

    fn kind(&self, kind: impl Borrow<Kind>) -> String {
        kind_name(self.shell, *kind.borrow())
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn degraded(&self, degraded: &Degraded) -> String {
        degraded_name(self.shell, *degraded)
    }

    fn is_chosen(&self, group: &Group) -> bool {
        self.filter.group == group.id.to_string()
    }
}

/// `up / (up + down)` of some days.
fn share_of(days: &[&DayTotal]) -> Option<f64> {
    let (up, down) = days.iter().fold((0, 0), |(up, down), day| (up + day.up, down + day.down));
    (up + down > 0).then(|| up as f64 / (up + down) as f64)
}

pub(super) async fn list(
    shell: Shell,
    State(uptime): State<Uptime>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let of = owner(&uptime, shell.principal(), READ, whose.is_installation())?;
    let query = query.sized(SHOWN);
    let slice: Slice = query.slice()?;
    let wanted = MonitorFilter {
        removed: false,
        status: filter.status.parse().ok(),
        kind: filter.kind.parse().ok(),
        group: filter.group.parse().ok(),
        tag: Some(filter.tag.trim()).filter(|tag| !tag.is_empty()),
        search: query.search(),
    };
    let read = async {
        let rows = uptime.list_monitors(of, &wanted, &slice).await?;
        let (by_status, groups) =
            (uptime.count_by_status(of).await?, uptime.groups(of, &Slice::first(MOST_GROUPS)).await?);
        let page = slice.page(rows, |monitor| monitor.id.0);
        let ids: Vec<MonitorId> = page.data.iter().map(|monitor| monitor.id).collect();
        let totals = uptime.last_days(of, &ids, DAYS).await?;
        Ok::<_, ApiError>((page.data, page.next_cursor, by_status, groups, totals))
    };
    let (monitors, next, by_status, groups, totals) = shell.shared(read).await?;
    let filters = [
        ("status", filter.status.as_str()),
        ("kind", filter.kind.as_str()),
        ("group", filter.group.as_str()),
        ("tag", filter.tag.as_str()),
        ("whose", if whose.is_installation() { Whose::INSTALLATION } else { "" }),
    ];
    let pager = Pager::new(PATH, &filters, &query, next.as_deref());
    let operator = shell.principal().is_operator();
    shell.render(&List { shell: &shell, by_status, monitors, totals, groups, query, filter, whose, pager, operator })
}
