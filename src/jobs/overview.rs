//! This room's part of the console's first page.

use async_trait::async_trait;

use super::Jobs;
use console::{Overview, OverviewPart, Shell, Tile};
use platform::error::ApiError;

#[async_trait]
impl OverviewPart for Jobs {
    fn label(&self) -> &'static str {
        "jobs-overview-waiting"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let (waiting, failed) = self.counts(shell.org_id()).await?;
        // Only those who may see jobs are led to them.
        let href = if shell.can_edit() { "/jobs" } else { "" };
        let tile = Tile::new(shell.t("jobs-overview-waiting"), shell.number(waiting)).href(href);
        let tile = if failed > 0 {
            tile.badge("error", shell.tn("console-overview-failed", failed))
        } else {
            tile.note(shell.t("jobs-overview-no-failed"))
        };
        Ok(Overview { tiles: vec![tile], ..Overview::default() })
    }
}
