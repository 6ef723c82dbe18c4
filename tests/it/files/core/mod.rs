//! What the service of files does, asked without the surfaces above it.

mod copies;
mod damage;
mod garbage;
mod killed;
mod lifecycle;
mod locks;
mod trash;
mod uploads;
mod versions;

use std::io;

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use holdfast::{
    files::{
        Bucket, BucketChange, Caller, Conditions, Deleted, FilesError, Key, ListObjects, ListVersions, NewBucket,
        NewObject, Object, VersionEntry, VersionRef, Versioning, Written,
    },
    jobs::{Enqueue, Job, enqueue},
    platform::{http::Slice, ids::OrgId},
};
use serde::{Deserialize, Serialize};

use crate::support::app::TestApp;

/// Queues a job of the system as its schedule does, and waits until nothing is left to do.
macro_rules! run_job {
    ($app:expr, $kind:literal) => {{
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        struct Scheduled {}
        impl holdfast::jobs::Job for Scheduled {
            const KIND: &'static str = $kind;
            const QUEUE: &'static str = "files";
        }
        $crate::files::core::queue($app, &Scheduled {}).await;
    }};
}
use run_job;

/// The same object, whoever waits for it.
#[derive(Debug, Serialize, Deserialize)]
struct RepairOne {
    room: String,
    key: String,
}

impl Job for RepairOne {
    const KIND: &'static str = "files.repair";
    const QUEUE: &'static str = "files";
}

async fn queue<J: Job>(app: &TestApp, job: &J) {
    let mut tx = app.app.db.system().await.unwrap();
    enqueue(&mut tx, &app.clock, None, job, &Enqueue::default()).await.unwrap();
    tx.commit().await.unwrap();
    app.app.jobs.wake();
    app.wait_for_jobs().await;
}

/// The first organisation's service, asked as the program itself asks it.
struct Desk<'a> {
    app: &'a TestApp,
    who: Caller,
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn body(content: &[u8]) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + use<> {
    let parts: Vec<_> = content.chunks(65_537).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    stream::iter(parts)
}

impl<'a> Desk<'a> {
    async fn of(app: &'a TestApp) -> Self {
        let first = app.app.auth.list_organisations(None, &Slice::oldest(1)).await.unwrap().remove(0);
        Self::of_org(app, first.id)
    }

    fn of_org(app: &'a TestApp, org: OrgId) -> Self {
        Self { app, who: Caller::worker(org) }
    }

    fn files(&self) -> &holdfast::files::Files {
        &self.app.app.files
    }

    async fn bucket(&self, name: &str, versioning: Versioning) -> Bucket {
        let new = NewBucket { name: name.into(), versioning, ..NewBucket::default() };
        self.files().create_bucket(&self.who, new).await.unwrap()
    }

    async fn change(&self, bucket: &Bucket, change: BucketChange) -> Bucket {
        self.files().change_bucket(&self.who, bucket.id, None, change).await.unwrap()
    }

    async fn try_put(
        &self,
        bucket: &Bucket,
        name: &str,
        content: &[u8],
        new: NewObject,
    ) -> Result<Written, FilesError> {
        self.files().put(&self.who, bucket, key(name), body(content), new).await
    }

    async fn put(&self, bucket: &Bucket, name: &str, content: &[u8]) -> Object {
        self.try_put(bucket, name, content, NewObject::default()).await.unwrap().object
    }

    async fn find(&self, bucket: &Bucket, name: &str) -> Result<Object, FilesError> {
        self.files().find(&self.who, bucket, &key(name), None).await
    }

    async fn read(&self, object: &Object) -> Result<Vec<u8>, FilesError> {
        let content = self.files().open(&self.who, object, None).await?;
        let parts: Vec<Bytes> = content.try_collect().await?;
        Ok(parts.concat())
    }

    /// What a reader of the key gets.
    async fn get(&self, bucket: &Bucket, name: &str) -> Option<Vec<u8>> {
        match self.find(bucket, name).await {
            Ok(object) => Some(self.read(&object).await.unwrap()),
            Err(FilesError::ObjectNotFound) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn delete(&self, bucket: &Bucket, name: &str, version: Option<VersionRef>) -> Result<Deleted, FilesError> {
        self.files().delete(&self.who, bucket, &key(name), version, &Conditions::default()).await
    }

    async fn keys(&self, bucket: &Bucket) -> Vec<String> {
        let query = ListObjects { most: 1000, ..ListObjects::default() };
        let listed = self.files().list(&self.who, bucket, &query).await.unwrap();
        listed
            .entries
            .into_iter()
            .map(|entry| match entry {
                holdfast::files::ListEntry::Object(object) => object.key.to_string(),
                holdfast::files::ListEntry::Prefix(prefix) => prefix,
            })
            .collect()
    }

    /// All versions, read in pages of so many; and which are the latest of their keys.
    async fn versions(&self, bucket: &Bucket, most: i64) -> Vec<(Object, bool)> {
        let (mut all, mut query) = (Vec::new(), ListVersions { most, ..ListVersions::default() });
        loop {
            let page = self.files().list_versions(&self.who, bucket, &query).await.unwrap();
            assert!(page.entries.len() <= usize::try_from(most).unwrap());
            for entry in page.entries {
                match entry {
                    VersionEntry::Version { object, latest } => all.push((*object, latest)),
                    VersionEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
                }
            }
            let Some((start, behind)) = page.next else { return all };
            query = ListVersions { start, behind, ..query };
        }
    }
}
