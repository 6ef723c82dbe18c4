//! Restores that do not go through at once, and those of a part.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use super::forged::{manifest, opened};
use crate::support::{
    cluster::cluster,
    documents::{add_document, files, make_base, wait_for_document},
    process::Site,
    vault::Vault,
};

/// Whether a command succeeded, and everything that it said.
pub async fn said(site: &Site, args: &[&str]) -> (bool, String) {
    let output = site.run(args).await;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

pub async fn ok(site: &Site, args: &[&str]) -> String {
    let (good, text) = said(site, args).await;
    assert!(good, "{args:?}: {text}");
    text
}

/// The id of the newest backup.
pub async fn newest(site: &Site) -> String {
    let output = site.run(&["backup", "list", "--json"]).await;
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    list[0]["id"].as_str().unwrap().to_owned()
}

/// A base with so many documents. Returns it.
pub async fn fill(site: &Site, documents: usize) -> String {
    let admin = site.admin().await;
    let base = make_base(&admin, "Harbour").await;
    for n in 0..documents {
        let text = format!("# Tide {n}\n\nThe quibblefrotz number {n} sings at dawn in the harbour.\n");
        let id = add_document(&admin, &base, &format!("tide{n}.md"), text.as_bytes()).await;
        assert_eq!(wait_for_document(&admin, &base, &id).await["status"], "ready");
    }
    base
}

/// The objects of a backup: key, and the sealed file.
fn objects(vault: &Vault, id: &str) -> Vec<(String, std::path::PathBuf)> {
    let (near, keys) = (vault.folder("near"), vault.keys());
    let index = manifest(&near, id)["objects"]["index"]["name"].as_str().unwrap().to_owned();
    let lines = String::from_utf8(opened(&near, &index, &keys.identities[0])).unwrap();
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let name = entry["blob"]["name"].as_str().unwrap();
        (entry["key"].as_str().unwrap().to_owned(), near.join("blobs").join(&name[..2]).join(name))
    };
    lines.lines().map(entry).collect()
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

pub async fn search(site: &Site, base: &str) -> usize {
    let body = serde_json::json!({"query": "What sings at dawn?", "mode": "vector", "limit": 20});
    let found = site.admin().await.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200);
    found["results"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rotten_object_costs_one_object_and_comes_back_later_by_itself() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let base = fill(&site, 6).await;
    let found = search(&site, &base).await;
    assert!(found > 1);
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    let id = newest(&site).await;
    running.kill();
    let objects = objects(&vault, &id);
    assert_eq!(objects.len(), 6);
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let (rotten, blob) = &objects[0];
    flip(blob);

    let host = Site::with(vault.settings());
    let (good, words) = said(&host, &["restore", "--from", &near, "--key-file", &key]).await;
    let there = |key: &str| host.data_dir().join("objects").join(key);
    let came = objects.iter().filter(|(key, _)| there(key).exists()).count();
    assert_eq!(came, 5, "{words}");
    assert!(!good && words.contains("DAMAGED: objects: 1 of 6 files") && words.contains(rotten), "{words}");
    assert!(!words.contains("to be sealed"), "nothing is sealed here: {words}");
    let running = host.start().await;
    assert_eq!(search(&host, &base).await, found, "the vectors are there");

    // Beside the running appliance: what is missing and what differs, and nothing else is touched.
    flip(blob);
    fs::write(there(&objects[1].0), "not what it was").unwrap();
    fs::remove_file(there(&objects[2].0)).unwrap();
    let admin = host.admin().await;
    let younger = add_document(&admin, &base, "younger.md", b"# Younger\n\nThan the backup.\n").await;
    wait_for_document(&admin, &base, &younger).await;
    let before = files(&host.data_dir().join("objects")).len();
    let (good, words) = said(&host, &["restore", "--from", "near", "--key-file", &key, "--only", "objects"]).await;
    assert!(good, "{words}");
    let after = files(&host.data_dir().join("objects"));
    assert_eq!(after.len(), before + 2, "{after:?}");
    assert!(objects.iter().all(|(key, _)| fs::read_to_string(there(key)).unwrap().starts_with("# Tide")));
    assert!(!host.data_dir().join("objects.before-restore").exists());
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_breaks_off_after_the_rows_goes_on_from_there() {
    let (cluster, vault) = (cluster().await, Vault::new());
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let base = fill(&site, 2).await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    running.kill();
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let command = ["restore", "--from", &near, "--key-file", &key];
    let database = cluster.empty_database().await;
    // A server of somebody else's, as in Docker, where nothing can be moved aside; and the private one.
    for (n, url) in [Some(cluster.url(&database)), None].into_iter().enumerate() {
        let mut host = Site::with(vault.settings());
        if let Some(url) = &url {
            host.set("HOLDFAST_DATABASE__URL", url);
        }
        // No folder can be made there: objects cannot be had, rows can.
        let blocked = vault.folder(&format!("blocked{n}"));
        fs::write(&blocked, "").unwrap();
        host.set("HOLDFAST_BACKUP__WORK_DIR", &blocked.display().to_string());
        let (good, words) = said(&host, &command).await;
        assert!(!good && words.contains("still to come: objects, vectors, embedding model"), "{words}");
        assert!(words.contains("run the same command once more"), "{words}");
        // Nobody takes the half for the whole.
        let served = tokio::time::timeout(Duration::from_secs(60), host.run(&["serve"])).await;
        let served = served.expect("it serves half an installation");
        let words = String::from_utf8_lossy(&[served.stdout, served.stderr].concat()).into_owned();
        assert!(!served.status.success() && words.contains("has not ended"), "{words}");
        for other in [&["migrate"][..], &["backup", "run"]] {
            let (good, words) = said(&host, other).await;
            assert!(!good && words.contains("has not ended"), "{other:?}: {words}");
        }
        let (good, words) = said(&host, &command).await;
        assert!(!good && words.contains("Going on with what was begun"), "{words}");
        host.set("HOLDFAST_BACKUP__WORK_DIR", &vault.folder(&format!("work{n}")).display().to_string());
        let (good, words) = said(&host, &command).await;
        assert!(good && !words.contains("... database"), "{words}");
        assert!(!host.data_dir().join("restore-unfinished").exists());
        let running = host.start().await;
        assert!(search(&host, &base).await > 0);
        let (status, output) = running.stop().await;
        assert!(status.success(), "{output}");
    }
    cluster.drop_database(&database).await;
}

/// The rows are committed, and the power fails before that is written down.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_there_already_are_compared_and_not_loaded_twice() {
    let (cluster, vault) = (cluster().await, Vault::new());
    let site = Site::with(vault.settings());
    let running = site.start().await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    ok(&site, &["backup", "run"]).await;
    running.kill();
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let command = ["restore", "--from", &near, "--key-file", &key];
    let database = cluster.empty_database().await;
    let mut host = Site::with(vault.settings());
    host.set("HOLDFAST_DATABASE__URL", &cluster.url(&database));
    let blocked = vault.folder("blocked");
    fs::write(&blocked, "").unwrap();
    host.set("HOLDFAST_BACKUP__WORK_DIR", &blocked.display().to_string());
    assert!(!said(&host, &command).await.0);
    let mark = host.data_dir().join("restore-unfinished");
    let begun: Value = serde_json::from_slice(&fs::read(&mark).unwrap()).unwrap();
    // Compared, and before that was done.
    let uncompared = "UPDATE backups SET status = 'running', finished_at = NULL; DELETE FROM backup_copies";
    for sql in ["SELECT", uncompared] {
        let mut db = PgConnection::connect_with(&cluster.target(&database).admin).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        let mut unfinished = begun.clone();
        unfinished["parts"].as_array_mut().unwrap().insert(0, "database".into());
        fs::write(&mark, unfinished.to_string()).unwrap();
        let (good, words) = said(&host, &command).await;
        assert!(!good && words.contains("still to come: objects, vectors"), "{sql}: {words}");
    }
    host.set("HOLDFAST_BACKUP__WORK_DIR", &vault.folder("work").display().to_string());
    ok(&host, &command).await;
    // One that was not begun here is refused all the same.
    let (good, words) = said(&host, &[&command[..], &["--confirm", "x"]].concat()).await;
    assert!(!good && words.contains("tables: restore into an empty one"), "{words}");
    cluster.drop_database(&database).await;
}
