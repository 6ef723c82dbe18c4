//! This room's part of the console's first page.

use async_trait::async_trait;

use super::{BackupError, Backups, Status};
use console::{Notice, Overview, OverviewPart, Shell, Tile};
use platform::error::ApiError;

/// For operators: whether this installation would come back.
#[async_trait]
impl OverviewPart for Backups {
    fn label(&self) -> &'static str {
        "backup-overview-restore"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.principal().is_operator() {
            return Ok(Overview::default());
        }
        let warning = |text: &str, link: &str| Notice {
            tone: "warn",
            text: shell.t(text).to_string(),
            link: Some(("/backups", shell.t(link).to_string())),
        };
        if !self.config().is_on() {
            let notices = vec![warning("backup-overview-none", "backup-overview-set-up")];
            return Ok(Overview { notices, ..Overview::default() });
        }
        let mut notices = Vec::new();
        if !self.has_copies_elsewhere().await {
            notices.push(warning("backup-overview-near", "backup-overview-set-up-another"));
        }
        let proven = self.last_proven().await?;
        let took = shell.duration(proven.map(|(_, seconds)| seconds));
        let tile = Tile::new(shell.t("backup-overview-restore"), took).href("/backups");
        let mut tile = match proven {
            Some((at, _)) => tile.html(shell.time(at)),
            None => tile.badge("warn", shell.t("backup-overview-restore-never")),
        };
        let is_whole = match self.newest().await {
            Ok(newest) => newest.status == Status::Verified,
            Err(BackupError::None) => true,
            Err(error) => return Err(error.into()),
        };
        if !is_whole {
            tile = tile.badge("error", shell.t("backup-overview-failing"));
        }
        Ok(Overview { notices, tiles: vec![tile], ..Overview::default() })
    }
}
