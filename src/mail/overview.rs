//! This room's part of the console's first page.

use async_trait::async_trait;

use super::{Backlog, Mail, Owner};
use console::{Notice, Overview, OverviewPart, Shell, Tile};
use platform::error::ApiError;

/// For administrators: what waits, and whether it can be sent.
#[async_trait]
impl OverviewPart for Mail {
    fn label(&self) -> &'static str {
        "mail-overview-waiting"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.is_admin() {
            return Ok(Overview::default());
        }
        let account = self.account().await?;
        let mut waiting = self.backlog(Owner::Org(shell.org_id())).await?;
        if shell.principal().is_operator() {
            waiting = both(waiting, self.backlog(Owner::Installation).await?);
        }
        if !account.configured {
            // An installation that sends no mail needs no figure.
            if waiting.waiting == 0 {
                return Ok(Overview::default());
            }
            let link = Some(("/settings/mail", shell.t("mail-overview-set-up").to_string()));
            let text = shell.t("mail-overview-not-configured").to_string();
            return Ok(Overview { notices: vec![Notice { tone: "warn", text, link }], ..Overview::default() });
        }
        let tile = Tile::new(shell.t("mail-overview-waiting"), shell.number(waiting.waiting)).href("/settings/mail");
        let tile = if account.failing_since.is_some() {
            tile.badge("error", shell.t("mail-overview-failing"))
        } else if waiting.waiting > 0 {
            tile.note(shell.duration(Some(waiting.oldest_seconds)))
        } else {
            tile
        };
        Ok(Overview { tiles: vec![tile], ..Overview::default() })
    }
}

/// What waits of two owners.
fn both(one: Backlog, other: Backlog) -> Backlog {
    Backlog {
        waiting: one.waiting + other.waiting,
        oldest_seconds: one.oldest_seconds.max(other.oldest_seconds),
        later: one.later + other.later,
    }
}
