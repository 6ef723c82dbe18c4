use std::{io, path::Path};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use prometheus_client::registry::Registry;

use super::{
    Config, DeleteGuard, Entry, Fault, Faults, Metrics, Storage, StorageError,
    metrics::{Operation, OperationLabels, Outcome},
};
use platform::{config::ConfigErrors, crypto, lifecycle::Lifecycle};

fn open(dir: &Path) -> Storage {
    open_counted(dir, Metrics::register(&mut Registry::default()))
}

fn open_counted(dir: &Path, metrics: Metrics) -> Storage {
    Storage::open(&Config::default(), dir, Lifecycle::new(), metrics).unwrap()
}

fn pieces(count: usize) -> impl futures::Stream<Item = Result<Bytes, io::Error>> + Send {
    stream::iter((0..count).map(|n| Ok(Bytes::from(vec![u8::try_from(n % 251).unwrap(); 1 << 20]))))
}

/// Every file below the folder, unfinished ones too.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

#[test]
fn a_folder_that_is_made_is_for_us_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path());
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.path().join("objects")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_stream_is_stored_whole_with_its_size_and_hash() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    for count in [0, 1, 12] {
        let expected: Vec<u8> = pieces(count).map(Result::unwrap).collect::<Vec<_>>().await.concat();
        let stored = storage.put_stream("org/a/original", pieces(count), 20 << 20).await.unwrap();
        assert_eq!((stored.size, stored.sha256), (expected.len() as u64, crypto::sha256(&expected)));
        assert_eq!(storage.get_bytes("org/a/original").await.unwrap(), expected);
        let read: Vec<Bytes> = storage.get("org/a/original").await.unwrap().stream.map(Result::unwrap).collect().await;
        assert_eq!(read.concat(), expected);
    }
    assert_eq!(storage.get_range("org/a/original", 0..3).await.unwrap(), vec![0, 0, 0]);
}

#[tokio::test]
async fn a_write_that_is_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    let too_large = storage.put_stream("org/a/original", pieces(12), 8 << 20).await;
    assert!(matches!(too_large, Err(StorageError::TooLarge(_))), "{too_large:?}");
    let broken = pieces(7).chain(stream::once(async { Err(io::Error::other("gone")) }));
    assert!(matches!(storage.put_stream("org/b/original", broken, 20 << 20).await, Err(StorageError::Body(_))));
    let stuck = pieces(7).chain(stream::pending());
    let dropped = tokio::time::timeout(
        std::time::Duration::from_millis(300),
        storage.put_stream("org/c/original", stuck, 20 << 20),
    );
    assert!(dropped.await.is_err());
    // The clean-up runs in the background.
    for _ in 0..50 {
        if files(dir.path()).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("left behind: {:?}", files(dir.path()));
}

#[tokio::test]
async fn deleting_a_prefix_takes_what_lies_below_it_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::register(&mut Registry::default());
    let (storage, mut guard) = (open_counted(dir.path(), metrics.clone()), DeleteGuard::of_nothing());
    for key in ["org/a/kb/1/x", "org/a/kb/1/y", "org/a/kb/12/x"] {
        storage.put(key, Bytes::from_static(b"1")).await.unwrap();
    }
    std::fs::write(dir.path().join("objects/org/a/kb/1/z#1"), b"unfinished").unwrap();
    storage.delete_prefix("org/a/kb/1", &mut guard).await.unwrap();
    storage.delete_prefix("org/a/kb/1", &mut guard).await.unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    assert!(storage.exists("org/a/kb/12/x").await.unwrap());
    let listed: Vec<Entry> = storage.list("org/a").try_collect().await.unwrap();
    assert_eq!(listed.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["org/a/kb/12/x"]);
    let listed: Vec<Entry> = storage.list("").try_collect().await.unwrap();
    assert_eq!(listed.len(), 1, "everything");
    assert!(matches!(storage.list("org/../x").try_next().await, Err(StorageError::Key(_))));
    let counted =
        |outcome| metrics.operations.get_or_create(&OperationLabels { operation: Operation::List, outcome }).get();
    assert_eq!([Outcome::Ok, Outcome::Rejected, Outcome::Error].map(counted), [2, 1, 0], "each listing once");
    assert!(matches!(storage.get_bytes("org/a/kb/1/x").await, Err(StorageError::NotFound)));
    storage.delete("org/a/kb/1/x", &mut guard).await.unwrap();
}

