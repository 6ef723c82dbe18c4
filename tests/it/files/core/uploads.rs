//! Uploads in parts and uploads that grow.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use holdfast::{
    files::{
        Bucket, Conditions, CopyObject, FilesError, ListUploads, NewUpload, PartWant, Upload, UploadKind, Versioning,
    },
    platform::crypto,
    storage::DigestKind,
};

use super::{super::blobs, Desk, body, key, run_job};
use crate::support::{app::TestApp, wait::until};

impl Desk<'_> {
    async fn begin(&self, bucket: &Bucket, name: &str, new: NewUpload) -> Upload {
        self.files().begin_upload(&self.who, bucket, key(name), new).await.unwrap()
    }

    async fn part(&self, upload: &Upload, number: i32, content: &[u8]) -> String {
        let part = self.files().put_part(&self.who, upload, number, body(content), PartWant::default()).await.unwrap();
        assert_eq!(part.size, content.len() as u64);
        part.etag
    }

    async fn append(&self, upload: &Upload, at: u64, content: &[u8]) -> Result<u64, FilesError> {
        self.files().append(&self.who, upload, at, body(content), None).await
    }

    async fn received(&self, upload: &Upload) -> u64 {
        self.files().upload(&self.who, upload.id).await.unwrap().received
    }
}

