//! What live parts show, read at most once a second for all who see the same: a hundred open pages cost what one costs.

use std::any::{Any, TypeId};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use platform::error::ApiError;
use platform::http::Role;
use platform::ids::OrgId;

/// Shorter than the shortest `data-live`: no page goes back to what was there before it was opened. Only a read that was already going on then,
/// and that takes longer than this, may bring it back, until the next turn.
const SHARED_FOR: Duration = Duration::from_secs(1);
const MOST_KEPT: u64 = 1000;

/// All that may decide what a page reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Type of what is read.
    pub what: TypeId,
    pub org_id: OrgId,
    pub role: Role,
    pub is_operator: bool,
    pub lang: &'static str,
    /// Path and query of the page.
    pub address: String,
}

type Value = Arc<dyn Any + Send + Sync>;

pub(super) struct Shared(Cache<Key, Value>);

impl Default for Shared {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST_KEPT).time_to_live(SHARED_FOR).build())
    }
}

impl Shared {
    /// The value of `read`, which others may then share.
    pub async fn read<T: Clone + Send + Sync + 'static>(
        &self,
        key: Key,
        read: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<T, ApiError> {
        let value = read.await?;
        self.0.insert(key, Arc::new(value.clone())).await;
        Ok(value)
    }

    /// The last value of this key if it is new enough, else that of `read`, which all who ask meanwhile wait for.
    pub async fn share<T: Clone + Send + Sync + 'static>(
        &self,
        key: Key,
        read: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<T, ApiError> {
        let reading = async {
            let value: Value = Arc::new(read.await?);
            Ok::<_, ApiError>(value)
        };
        let value = self.0.try_get_with(key, reading).await.map_err(shared_error)?;
        let value: Option<&T> = value.as_ref().downcast_ref();
        value.cloned().ok_or_else(|| ApiError::internal(anyhow::anyhow!("a shared value of another type")))
    }
}

/// Requests that waited for the same read share its error, which cannot be cloned.
fn shared_error(error: Arc<ApiError>) -> ApiError {
    Arc::try_unwrap(error).unwrap_or_else(|error| ApiError {
        retry_after: error.retry_after,
        ..ApiError::new(error.status, error.code.clone(), error.detail.clone())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;
    use uuid::Uuid;

    use super::*;

    fn key(org: u128) -> Key {
        let org_id = OrgId(Uuid::from_u128(org));
        let what = TypeId::of::<u32>();
        Key { what, org_id, role: Role::Member, is_operator: false, lang: "en", address: "/".into() }
    }

    #[tokio::test]
    async fn a_hundred_pages_of_an_organisation_cost_one_read() {
        let (shared, reads) = (Shared::default(), AtomicU32::new(0));
        let read = || async {
            tokio::task::yield_now().await;
            Ok::<_, ApiError>(reads.fetch_add(1, Ordering::SeqCst))
        };
        let answers = join_all((0..100).map(|_| shared.share(key(1), read()))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 0));
        assert_eq!(shared.share(key(2), read()).await.unwrap(), 1, "another organisation's");
        // Opening the page reads anew, and what it read is what others then see.
        assert_eq!(shared.read(key(1), read()).await.unwrap(), 2);
        assert_eq!(shared.share(key(1), read()).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn an_error_is_told_to_all_and_not_kept() {
        let shared = Shared::default();
        let failing = || async {
            tokio::task::yield_now().await;
            Err::<u32, _>(ApiError::not_found("job"))
        };
        for answer in join_all((0..3).map(|_| shared.share(key(1), failing()))).await {
            assert_eq!(answer.unwrap_err().code, "job_not_found");
        }
        assert_eq!(shared.share(key(1), async { Ok(7_u32) }).await.unwrap(), 7);
    }
}
