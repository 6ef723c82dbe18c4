//! Health checks: whether pages are rendered, and whether their names of DNS lead to them.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::{
    StatusPages,
    store::{domains, renders},
};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// Pages are rendered each minute.
const OLD: TimeDelta = TimeDelta::minutes(5);

pub fn checks(pages: &StatusPages) -> Vec<Box<dyn Check>> {
    vec![Box::new(Renders(pages.clone())), Box::new(Domains(pages.clone()))]
}

/// Are pages up to date?
struct Renders(StatusPages);

#[async_trait]
impl Check for Renders {
    fn name(&self) -> &'static str {
        "status_page.renders"
    }

    async fn run(&self) -> CheckResult {
        let found = async {
            let mut tx = self.0.system().await?;
            Ok::<_, super::StatusPageError>(renders::oldest(&mut tx).await?)
        };
        let now = self.0.inner.clock.now();
        match found.await {
            Err(error) => {
                CheckResult::fail(format!("cannot read status pages: {}", chain(&error)), "see the database check")
            }
            Ok((_, Some(as_of))) if now - as_of > OLD => CheckResult::fail(
                format!("a status page was not rendered for {} min", (now - as_of).num_minutes()),
                "a worker renders them: see whether one runs (`holdfast serve --role worker`, or all roles in one process), and its log for status_page",
            ),
            Ok((_, None)) => CheckResult::pass("there is no status page"),
            Ok((pages, Some(_))) => CheckResult::pass(format!("{pages} status pages are up to date")),
        }
    }
}

/// Do the names of pages lead to them?
struct Domains(StatusPages);

#[async_trait]
impl Check for Domains {
    fn name(&self) -> &'static str {
        "status_page.domains"
    }

    async fn run(&self) -> CheckResult {
        let found = async {
            let mut tx = self.0.system().await?;
            let all = domains::to_check(&mut tx, self.0.inner.clock.now() + TimeDelta::days(1), 1000).await?;
            Ok::<_, super::StatusPageError>(all)
        };
        match found.await {
            Err(error) => CheckResult::fail(
                format!("cannot read the names of status pages: {}", chain(&error)),
                "see the database check",
            ),
            Ok(all) => {
                let wrong: Vec<String> = all
                    .iter()
                    .filter_map(|(_, claim)| {
                        let error = claim.error.as_ref()?;
                        Some(format!("{}: {error} (TXT record {} {})", claim.domain, claim.record(), claim.proof))
                    })
                    .collect();
                if wrong.is_empty() {
                    return CheckResult::pass(format!("{} names of status pages, all as they should be", all.len()));
                }
                CheckResult::warn(wrong.join("; "), "publish the TXT record, or remove the name from the page")
            }
        }
    }
}
