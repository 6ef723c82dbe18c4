//! This room's part of the console's first page.

use async_trait::async_trait;

use super::{Caller, Files};
use console::{Notice, Overview, OverviewPart, Shell, Step, Tile};
use platform::{error::ApiError, http::Role};

const PATH: &str = "/files";
/// Its place in the checklist.
const PLACE: u8 = 50;
/// A quota that is nearly used up.
const ALMOST: i64 = 90;

#[async_trait]
impl OverviewPart for Files {
    fn label(&self) -> &'static str {
        "files-overview-stored"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let stored = self.stored(&Caller::of(shell.principal())).await?;
        let mut overview = Overview::default();
        overview.steps.push(Step {
            place: PLACE,
            href: PATH,
            title: shell.t("files-step").to_string(),
            text: shell.t("files-step-text").to_string(),
            needs: Role::Admin,
            done: stored.buckets > 0,
        });
        if stored.damaged > 0 && shell.can(Role::Member) {
            let text = shell.tn("files-overview-damaged", stored.damaged).to_string();
            let link = Some(("/files/usage", shell.t("files-tab-usage").to_string()));
            overview.notices.push(Notice { tone: "warn", text, link });
        }
        if stored.buckets == 0 {
            return Ok(overview);
        }
        let tile = Tile::new(shell.t("files-overview-stored"), shell.bytes(stored.usage.stored_bytes())).href(PATH);
        let tile = tile.note(shell.tn("files-count-objects", stored.usage.objects));
        let used = stored.percent();
        let tile = match used {
            Some(percent) if percent >= ALMOST => tile.badge("warn", shell.tn("files-overview-quota", percent)),
            _ if stored.usage.trashed > 0 => tile.note(shell.tn("files-count-trashed", stored.usage.trashed)),
            _ => tile,
        };
        overview.tiles.push(tile);
        Ok(overview)
    }
}
