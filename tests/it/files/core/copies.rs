//! Copies and renames touch no content.

use holdfast::files::{Conditions, CopyObject, EtagList, FilesError, NewObject, ObjectChange, Tags, Versioning};

use super::{super::blobs, Desk, key};
use crate::support::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_content_and_what_is_said_of_it() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let (bucket, other) = (desk.bucket("from", Versioning::Off).await, desk.bucket("to", Versioning::On).await);
    let tags = Tags::from([("kind".to_owned(), "letter".to_owned())]);
    let new = NewObject { content_type: Some("text/plain".into()), tags: tags.clone(), ..NewObject::default() };
    let source = desk.try_put(&bucket, "a", b"content", new).await.unwrap().object;
    let copy = async |to, name: &str, new| desk.files().copy(&desk.who, (&bucket, &source), (to, key(name)), new).await;
    let copied = copy(&other, "b", CopyObject::default()).await.unwrap();
    assert!(copied.created);
    let copied = copied.object;
    assert_eq!((&copied.etag, &copied.content_type, &copied.tags), (&source.etag, &source.content_type, &tags));
    assert_eq!(desk.get(&other, "b").await.as_deref(), Some(b"content".as_slice()));
    assert_eq!(blobs(&app).len(), 1, "the content is stored once");
    // What is said instead takes the place of all that was said.
    let instead = NewObject { content_type: Some("text/html".into()), ..NewObject::default() };
    let replaced = CopyObject { replace: Some(Box::new(instead)), ..CopyObject::default() };
    let onto_itself = copy(&bucket, "a", replaced).await.unwrap().object;
    assert_eq!((onto_itself.content_type.as_str(), onto_itself.tags.len()), ("text/html", 0));
    assert_eq!(desk.get(&bucket, "a").await.as_deref(), Some(b"content".as_slice()));
    // Conditions are about what is there.
    let only_new = Conditions { if_none_match: Some(EtagList::Any), ..Conditions::default() };
    let refused = copy(&other, "b", CopyObject { replace: None, when: only_new }).await;
    assert!(matches!(refused, Err(FilesError::Precondition)), "{refused:?}");
    // A source that is gone for good.
    let change = holdfast::files::BucketChange { trash_days: Some(0), ..holdfast::files::BucketChange::default() };
    let bucket = desk.change(&bucket, change).await;
    let short = desk.put(&bucket, "short", b"lived").await;
    desk.delete(&bucket, "short", None).await.unwrap();
    let refused = desk.files().copy(&desk.who, (&bucket, &short), (&other, key("c")), CopyObject::default()).await;
    assert!(matches!(refused, Err(FilesError::ObjectNotFound)), "{refused:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_moves_and_replaces_only_if_it_may() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let (plain, versioned) =
        (desk.bucket("plain", Versioning::Off).await, desk.bucket("versioned", Versioning::On).await);
    let rename = async |from, name: &str, to, new: &str, replace| {
        desk.files().rename(&desk.who, (from, &key(name)), (to, key(new)), replace).await
    };
    desk.put(&plain, "a", b"A").await;
    desk.put(&plain, "b", b"B").await;
    let refused = rename(&plain, "a", &plain, "b", false).await;
    assert!(matches!(refused, Err(FilesError::Exists)), "{refused:?}");
    rename(&plain, "a", &plain, "c", false).await.unwrap();
    assert_eq!(desk.keys(&plain).await, ["b", "c"]);
    let usage = desk.files().bucket_usage(&desk.who, &plain).await.unwrap();
    assert_eq!((usage.objects, usage.trashed), (2, 0), "the row moved: nothing is in the trash");
    rename(&plain, "c", &plain, "b", true).await.unwrap();
    assert_eq!(desk.get(&plain, "b").await.as_deref(), Some(b"A".as_slice()));
    // Into a bucket with versions, and out of it.
    rename(&plain, "b", &versioned, "b", false).await.unwrap();
    assert!(desk.keys(&plain).await.is_empty());
    rename(&versioned, "b", &plain, "back", false).await.unwrap();
    assert_eq!(desk.get(&versioned, "b").await, None);
    assert_eq!(desk.versions(&versioned, 10).await.len(), 2, "the version, and a marker");
    assert_eq!(desk.get(&plain, "back").await.as_deref(), Some(b"A".as_slice()));
    let refused = rename(&plain, "never", &plain, "x", true).await;
    assert!(matches!(refused, Err(FilesError::ObjectNotFound)), "{refused:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_an_object_changes_and_its_content_does_not() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("described", Versioning::Off).await;
    let object = desk.put(&bucket, "a", b"x").await;
    let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
    desk.files().set_tags(&desk.who, &object, tags.clone()).await.unwrap();
    let change = ObjectChange { content_type: Some("image/png".into()), ..ObjectChange::default() };
    desk.files().set_metadata(&desk.who, &object, change).await.unwrap();
    let now = desk.find(&bucket, "a").await.unwrap();
    assert_eq!((now.tags, now.content_type.as_str(), now.etag), (tags, "image/png", object.etag.clone()));
    let many: Tags = (0..11).map(|n| (n.to_string(), String::new())).collect();
    let refused = desk.files().set_tags(&desk.who, &object, many).await;
    assert!(matches!(refused, Err(FilesError::Invalid(_))), "{refused:?}");
    app.stop().await;
}
