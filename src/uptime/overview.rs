//! The console's first page: monitors that are down, the next window, the certificate that ends first; steps for a new appliance.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::{Owner, Status, Uptime};
use console::{Overview, OverviewPart, Remark, Shell, Step, Tile};
use platform::{error::ApiError, http::Role};

const PATH: &str = "/monitors";
/// A certificate or a domain that ends later needs nobody's attention.
const SOON: TimeDelta = TimeDelta::days(30);
/// Its place in the checklist: after those without which nothing works.
const PLACE: u8 = 60;

#[async_trait]
impl OverviewPart for Uptime {
    fn label(&self) -> &'static str {
        "uptime-overview-down"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.can(Role::Member) {
            return Ok(Overview::default());
        }
        let own = Owner::Org(shell.org_id());
        let mut counts = self.count_by_status(own).await?;
        let has_own = counts.iter().any(|(_, count)| *count > 0);
        let is_operator = shell.principal().is_operator();
        if is_operator {
            counts.extend(self.count_by_status(Owner::Installation).await?);
        }
        let count = |wanted: &[Status]| -> i64 {
            counts.iter().filter(|(status, _)| wanted.contains(status)).map(|(_, count)| *count).sum()
        };
        let (down, all) = (count(&[Status::Down]), count(&Status::ALL));
        let mut overview = Overview::default();
        overview.steps.push(Step {
            place: PLACE,
            href: "/monitors/new",
            title: shell.t("uptime-step").to_string(),
            text: shell.t("uptime-step-text").to_string(),
            needs: Role::Admin,
            done: has_own,
        });
        if all == 0 {
            return Ok(overview);
        }
        let href = if has_own || !is_operator { PATH } else { "/monitors?whose=installation" };
        let tile = Tile::new(shell.t("uptime-overview-down"), shell.number(down)).href(href);
        let tile = if down > 0 {
            tile.badge("error", shell.t("uptime-status-down"))
        } else {
            tile.note(shell.tn("uptime-overview-of", all))
        };
        overview.tiles.push(self.with_coming(shell, tile).await?);
        Ok(overview)
    }
}

impl Uptime {
    /// With the window that is open or comes next, and what ends first, if that is soon.
    async fn with_coming(&self, shell: &Shell, mut tile: Tile) -> Result<Tile, ApiError> {
        let (now, own) = (self.now(), Owner::Org(shell.org_id()));
        let coming = self.occurrences_of(own, now, now + TimeDelta::days(7)).await?;
        if let Some((window, open)) = coming.first() {
            let key = if open.from <= now { "uptime-overview-window-open" } else { "uptime-overview-window-next" };
            tile = tile.note(shell.t(key).with("name", window.name.as_str()));
            if open.from > now {
                tile.remarks.push(Remark::Html(shell.time(open.from)));
            }
        }
        if let Some((name, at)) = self.ends_first(own).await?.filter(|(_, at)| *at < now + SOON) {
            tile = tile.badge("warn", shell.t("uptime-overview-ends").with("name", name));
            tile.remarks.push(Remark::Html(shell.time(at)));
        }
        Ok(tile)
    }
}
