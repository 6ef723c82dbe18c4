//! Records of a run on disk, and its progress reports.

use bytes::Bytes;
use chrono::DateTime;
use futures::{TryStreamExt as _, stream};

use super::{blob, pieces};
use crate::{
    BackupError,
    manifest::{BlobName, FileEntry},
    progress::{ProgressRange, each_mib},
    spool::Spool,
};
use platform::{crypto::Digest, pools::CpuPool};
use storage::Entry;

#[test]
fn a_catalogue_keeps_sets_apart_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::make(dir.path()).unwrap();
    let catalogue = spool.catalogue(&CpuPool::new(1)).unwrap();
    let name =
        |content: u8, sealed: u8, size| BlobName { content: Digest([content; 32]), sealed: Digest([sealed; 32]), size };
    let all = [name(0, 0, 0), name(7, 1, 300), name(7, 2, 5), name(8, 0, 1), name(255, 255, u64::MAX)];
    catalogue.add_blobs(1, &[all[3].clone(), all[1].clone(), all[4].clone(), all[0].clone(), all[2].clone()]).unwrap();
    catalogue.add_blobs(1, &all).unwrap();
    catalogue.add_blobs(2, &all[3..4]).unwrap();
    let mut sorted = all.to_vec();
    sorted.sort();
    assert_eq!(sorted, all, "the order of names is the catalogue's");
    assert_eq!(catalogue.blobs(1, None, 2).unwrap(), all[..2]);
    assert_eq!(catalogue.blobs(1, Some(&all[1]), 100).unwrap(), all[2..]);
    assert_eq!(catalogue.blobs(0, None, 100).unwrap(), []);
    assert_eq!(catalogue.blobs(2, None, 100).unwrap(), all[3..4]);
    assert_eq!(catalogue.find_blob(1, &Digest([7; 32])).unwrap(), Some(all[1].clone()));
    catalogue.remove_blob(1, &all[1]).unwrap();
    assert_eq!(catalogue.find_blob(1, &Digest([7; 32])).unwrap(), Some(all[2].clone()), "the other of that content");
    assert_eq!(catalogue.find_blob(2, &Digest([7; 32])).unwrap(), None);
    assert!(catalogue.has_blob(1, &all[2]).unwrap() && !catalogue.has_blob(1, &all[1]).unwrap());

    let modified = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
    let entry = |key: &str| Entry { key: key.into(), size: 3, modified };
    catalogue.add_files(&["b", "a/é", "a/z", "B"].map(entry)).unwrap();
    catalogue.add_files(&["b", "a"].map(entry)).unwrap();
    let keys = |after: &str, count| -> Vec<String> {
        catalogue.files(after, count).unwrap().into_iter().map(|entry| entry.key).collect()
    };
    assert_eq!(keys("", 100), ["B", "a", "a/z", "a/é", "b"]);
    assert_eq!(keys("a", 2), ["a/z", "a/é"]);
    assert_eq!(catalogue.files("a/é", 1).unwrap()[0].modified, modified);
    assert_eq!(catalogue.count_files().unwrap(), 5);
    catalogue.clear_files().unwrap();
    assert_eq!((catalogue.count_files().unwrap(), keys("", 100).len()), (0, 0));
    assert!(catalogue.has_blob(1, &all[2]).unwrap(), "only files were cleared");
    drop((catalogue, spool));
    assert!(!dir.path().join("spool").exists());
}

#[tokio::test]
async fn a_spool_is_its_owners_alone_and_the_end_of_a_former_one_takes_nothing_from_the_next() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let work_dir = dir.path().join("work");
    let former = Spool::make(&work_dir).unwrap();
    let left_open = former.file();
    let next = Spool::make(&work_dir).unwrap();
    let file = next.file();
    file.fill(pieces(b"text", 4).map_err(|_| BackupError::Cancelled)).await.unwrap();
    drop((left_open, former));
    assert_eq!(std::fs::read(file.path()).unwrap(), b"text");
    let mode = std::fs::metadata(file.path().parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "not all that lies there is sealed");
    drop((file, next));
    assert!(!work_dir.join("spool").exists());
}

#[tokio::test]
async fn lines_of_the_spool_are_read_back_and_what_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::make(dir.path()).unwrap();
    let file = spool.file();
    let entry = |key: &str| FileEntry { key: key.into(), blob: blob(3) };
    let text = ["a", "b\nc", "\u{2028}"].map(|key| entry(key).to_string()).concat();
    let data = pieces(text.as_bytes(), 50).map_err(|_| BackupError::Cancelled);
    file.fill(data).await.unwrap();
    let path = file.path().to_owned();
    let read: Vec<FileEntry> = file.lines("the index").await.unwrap().try_collect().await.unwrap();
    assert_eq!(read, ["a", "b\nc", "\u{2028}"].map(entry));
    assert!(!path.exists(), "gone with the stream");
    let file = spool.file();
    file.fill(stream::iter([Ok::<_, BackupError>(Bytes::from_static(b"x\n"))])).await.unwrap();
    let read: Result<Vec<BlobName>, _> = file.lines("the list").await.unwrap().try_collect().await;
    assert_eq!(read.unwrap_err().to_string(), "the backup is damaged: the list: not the name of a blob");
}

#[test]
fn how_far_work_is_stays_within_its_stretch() {
    let range = ProgressRange(60, 85);
    let cases = [((0, 4), 60), ((1, 4), 66), ((4, 4), 85), ((9, 4), 85), ((3, 0), 60), ((u64::MAX, u64::MAX), 85)];
    for ((done, all), percent) in cases {
        assert_eq!(range.at(done, all), percent, "{done} of {all}");
    }
    let edges: Vec<_> = (0..3).map(|n| ProgressRange(0, 100).piece(n, 3)).map(|piece| (piece.0, piece.1)).collect();
    assert_eq!(edges, [(0, 33), (33, 66), (66, 100)]);
    let mut said = Vec::new();
    let mut hear = each_mib((2 << 20) - 5, |bytes, step| said.push((bytes >> 20, step.to_owned())));
    [1, 1 << 20, (1 << 20) + 9, 2 << 20, 5 << 20].into_iter().for_each(&mut hear);
    drop(hear);
    let expected = [(1, "database, 1 of 2 MiB"), (2, "database, 2 of 2 MiB"), (5, "database, 5 MiB")];
    assert_eq!(said, expected.map(|(mib, step)| (mib, step.to_owned())));
}
