//! This room's part of the console's first page.

use async_trait::async_trait;

use super::Knowledge;
use console::{Action, Overview, OverviewPart, Shell, Step, Tile};
use platform::{error::ApiError, http::Role};

#[async_trait]
impl OverviewPart for Knowledge {
    fn label(&self) -> &'static str {
        "knowledge-overview-documents"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let counts = self.counts(shell.org_id()).await?;
        let step = |place, href, key: &str, done| Step {
            place,
            href,
            title: shell.t(key).to_string(),
            text: shell.t(format!("{key}-text")).to_string(),
            needs: Role::Member,
            done,
        };
        let add = shell.t("knowledge-overview-add").to_string();
        let mut tile =
            Tile::new(shell.t("knowledge-overview-documents"), shell.number(counts.ready)).href("/knowledge");
        if counts.waiting > 0 {
            tile = tile.busy("info", shell.tn("console-overview-in-progress", counts.waiting));
        }
        if counts.failed > 0 {
            tile = tile.badge("error", shell.tn("console-overview-failed", counts.failed));
        }
        if counts.waiting == 0 && counts.failed == 0 {
            tile = tile.note(shell.tn("knowledge-overview-in-bases", counts.bases));
        }
        Ok(Overview {
            actions: vec![Action { href: "/knowledge", icon: "knowledge", label: add, primary: false }],
            steps: vec![
                step(1, "/knowledge/new", "knowledge-step-base", counts.bases > 0),
                step(2, "/knowledge", "knowledge-step-documents", counts.ready > 0),
            ],
            tiles: vec![tile],
            ..Overview::default()
        })
    }
}
