//! Contents of a manifest and the comparisons with it.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::blob;
use crate::{
    manifest::{BlobName, Database, FORMAT, Manifest, ManifestError, Part, Schema, Tree},
    model::{BackupId, Kind},
    schema::{differences, search_index, unindexed},
};
use platform::crypto::{Digest, MasterKey};

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
        participants: BTreeMap::from([(
            "vectors".into(),
            Part { tree: tree(3), state: json!({"kb_a_g1": {"version": 2, "rows": 5}}) },
        )]),
        vectors: None,
        model: None,
        vector_tables: None,
        settings: blob(4),
        blobs_sha256: Digest([0xef; 32]),
        blobs: 10,
        total_bytes: 100,
        wal: None,
        signer: MasterKey::parse(&"1f".repeat(32)).unwrap().signing_key("a").unwrap().public(),
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
    // Another installation's manifest, and our own under another name: a replayed older one.
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

/// Compatible in both directions with versions before `participants`, which take the vectors from these two fields.
#[test]
fn manifests_of_before_participants_are_read_and_written() {
    let key = MasterKey::parse(&"1f".repeat(32)).unwrap().signing_key("a").unwrap();
    let mut manifest = manifest();
    let notes = Part { tree: Tree { index: blob(6), files: 1, bytes: 2 }, state: json!({"lines": 3}) };
    manifest.participants.insert("notes".into(), notes);
    let text = |signed: &[u8]| -> Value {
        let envelope: Value = serde_json::from_slice(signed).unwrap();
        serde_json::from_str(envelope["manifest"].as_str().unwrap()).unwrap()
    };
    let written = text(&manifest.sign(&key).unwrap());
    assert_eq!(written["vector_tables"], json!({"kb_a_g1": {"version": 2, "rows": 5}}));
    assert_eq!(written["vectors"], written["participants"]["vectors"]["tree"]);
    let names: Vec<&str> = manifest.trees().map(|(name, _)| name).collect();
    assert_eq!(names, ["objects", "notes", "vectors"]);

    let mut before = written;
    before.as_object_mut().unwrap().remove("participants");
    let manifest_text = before.to_string();
    let (signature, public_key) = (STANDARD.encode(key.sign(manifest_text.as_bytes())), STANDARD.encode(key.public()));
    let signed = json!({"manifest": manifest_text, "signature": signature, "public_key": public_key}).to_string();
    let read = Manifest::open(signed.as_bytes(), manifest.id, Some(&key.public())).unwrap();
    manifest.participants.remove("notes");
    assert_eq!(read, manifest);
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
        migrations: BTreeSet::from([12, 70]),
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
        (|s| s.migrations.retain(|version| *version == 70), "migration 12 is missing"),
        (|s| s.migrations.extend([63]), "migration 63 should not be there"),
    ];
    for (change, words) in changes {
        let mut found = schema.clone();
        change(&mut found);
        assert!(differences(&schema, &found).contains(&words.to_owned()), "{words}");
    }
}

#[test]
fn search_indexes_are_known_by_their_definition_and_may_be_missing() {
    let of = |what: &str| format!("CREATE INDEX i_idx ON {what}");
    for definition in [
        "public.users USING gin ((((email || ' '::text) || name)) gin_trgm_ops)",
        "public.conversations USING gin (agent_id, subject, title public.gin_trgm_ops)",
        "public.messages USING gin (org_id, words)",
        "ONLY public.job_history USING gin (org_id, last_error gin_trgm_ops) WHERE (last_error IS NOT NULL)",
    ] {
        assert_eq!(search_index(&of(definition)), Some("i_idx"), "{definition}");
        let expected = Schema { indexes: vec![of(definition)], ..Schema::default() };
        let found = Schema::default();
        assert_eq!((differences(&expected, &found), unindexed(&expected, &found)), (Vec::new(), vec!["i_idx"]));
        assert!(!differences(&found, &expected).is_empty(), "one too many");
        assert_eq!(unindexed(&expected, &expected), Vec::<&str>::new());
    }
    for definition in [
        "public.messages USING btree (org_id, id)",
        "public.messages USING gin (jsonb_path_query_array(citations, '$[*].document_id'::jsonpath) jsonb_path_ops)",
    ] {
        assert_eq!(search_index(&of(definition)), None, "{definition}");
    }
}

#[test]
fn of_migrations_all_must_be_known_and_not_the_highest() {
    let known = BTreeSet::from([12, 70, 20_261_129_180_000]);
    let of = |all: &[i64]| Schema {
        migration: *all.last().unwrap(),
        migrations: all.iter().copied().collect(),
        ..Schema::default()
    };
    assert!(of(&[12, 70]).is_known(&known) && of(&[12, 70, 20_261_129_180_000]).is_known(&known));
    assert!(!of(&[12, 63, 70]).is_known(&known), "a late one below the highest");
    assert!(!of(&[12, 70, 20_261_129_180_001]).is_known(&known));
    let before = |migration| Schema { migration, ..Schema::default() };
    assert!(before(70).is_known(&known) && !before(71).is_known(&known), "manifests without the list");
}
