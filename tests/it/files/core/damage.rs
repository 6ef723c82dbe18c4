//! What is damaged on the disk is found, told, and brought back.

use std::{fs, path::PathBuf};

use futures::TryStreamExt as _;
use holdfast::{
    backup::{Kind, ProgressReporter},
    files::{BlobId, FilesError, Object, Versioning},
};
use reqwest::Method;
use tokio_util::sync::CancellationToken;

use super::{super::path, Desk, RepairOne, queue, run_job};
use crate::support::{
    app::TestApp,
    documents::{add_document, make_base},
    vault::Vault,
    wait::until,
};

fn place(desk: &Desk<'_>, blob: BlobId) -> String {
    format!("{}/{:02x}/{blob}", desk.who.org, blob.0.as_bytes()[0])
}

fn file(desk: &Desk<'_>, object: &Object) -> PathBuf {
    desk.app.data_dir.join("objects/files").join(place(desk, object.pieces[0].blob))
}

/// Another bit, and the same length.
fn flip(file: &std::path::Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[0] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_by_reading_and_an_upload_of_the_same_content_repairs_it() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("bits", Versioning::Off).await;
    let object = desk.put(&bucket, "a", b"as it was").await;
    flip(&file(&desk, &object));
    let read = desk.read(&object).await;
    assert!(matches!(read, Err(FilesError::Damaged)), "{read:?}");
    until("what a reader found is not looked at", async || !desk.files().damage().await.unwrap().is_empty()).await;
    app.wait_for_jobs().await;
    let damage = desk.files().damage().await.unwrap().remove(0);
    assert_eq!((damage.room.as_str(), damage.kind.as_str()), ("files", "content"));
    assert!(damage.note.contains("key") && damage.tried_at.is_some(), "why it was not repaired: {damage:?}");
    let admin = app.admin().await;
    admin.get(&path("bits", "a")).await.problem(500, "object_damaged");
    // The same content comes again, under another name.
    desk.put(&bucket, "b", b"as it was").await;
    until("an upload of the same content repairs nothing", async || {
        desk.get(&bucket, "b").await.as_deref() == Some(b"as it was".as_slice())
    })
    .await;
    queue(&app, &RepairOne { room: "files".into(), key: place(&desk, object.pieces[0].blob) }).await;
    assert!(desk.files().damage().await.unwrap().is_empty());
    assert_eq!(desk.read(&object).await.unwrap(), b"as it was");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_damage_and_never_not_found() {
    let app = TestApp::start().await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("missing", Versioning::Off).await;
    // One that is read whole before it is sent, and one that is not.
    for (name, size) in [("small", 10), ("large", 3 << 20)] {
        let object = desk.put(&bucket, name, &vec![7; size]).await;
        fs::remove_file(file(&desk, &object)).unwrap();
        let admin = app.admin().await;
        admin.get(&path("missing", name)).await.problem(500, "object_damaged");
        let head = admin.send(admin.request(Method::HEAD, &path("missing", name))).await;
        assert_ne!(head.status, 404, "{name}");
    }
    until("damage is not noted", async || desk.files().damage().await.unwrap().len() == 2).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrub_reads_everything_of_all_rooms_and_a_backup_repairs_it() {
    let vault = Vault::new();
    let settings = vault.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = TestApp::start_with(&settings).await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("scrubbed", Versioning::Off).await;
    let flipped = desk.put(&bucket, "flipped", b"flipped").await;
    let missing = desk.put(&bucket, "missing", &vec![9; 2_000_000]).await;
    let cut = desk.put(&bucket, "cut", b"cut short").await;
    desk.put(&bucket, "whole", b"whole").await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Scrubbed").await;
    add_document(&admin, &base, "a.md", b"# A document\n\nIts original is compared, too.\n").await;
    app.wait_for_jobs().await;
    app.app.backups.run(Kind::Manual, &ProgressReporter::silent(CancellationToken::new())).await.unwrap();
    // Younger than the backup.
    let lost = desk.put(&bucket, "lost", b"in no backup").await;
    flip(&file(&desk, &flipped));
    fs::remove_file(file(&desk, &missing)).unwrap();
    fs::write(file(&desk, &cut), b"cut").unwrap();
    flip(&file(&desk, &lost));
    let originals = app.data_dir.join("objects/org");
    let original = find_file(&originals, "original").unwrap();
    flip(&original);
    run_job!(&app, "files.scrub");
    until("a scrub does not end", async || {
        desk.files().scrubs(1).await.unwrap().first().is_some_and(|scrub| scrub.ended_at.is_some())
    })
    .await;
    app.wait_for_jobs().await;
    let scrub = desk.files().scrubs(1).await.unwrap().remove(0);
    assert_eq!((scrub.objects, scrub.damaged, scrub.repaired, scrub.unread), (6, 5, 4, 0), "{scrub:?}");
    for (object, content) in
        [(&flipped, b"flipped".to_vec()), (&missing, vec![9; 2_000_000]), (&cut, b"cut short".to_vec())]
    {
        assert!(desk.read(object).await.unwrap() == content, "{}", object.key);
    }
    assert!(fs::read_to_string(&original).unwrap().starts_with("# A document"));
    let left = desk.files().damage().await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].note, "no backup has this object");
    app.stop().await;
}

fn find_file(dir: &std::path::Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(dir).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { find_file(&path, name) } else { Some(path).filter(|path| path.ends_with(name)) }
    })
}

/// A large object is compared while it is read, where the settings say so: the last bytes do not come.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_breaks_off_where_it_is_damaged() {
    let app = TestApp::start_with(&[("HOLDFAST_STORAGE__CHECK_READS", "1")]).await;
    let desk = Desk::of(&app).await;
    let bucket = desk.bucket("large", Versioning::Off).await;
    let object = desk.put(&bucket, "a", &vec![3; 5_000_000]).await;
    assert_eq!(desk.read(&object).await.unwrap().len(), 5_000_000);
    flip(&file(&desk, &object));
    let content = desk.files().open(&desk.who, &object, None).await.unwrap();
    let read: Result<Vec<_>, _> = content.try_collect().await;
    assert!(read.is_err(), "all of it was sent as if it were whole");
    until("damage is not noted", async || desk.files().damage().await.unwrap().len() == 1).await;
    app.stop().await;
}
