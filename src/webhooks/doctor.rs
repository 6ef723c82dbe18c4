//! Health check: whether endpoints are reached.

use async_trait::async_trait;

use super::{Webhooks, store::endpoints};
use platform::{
    db::DbError,
    error::chain,
    health::{Check, CheckResult},
};

pub fn checks(webhooks: &Webhooks) -> Vec<Box<dyn Check>> {
    vec![Box::new(Endpoints(webhooks.clone()))]
}

struct Endpoints(Webhooks);

#[async_trait]
impl Check for Endpoints {
    fn name(&self) -> &'static str {
        "webhooks.endpoints"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, DbError> = async {
            let mut tx = self.0.inner.db.system().await?;
            let counts = endpoints::counts(&mut tx).await?;
            tx.commit().await?;
            Ok(counts)
        }
        .await;
        match found {
            Ok(counts) => judge(counts),
            Err(error) => {
                CheckResult::fail(format!("cannot read the endpoints: {}", chain(&error)), "see the database check")
            }
        }
    }
}

pub(super) fn judge((enabled, failing, disabled): (i64, i64, i64)) -> CheckResult {
    let summary =
        format!("{enabled} endpoints work, {failing} are failing, {disabled} were disabled because they failed");
    if failing + disabled == 0 {
        return CheckResult::pass(summary);
    }
    CheckResult::warn(
        summary,
        "its organisation's page Webhooks shows the responses of each; enable it there once it answers again, or delete it",
    )
}
