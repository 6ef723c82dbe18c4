//! This room's part of the console's first page.

use async_trait::async_trait;

use super::Auth;
use console::{Overview, OverviewPart, Shell, Step, Tile};
use platform::{error::ApiError, http::Role};

#[async_trait]
impl OverviewPart for Auth {
    fn label(&self) -> &'static str {
        "auth-overview-keys"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let keys = self.count_live_api_keys(shell.principal()).await?;
        let connect = Step {
            place: 5,
            href: "/settings/api-keys",
            title: shell.t("auth-step-api").to_string(),
            text: shell.t("auth-step-api-text").to_string(),
            needs: Role::Admin,
            done: keys > 0,
        };
        let href = if shell.can(Role::Admin) { "/settings/api-keys" } else { "" };
        let tile = Tile::new(shell.t("auth-overview-keys"), shell.number(keys)).href(href);
        Ok(Overview { steps: vec![connect], tiles: vec![tile], ..Overview::default() })
    }
}
