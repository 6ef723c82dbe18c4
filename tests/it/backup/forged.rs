//! A destination that somebody else has written to: whoever has the public key of a backup can seal another one for it.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdfast::{
    backup::Identity,
    platform::crypto::{self, MasterKey, SigningKey, sha256_hex},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::restores::{newest, ok, said};
use crate::support::{
    cluster::binaries,
    process::Site,
    vault::{Vault, copy_folder},
};

/// What a sealed file of a destination holds.
pub fn opened(folder: &Path, name: &str, key: &Identity) -> Vec<u8> {
    let sealed = fs::read(folder.join("blobs").join(&name[..2]).join(name)).unwrap();
    let identity = age::x25519::Identity::from_str(key.secret().expose_secret()).unwrap();
    zstd::decode_all(age::decrypt(&identity, &sealed).unwrap().as_slice()).unwrap()
}

/// Puts a sealed file of this content to a destination. Returns what a manifest says of it.
fn seal(folder: &Path, plain: &[u8], recipient: &str) -> Value {
    let recipient = age::x25519::Recipient::from_str(recipient).unwrap();
    let sealed = age::encrypt(&recipient, &zstd::encode_all(plain, 1).unwrap()).unwrap();
    let content = crypto::hex(&crypto::random_bytes::<32>());
    let name = format!("{content}.{}.{}", sha256_hex(&sealed), sealed.len());
    fs::create_dir_all(folder.join("blobs").join(&name[..2])).unwrap();
    fs::write(folder.join("blobs").join(&name[..2]).join(&name), &sealed).unwrap();
    json!({"name": name, "sha256": sha256_hex(plain), "size": plain.len()})
}

/// Reads a backup's manifest.
pub fn manifest(folder: &Path, id: &str) -> Value {
    let envelope: Value =
        serde_json::from_slice(&fs::read(folder.join(format!("backups/{id}/manifest.json"))).unwrap()).unwrap();
    serde_json::from_str(envelope["manifest"].as_str().unwrap()).unwrap()
}

/// Puts a manifest in the place of a backup's, signed.
pub fn sign(folder: &Path, id: &str, manifest: &Value, key: &SigningKey) {
    let text = manifest.to_string();
    let envelope = json!({
        "signature": STANDARD.encode(key.sign(text.as_bytes())),
        "public_key": STANDARD.encode(key.public()),
        "manifest": text,
    });
    fs::write(folder.join(format!("backups/{id}/manifest.json")), envelope.to_string()).unwrap();
}

/// The key that an installation signs with.
pub fn signing_key(data_dir: &Path) -> SigningKey {
    MasterKey::load(&data_dir.join("secrets/master.key"), false).unwrap().signing_key("backup.manifest").unwrap()
}

/// Adds a file of the configuration to a backup, under a name that leads out of every folder.
fn add_settings(folder: &Path, id: &str, key: &SigningKey, keys: &Identity, file: &Path) {
    let mut manifest = manifest(folder, id);
    let settings = opened(folder, manifest["settings"]["name"].as_str().unwrap(), keys);
    let mut settings: Value = serde_json::from_slice(&settings).unwrap();
    let name = format!("{}{}", "../".repeat(12), file.strip_prefix("/").unwrap().display());
    settings["files"][name] = json!(STANDARD.encode("whatever an attacker likes\n"));
    manifest["settings"] = seal(folder, settings.to_string().as_bytes(), &keys.recipient());
    sign(folder, id, &manifest, key);
}

