//! What is served without an account: whose an address is, and contents by their hash.

use super::Files;
use crate::{Bucket, Caller, FilesError, Object, store};
use platform::{crypto, ids::OrgId};

impl Files {
    /// The organisation that an address names.
    pub async fn organisation(&self, slug: &str) -> Result<Option<OrgId>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::public::organisation(&mut tx, slug).await?;
        drop(tx);
        Ok(found)
    }

    /// The organisation of addresses that name none; `None`: there are several.
    pub async fn only_organisation(&self) -> Result<Option<OrgId>, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let found = store::public::only_organisation(&mut tx).await?;
        drop(tx);
        Ok(found)
    }

    /// An object of a public bucket that has the content with this hash, 64 hexadecimal digits.
    pub async fn content(&self, org: OrgId, sha256: &str) -> Result<Option<(Caller, Bucket, Object)>, FilesError> {
        let Ok(hash) = sha256.parse::<crypto::Digest>() else { return Ok(None) };
        let who = Caller::anyone(org);
        let mut tx = self.inner.db.tenant(org).await?;
        let Some(id) = store::public::with_content(&mut tx, org, &hash.0).await? else { return Ok(None) };
        let object = store::objects::by_ids(&mut tx, &[id]).await?.pop();
        let bucket = match &object {
            Some(object) => store::buckets::by_id(&mut tx, object.bucket).await?,
            None => None,
        };
        drop(tx);
        Ok(bucket.zip(object).map(|(bucket, object)| (who, bucket, object)))
    }
}
