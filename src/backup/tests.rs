//! Rules without a database: sealing, manifests, retention, comparisons, key files.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    BackupError, Config,
    keys::{KeyError, KeyFile},
    manifest::{Blob, BlobName, Database, FORMAT, FileEntry, Manifest, ManifestError, Schema, Tree},
    model::{BackupId, Kind},
    retention::{Candidate, Rules, plan},
    schema::differences,
    seal::{self, Identity, Recipients, SealError},
    sealer::Sealer,
    spool::Spool,
    tree::belongs,
    watcher::{Stretch, each_mib},
};
use crate::{
    knowledge::index::TableState,
    platform::{
        crypto::{Digest, MasterKey},
        pools::{CpuPool, Traffic},
    },
    storage::Entry,
};

fn pieces(bytes: &[u8], of: usize) -> impl futures::Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(of).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

/// Bytes that do not compress well.
fn noise(size: u32) -> Vec<u8> {
    (0..size).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

async fn sealed(identity: &Identity, plain: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sealed");
    let recipients = Recipients::parse(&[identity.recipient()]).unwrap();
    let made = seal::seal(&CpuPool::new(2), &recipients, pieces(plain, 7000), &file).await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!((made.plain.size, made.sealed.size), (plain.len() as u64, bytes.len() as u64));
    assert_eq!(made.plain.sha256, Digest::of(plain));
    assert_eq!(made.sealed.sha256, Digest::of(&bytes));
    bytes
}

async fn opened(identity: &Identity, bytes: &[u8], of: usize) -> Result<Vec<u8>, SealError> {
    let pieces: Vec<Bytes> = seal::open(&CpuPool::new(2), identity, pieces(bytes, of)).try_collect().await?;
    Ok(pieces.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_opens_with_its_key_only() {
    let (identity, other) = (Identity::generate(), Identity::generate());
    for size in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        let plain: Vec<u8> = noise(size);
        let bytes = sealed(&identity, &plain).await;
        for of in [100, 65_536, 10_000_000] {
            assert_eq!(opened(&identity, &bytes, of).await.unwrap(), plain, "{size} in pieces of {of}");
        }
        assert!(matches!(opened(&other, &bytes, 4096).await, Err(SealError::WrongKey)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_and_every_cut_is_noticed() {
    let identity = Identity::generate();
    let plain: Vec<u8> = noise(140_000);
    let bytes = sealed(&identity, &plain).await;
    for at in (0..bytes.len()).step_by(997).chain(0..250) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(opened(&identity, &changed, 8192).await.is_err(), "byte {at}");
    }
    for length in (0..bytes.len()).step_by(1511).chain([bytes.len() - 1]) {
        assert!(opened(&identity, &bytes[..length], 8192).await.is_err(), "cut at {length}");
    }
    let longer = [bytes.as_slice(), b"x"].concat();
    assert!(opened(&identity, &longer, 8192).await.is_err(), "something follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_is_not_sealed_as_if_it_were_whole() {
    let dir = tempfile::tempdir().unwrap();
    let recipients = Recipients::parse(&[Identity::generate().recipient()]).unwrap();
    let broken = pieces(b"the beginning", 5).chain(stream::iter([Err(io::Error::other("cable"))]));
    let result = seal::seal(&CpuPool::new(2), &recipients, broken, &dir.path().join("a")).await;
    assert!(matches!(result, Err(SealError::Input(_))), "{result:?}");
    // A disk that is full says so.
    let full = std::path::Path::new("/dev/full");
    let result = seal::seal(&CpuPool::new(2), &recipients, pieces(&noise(3_000_000), 4096), full).await;
    assert!(matches!(result, Err(SealError::Output(_))), "{result:?}");
}

#[test]
fn a_passphrase_brings_a_key_back() {
    let identity = Identity::generate();
    let (right, wrong) = ("correct horse battery staple".to_owned().into(), "wrong".to_owned().into());
    let wrapped = identity.wrap(&right).unwrap();
    assert_eq!(Identity::unwrap_with(&wrapped, &right).unwrap().recipient(), identity.recipient());
    assert!(matches!(Identity::unwrap_with(&wrapped, &wrong), Err(SealError::WrongPassphrase)));
}

/// On the edges of a step and of a turn, with rests and without.
#[tokio::test]
async fn what_is_sealed_in_turns_opens_whole() {
    let identity = Identity::generate();
    let recipients = Recipients::parse(&[identity.recipient()]).unwrap();
    let plain = noise((32 << 20) + 5);
    for (size, busy) in [(0, false), (1 << 20, false), (16 << 20, true), (plain.len(), false), (plain.len(), true)] {
        let (dir, traffic) = (tempfile::tempdir().unwrap(), Traffic::default());
        if busy {
            traffic.came();
        }
        let sealer = Sealer { pool: CpuPool::background(2), recipients: recipients.clone(), traffic };
        let (file, data) = (dir.path().join("sealed"), io::Cursor::new(plain[..size].to_vec()));
        let (made, _) = sealer.seal(data, &file).await.unwrap();
        assert_eq!((made.plain.size, made.plain.sha256), (size as u64, Digest::of(&plain[..size])));
        let bytes = std::fs::read(&file).unwrap();
        assert_eq!(made.sealed.sha256, Digest::of(&bytes));
        let opened = seal::open(&CpuPool::new(2), &identity, pieces(&bytes, 70_000));
        let opened: Vec<Bytes> = opened.try_collect().await.unwrap();
        assert!(opened.concat() == plain[..size], "{size} bytes came back otherwise");
    }
}

fn blob(n: u8) -> Blob {
    let name = BlobName { content: Digest([n; 32]), sealed: Digest([0xab; 32]), size: 12 };
    Blob { name, sha256: Digest([0xcd; 32]), size: 7 }
}

fn manifest() -> Manifest {
    let tree = |n| Tree { index: blob(n), files: 3, bytes: 21 };
    Manifest {
        format: FORMAT,
        id: BackupId(Uuid::from_u128(7)),
        sequence: 3,
        kind: Kind::Manual,
        installation: Uuid::from_u128(9),
        holdfast: "0.1.0".into(),
        role_prefix: "holdfast".into(),
        taken_at: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
        recipients: vec!["age1x".into()],
        database: Database {
            dump: blob(1),
            server_version: "15.1".into(),
            tool_version: "15.1".into(),
            entries: 4,
            schema: Schema::default(),
        },
        objects: tree(2),
        vectors: tree(3),
        vector_tables: BTreeMap::from([("kb_a_g1".into(), TableState { version: 2, rows: 5 })]),
        settings: blob(4),
        blobs_sha256: Digest([0xef; 32]),
        blobs: 10,
        total_bytes: 100,
        wal: None,
    }
}

#[test]
fn a_manifest_is_believed_only_as_it_was_signed() {
    let key = MasterKey::parse(&"1f".repeat(32)).unwrap().signing_key("a").unwrap();
    let other = MasterKey::parse(&"2f".repeat(32)).unwrap().signing_key("a").unwrap();
    let manifest = manifest();
    let signed = manifest.sign(&key).unwrap();
    let open = |bytes: &[u8]| Manifest::open(bytes, manifest.id, Some(&key.public()));
    assert_eq!(open(&signed).unwrap(), manifest);
    assert_eq!(Manifest::open(&signed, manifest.id, None).unwrap(), manifest);
    let text = String::from_utf8(signed.clone()).unwrap();
    for (from, to) in
        [("\\\"sequence\\\":3", "\\\"sequence\\\":4"), ("\\\"total_bytes\\\":100", "\\\"total_bytes\\\":10")]
    {
        assert!(text.contains(from), "{text}");
        let changed = text.replace(from, to);
        assert!(matches!(open(changed.as_bytes()), Err(ManifestError::Signature)), "{to}");
        assert!(matches!(Manifest::open(changed.as_bytes(), manifest.id, None), Err(ManifestError::Signature)), "{to}");
    }
    // Somebody else's, and our own under another name: an older one that is replayed.
    assert!(matches!(open(&manifest.sign(&other).unwrap()), Err(ManifestError::Signature)));
    let elsewhere = Manifest::open(&signed, BackupId(Uuid::from_u128(8)), Some(&key.public()));
    assert!(matches!(elsewhere, Err(ManifestError::Misplaced { .. })));
    let newer = Manifest { format: FORMAT + 1, ..manifest.clone() };
    assert!(matches!(open(&newer.sign(&key).unwrap()), Err(ManifestError::Format(_))));
    for length in 0..signed.len() {
        assert!(open(&signed[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn names_of_blobs_are_read_strictly() {
    let name = blob(5).name;
    assert_eq!(BlobName::of_key(&name.key()), Some(name.clone()));
    assert!(name.key().starts_with("blobs/05/"));
    for wrong in [
        "",
        "blobs/05/x",
        &name.key().replace('b', "B"),
        &format!("{}.1", name.key()),
        &name.key().replace(".12", ".-1"),
    ] {
        assert_eq!(BlobName::of_key(wrong), None, "{wrong}");
    }
    let partial = name.key().replace(".12", ".partial");
    assert!(BlobName::is_partial(&partial) && !BlobName::is_partial(&name.key()), "{partial}");
    assert!(!BlobName::is_partial("blobs/05/film.partial") && !BlobName::is_partial(&partial["blobs/".len()..]));
    assert_eq!(name.to_string().len() as u64 + 1, BlobName::MAX_LINE - 18, "two digits instead of twenty");
    let id = BackupId(Uuid::from_u128(7));
    assert_eq!(Manifest::id_of_blobs_key(&Manifest::blobs_key(id)), Some(id));
    for other in [Manifest::key(id), "backups/7/blobs".to_owned(), format!("backups/{id}/film"), "blobs".to_owned()] {
        assert_eq!(Manifest::id_of_blobs_key(&other), None, "{other}");
    }
}

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

type Change = fn(&mut Schema);

#[test]
fn differences_of_databases_are_named() {
    let schema = Schema {
        rows: BTreeMap::from([("a".into(), 3), ("b".into(), 0)]),
        forced: vec!["a".into()],
        policies: vec!["a: tenant".into()],
        constraints: vec!["a: pk".into()],
        indexes: vec!["i".into()],
        migration: 70,
    };
    assert_eq!(differences(&schema, &schema), Vec::<String>::new());
    let changes: [(Change, &str); 10] = [
        (|s| s.rows.retain(|table, _| table != "a"), "table a is missing"),
        (|s| s.rows.extend([("a".into(), 2)]), "table a has 2 rows instead of 3"),
        (|s| s.rows.extend([("c".into(), 2)]), "table c should not be there"),
        (|s| s.forced.clear(), "forced row-level security on a is missing"),
        (|s| s.policies.clear(), "policy a: tenant is missing"),
        (|s| s.policies.push("a: all".into()), "policy a: all should not be there"),
        (|s| s.constraints.clear(), "constraint a: pk is missing"),
        (|s| s.constraints[0].push_str(" not validated"), "constraint a: pk is missing"),
        (|s| s.indexes.clear(), "index i is missing"),
        (|s| s.migration = 61, "the last migration is 61 instead of 70"),
    ];
    for (change, words) in changes {
        let mut found = schema.clone();
        change(&mut found);
        assert!(differences(&schema, &found).contains(&words.to_owned()), "{words}");
    }
}

#[test]
fn of_a_vector_store_the_versions_at_hand_are_taken() {
    let tables = BTreeMap::from([("kb_a_g1".to_owned(), TableState { version: 2, rows: 1 })]);
    let manifest = |version: u64| format!("kb_a_g1.lance/_versions/{}.manifest", u64::MAX - version);
    let keep = [
        "kb_a_g1.lance/data/x.lance".to_owned(),
        "kb_a_g1.lance/_indices/u/metadata.lance".to_owned(),
        manifest(1),
        manifest(2),
        "kb_a_g1.lance/_versions/2.manifest".to_owned(),
    ];
    let drop = [
        manifest(3),
        "kb_a_g1.lance/_versions/3.manifest".to_owned(),
        "kb_a_g1.lance/_versions/latest_version_hint.json".to_owned(),
        "kb_b_g1.lance/data/x.lance".to_owned(),
        "doctor/x".to_owned(),
    ];
    let kept: Vec<&String> = keep.iter().chain(&drop).filter(|key| belongs(key, &tables)).collect();
    assert_eq!(kept, keep.iter().collect::<Vec<_>>());
}

#[test]
fn a_key_file_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let written =
        KeyFile { identities: vec![Identity::generate(), Identity::generate()], installation_key: Some([7; 32]) };
    written.write(&path).unwrap();
    assert!(matches!(written.write(&path), Err(KeyError::Exists { .. })), "never overwritten");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let read = KeyFile::read(&path).unwrap();
    let names = |file: &KeyFile| file.identities.iter().map(Identity::recipient).collect::<Vec<_>>();
    assert_eq!((names(&read), read.installation_key), (names(&written), Some([7; 32])));
    let second = names(&written)[1].clone();
    assert_eq!(read.for_recipients(std::slice::from_ref(&second)).unwrap().recipient(), second);
    assert!(matches!(read.for_recipients(&["age1other".into()]), Err(SealError::WrongKey)));
    assert!(matches!(KeyFile::read_outside(&path, dir.path()), Err(KeyError::InDataDir { .. })));
    KeyFile::read_outside(&path, &dir.path().join("elsewhere")).unwrap();
    std::fs::write(&path, "# nothing\n").unwrap();
    assert!(matches!(KeyFile::read(&path), Err(KeyError::Empty { .. })));
    std::fs::write(&path, "AGE-SECRET-KEY-1QQQ\n").unwrap();
    assert!(matches!(KeyFile::read(&path), Err(KeyError::Seal(SealError::Identity))));
    assert!(matches!(KeyFile::read(&dir.path().join("none")), Err(KeyError::Read { .. })));
}

fn candidate(n: u32, taken_at: DateTime<Utc>, bytes: u64, held: bool) -> Candidate {
    Candidate { id: BackupId(Uuid::from_u128(u128::from(n))), taken_at, bytes, held, verified: true }
}

const RULES: Rules = Rules { daily: 7, weekly: 4, monthly: 12, yearly: 2, max_total_bytes: 0 };

#[test]
fn the_longest_gap_of_a_schedule_says_when_a_backup_is_missing() {
    let hours = |schedule: &str, zone: &str| {
        let config = Config {
            recipients: vec!["age1".into()],
            schedule: schedule.into(),
            time_zone: zone.into(),
            ..Config::default()
        };
        config.interval("2026-11-23T05:00:00Z".parse().unwrap()).unwrap().num_hours()
    };
    assert_eq!(hours("30 2 * * *", "UTC"), 24);
    assert_eq!(hours("30 2 * * 1-5", "UTC"), 72, "over the weekend");
    assert_eq!(hours("0 12 1 * *", "UTC"), 31 * 24);
    assert_eq!(hours("0 12 * * *", "Europe/Berlin"), 25, "in the night when the clock goes back");
    let off = Config::default();
    assert_eq!(off.interval("2026-11-23T05:00:00Z".parse().unwrap()), None);
    let blind = Config { recipients: vec!["age1".into()], ..Config::default() };
    assert_eq!(blind.drill_interval("2026-11-23T05:00:00Z".parse().unwrap()), None, "no key, no drills");
}

#[test]
fn grandfather_father_and_son() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    // Two a day for two years.
    let all: Vec<_> =
        (0..1460).map(|n| candidate(n, noon - TimeDelta::hours(12 * i64::from(n)), 1, n == 700)).collect();
    let gone = plan(&all, &RULES, chrono_tz::UTC);
    let kept: Vec<_> = all.iter().filter(|c| !gone.contains(&c.id)).collect();
    // 7 days, 3 more weeks, 11 or 10 more months, one more year, and the one that is held.
    assert!((20..=25).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].id, all[0].id, "the newest");
    assert!(kept.iter().any(|c| c.held));
    let days: Vec<i64> = kept.iter().take(7).map(|c| (noon - c.taken_at).num_days()).collect();
    assert_eq!(days, [0, 1, 2, 3, 4, 5, 6], "the newest of each day");
    assert_eq!(plan(&kept.iter().map(|c| **c).collect::<Vec<_>>(), &RULES, chrono_tz::UTC), [], "nothing more goes");
}

#[test]
fn the_size_of_all_is_bounded_but_the_newest_and_the_held_stay() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let all: Vec<_> = (0..5).map(|n| candidate(n, noon - TimeDelta::days(i64::from(n)), 100, n == 4)).collect();
    let rules = Rules { max_total_bytes: 250, ..RULES };
    let gone: Vec<_> = plan(&all, &rules, chrono_tz::UTC);
    assert_eq!(gone, [all[2].id, all[3].id]);
    let rules = Rules { max_total_bytes: 1, ..RULES };
    assert_eq!(plan(&all, &rules, chrono_tz::UTC), [all[1].id, all[2].id, all[3].id]);
    assert_eq!(plan(&[], &rules, chrono_tz::UTC), []);
}

#[test]
fn what_is_not_verified_takes_nobodys_place() {
    let noon = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
    let day = |n: u32| candidate(n, noon - TimeDelta::days(i64::from(n)), 100, false);
    let odd = |n: u32, hours: i64| Candidate {
        verified: false,
        taken_at: noon - TimeDelta::hours(hours),
        ..candidate(n, noon, 100, false)
    };
    let rules = Rules { daily: 3, weekly: 0, monthly: 0, yearly: 0, max_total_bytes: 300 };
    let good = [day(5), day(6), day(7)];
    // Five bad days evict no good one, and are not evicted themselves while nothing verified is younger.
    let bad: Vec<_> = (0..5).map(|n| odd(100 + n, 24 * i64::from(n))).collect();
    assert_eq!(plan(&[&good[..], &bad].concat(), &rules, chrono_tz::UTC), []);
    // A verified one outlives those before it.
    let after = Candidate { taken_at: noon + TimeDelta::hours(1), ..day(50) };
    let gone = plan(&[&good[..], &bad, &[after]].concat(), &rules, chrono_tz::UTC);
    assert_eq!(gone, [vec![good[2].id], bad.iter().map(|b| b.id).collect()].concat());
}

#[test]
fn how_far_work_is_stays_within_its_stretch() {
    let stretch = Stretch(60, 85);
    let cases = [((0, 4), 60), ((1, 4), 66), ((4, 4), 85), ((9, 4), 85), ((3, 0), 60), ((u64::MAX, u64::MAX), 85)];
    for ((done, all), percent) in cases {
        assert_eq!(stretch.at(done, all), percent, "{done} of {all}");
    }
    let edges: Vec<_> = (0..3).map(|n| Stretch(0, 100).piece(n, 3)).map(|piece| (piece.0, piece.1)).collect();
    assert_eq!(edges, [(0, 33), (33, 66), (66, 100)]);
    let mut said = Vec::new();
    let mut hear = each_mib((2 << 20) - 5, |bytes, step| said.push((bytes >> 20, step.to_owned())));
    [1, 1 << 20, (1 << 20) + 9, 2 << 20, 5 << 20].into_iter().for_each(&mut hear);
    drop(hear);
    let expected = [(1, "database, 1 of 2 MiB"), (2, "database, 2 of 2 MiB"), (5, "database, 5 MiB")];
    assert_eq!(said, expected.map(|(mib, step)| (mib, step.to_owned())));
}

proptest! {
    #[test]
    fn retention_never_removes_the_newest_or_a_held_one(
        ages in prop::collection::vec((0_i64..20_000, 0_u64..1000, any::<bool>()), 1..60),
        daily in 1_usize..5, weekly in 0_usize..5, monthly in 0_usize..5, max in 0_u64..5000,
    ) {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let all: Vec<_> = (0_u32..).zip(&ages).map(|(n, (age, bytes, held))| candidate(n, now - TimeDelta::hours(*age), *bytes, *held)).collect();
        let rules = Rules { daily, weekly, monthly, yearly: 0, max_total_bytes: max };
        let gone = plan(&all, &rules, chrono_tz::Europe::Moscow);
        let newest = all.iter().max_by_key(|c| (c.taken_at, c.id)).unwrap();
        prop_assert!(!gone.contains(&newest.id));
        prop_assert!(all.iter().filter(|c| c.held).all(|c| !gone.contains(&c.id)));
        prop_assert!(all.len() - gone.len() <= 1 + daily + weekly + monthly + all.iter().filter(|c| c.held).count());
    }
}
