//! A verifier that never fails is none: everything here must be noticed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdfast::{
    backup::{Backup, Choice, CopyStatus, DrillStatus, Status},
    platform::crypto::{self, SigningKey},
};
use serde_json::{Value, json};

use super::{fill, run, silent, start};
use crate::support::{
    cluster::cluster,
    documents::files,
    vault::{Vault, copy_folder},
};

/// A destination as a test changes it.
pub struct Copy {
    folder: PathBuf,
    backup: Backup,
    older: Backup,
    pub manifest: Value,
}

impl Copy {
    pub fn of(folder: PathBuf, backup: Backup, older: Backup) -> Self {
        let path = folder.join(format!("backups/{}/manifest.json", backup.id));
        let envelope: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let manifest = serde_json::from_str(envelope["manifest"].as_str().unwrap()).unwrap();
        Self { folder, backup, older, manifest }
    }

    fn manifest_path(&self) -> PathBuf {
        self.folder.join(format!("backups/{}/manifest.json", self.backup.id))
    }

    fn blobs_path(&self) -> PathBuf {
        self.folder.join(format!("backups/{}/blobs", self.backup.id))
    }

    /// The file behind a blob that the manifest names, e.g. `/database/dump`.
    fn blob(&self, pointer: &str) -> PathBuf {
        let name = self.manifest.pointer(pointer).unwrap()["name"].as_str().unwrap();
        self.folder.join("blobs").join(&name[..2]).join(name)
    }

    /// Files of the backup that the manifest itself does not name: objects and vectors.
    fn others(&self) -> Vec<PathBuf> {
        let named =
            ["/database/dump", "/objects/index", "/vectors/index", "/settings"].map(|pointer| self.blob(pointer));
        let list = fs::read_to_string(self.blobs_path()).unwrap();
        let all = list.lines().map(|name| self.folder.join("blobs").join(&name[..2]).join(name));
        all.filter(|path| !named.contains(path)).collect()
    }

    /// Puts a manifest with changed words in its place, signed.
    pub fn sign(&self, key: &SigningKey, change: impl Fn(&mut Value)) {
        let mut manifest = self.manifest.clone();
        change(&mut manifest);
        let text = serde_json::to_string(&manifest).unwrap();
        let envelope = json!({
            "signature": STANDARD.encode(key.sign(text.as_bytes())),
            "public_key": STANDARD.encode(key.public()),
            "manifest": text,
        });
        fs::write(self.manifest_path(), serde_json::to_vec(&envelope).unwrap()).unwrap();
    }
}

/// What the manifest says of the vector tables.
fn vector_tables(manifest: &mut Value) -> impl Iterator<Item = &mut Value> {
    manifest["participants"]["vectors"]["state"].as_object_mut().unwrap().values_mut()
}

/// Leaves a blob out of the list, and signs that this is right.
fn unlist(copy: &Copy, key: &SigningKey, name: &str) {
    let list = fs::read_to_string(copy.blobs_path()).unwrap();
    let rest: String = list.lines().filter(|line| *line != name).map(|line| format!("{line}\n")).collect();
    assert!(rest.len() < list.len(), "{name} in {list}");
    let size: u64 = name.rsplit('.').next().unwrap().parse().unwrap();
    fs::write(copy.blobs_path(), &rest).unwrap();
    copy.sign(key, |m| {
        m["blobs"] = json!(m["blobs"].as_u64().unwrap() - 1);
        m["total_bytes"] = json!(m["total_bytes"].as_u64().unwrap() - size);
        m["blobs_sha256"] = json!(crypto::hex(&crypto::sha256(&rest)));
    });
}

