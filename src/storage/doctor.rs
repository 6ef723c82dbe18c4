//! `storage.objects`: write, read and delete a small object.

use async_trait::async_trait;

use super::Storage;
use platform::health::{Check, CheckResult};

/// The checks of this capability.
pub fn checks(storage: &Storage) -> Vec<Box<dyn Check>> {
    vec![Box::new(RoundTrip(storage.clone()))]
}

struct RoundTrip(Storage);

#[async_trait]
impl Check for RoundTrip {
    fn name(&self) -> &'static str {
        "storage.objects"
    }

    async fn run(&self) -> CheckResult {
        match self.0.round_trip().await {
            Ok(true) if self.0.is_local() => CheckResult::pass("local folder: wrote, read and deleted an object"),
            Ok(true) => CheckResult::pass("S3: wrote, read and deleted an object"),
            Ok(false) => CheckResult::fail(
                "the object read differs from the one written",
                "check the disk or the S3 service behind [storage]",
            ),
            Err(error) => CheckResult::fail(
                format!("{:#}", anyhow::Error::new(error)),
                "check [storage] in the configuration, free space, and that this user may write there",
            ),
        }
    }
}
