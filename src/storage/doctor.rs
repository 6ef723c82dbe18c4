//! `storage.objects`: write, read and delete a small object.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Storage, StorageError};
use crate::platform::{
    crypto,
    health::{Check, CheckResult},
};

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
        // A name of its own: several hosts may look at the same time.
        let key = format!("doctor/{}", crypto::hex(&crypto::random_bytes::<8>()));
        match round_trip(&self.0, &key).await {
            Ok(true) if self.0.is_local() => CheckResult::pass("local folder: wrote, read and deleted an object"),
            Ok(true) => CheckResult::pass("S3: wrote, read and deleted an object"),
            Ok(false) => CheckResult::fail(
                "what was read is not what was written",
                "check the disk or the S3 service behind [storage]",
            ),
            Err(error) => CheckResult::fail(
                format!("{:#}", anyhow::Error::new(error)),
                "check [storage] in the configuration, free space, and that this user may write there",
            ),
        }
    }
}

async fn round_trip(storage: &Storage, key: &str) -> Result<bool, StorageError> {
    let data = Bytes::from_static(b"holdfast doctor");
    storage.put(key, data.clone()).await?;
    let same = storage.get_bytes(key).await? == data;
    storage.delete(key).await?;
    Ok(same && !storage.exists(key).await?)
}