fn content(size: usize, seed: u32) -> Vec<u8> {
    (0..size).map(|n| (u32::try_from(n).unwrap().wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_an_object_and_the_answer_is_repeated() {
    let app = TestApp::start_with(&[("HOLDFAST_FILES__BLOB_MIB", "2")]).await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("parts", Versioning::Off).await;
    let new = NewUpload { checksum: Some(DigestKind::Crc32c), full_checksum: true, ..NewUpload::of(UploadKind::S3) };
    let upload = desk.begin(&bucket, "big", new).await;
    let (one, two) = (content(5 << 20, 1), content(1_000_001, 2));
    desk.part(&upload, 1, b"sent again").await;
    let second = desk.part(&upload, 7, &two).await;
    let first = desk.part(&upload, 1, &one).await;
    assert_eq!(first, crypto::hex(&DigestKind::Md5.of(&one)));
    let listed = desk.files().list_parts(&desk.who, &upload, 0, 100).await.unwrap();
    assert_eq!(listed.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 7]);
    let complete = async |parts: &[(i32, String)]| {
        desk.files().complete(&desk.who, &upload, Some(parts), &Conditions::default()).await
    };
    let refused = complete(&[(7, second.clone()), (1, first.clone())]).await;
    assert!(matches!(refused, Err(FilesError::PartOrder)), "{refused:?}");
    let refused = complete(&[(1, second.clone())]).await;
    assert!(matches!(refused, Err(FilesError::PartUnknown { number: 1 })), "{refused:?}");
    let refused = complete(&[(1, first.clone()), (2, first.clone())]).await;
    assert!(matches!(refused, Err(FilesError::PartUnknown { number: 2 })), "{refused:?}");
    assert_eq!(desk.get(&bucket, "big").await, None);
    let written = complete(&[(1, first.clone()), (7, second.clone())]).await.unwrap();
    let whole = [one.clone(), two.clone()].concat();
    let md5s = [DigestKind::Md5.of(&one), DigestKind::Md5.of(&two)].concat();
    assert_eq!(written.object.etag, format!("{}-2", crypto::hex(&DigestKind::Md5.of(&md5s))));
    assert_eq!(written.object.parts, [5 << 20, 1_000_001]);
    let crc = STANDARD.encode(DigestKind::Crc32c.of(&whole));
    assert_eq!(written.object.checksums["crc32c"], crc, "of all bytes, though none was read again");
    assert!(written.object.pieces.len() > 3, "{:?}", written.object.pieces);
    assert!(desk.get(&bucket, "big").await == Some(whole.clone()));
    // Ranges across every border of pieces.
    for from in [0, (2 << 20) - 1, (5 << 20) - 1, whole.len() - 2] {
        let range = from as u64..(from + 2) as u64;
        let read = desk.files().open(&desk.who, &written.object, Some(range)).await.unwrap();
        let bytes: Vec<Bytes> = read.map(Result::unwrap).collect().await;
        assert_eq!(bytes.concat(), whole[from..from + 2]);
    }
    let again = complete(&[(1, first), (7, second)]).await.unwrap();
    assert_eq!(again.object.id, written.object.id);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_parts_are_refused_and_given_up_ones_leave_nothing() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("small", Versioning::Off).await;
    let upload = desk.begin(&bucket, "a", NewUpload::of(UploadKind::S3)).await;
    let (one, two) = (desk.part(&upload, 1, b"one").await, desk.part(&upload, 2, b"two").await);
    let parts = [(1, one), (2, two)];
    let refused = desk.files().complete(&desk.who, &upload, Some(&parts), &Conditions::default()).await;
    assert!(matches!(refused, Err(FilesError::PartTooSmall { number: 1 })), "{refused:?}");
    let query = ListUploads { most: 10, ..ListUploads::default() };
    assert_eq!(desk.files().list_uploads(&desk.who, &bucket, &query).await.unwrap().len(), 1);
    assert!(matches!(desk.files().delete_bucket(&desk.who, bucket.id).await, Err(FilesError::NotEmpty)));
    desk.files().abort(&desk.who, &upload).await.unwrap();
    assert!(desk.files().list_uploads(&desk.who, &bucket, &query).await.unwrap().is_empty());
    let refused = desk.files().put_part(&desk.who, &upload, 3, body(b"late"), PartWant::default()).await;
    assert!(matches!(refused, Err(FilesError::UploadNotFound)), "{refused:?}");
    // One of which nobody hears again.
    let forgotten = desk.begin(&bucket, "b", NewUpload::of(UploadKind::S3)).await;
    desk.part(&forgotten, 1, b"forgotten").await;
    app.clock.advance(chrono::TimeDelta::days(8));
    assert!(matches!(desk.files().upload(&desk.who, forgotten.id).await, Err(FilesError::Ended)));
    run_job!(&app, "files.purge");
    run_job!(&app, "files.collect");
    until("parts of uploads that were given up stay", async || blobs(&app).is_empty()).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_copied_out_of_an_object() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("ranges", Versioning::Off).await;
    let whole = content(3_000_000, 3);
    let source = desk.put(&bucket, "source", &whole).await;
    let upload = desk.begin(&bucket, "copy", NewUpload::of(UploadKind::S3)).await;
    let part = desk.files().copy_part(&desk.who, &upload, 1, (&bucket, &source), Some(1000..2_000_000)).await.unwrap();
    assert_eq!(part.etag, crypto::hex(&DigestKind::Md5.of(&whole[1000..2_000_000])));
    // From the first byte on, and not to the end: it is a piece of a blob, not the blob.
    let head = desk.begin(&bucket, "head", NewUpload::of(UploadKind::S3)).await;
    let first = desk.files().copy_part(&desk.who, &head, 1, (&bucket, &source), Some(0..10)).await.unwrap();
    for (upload, etag) in [(&upload, part.etag), (&head, first.etag)] {
        desk.files().complete(&desk.who, upload, Some(&[(1, etag)]), &Conditions::default()).await.unwrap();
    }
    assert!(desk.get(&bucket, "copy").await.as_deref() == Some(&whole[1000..2_000_000]));
    assert_eq!(desk.get(&bucket, "head").await.as_deref(), Some(&whole[..10]));
    assert_eq!(blobs(&app).len(), 1);
    let beyond = desk.begin(&bucket, "beyond", NewUpload::of(UploadKind::S3)).await;
    let refused = desk.files().copy_part(&desk.who, &beyond, 1, (&bucket, &source), Some(0..3_000_001)).await;
    assert!(matches!(refused, Err(FilesError::Range { size: 3_000_000 })), "{refused:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_break_stays_and_goes_on() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("grows", Versioning::Off).await;
    let whole = content(40_000_000, 4);
    let new = NewUpload { length: Some(whole.len() as u64), ..NewUpload::of(UploadKind::Tus) };
    let upload = desk.begin(&bucket, "a", new).await;
    let cut = stream::iter([Ok(Bytes::copy_from_slice(&whole[..1_000_000])), Err(io::Error::other("gone"))]);
    assert!(desk.files().append(&desk.who, &upload, 0, cut, None).await.is_err());
    assert_eq!(desk.received(&upload).await, 1_000_000, "what came is kept");
    let refused = desk.append(&upload, 5, &whole[5..]).await;
    assert!(matches!(refused, Err(FilesError::Offset { expected: 1_000_000 })), "{refused:?}");
    // A client that hangs is overtaken: what it sends later is not added.
    let first = Bytes::copy_from_slice(&whole[1_000_000..2_000_000]);
    let hangs = stream::iter([Ok::<_, io::Error>(first)]).chain(stream::pending());
    let hanging = desk.files().append(&desk.who, &upload, 1_000_000, hangs, None);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), hanging).await.is_err());
    until("what a client sent that went away is lost", async || desk.received(&upload).await == 2_000_000).await;
    assert_eq!(desk.append(&upload, 2_000_000, &whole[2_000_000..]).await.unwrap(), whole.len() as u64);
    assert!(desk.get(&bucket, "a").await == Some(whole.clone()), "the last bytes make the object");
    let ended = desk.files().upload(&desk.who, upload.id).await.unwrap();
    assert!(ended.object.is_some() && ended.ended_at.is_some());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_digest_changes_nothing_and_a_refusal_is_not_done() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("refused", Versioning::Off).await;
    let new = NewUpload { length: Some(8), replace: false, ..NewUpload::of(UploadKind::Tus) };
    let upload = desk.begin(&bucket, "a", new).await;
    let with = async |at, content: &[u8], digest: Vec<u8>| {
        desk.files().append(&desk.who, &upload, at, body(content), Some((DigestKind::Sha1, digest))).await
    };
    let refused = with(0, b"1234", vec![0; 20]).await;
    assert!(matches!(refused, Err(FilesError::Digest { .. })), "{refused:?}");
    assert_eq!(desk.received(&upload).await, 0);
    assert_eq!(with(0, b"1234", DigestKind::Sha1.of(b"1234")).await.unwrap(), 4);
    let refused = with(4, b"56789", DigestKind::Sha1.of(b"56789")).await;
    assert!(matches!(refused, Err(FilesError::TooLarge { .. })), "{refused:?}");
    // Somebody else has written the object meanwhile, which this one may not replace.
    desk.put(&bucket, "a", b"theirs").await;
    let refused = desk.append(&upload, 4, b"5678").await;
    assert!(matches!(refused, Err(FilesError::Exists)), "{refused:?}");
    assert_eq!(desk.received(&upload).await, 4, "nobody takes it for done");
    desk.delete(&bucket, "a", None).await.unwrap();
    assert_eq!(desk.append(&upload, 4, b"5678").await.unwrap(), 8);
    assert_eq!(desk.get(&bucket, "a").await.as_deref(), Some(b"12345678".as_slice()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_uploads_are_joined() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("joined", Versioning::Off).await;
    let mut ids = Vec::new();
    for part in [b"one".as_slice(), b"two", b"three"] {
        let new = NewUpload { length: Some(part.len() as u64), ..NewUpload::of(UploadKind::TusPartial) };
        let upload = desk.begin(&bucket, "part", new).await;
        desk.append(&upload, 0, part).await.unwrap();
        ids.push(upload.id);
    }
    assert_eq!(desk.get(&bucket, "part").await, None, "a partial one becomes no object");
    let last = desk.begin(&bucket, "whole", NewUpload::of(UploadKind::Tus)).await;
    let joined = desk.files().join_uploads(&desk.who, &last, &ids).await.unwrap();
    assert_eq!((joined.length, joined.received), (Some(11), 11));
    desk.files().complete(&desk.who, &joined, None, &Conditions::default()).await.unwrap();
    assert_eq!(desk.get(&bucket, "whole").await.as_deref(), Some(b"onetwothree".as_slice()));
    let refused = desk.files().join_uploads(&desk.who, &last, &ids).await;
    assert!(matches!(refused, Err(FilesError::UploadNotFound)), "{refused:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_pieces_are_joined_and_readers_see_no_difference() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("pieces", Versioning::Off).await;
    let whole = content(70 * 13, 5);
    let new = NewUpload { length: Some(whole.len() as u64), ..NewUpload::of(UploadKind::Tus) };
    let upload = desk.begin(&bucket, "a", new).await;
    for (n, piece) in whole.chunks(13).enumerate() {
        assert_eq!(desk.append(&upload, n as u64 * 13, piece).await.unwrap(), (n as u64 + 1) * 13);
    }
    let before = desk.find(&bucket, "a").await.unwrap();
    assert_eq!(before.pieces.len(), 70);
    // A copy of it stays what it is, or becomes it as well.
    let copied = desk.files().copy(&desk.who, (&bucket, &before), (&bucket, key("b")), CopyObject::default()).await;
    copied.unwrap();
    run_job!(&app, "files.compact");
    let after = desk.find(&bucket, "a").await.unwrap();
    assert_eq!((after.pieces.len(), after.id, &after.etag), (1, before.id, &before.etag));
    for name in ["a", "b"] {
        assert!(desk.get(&bucket, name).await.as_ref() == Some(&whole), "{name}");
    }
    app.clock.advance(chrono::TimeDelta::hours(2));
    run_job!(&app, "files.collect");
    until("the pieces stay", async || blobs(&app).len() == 1).await;
    assert!(desk.get(&bucket, "a").await == Some(whole));
    app.stop().await;
}