fn host() -> Site {
    let mut host = Site::new();
    host.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_put_to_the_destination_is_neither_believed_nor_written() {
    let (vault, pass) = (Vault::new(), "a ladder leans against the granary\n");
    let (near, far, key) = (vault.folder("near"), vault.folder("far"), vault.key_file().display().to_string());
    let passphrase = vault.folder("passphrase").display().to_string();
    fs::write(&passphrase, pass).unwrap();
    let identity = vault.keys().identities.remove(0);
    let outside = |name: &str| -> PathBuf { vault.folder(name) };

    // Ours, with the key left there; theirs, sealed for our public key, and younger.
    let site = Site::with(vault.settings());
    let running = site.start().await;
    ok(&site, &["backup", "run"]).await;
    ok(&site, &["backup", "keys", "wrap", "--key-file", &key, "--passphrase-file", &passphrase]).await;
    let ours = newest(&site).await;
    let mut theirs = Site::with(vault.settings());
    theirs.set("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", &far.display().to_string());
    let other = theirs.start().await;
    ok(&theirs, &["backup", "run"]).await;
    let forged = newest(&theirs).await;
    other.kill();
    add_settings(&far, &forged, &signing_key(&theirs.data_dir()), &identity, &outside("pwned"));
    copy_folder(&near.join("keys"), &far.join("keys"));
    let far = far.display().to_string();
    let empty = host();
    let (good, words) =
        said(&empty, &["restore", "--from", &far, "--passphrase-file", &passphrase, "--backup", &forged]).await;
    assert!(!outside("pwned").exists(), "written by whoever could write to the destination: {words}");
    assert!(!good && words.contains("of another installation"), "{words}");
    let (good, words) = said(&empty, &["restore", "--from", &far, "--passphrase-file", &passphrase]).await;
    assert!(!good && words.contains("only backups of other installations"), "{words}");

    // A key that names nobody: whom to trust must be said, and nobody else is.
    let (good, words) = said(&empty, &["restore", "--from", &far, "--key-file", &key]).await;
    assert!(!good && words.contains("--trust-signer") && !empty.data_dir().join("secrets").exists(), "{words}");
    let (good, words) = said(&empty, &["restore", "--from", &far, "--key-file", &key, "--plan"]).await;
    assert!(good && words.contains("--trust-signer"), "{words}");
    let ours_signs = STANDARD.encode(signing_key(&site.data_dir()).public());
    let with = ["restore", "--from", &far, "--key-file", &key, "--trust-signer", &ours_signs, "--plan"];
    let (good, words) = said(&empty, &with).await;
    assert!(!good && words.contains("only backups of other installations"), "{words}");

    // Ours, made by a version that kept the paths of the configuration as they were typed: everything but that file comes back.
    add_settings(&near, &ours, &signing_key(&site.data_dir()), &identity, &outside("typed"));
    let near = near.display().to_string();
    let with = ["restore", "--from", &near, "--key-file", &key, "--trust-signer", &ours_signs];
    let (good, words) = said(&empty, &with).await;
    assert!(!outside("typed").exists(), "{words}");
    assert!(!good && words.contains("REFUSED") && words.contains("pass  database.reachable"), "{words}");
    running.kill();
    let started = empty.start().await;
    empty.admin().await.get("/api/v1/knowledge-bases").await.expect(200);
    started.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_comes_back_below_the_data_directory_whatever_it_was_called() {
    let vault = Vault::new();
    let deep = vault.folder("w/a");
    fs::create_dir_all(&deep).unwrap();
    let file = vault.folder("holdfast.toml");
    fs::write(&file, "[server]\nmax_connections = 777\n").unwrap();
    let mut site = Site::with(vault.settings());
    site.set("HOLDFAST_AGENTS__MAX_MESSAGES", "77");
    let running = site.start().await;
    ok(&site, &["backup", "keys", "adopt"]).await;
    let made = site.run_in(&deep, &["--config", "../../holdfast.toml", "backup", "run"]).await;
    assert!(made.status.success(), "{made:?}");
    running.kill();
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let empty = host();
    let (good, words) = said(&empty, &["restore", "--from", &near, "--key-file", &key]).await;
    let escaped = empty.data_dir().parent().unwrap().join("holdfast.toml");
    assert!(!escaped.exists(), "written beside the data directory: {words}");
    assert!(good, "{words}");
    let settings = empty.data_dir().join("restored-settings");
    let there = settings.join(fs::canonicalize(&file).unwrap().strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(there).unwrap(), "[server]\nmax_connections = 777\n");
    // What came by the environment, too, for its owner alone.
    let environment = settings.join("environment.env");
    let text = fs::read_to_string(&environment).unwrap();
    assert!(text.contains("HOLDFAST_AGENTS__MAX_MESSAGES='77'\n"), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(environment).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}
