//! The part of the console's first page.

use async_trait::async_trait;

use super::{Owner, StatusPages, Visibility};
use console::{Overview, OverviewPart, Shell, Step};
use platform::{
    error::ApiError,
    http::{Role, Slice},
};

#[async_trait]
impl OverviewPart for StatusPages {
    fn label(&self) -> &'static str {
        "status-page-title"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        if !shell.principal().is_operator() {
            return Ok(Overview::default());
        }
        let pages = self.pages(Owner::Installation, &Slice::first(50)).await?;
        let Some(page) = pages.iter().find(|page| page.managed_by.is_some()) else { return Ok(Overview::default()) };
        let (_, url) = self.addresses(page);
        let is_public = page.visibility == Visibility::Public;
        let title = shell.t(if is_public { "status-page-step-public" } else { "status-page-step-private" });
        let step = Step {
            place: 60,
            href: "/settings/status-pages",
            title: title.to_string(),
            text: shell.t("status-page-step-text").with("url", &url).to_string(),
            needs: Role::Admin,
            // Whoever has given it a name of its own has seen it.
            done: page.name != "Holdfast" || !page.domains.is_empty(),
        };
        Ok(Overview { steps: vec![step], ..Overview::default() })
    }
}
