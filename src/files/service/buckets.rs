//! Buckets.

use uuid::Uuid;

use super::{Files, permit, settings};
use crate::{
    Bucket, BucketChange, BucketCreated, BucketDeleted, BucketId, BucketUsage, Caller, FilesError, LifecycleRule,
    NewBucket, Verb, Versioning, access::may_make, jobs::EmptyBucket, may, store,
};
use jobs::{Enqueue, JobId, enqueue};
use platform::{
    db::{DbError, Tx, constraint},
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
        events::publish(&mut tx, &self.inner.clock, Some(made.org), &BucketCreated { bucket_id: id }).await?;
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
        events::publish(&mut tx, &self.inner.clock, Some(bucket.org), &BucketDeleted { bucket_id: id }).await?;
        tx.commit().await?;
        tracing::info!(bucket = %id, "bucket {id} deleted");
        Ok(())
    }

    /// Changes what is named. `revision`: Err unless the bucket still has it.
    pub async fn change_bucket(
        &self,
        who: &Caller,
        id: BucketId,
        revision: Option<i64>,
        change: BucketChange,
    ) -> Result<Bucket, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let before = store::buckets::lock_settings(&mut tx, id).await?.ok_or(FilesError::BucketNotFound)?;
        permit(&mut tx, who, &before, Verb::Admin, "").await?;
        if revision.is_some_and(|revision| revision != before.revision) {
            return Err(FilesError::Precondition);
        }
        if let Some(rules) = &change.lifecycle {
            self.check_targets(&mut tx, &before, rules).await?;
        }
        let changed = settings::changed(&before, change)?;
        store::buckets::update(&mut tx, &changed, self.inner.clock.now()).await?;
        let now = store::buckets::by_id(&mut tx, id).await?.ok_or(FilesError::BucketNotFound)?;
        tx.commit().await?;
        tracing::info!(bucket = %id, "bucket {id} changed");
        Ok(now)
    }

    /// Err where a rule moves objects to where they cannot go.
    async fn check_targets(&self, tx: &mut Tx, of: &Bucket, rules: &[LifecycleRule]) -> Result<(), FilesError> {
        for target in rules.iter().filter_map(|rule| rule.move_to.map(|to| to.bucket)) {
            let found = store::buckets::by_id(tx, target).await?;
            if target == of.id || found.is_none() {
                let text = format!("{target} is no other bucket of this organisation");
                return Err(FilesError::invalid("/lifecycle/move/bucket", "not_found", text));
            }
        }
        Ok(())
    }

    /// Deletes everything in a bucket, in the background: current objects and versions go into its trash, uploads are given up. What is locked stays.
    pub async fn empty_bucket(&self, who: &Caller, id: BucketId) -> Result<JobId, FilesError> {
        let bucket = self.bucket_by_id(who, id).await?;
        may(who, &bucket, &[], Verb::Admin, "")?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let job = EmptyBucket { bucket: id, by: who.subject.clone() };
        let options = Enqueue { unique_key: Some(id.to_string()), ..Enqueue::default() };
        let id = enqueue(&mut tx, &self.inner.clock, Some(who.org), &job, &options).await?;
        tx.commit().await?;
        Ok(id)
    }
}

/// S3's rules for names, and none that is an id: a path takes either.
fn name_problem(name: &str) -> Option<FieldError> {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let fine =
        bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    if !(3..=63).contains(&bytes.len()) || !fine || !ends(bytes.first()) || !ends(bytes.last()) || name.contains("..") {
        let form = "3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends, no two dots together";
        return Some(FieldError::new("/name", "invalid", form));
    }
    let is_other = name.parse::<Uuid>().is_ok() || name.parse::<std::net::Ipv4Addr>().is_ok();
    is_other.then(|| FieldError::new("/name", "invalid", "a name must not look like an id or an address"))
}

pub(super) fn check_name(name: &str) -> Result<(), FilesError> {
    name_problem(name).map_or(Ok(()), |problem| Err(FilesError::Invalid(vec![problem])))
}

fn check(new: &NewBucket) -> Result<(), FilesError> {
    let mut errors: Vec<_> = name_problem(&new.name).into_iter().collect();
    if new.trash_days.is_some_and(|days| !(0..=90).contains(&days)) {
        errors.push(FieldError::new("/trash_days", "out_of_range", "0 to 90 days"));
    }
    if new.object_lock && new.versioning != Versioning::On {
        errors.push(FieldError::new("/object_lock", "needs_versioning", "object lock needs versioning"));
    }
    if errors.is_empty() { Ok(()) } else { Err(FilesError::Invalid(errors)) }
}
