//! This room's part of the console's first page.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::Llm;
use console::{Notice, Overview, OverviewPart, Shell, Tile};
use platform::error::ApiError;

/// Days of the little chart.
const DAYS: i64 = 14;

#[async_trait]
impl OverviewPart for Llm {
    fn label(&self) -> &'static str {
        "llm-overview-tokens"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let now = self.clock().now();
        let by_day = self.usage_by_day(shell.org_id(), now - TimeDelta::days(DAYS)).await?;
        let tokens: Vec<i64> = (0..DAYS)
            .rev()
            .map(|ago| (now - TimeDelta::days(ago)).date_naive())
            .map(|day| by_day.iter().filter(|u| u.day == day).map(|u| u.prompt_tokens + u.completion_tokens).sum())
            .collect();
        let mut notices = Vec::new();
        if self.providers().is_empty() {
            notices.push(Notice { tone: "info", text: shell.t("llm-overview-no-model").to_string(), link: None });
        }
        let today = tokens.last().copied().unwrap_or_default();
        let tile = Tile::new(shell.t("llm-overview-tokens"), shell.number(today))
            .spark(&tokens, shell.t("llm-overview-tokens-by-day"));
        Ok(Overview { notices, tiles: vec![tile], ..Overview::default() })
    }
}