#[tokio::test]
async fn a_room_sees_its_own_folder_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let whole = open(dir.path());
    let (org, notes) = (whole.room("org").unwrap(), whole.room("notes").unwrap());
    // Objects written by versions before rooms are found in their old place.
    whole.put("org/a/kb/1/x", Bytes::from_static(b"old")).await.unwrap();
    notes.put("a/1", Bytes::from_static(b"note")).await.unwrap();
    std::fs::write(dir.path().join("objects/notes/a/2#1"), b"unfinished").unwrap();
    assert_eq!(org.get_bytes("a/kb/1/x").await.unwrap(), "old");
    assert_eq!(whole.get_bytes("notes/a/1").await.unwrap(), "note");
    let keys = async |storage: &Storage| -> Vec<String> {
        storage.list("").map_ok(|entry| entry.key).try_collect().await.unwrap()
    };
    assert_eq!((keys(&org).await, keys(&notes).await), (vec!["a/kb/1/x".to_owned()], vec!["a/1".to_owned()]));
    assert!(matches!(notes.get_bytes("../org/a/kb/1/x").await, Err(StorageError::Key(_))));
    notes.delete_prefix("a", &mut DeleteGuard::of_nothing()).await.unwrap();
    assert_eq!(files(dir.path()).len(), 1, "unfinished ones went too, and nothing of the other room");
    for taken in ["org", "notes", "doctor", "", "a/b", "Notes"] {
        assert!(matches!(whole.room(taken), Err(StorageError::Key(_))), "{taken}");
    }
    assert_eq!(whole.rooms(), ["notes", "org"]);
    whole.put("gone/a/1", Bytes::new()).await.unwrap();
    assert!(whole.round_trip().await.unwrap());
    assert_eq!(whole.strangers().await.unwrap(), ["gone"]);
}

#[tokio::test]
async fn keys_cannot_leave_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    for key in ["../secret", "org/../../secret", "org//x", "org/./x"] {
        assert!(matches!(storage.put(key, Bytes::new()).await, Err(StorageError::Key(_))), "{key}");
    }
}

#[test]
fn half_an_account_is_refused() {
    let mut errors = ConfigErrors::default();
    errors.enter("storage");
    let mut config = Config { url: "s3://".into(), s3_access_key_id: "id".into(), ..Config::default() };
    config.validate(&mut errors);
    let names: Vec<_> = errors.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["storage.url", "storage.s3_access_key_id"]);
}

#[test]
fn an_endpoint_holds_no_secret() {
    let refused = |endpoint: &str| {
        let mut errors = ConfigErrors::default();
        Config { s3_endpoint: endpoint.into(), ..Config::default() }.validate(&mut errors);
        !errors.is_empty()
    };
    for fine in ["", "https://minio.example.com", "http://[::1]:9000/", "http://s3_local:9000/path"] {
        assert!(!refused(fine), "{fine}");
    }
    for wrong in [
        "https://key:secret@minio.example.com",
        "https://key@minio",
        "https://minio?x-token=1",
        "minio:9000",
        "httpx://minio",
    ] {
        assert!(refused(wrong), "{wrong}");
    }
}

