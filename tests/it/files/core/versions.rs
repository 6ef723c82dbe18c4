//! Versions, markers, and buckets that no longer make any.

use holdfast::{
    files::{BucketChange, FilesError, ListVersions, VersionEntry, VersionRef, Versioning},
    platform::crypto::random_below,
};

use super::{Desk, key};
use crate::support::app::TestApp;

/// A version as a plain model has it. `content` is `None` for a marker.
#[derive(Clone, Debug, PartialEq)]
struct Version {
    content: Option<Vec<u8>>,
    unversioned: bool,
}

/// The versions of one key, the latest last.
#[derive(Clone, Debug, Default)]
struct Model(Vec<Version>);

impl Model {
    fn write(&mut self, content: Option<Vec<u8>>, versioning: Versioning) {
        let unversioned = versioning != Versioning::On;
        if unversioned {
            self.0.retain(|version| !version.unversioned);
        }
        // A bucket that never had versions has no markers.
        if content.is_some() || versioning != Versioning::Off {
            self.0.push(Version { content, unversioned });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_of_writes_and_deletes_equal_a_model() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    for round in 0..12 {
        let mut bucket = desk.bucket(&format!("round-{round}"), Versioning::Off).await;
        let (mut model, mut done) = (Model::default(), Vec::new());
        // A key that ends in a slash is a key like others.
        let name = if round % 2 == 0 { "a" } else { "folder/" };
        for step in 0..25 {
            match random_below(10) {
                0..4 => {
                    let content = format!("{round} {step}").into_bytes();
                    desk.put(&bucket, name, &content).await;
                    model.write(Some(content), bucket.versioning);
                    done.push("put".to_owned());
                }
                4..6 => {
                    desk.delete(&bucket, name, None).await.unwrap();
                    model.write(None, bucket.versioning);
                    done.push("delete".to_owned());
                }
                6..9 if !model.0.is_empty() => {
                    let at = random_below(model.0.len());
                    let version = desk.versions(&bucket, 100).await[model.0.len() - 1 - at].0.version();
                    let deleted = desk.delete(&bucket, name, Some(version)).await.unwrap();
                    assert_eq!(deleted.was_marker, model.0[at].content.is_none());
                    model.0.remove(at);
                    done.push(format!("delete version {at}"));
                }
                _ => {
                    let next = match bucket.versioning {
                        Versioning::Off | Versioning::Suspended => Versioning::On,
                        Versioning::On => Versioning::Suspended,
                    };
                    bucket =
                        desk.change(&bucket, BucketChange { versioning: Some(next), ..BucketChange::default() }).await;
                    done.push(format!("{next:?}"));
                }
            }
            let found = desk.versions(&bucket, 3).await;
            assert!(found.iter().enumerate().all(|(n, (_, latest))| *latest == (n == 0)), "{done:?}");
            let mut versions = Vec::new();
            for (object, _) in found.iter().rev() {
                let content = if object.marker { None } else { Some(desk.read(object).await.unwrap()) };
                versions.push(Version { content, unversioned: object.unversioned });
            }
            assert_eq!(versions, model.0, "{done:?}");
            let current = model.0.last().and_then(|latest| latest.content.clone());
            assert_eq!(desk.get(&bucket, name).await, current, "{done:?}");
            assert_eq!(desk.keys(&bucket).await.len(), usize::from(current.is_some()), "{done:?}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_by_key_and_read_by_id() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("listed", Versioning::On).await;
    let first = desk.put(&bucket, "a/1", b"one").await;
    let second = desk.put(&bucket, "a/1", b"two").await;
    desk.put(&bucket, "a/2", b"x").await;
    desk.put(&bucket, "b", b"y").await;
    desk.delete(&bucket, "b", None).await.unwrap();
    let old = desk.files().find(&desk.who, &bucket, &key("a/1"), Some(VersionRef::Id(first.id))).await.unwrap();
    assert_eq!(desk.read(&old).await.unwrap(), b"one");
    assert!(!old.current);
    let query = ListVersions { delimiter: "/".into(), most: 10, ..ListVersions::default() };
    let page = desk.files().list_versions(&desk.who, &bucket, &query).await.unwrap();
    let shown: Vec<String> = page
        .entries
        .iter()
        .map(|entry| match entry {
            VersionEntry::Prefix(prefix) => prefix.clone(),
            VersionEntry::Version { object, latest } => format!("{} {} {latest}", object.key, object.marker),
        })
        .collect();
    assert_eq!(shown, ["a/", "b true true", "b false false"]);
    assert!(page.next.is_none());
    // Deleting the latest brings the one below back.
    desk.delete(&bucket, "a/1", Some(VersionRef::Id(second.id))).await.unwrap();
    assert_eq!(desk.get(&bucket, "a/1").await.as_deref(), Some(b"one".as_slice()));
    let marker = desk.versions(&bucket, 10).await.into_iter().find(|(object, _)| object.marker).unwrap().0;
    let refused = desk.files().find(&desk.who, &bucket, &key("b"), Some(VersionRef::Id(marker.id))).await;
    assert!(matches!(refused, Err(FilesError::Marker { .. })), "{refused:?}");
    desk.delete(&bucket, "b", Some(VersionRef::Id(marker.id))).await.unwrap();
    assert_eq!(desk.get(&bucket, "b").await.as_deref(), Some(b"y".as_slice()));
    // Versioning is not turned off again.
    let off = BucketChange { versioning: Some(Versioning::Off), ..BucketChange::default() };
    let refused = desk.files().change_bucket(&desk.who, bucket.id, None, off).await;
    assert!(matches!(refused, Err(FilesError::Invalid(_))), "{refused:?}");
    let stale = BucketChange { public: Some(true), ..BucketChange::default() };
    let refused = desk.files().change_bucket(&desk.who, bucket.id, Some(bucket.revision + 1), stale).await;
    assert!(matches!(refused, Err(FilesError::Precondition)), "{refused:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_deleted_and_each_has_its_answer() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("many", Versioning::Off).await;
    for n in 0..130 {
        desk.put(&bucket, &format!("k{n}"), b"same").await;
    }
    let keys = (0..140).map(|n| (key(&format!("k{n}")), None)).collect();
    let answers = desk.files().delete_many(&desk.who, &bucket, keys).await.unwrap();
    let deleted = answers.iter().filter(|answer| answer.as_ref().unwrap().version.is_some()).count();
    assert_eq!((answers.len(), deleted), (140, 130), "what was never there is no error");
    assert!(desk.keys(&bucket).await.is_empty());
    let too_many = (0..1001).map(|n| (key(&format!("k{n}")), None)).collect();
    assert!(matches!(desk.files().delete_many(&desk.who, &bucket, too_many).await, Err(FilesError::Invalid(_))));
    app.stop().await;
}
