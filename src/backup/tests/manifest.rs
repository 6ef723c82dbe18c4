//! What a manifest says, and what is compared with it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use uuid::Uuid;

use super::blob;
use crate::{
    backup::{
        manifest::{BlobName, Database, FORMAT, Manifest, ManifestError, Schema, Tree},
        model::{BackupId, Kind},
        schema::differences,
        tree::belongs,
    },
    knowledge::index::TableState,
    platform::crypto::{Digest, MasterKey},
};

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
        model: None,
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
        assert!(matches!(open(changed.as_bytes()), Err(ManifestError::Changed)), "{to}");
        assert!(matches!(Manifest::open(changed.as_bytes(), manifest.id, None), Err(ManifestError::Changed)), "{to}");
    }
    // Somebody else's, and our own under another name: an older one that is replayed.
    let foreign = open(&manifest.sign(&other).unwrap());
    assert!(matches!(foreign, Err(ManifestError::OtherInstallation(id)) if id == manifest.installation), "{foreign:?}");
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
    let changes: [(Change, &str); 12] = [
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
        migrations: BTreeSet::from([12, 70]),
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
        (|s| s.migrations.retain(|version| *version == 70), "migration 12 is missing"),
        (|s| s.migrations.extend([63]), "migration 63 should not be there"),