async fn read(storage: &Storage, key: &str, range: std::ops::Range<u64>) -> Result<Vec<u8>, StorageError> {
    let parts: Vec<Bytes> = storage.read(key, range).try_collect().await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn a_range_is_read_in_windows_and_is_never_shorter_than_promised() {
    let dir = tempfile::tempdir().unwrap();
    let local = open(dir.path());
    let distant = Storage::of_faults(&Faults::default(), Lifecycle::new(), Metrics::register(&mut Registry::default()));
    let content: Vec<u8> = (0..3_500_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    for storage in [&local, &distant] {
        storage.put("a/1", content.clone().into()).await.unwrap();
        for range in [0..3_500_000, 0..1, 1_048_575..1_048_577, 3_499_999..3_500_000, 5..5, 1_000_000..3_400_000_u64] {
            let (from, to) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            assert!(read(storage, "a/1", range.clone()).await.unwrap() == content[from..to], "{range:?}");
        }
        // The row says that it has more than there is.
        for range in [0..3_500_001, 3_500_000..3_500_001, 9_000_000..9_000_001_u64] {
            let short = read(storage, "a/1", range.clone()).await;
            assert!(matches!(short, Err(StorageError::Damaged)), "{range:?}: {short:?}");
        }
        assert!(matches!(read(storage, "a/2", 0..1).await, Err(StorageError::NotFound)));
        assert!(matches!(read(storage, "../a", 0..1).await, Err(StorageError::Key(_))));
    }
}

#[tokio::test]
async fn a_store_that_lies_or_fails_is_found_out_before_it_is_believed() {
    let faults = Faults::default();
    let storage = Storage::of_faults(&faults, Lifecycle::new(), Metrics::register(&mut Registry::default()));
    // Small objects and large ones are written in different ways.
    for count in [1, 12] {
        let put = async |fault| {
            faults.on_writes([fault]);
            storage.put_stream(&format!("a/{count}"), pieces(count), 20 << 20).await
        };
        assert!(matches!(put(Fault::Lost).await, Err(StorageError::Damaged)), "{count}");
        assert!(put(Fault::Half).await.is_err(), "{count}");
        for fault in [Fault::Refused, Fault::DoneAndFailed] {
            assert!(matches!(put(fault).await, Err(StorageError::Store(_))), "{count}: {fault:?}");
        }
        put(Fault::Late(std::time::Duration::from_millis(1))).await.unwrap();
    }
    storage.put("a/1", Bytes::from_static(b"12345678")).await.unwrap();
    faults.on_reads([Fault::Half, Fault::Flipped, Fault::Refused]);
    assert!(matches!(read(&storage, "a/1", 0..8).await, Err(StorageError::Damaged)));
    assert_eq!(read(&storage, "a/1", 0..8).await.unwrap()[0], b'1' ^ 0x80, "a hash finds this one");
    assert!(matches!(read(&storage, "a/1", 0..8).await, Err(StorageError::Store(_))));
    assert_eq!(faults.left(), 0);
}

#[tokio::test]
async fn a_copy_between_stores_goes_on_where_it_was_and_is_compared() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, faults) = (open(dir.path()), Faults::default());
    let to = Storage::of_faults(&faults, Lifecycle::new(), Metrics::register(&mut Registry::default()));
    let (catalogue, cpu) = (scratch.path().join("copy.redb"), platform::pools::CpuPool::new(2));
    for n in 0..20 {
        from.put(&format!("org/{n}"), Bytes::from(vec![n; 1000])).await.unwrap();
    }
    from.put_stream("files/large", pieces(12), 20 << 20).await.unwrap();
    assert_eq!(from.claim("ours").await.unwrap(), None);
    let pass = async || super::copy_between(&from, &to, &catalogue, &cpu, &|_| {}).await;
    // A store that loses what it acknowledges, and one that fails: the pass ends, and the next one goes on.
    for fault in [Fault::Lost, Fault::Half, Fault::Refused, Fault::DoneAndFailed] {
        faults.on_writes([fault]);
        assert!(pass().await.is_err(), "{fault:?}");
    }
    // What comes back is not what was written.
    faults.on_reads([Fault::Flipped]);
    assert!(pass().await.is_err());
    let copied = pass().await.unwrap();
    assert_eq!(copied.objects + copied.there, 21, "{copied:?}");
    assert_eq!(pass().await.unwrap(), super::Copied { there: 21, ..super::Copied::default() });
    assert_eq!(super::compare(&from, &to, &catalogue, &cpu, 1.0).await.unwrap().0, 21);
    assert_eq!(to.claim("theirs").await.unwrap(), None, "whose the store is was not copied");
    // One that was written since, one that is damaged there, one that is missing there.
    from.put("org/new", Bytes::from_static(b"new")).await.unwrap();
    assert!(super::compare(&from, &to, &catalogue, &cpu, 0.0).await.is_err());
    assert_eq!(pass().await.unwrap().objects, 1);
    to.put("org/3", Bytes::from(vec![9; 1000])).await.unwrap();
    super::compare(&from, &to, &catalogue, &cpu, 0.0).await.unwrap();
    assert!(super::compare(&from, &to, &catalogue, &cpu, 1.0).await.is_err());
}

#[tokio::test]
async fn a_store_belongs_to_one_installation() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    assert_eq!(storage.claim("one").await.unwrap(), None);
    assert_eq!(storage.claim("one").await.unwrap(), None, "again");
    assert_eq!(storage.claim("two").await.unwrap().as_deref(), Some("one"));
    storage.take_over("two").await.unwrap();
    assert_eq!(storage.claim("one").await.unwrap().as_deref(), Some("two"));
    assert!(storage.strangers().await.unwrap().is_empty());
}

#[tokio::test]
async fn old_unfinished_writes_are_dropped_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path());
    storage.put("a/b/whole", Bytes::from_static(b"x")).await.unwrap();
    storage.put("a/b/with#hash", Bytes::from_static(b"x")).await.unwrap_err();
    for name in ["whole#1", "other#23", "no#number", "plain"] {
        std::fs::write(dir.path().join("objects/a/b").join(name), b"unfinished").unwrap();
    }
    let mut guard = DeleteGuard::of_nothing();
    let now = chrono::DateTime::<chrono::Utc>::from(std::fs::metadata(dir.path()).unwrap().modified().unwrap());
    let (before, after) = (now - chrono::TimeDelta::hours(1), now + chrono::TimeDelta::hours(1));
    assert_eq!(storage.drop_unfinished("a", before, &mut guard).await.unwrap(), 0, "they may go on");
    assert_eq!(storage.drop_unfinished("a", after, &mut guard).await.unwrap(), 2);
    assert_eq!(storage.drop_unfinished("never", after, &mut guard).await.unwrap(), 0);
    let mut left: Vec<_> =
        std::fs::read_dir(dir.path().join("objects/a/b")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["no#number", "plain", "whole"]);
    let mut folders = storage.folders("").await.unwrap();
    folders.sort();
    assert_eq!((folders, storage.folders("a").await.unwrap()), (vec!["a".to_owned()], vec!["b".to_owned()]));
}
