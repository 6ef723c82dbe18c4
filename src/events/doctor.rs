//! Health check: whether readers keep up.

use async_trait::async_trait;

use super::{
    Events,
    store::{self, Backlog},
};
use platform::{
    db::DbError,
    error::chain,
    health::{Check, CheckResult},
};

/// Seconds. Readers poll each second; an open transaction may delay them for a while.
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
            Err(error) => {
                CheckResult::fail(format!("cannot read the events: {}", chain(&error)), "see the database check")
            }
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
        "see jobs.leader: the leader reads them; look for a transaction that has been open for long (database.transactions)",
    )
}
