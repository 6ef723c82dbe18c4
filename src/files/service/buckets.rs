//! Buckets.

use uuid::Uuid;

use super::Files;
use crate::{
    Bucket, BucketChange, BucketId, BucketUsage, Caller, FilesError, NewBucket, Verb, Versioning, access::may_make,
    may, store,
};
use platform::{
    db::{DbError, constraint},
    error::FieldError,
    http::Slice,
};

impl Files {
    /// A bucket of the caller's organisation, by its name or its id.
    pub async fn bucket(&self, who: &Caller, name: &str) -> Result<Bucket, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = match name.parse::<Uuid>() {
            Ok(id) => store::buckets::by_id(&mut tx, BucketId(id)).await?,
            Err(_) => store::buckets::by_name(&mut tx, who.org, name).await?,
        };
        drop(tx);
        found.ok_or(FilesError::BucketNotFound)
    }

    pub async fn bucket_by_id(&self, who: &Caller, id: BucketId) -> Result<Bucket, FilesError> {
        self.bucket(who, &id.to_string()).await
    }

    /// Newest first; `search` matches a part of the name. All of the organisation: that a bucket exists is no secret within it.
    pub async fn list_buckets(
        &self,
        who: &Caller,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Bucket>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::buckets::list(&mut tx, search, slice).await?;
        drop(tx);
        Ok(found)
    }

    /// What a bucket has.
    pub async fn bucket_usage(&self, who: &Caller, bucket: &Bucket) -> Result<BucketUsage, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let usage = store::usage::of_bucket(&mut tx, bucket.id).await?;
        drop(tx);
        Ok(usage)
    }

    pub async fn create_bucket(&self, who: &Caller, new: NewBucket) -> Result<Bucket, FilesError> {
        may_make(who)?;
        check(&new)?;
        if new.versioning != Versioning::Off || new.object_lock {
            return Err(FilesError::Unsupported("versioning"));
        }
        let (id, now) = (BucketId::generate(&self.inner.clock), self.inner.clock.now());
        let trash_days = new.trash_days.unwrap_or(self.inner.config.trash_days);
        let mut tx = self.inner.db.tenant(who.org).await?;
        if store::buckets::count(&mut tx, who.org).await? >= self.inner.config.buckets_per_org {
            let limit = self.inner.config.buckets_per_org;
            return Err(FilesError::Quota { what: "buckets", limit, trash: 0 });
        }
        store::buckets::insert(&mut tx, (id, who.org), &new, trash_days, &who.subject, now).await.map_err(|error| {
            match constraint(&error) {
                Some("files_buckets_name_key") => FilesError::BucketExists,
                _ => DbError::from(error).into(),
            }
        })?;
        let made = store::buckets::by_id(&mut tx, id).await?.ok_or(FilesError::BucketNotFound)?;
        tx.commit().await?;
        tracing::info!(bucket = %id, "bucket {id} created");
        Ok(made)
    }

    /// Deletes a bucket that has nothing but trash; with trash it goes with the last of that, and its name is free at once.
    pub async fn delete_bucket(&self, who: &Caller, id: BucketId) -> Result<(), FilesError> {
        let bucket = self.bucket_by_id(who, id).await?;
        may(who, &bucket, &[], Verb::Admin, "")?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        if !store::buckets::lock(&mut tx, id).await? {
            return Err(FilesError::BucketNotFound);
        }
        match store::buckets::content(&mut tx, id).await? {
            (true, _) => return Err(FilesError::NotEmpty),
            (false, true) => store::buckets::trash(&mut tx, id, self.inner.clock.now()).await?,
            (false, false) => store::buckets::delete(&mut tx, id).await?,
        }
        tx.commit().await?;
        tracing::info!(bucket = %id, "bucket {id} deleted");
        Ok(())
    }

    /// Changes what is named. `revision`: Err unless the bucket still has it.
    #[allow(clippy::unused_async, clippy::unused_self, reason = "the changes come with their settings")]
    pub async fn change_bucket(
        &self,
        _who: &Caller,
        _id: BucketId,
        _revision: Option<i64>,
        _change: BucketChange,
    ) -> Result<Bucket, FilesError> {
        Err(FilesError::Unsupported("changing a bucket"))
    }
}

/// S3's rules for names, and none that is an id: a path takes either.
fn check(new: &NewBucket) -> Result<(), FilesError> {
    let mut errors = Vec::new();
    let name = new.name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let fine =
        name.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if !(3..=63).contains(&name.len()) || !fine || !ends(name.first()) || !ends(name.last()) || new.name.contains("..")
    {
        let form = "3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends, no two dots together";
        errors.push(FieldError::new("/name", "invalid", form));
    } else if new.name.parse::<Uuid>().is_ok() || new.name.parse::<std::net::Ipv4Addr>().is_ok() {
        errors.push(FieldError::new("/name", "invalid", "a name must not look like an id or an address"));
    }
    if new.trash_days.is_some_and(|days| !(0..=90).contains(&days)) {
        errors.push(FieldError::new("/trash_days", "out_of_range", "0 to 90 days"));
    }
    if errors.is_empty() { Ok(()) } else { Err(FilesError::Invalid(errors)) }
}
