//! Console pages: monitors, groups, windows, reports, imports, the file.

mod edit;
mod fields;
mod file;
mod form;
mod groups;
mod imports;
mod monitor;
mod monitors;
mod reports;
mod windows;

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;

use super::{DayTotal, Degraded, Kind, Observation, Status, Uptime};
use console::{Html, Shell, svg};

/// Rows per page.
const SHOWN: u32 = 50;

/// The routes.
pub fn router() -> Router<Uptime> {
    Router::new()
        .route("/monitors", get(monitors::list).post(edit::create))
        .route("/monitors/new", get(edit::new))
        .route("/monitors/try", post(edit::try_new))
        .route("/monitors/groups", get(groups::list).post(groups::create))
        .route("/monitors/groups/{id}/rename", post(groups::rename))
        .route("/monitors/groups/{id}/delete", post(groups::delete))
        .route("/monitors/windows", get(windows::list).post(windows::create))
        .route("/monitors/windows/{id}/delete", post(windows::delete))
        .route("/monitors/reports", get(reports::show))
        .route("/monitors/import", get(imports::list).post(imports::upload))
        .route("/monitors/import/{id}", get(imports::show).post(imports::apply))
        .route("/monitors/file", get(file::show).post(file::apply))
        .route("/monitors/{id}", get(monitor::show).post(edit::save))
        .route("/monitors/{id}/edit", get(edit::edit))
        .route("/monitors/{id}/try", post(edit::try_changed))
        .route("/monitors/{id}/check", post(monitor::check))
        .route("/monitors/{id}/pause", post(monitor::pause))
        .route("/monitors/{id}/resume", post(monitor::resume))
        .route("/monitors/{id}/token", post(monitor::renew_token))
        .route("/monitors/{id}/delete", post(monitor::delete))
}

/// Whose monitors a page is about: the organisation's or, for operators, the installation's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Whose {
    whose: String,
}

impl Whose {
    const INSTALLATION: &str = "installation";

    fn is_installation(&self) -> bool {
        self.whose == Self::INSTALLATION
    }

    /// For an address without a query.
    fn query(&self) -> &'static str {
        if self.is_installation() { "?whose=installation" } else { "" }
    }

    /// For an address with a query.
    fn more(&self) -> &'static str {
        if self.is_installation() { "&whose=installation" } else { "" }
    }
}

/// A kind in words.
fn kind_name(shell: &Shell, kind: Kind) -> String {
    shell.t(format!("uptime-kind-{}", kind.as_str())).to_string()
}

/// A status in words.
fn status_name(shell: &Shell, status: Status) -> String {
    shell.t(format!("uptime-status-{}", status.as_str())).to_string()
}

/// What needs attention, in words.
fn degraded_name(shell: &Shell, degraded: Degraded) -> String {
    shell.t(format!("uptime-degraded-{}", degraded.as_str())).to_string()
}

/// Microseconds, in words.
fn micros(shell: &Shell, us: i32) -> String {
    shell.duration(Some(f64::from(us) / 1e6))
}

/// Phases with their lengths, of a check by hand.
fn phases(shell: &Shell, observation: &Observation) -> Vec<(String, String)> {
    let phases = observation.phases;
    let all = [
        ("resolve", phases.resolve),
        ("connect", phases.connect),
        ("tls", phases.tls),
        ("first-byte", phases.first_byte),
        ("transfer", phases.transfer),
    ];
    let shown = |(name, us): (&str, Option<i32>)| {
        Some((shell.t(format!("uptime-phase-{name}")).to_string(), micros(shell, us?)))
    };
    all.into_iter().filter_map(shown).collect()
}

/// Minutes that were down, by day.
fn bars(shell: &Shell, days: &[&DayTotal]) -> Html {
    let minutes: Vec<f64> = days.iter().map(|day| day.down as f64 / 60.0).collect();
    let outages: i32 = days.iter().map(|day| day.outages).sum();
    let label = shell.t("uptime-bars").with("n", outages).to_string();
    svg::bars(&minutes, &label)
}

/// A share as percent: 99.95 %. It is cut, not rounded: 100 % is said only where nothing was down.
pub(crate) fn percent(share: f64) -> String {
    let hundredths = (share.clamp(0.0, 1.0) * 10_000.0 + 1e-6).floor();
    format!("{:.2}\u{a0}%", hundredths / 100.0)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_percentage_is_never_better_than_it_was() {
        for (share, shown) in [(1.0, "100.00"), (0.99999, "99.99"), (0.9995, "99.95"), (0.0, "0.00")] {
            assert_eq!(percent(share), format!("{shown}\u{a0}%"));
        }
    }
}
