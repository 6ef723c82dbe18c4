//! What a drill proves: that the page of disaster recovery brings it back, from each destination.

use std::{collections::BTreeMap, fs, path::Path};

use holdfast::platform::crypto::sha256_hex;
use serde_json::{Value, json};

use super::{
    forged::{manifest, sign, signing_key},
    restores::{fill, newest, ok, said},
};
use crate::support::{app::Client, cluster::binaries, documents::files, process::Site, vault::Vault};

/// A drill, whatever came out.
async fn drill(site: &Site, args: &[&str]) -> Value {
    let output = site.run(&[&["backup", "drill", "--json"][..], args].concat()).await;
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Hashes of the files below a folder.
fn hashes(folder: &Path) -> BTreeMap<String, String> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
    files(folder).iter().map(|path| (name(path), sha256_hex(fs::read(path).unwrap()))).collect()
}

/// What lies in the data directory beside the database.
#[derive(Debug)]
struct Kept {
    objects: BTreeMap<String, String>,
    vectors: BTreeMap<String, String>,
}

impl Kept {
    fn of(site: &Site) -> Self {
        let folder = |name| hashes(&site.data_dir().join(name));
        Self { objects: folder("objects"), vectors: folder("vectors") }
    }

    /// Of the vectors a backup has the files of one version, beside which others may lie.
    fn is(&self, restored: &Self) {
        assert_eq!(restored.objects, self.objects);
        assert!(!restored.vectors.is_empty());
        let other: Vec<_> =
            restored.vectors.iter().filter(|(name, hash)| self.vectors.get(*name) != Some(hash)).collect();
        assert!(other.is_empty(), "{other:?}");
    }
}

