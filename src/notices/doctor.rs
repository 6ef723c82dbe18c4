//! Health check: whether anybody is told.

use async_trait::async_trait;

use super::{Notices, NoticesError, model::Recipients};
use platform::{
    error::chain,
    health::{Check, CheckResult, Status},
};

pub fn checks(notices: &Notices) -> Vec<Box<dyn Check>> {
    vec![Box::new(Told(notices.clone()))]
}

struct Told(Notices);

#[async_trait]
impl Check for Told {
    fn name(&self) -> &'static str {
        "notices.recipients"
    }

    async fn run(&self) -> CheckResult {
        if !self.0.config().enabled {
            return CheckResult::pass("notices by mail are off (notices.enabled)");
        }
        if !self.0.has_mail() {
            // The check of mail warns.
            return CheckResult::pass(
                "mail is not configured: of notices only welcomes are kept until it is, for a week",
            );
        }
        let found: Result<_, NoticesError> = async {
            let told = self.0.told().await?;
            let suppressed = self.0.suppressed(&told).await?;
            Ok((told, suppressed))
        }
        .await;
        match found {
            Ok((recipients, suppressed)) => match (judge(&recipients, suppressed), self.0.unreachable()) {
                (CheckResult { status: Status::Pass, summary, .. }, Some(address)) => CheckResult::warn(
                    format!("{summary}; links in mails lead to {address}, which is no address for others"),
                    "set server.public_url to the address that people open",
                ),
                (result, _) => result,
            },
            Err(error) => {
                CheckResult::fail(format!("cannot read who is told: {}", chain(&error)), "see the database check")
            }
        }
    }
}

/// `suppressed`: how many of them get no alert.
pub(super) fn judge(recipients: &Recipients, suppressed: u64) -> CheckResult {
    let told = recipients.addresses.len() as u64;
    if suppressed > 0 {
        let summary = format!(
            "{suppressed} of {told} people who are to be told of alerts get none: their addresses are suppressed"
        );
        let remedy = "the console's page Mail, Suppressed addresses of the installation, says why: remove what is wrong, or \
                      name others in notices.to";
        return if suppressed < told { CheckResult::warn(summary, remedy) } else { CheckResult::fail(summary, remedy) };
    }
    let remedy = "name addresses in notices.to, or give an operator an address that mail can be sent to: \
                  `holdfast user create EMAIL --operator`";
    match (told, recipients.unusable) {
        (0, _) => CheckResult::fail("nobody is told of alerts and failed backups: no operator has an address", remedy),
        (told, 0) => CheckResult::pass(format!("{told} people are told of alerts and failed backups")),
        (told, unusable) => CheckResult::warn(
            format!(
                "{told} people are told of alerts and failed backups, {unusable} have no address that mail can be sent to"
            ),
            remedy,
        ),
    }
}
