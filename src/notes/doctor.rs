//! Health check: whether the retention deletes what it should.

use async_trait::async_trait;

use super::Notes;
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

pub fn checks(notes: &Notes) -> Vec<Box<dyn Check>> {
    vec![Box::new(Retention(notes.clone()))]
}

struct Retention(Notes);

#[async_trait]
impl Check for Retention {
    fn name(&self) -> &'static str {
        "notes.retention"
    }

    async fn run(&self) -> CheckResult {
        match self.0.count_overdue().await {
            Ok(overdue) => judge(overdue),
            Err(error) => {
                CheckResult::fail(format!("cannot count the notes: {}", chain(&error)), "see the database check")
            }
        }
    }
}

pub(super) fn judge(overdue: i64) -> CheckResult {
    if overdue == 0 {
        return CheckResult::pass("no note is kept longer than it should");
    }
    CheckResult::warn(
        format!("{overdue} notes should have been deleted more than a day ago"),
        "the page Jobs shows why notes.retention fails, or that no worker runs it",
    )
}
