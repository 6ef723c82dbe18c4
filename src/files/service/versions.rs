//! Versions of a key: what becomes of the latest one when another takes its place, and lists of all.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Files, permit};
use crate::{
    Bucket, Caller, Conditions, FilesError, Key, ListVersions, ListedVersions, Object, Verb, VersionEntry, VersionRef,
    Versioning, after, lock, store,
};
use platform::db::Tx;

/// What a key had before a write.
pub(super) struct Before {
    /// The latest version, which may be a marker.
    pub latest: Option<Object>,
}

impl Before {
    /// Under the key's lock.
    pub async fn find(tx: &mut Tx, bucket: &Bucket, key: &Key) -> Result<Self, FilesError> {
        Ok(Self { latest: store::versions::latest(tx, bucket.id, key).await? })
    }

    /// What a reader gets.
    pub fn current(&self) -> Option<&Object> {
        self.latest.as_ref().filter(|latest| latest.current)
    }

    /// Err unless the conditions hold for what a reader gets.
    pub fn judge(&self, when: &Conditions) -> Result<(), FilesError> {
        let etag = self.current().map(|current| current.etag.as_str());
        if when.permit(etag) { Ok(()) } else { Err(FilesError::Precondition) }
    }
}

impl Files {
    /// Makes room for a new latest version of a key whose lock is held: what was the latest stays as a version, or goes into the trash where the bucket
    /// keeps none.
    pub(super) async fn make_way(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        key: &Key,
        before: &Before,
        now: DateTime<Utc>,
    ) -> Result<(), FilesError> {
        let Some(latest) = &before.latest else { return Ok(()) };
        let replaced = match bucket.versioning {
            Versioning::Off => Some(latest.clone()),
            Versioning::On => None,
            // There is one version without an id at most, which this write replaces, wherever it stands.
            Versioning::Suspended => store::objects::version(tx, bucket.id, key, VersionRef::Unversioned).await?,
        };
        if let Some(replaced) = &replaced {
            self.take_away(tx, who, bucket, replaced, now).await?;
        }
        if replaced.is_none_or(|replaced| replaced.id != latest.id) {
            store::versions::supersede(tx, latest.id, now).await?;
        }
        Ok(())
    }

    /// Takes a version away, into the trash or for good, unless it is locked.
    pub(super) async fn take_away(
        &self,
        tx: &mut Tx,
        who: &Caller,
        bucket: &Bucket,
        version: &Object,
        now: DateTime<Utc>,
    ) -> Result<(), FilesError> {
        if version.legal_hold || version.lock.is_some() {
            let bypass = self.bypasses(tx, who, bucket).await?;
            lock::may_go(version, store::versions::server_time(tx).await?, bypass)?;
        }
        Ok(store::versions::remove(tx, version, &who.subject, bucket.trash_days, now).await?)
    }

    /// Whether the caller ends locks of the mode governance. Err if it asks to, and may not.
    pub(super) async fn bypasses(&self, tx: &mut Tx, who: &Caller, bucket: &Bucket) -> Result<bool, FilesError> {
        if who.bypass_governance {
            permit(tx, who, bucket, Verb::Admin, "").await?;
        }
        Ok(who.bypass_governance)
    }

    /// A page of versions and markers: by key, and of each key from the latest on.
    pub async fn list_versions(
        &self,
        who: &Caller,
        bucket: &Bucket,
        query: &ListVersions,
    ) -> Result<ListedVersions, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, &query.prefix).await?;
        let mut found = store::versions::list(&mut tx, bucket.id, query).await?;
        let limit = usize::try_from(query.most).unwrap_or_default();
        let more = found.len() > limit;
        found.truncate(limit);
        let ids: Vec<_> = found.iter().filter_map(|entry| entry.id).collect();
        let objects = store::objects::by_ids(&mut tx, &ids).await?;
        drop(tx);
        let mut objects: HashMap<_, _> = objects.into_iter().map(|object| (object.id.0, object)).collect();
        let next = found.last().filter(|_| more).and_then(|last| match last.id {
            None => after(&last.key).map(|start| (start, None)),
            Some(id) => {
                let version = objects.get(&id).map_or(VersionRef::Id(id.into()), Object::version);
                Some((last.key.clone(), Some(version)))
            }
        });
        let entry = |entry: store::versions::Entry| match entry.id {
            None => Some(VersionEntry::Prefix(entry.key)),
            // One that was deleted between the two statements is left out.
            Some(id) => {
                let object = Box::new(objects.remove(&id)?);
                Some(VersionEntry::Version { object, latest: entry.latest })
            }
        };
        Ok(ListedVersions { entries: found.into_iter().filter_map(entry).collect(), next })
    }
}