/// Restores on a host that has nothing, as the page says; without `backup` the newest. Whatever the drill found is there.
async fn restore_what_was_drilled(vault: &Vault, key: &Path, drill: &Value, named: bool) -> Kept {
    assert_eq!(drill["status"], "passed", "{drill}");
    let mut host = Site::new();
    host.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    let folder = vault.folder(drill["destination"].as_str().unwrap()).display().to_string();
    let (key, id) = (key.display().to_string(), drill["backup_id"].as_str().unwrap());
    let mut command = vec!["restore", "--from", &folder, "--key-file", &key];
    if named {
        command.extend(["--backup", id]);
    }
    let words = ok(&host, &command).await;
    assert!(words.contains(id) && words.contains(&format!("{} rows", drill["report"]["rows"])), "{drill}: {words}");
    Kept::of(&host)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drill_passes_comes_back_on_an_empty_host() {
    let vault = Vault::new();
    let mut site = Site::with(vault.two());
    let running = site.start().await;
    fill(&site, 2).await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    let (here, key) = (Kept::of(&site), vault.key_file());
    assert!(!here.objects.is_empty());

    // Plain, and from the other destination, whose turn it is then.
    let (first, second) = (drill(&site, &[]).await, drill(&site, &[]).await);
    assert_ne!(first["destination"], second["destination"]);
    assert!(first["report"]["participants"]["vectors"]["vectors"].as_u64() > Some(0), "a participant: {first}");
    for passed in [&first, &second] {
        here.is(&restore_what_was_drilled(&vault, &key, passed, false).await);
    }

    // After a rotation of the keys: the new backup and the old one, by the new file.
    let rotated = vault.folder("rotated.key");
    let args =
        ["backup", "keys", "generate", "--out", &rotated.display().to_string(), "--add-to", &key.display().to_string()];
    ok(&site, &args).await;
    let recipient = holdfast::backup::KeyFile::read(&rotated).unwrap().identities[0].recipient();
    site.set("HOLDFAST_BACKUP__RECIPIENTS", &recipient);
    site.set("HOLDFAST_BACKUP__KEY_FILE", &rotated.display().to_string());
    ok(&site, &["backup", "run"]).await;
    let new = drill(&site, &[]).await;
    assert_ne!(new["backup_id"], first["backup_id"]);
    here.is(&restore_what_was_drilled(&vault, &rotated, &new, false).await);
    let old = drill(&site, &["--old"]).await;
    assert_eq!(old["backup_id"], first["backup_id"]);
    here.is(&restore_what_was_drilled(&vault, &rotated, &old, true).await);

    // As a version wrote it that knew no participants.
    let (id, folder) = (newest(&site).await, vault.folder("near"));
    let mut older = manifest(&folder, &id);
    older.as_object_mut().unwrap().remove("participants");
    older["database"]["schema"].as_object_mut().unwrap().remove("migrations");
    sign(&folder, &id, &older, &signing_key(&site.data_dir()));
    let passed = drill(&site, &["--destination", "near"]).await;
    here.is(&restore_what_was_drilled(&vault, &rotated, &passed, false).await);
    running.kill();
}

/// Of `doctor`: status and words of a check.
async fn check(site: &Site, name: &str) -> (String, String) {
    let output = site.run(&["doctor", "--json"]).await;
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let report = reports.as_array().unwrap().iter().find(|report| report["name"] == name).unwrap();
    (report["status"].as_str().unwrap().to_owned(), report["summary"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_fails_where_the_page_of_disaster_recovery_would() {
    let vault = Vault::new();
    let mut site = Site::with(vault.two());
    site.set("HOLDFAST_BACKUP__EMBEDDING_MODEL", "true");
    let running = site.start().await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    let id = newest(&site).await;
    let (near, far) = (vault.folder("near"), vault.folder("far"));
    let key = vault.key_file().display().to_string();
    let of_near = ["--destination", "near"];
    let sound = drill(&site, &of_near).await;
    assert_eq!(
        (&sound["status"], sound["report"]["model_files"].as_u64() > Some(1)),
        (&json!("passed"), true),
        "{sound}"
    );

    // A younger manifest that cannot be read: the page's command, which names no backup, stops at it.
    let garbage = near.join("backups/01ffffff-0000-7000-8000-000000000000");
    fs::create_dir(&garbage).unwrap();
    fs::write(garbage.join("manifest.json"), "garbage").unwrap();
    let from = near.display().to_string();
    let (good, words) = said(&site, &["restore", "--from", &from, "--key-file", &key, "--plan"]).await;
    assert!(!good && words.contains(&format!("--backup {id}")), "{words}");
    let failed = drill(&site, &of_near).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("without --backup would not take"), "{failed}");
    assert!(!said(&site, &["backup", "keys", "check"]).await.0);
    let list: Value = serde_json::from_slice(&site.run(&["backup", "list", "--json"]).await.stdout).unwrap();
    assert_eq!(list[0]["status"], "verified", "the backup itself is whole");
    let (status, words) = check(&site, "backup.proven").await;
    assert!(status == "fail" && words.contains("from near"), "{status}: {words}");
    fs::remove_dir_all(garbage).unwrap();

    // The copy that survives the host is tried, too: by turns, and none hides another.
    let blob = |folder: &Path, name: &Value| {
        let name = name.as_str().unwrap();
        folder.join("blobs").join(&name[..2]).join(name)
    };
    let dump = blob(&far, &manifest(&far, &id)["database"]["dump"]["name"]);
    let bytes = fs::read(&dump).unwrap();
    fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    let turns = [drill(&site, &[]).await, drill(&site, &[]).await];
    let turns: Vec<_> =
        turns.iter().map(|d| (d["destination"].as_str().unwrap(), d["status"].as_str().unwrap())).collect();
    assert_eq!(turns, [("far", "failed"), ("near", "passed")]);
    let (status, words) = check(&site, "backup.proven").await;
    assert!(status == "fail" && words.contains("from far"), "{status}: {words}");

    // The largest file of a backup is the model's.
    let largest = files(&near.join("blobs")).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    fs::write(&largest, b"damaged").unwrap();
    let failed = drill(&site, &of_near).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    running.kill();
}

/// What a drill needs is told before one fails for it: the index, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_room_for_a_drill_counts_what_takes_part() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    fill(&site, 2).await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let plan = site.run(&["restore", "--from", &near, "--key-file", &key, "--plan", "--json"]).await;
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap_or_else(|_| panic!("{plan:?}"));
    let bytes = |pointer: &str| plan.pointer(pointer).unwrap().as_u64().unwrap();
    let (dump, vectors) = (bytes("/database_bytes"), bytes("/participants/vectors/bytes"));
    assert!(vectors > 1000);
    let expected = format!("holdfast_backup_drill_space_needed_bytes {}.0\n", 2 * dump + vectors + (512 << 20));
    // The gauges are made anew each half minute.
    let ops = Client::new(&format!("http://{}", site.ops));
    let mut seen = String::new();
    for _ in 0..80 {
        seen = ops.get("/metrics").await.text;
        if seen.contains(&expected) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let line = seen.lines().find(|line| line.starts_with("holdfast_backup_drill_space_needed"));
    assert!(seen.contains(&expected), "{line:?} instead of {expected}");
    running.kill();
}