fn edit(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(path: &Path) {
    edit(path, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

fn swap(a: &Path, b: &Path) {
    let (first, second) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, second).unwrap();
    fs::write(b, first).unwrap();
}

type Corruption = (&'static str, fn(&Copy, &SigningKey));

/// What reading it again must notice.
const READ: [Corruption; 31] = [
    ("a flipped bit in the dump", |c, _| flip(&c.blob("/database/dump"))),
    ("a flipped bit in the settings", |c, _| flip(&c.blob("/settings"))),
    ("a flipped bit in the index of objects", |c, _| flip(&c.blob("/objects/index"))),
    ("a flipped bit in the index of vectors", |c, _| flip(&c.blob("/vectors/index"))),
    ("a flipped bit in an object or vector file", |c, _| flip(&c.others()[0])),
    ("a flipped bit in the last of them", |c, _| flip(c.others().last().unwrap())),
    ("a cut dump", |c, _| edit(&c.blob("/database/dump"), |b| b.truncate(b.len() - 1))),
    ("half a dump", |c, _| edit(&c.blob("/database/dump"), |b| b.truncate(b.len() / 2))),
    ("an empty dump", |c, _| edit(&c.blob("/database/dump"), Vec::clear)),
    ("a longer dump", |c, _| edit(&c.blob("/database/dump"), |b| b.push(0))),
    ("zeros inside the dump", |c, _| edit(&c.blob("/database/dump"), |b| b[1000..1512].fill(0))),
    ("no dump", |c, _| fs::remove_file(c.blob("/database/dump")).unwrap()),
    ("no settings", |c, _| fs::remove_file(c.blob("/settings")).unwrap()),
    ("a missing object", |c, _| fs::remove_file(&c.others()[1]).unwrap()),
    ("an empty object", |c, _| edit(&c.others()[1], Vec::clear)),
    ("two files swapped", |c, _| swap(&c.others()[0], &c.others()[1])),
    ("dump and settings swapped", |c, _| swap(&c.blob("/database/dump"), &c.blob("/settings"))),
    ("no manifest", |c, _| fs::remove_file(c.manifest_path()).unwrap()),
    ("half a manifest", |c, _| edit(&c.manifest_path(), |b| b.truncate(b.len() / 2))),
    ("a manifest with one letter changed", |c, _| {
        edit(&c.manifest_path(), |b| {
            let at = b.windows(8).position(|w| w == b"policies").unwrap();
            b[at] = b'P';
        });
    }),
    ("the manifest of an older backup in its place", |c, _| {
        fs::copy(c.folder.join(format!("backups/{}/manifest.json", c.older.id)), c.manifest_path()).unwrap();
    }),
    ("a manifest that another installation signed", |c, _| {
        let key = holdfast::platform::crypto::MasterKey::parse(&"77".repeat(32)).unwrap();
        c.sign(&key.signing_key("backup.manifest").unwrap(), |_| {});
    }),
    ("a manifest that renames itself", |c, key| {
        c.sign(key, |m| m["id"] = json!("0197f000-0000-7000-8000-000000000000"));
    }),
    ("no list of blobs", |c, _| fs::remove_file(c.blobs_path()).unwrap()),
    ("a list of blobs without its last line", |c, _| {
        edit(&c.blobs_path(), |b| b.truncate(b.len() - 10));
    }),
    ("an index that names another file's content", |c, key| {
        c.sign(key, |m| m["objects"]["index"]["sha256"] = m["settings"]["sha256"].clone());
    }),
    ("a list of blobs without the dump", |c, key| {
        unlist(c, key, c.blob("/database/dump").file_name().unwrap().to_str().unwrap());
    }),
    ("a list of blobs without an object", |c, key| {
        unlist(c, key, c.others()[2].file_name().unwrap().to_str().unwrap());
    }),
    ("more bytes than there are", |c, key| {
        c.sign(key, |m| m["total_bytes"] = json!(m["total_bytes"].as_u64().unwrap() + 1));
    }),
    ("vector tables at a version whose files are not there", |c, key| {
        c.sign(key, |m| vector_tables(m).for_each(|table| table["version"] = json!(9_000_000)));
    }),
    ("an index that names fewer files than there are", |c, key| c.sign(key, |m| m["objects"]["files"] = json!(1))),
];

/// What only a restore can notice: the files are as they were written, and hold something else.
const DRILLED: [Corruption; 8] = [
    ("fewer rows", |c, key| c.sign(key, |m| m["database"]["schema"]["rows"]["agents"] = json!(99))),
    ("a dropped table", |c, key| c.sign(key, |m| m["database"]["schema"]["rows"]["deals"] = json!(0))),
    ("a dropped policy", |c, key| {
        c.sign(key, |m| m["database"]["schema"]["policies"].as_array_mut().unwrap().push(json!("agents: second")));
    }),
    ("a policy that lets everybody in", |c, key| {
        c.sign(key, |m| {
            m["database"]["schema"]["policies"].as_array_mut().unwrap().pop();
        });
    }),
    ("row-level security that is not forced", |c, key| {
        c.sign(key, |m| m["database"]["schema"]["forced"].as_array_mut().unwrap().push(json!("installation")));
    }),
    ("a dropped constraint", |c, key| {
        c.sign(key, |m| m["database"]["schema"]["constraints"].as_array_mut().unwrap().push(json!("agents: fk")));
    }),
    ("a vector table with fewer rows", |c, key| {
        c.sign(key, |m| {
            for table in vector_tables(m) {
                table["rows"] = json!(1000);
            }
        });
    }),
    ("a vector table of another version", |c, key| {
        c.sign(key, |m| {
            for table in vector_tables(m) {
                table["version"] = json!(1);
            }
        });
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_corruption_is_noticed() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let older = run(&app).await;
    let backup = run(&app).await;
    let (folder, good) = (vault.folder("near"), vault.folder("good"));
    copy_folder(&folder, &good);
    let key = cluster().await.key.signing_key("backup.manifest").unwrap();
    let copy = Copy::of(folder.clone(), backup.clone(), older);
    assert!(copy.others().len() > 8, "objects and vectors: {:?}", files(&folder));
    let restore_copy = || {
        fs::remove_dir_all(&folder).unwrap();
        copy_folder(&good, &folder);
    };
    let (backups, keys) = (&app.app.backups, vault.keys());
    let verify = async || backups.verify(backup.id, Some("near"), Some(&keys), &silent()).await;
    let sound = verify().await.unwrap();
    assert_eq!(sound[0].problems, Vec::<String>::new());
    assert!(sound[0].opened > 8 && sound[0].blobs > 8, "{sound:?}");
    for (what, corrupt) in READ {
        corrupt(&copy, &key);
        let found = verify().await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(!found[0].problems.is_empty(), "{what} was not noticed");
        assert_eq!(backups.get(backup.id).await.unwrap().status, Status::Unverified, "{what}");
        restore_copy();
        assert_eq!(verify().await.unwrap()[0].problems, Vec::<String>::new(), "after {what}");
    }
    // Without a key the bytes are compared all the same.
    flip(&copy.blob("/database/dump"));
    assert!(!backups.verify(backup.id, None, None, &silent()).await.unwrap()[0].problems.is_empty());
    restore_copy();
    verify().await.unwrap();
    for (what, corrupt) in DRILLED {
        corrupt(&copy, &key);
        let drill = backups.drill(Choice::This(backup.id), None, None, &silent()).await.unwrap();
        assert_eq!(drill.status, DrillStatus::Failed, "{what} was not noticed");
        let error = drill.error.unwrap();
        assert!(error.starts_with("the restored data differs"), "{what}: {error}");
        restore_copy();
    }
    let drill = backups.drill(Choice::This(backup.id), None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, drill.error), (DrillStatus::Passed, None));
    app.stop().await;
}

type Damage = (&'static str, fn(&Copy));

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_finds_damage_blames_the_copy_and_the_next_backup_stores_it_anew() {
    let vault = Vault::new();
    let app = start(&vault).await;
    fill(&app).await;
    let backups = &app.app.backups;
    let cases: [Damage; 4] = [
        ("a cut dump", |c| edit(&c.blob("/database/dump"), |b| b.truncate(b.len() - 1))),
        ("a flipped bit in the dump", |c| flip(&c.blob("/database/dump"))),
        ("no dump", |c| fs::remove_file(c.blob("/database/dump")).unwrap()),
        ("cut objects", |c| c.others().iter().for_each(|path| edit(path, |b| b.truncate(b.len() - 1)))),
    ];
    let mut damaged = Vec::new();
    for (what, corrupt) in cases {
        let backup = run(&app).await;
        damaged.push(backup.id);
        assert_eq!((backup.status, &backup.error), (Status::Verified, &None), "before {what}");
        corrupt(&Copy::of(vault.folder("near"), backup.clone(), backup.clone()));
        let drill = backups.drill(Choice::This(backup.id), None, None, &silent()).await.unwrap();
        assert_eq!(drill.status, DrillStatus::Failed, "{what}");
        let found = backups.get(backup.id).await.unwrap();
        let states = (found.status, found.copies[0].status);
        assert_eq!(states, (Status::Unverified, CopyStatus::Damaged), "{what}: {:?}", drill.error);
    }
    let next = run(&app).await;
    let found = backups.verify(next.id, None, Some(&vault.keys()), &silent()).await.unwrap();
    assert_eq!(found[0].problems, Vec::<String>::new());
    let drill = backups.drill(Choice::Newest, None, None, &silent()).await.unwrap();
    assert_eq!((drill.status, drill.backup_id), (DrillStatus::Passed, next.id));
    // They are kept until a person has taken them away.
    for (gone, expected) in [(false, CopyStatus::Damaged), (true, CopyStatus::Pruned)] {
        let folder = |id| vault.folder("near").join(format!("backups/{id}"));
        damaged.iter().filter(|_| gone).for_each(|id| fs::remove_dir_all(folder(id)).unwrap());
        assert_eq!(backups.prune(false).await.unwrap()[0].error, None);
        for id in &damaged {
            assert_eq!(backups.get(*id).await.unwrap().copies[0].status, expected);
        }
    }
    app.stop().await;
}
