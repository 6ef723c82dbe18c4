//! This room's part of the console's first page.

use askama::Template;
use async_trait::async_trait;

use super::{
    ADMIN, Incidents,
    model::{Incident, Owner},
};
use console::{Notice, Overview, OverviewPart, Shell};
use platform::error::ApiError;

/// Incidents that are named.
const NAMED: i64 = 5;

#[derive(Template)]
#[template(path = "incidents/templates/overview.html")]
struct Open<'a> {
    shell: &'a Shell,
    incidents: Vec<Incident>,
    count: i64,
    waiting: i64,
}

impl Open<'_> {
    fn is_waiting(&self) -> bool {
        self.waiting > 0
    }
}

/// The newest incidents that are open: the organisation's, and for operators also the installation's.
#[async_trait]
impl OverviewPart for Incidents {
    fn label(&self) -> &'static str {
        "incidents-title"
    }

    async fn overview(&self, shell: &Shell) -> Result<Overview, ApiError> {
        let who = shell.principal();
        let (mut incidents, mut count, mut waiting) = self.open_now(Owner::Org(who.org_id), NAMED).await?;
        if who.is_operator() {
            let (more, open, unacknowledged) = self.open_now(Owner::Installation, NAMED).await?;
            incidents.extend(more);
            count += open;
            waiting += unacknowledged;
        }
        let mut notices = Vec::new();
        if who.require(ADMIN).is_ok() {
            let owners = [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::Installation)];
            for owner in owners.into_iter().flatten() {
                let key =
                    if owner == Owner::Installation { "incidents-untold-installation" } else { "incidents-untold" };
                if self.is_untold(owner).await? {
                    let link = ("/settings/channels", shell.t("incidents-channels-title").to_string());
                    notices.push(Notice { tone: "warn", text: shell.t(key).to_string(), link: Some(link) });
                }
            }
        }
        if count == 0 {
            return Ok(Overview { notices, ..Overview::default() });
        }
        let section = Open { shell, incidents, count, waiting }.render().map_err(ApiError::internal)?;
        Ok(Overview { sections: vec![section], notices, ..Overview::default() })
    }
}
