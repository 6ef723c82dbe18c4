//! Do readers keep up?

use async_trait::async_trait;

use super::{
    Events,
    store::{self, Backlog},
};
use crate::platform::{
    db::DbError,
    error::chain,
    health::{Check, CheckResult},
};

/// Readers look each second; a transaction that is open for as long holds them up rightly.
const BEHIND: f64 = 120.0;

pub fn checks(events: &Events) -> Vec<Box<dyn Check>> {
    vec![Box::new(Readers(events.clone()))]
}

struct Readers(Events);

#[async_trait]
impl Check for Readers {
    fn name(&self) -> &'static str {
        "events.readers"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, DbError> = async {
            let mut tx = self.0.inner.db.system().await?;
            let backlogs = store::backlogs(&mut tx).await?;
            tx.commit().await?;
            Ok(backlogs)
        }
        .await;
        match found {
            Ok(backlogs) => judge(&backlogs),
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see the check of the database"),
        }
    }
}

pub(super) fn judge(backlogs: &[Backlog]) -> CheckResult {
    let behind: Vec<String> = backlogs
        .iter()
        .filter(|backlog| backlog.seconds > BEHIND)
        .map(|backlog| format!("{} for {:.0} s", backlog.reader, backlog.seconds))
        .collect();
    if behind.is_empty() {
        return CheckResult::pass(format!("{} readers, none behind", backlogs.len()));
    }
    CheckResult::warn(
        format!("events wait for {}", behind.join(", ")),
        "see jobs.leader, which reads them; look for a transaction that is open for long (database.transactions)",
    )
}
