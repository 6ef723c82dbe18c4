//! This room's part of the console's first page.

use async_trait::async_trait;

use super::Agents;
use console::{Action, Overview, OverviewPart, Shell, Step, Tile};
use platform::{error::ApiError, http::Role};

/// Days of the little chart.
const DAYS: i64 = 14;

#[async_trait]
impl OverviewPart for Agents {
    fn label(&self) -> &'static str {
        "agents-overview-conversations"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let (agents, conversations) = self.counts(shell.org_id()).await?;
        let by_day = self.conversations_by_day(shell.org_id(), DAYS).await?;
        let step = |place, href, key: &str, needs, done| Step {
            place,
            href,
            title: shell.t(key).to_string(),
            text: shell.t(format!("{key}-text")).to_string(),
            needs,
            done,
        };
        let asked = by_day.iter().any(|n| *n > 0);
        let ask = Action {
            href: "/agents",
            icon: "agents",
            label: shell.t("agents-overview-ask").to_string(),
            primary: true,
        };
        Ok(Overview {
            actions: vec![ask],
            steps: vec![
                step(3, "/agents/new", "agents-step-agent", Role::Member, agents > 0),
                step(4, "/agents", "agents-step-question", Role::Viewer, asked),
            ],
            tiles: vec![
                Tile::new(shell.t("agents-overview-conversations"), shell.number(conversations))
                    .href("/agents")
                    .spark(&by_day, shell.t("agents-overview-conversations-by-day")),
                Tile::new(shell.t("agents-overview-agents"), shell.number(agents)).href("/agents"),
            ],
            ..Overview::default()
        })
    }
}
