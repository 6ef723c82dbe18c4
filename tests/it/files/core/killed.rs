//! The real program is killed at moments that nobody has chosen, and its disk is full: what was acknowledged is there, whole, and nothing else is half
//! there.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use holdfast::platform::crypto::{random_below, sha256_hex};
use reqwest::Method;
use tokio::time::sleep;

use super::super::{bucket, page, path, put};
use crate::support::{app::Client, disk::Disk, process::Site};

/// What a key may have: what was acknowledged last, and what was sent since, of which nobody knows.
#[derive(Clone, Debug, Default)]
struct Sent {
    acknowledged: Option<String>,
    unknown: Vec<String>,
}

type Ledger = Arc<Mutex<BTreeMap<String, Sent>>>;

/// Writes over a few keys until the server is gone.
async fn write_until_gone(client: Client, ledger: Ledger, writer: usize) {
    for n in 0.. {
        let key = format!("{writer}/{}", n % 3);
        // Below and above what is written in one call, and several pieces of a blob.
        let size = [10, 70_000, 6_000_000][random_below(3)];
        let content = format!("{writer} {n} ").repeat(size / 8 + 1);
        let hash = sha256_hex(&content);
        ledger.lock().unwrap().entry(key.clone()).or_default().unknown.push(hash.clone());
        let request = client.request(Method::PUT, &path("killed", &key)).body(content);
        let Ok(answer) = request.send().await else { return };
        if answer.status().is_success() {
            let sent = Sent { acknowledged: Some(hash), unknown: Vec::new() };
            ledger.lock().unwrap().insert(key, sent);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_is_half_there() {
    let mut site = Site::new();
    for name in ["HOLDFAST_SERVER__REQUEST_BURST", "HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST"] {
        site.set(name, "1000000");
    }
    site.set("HOLDFAST_FILES__BLOB_MIB", "2");
    let ledger = Ledger::default();
    for round in 0..8 {
        let running = site.start().await;
        let admin = site.admin().await;
        if round == 0 {
            bucket(&admin, "killed").await;
        }
        let written = ledger.lock().unwrap().clone();
        for (key, sent) in written {
            let read = admin.request(Method::GET, &path("killed", &key)).send().await.unwrap();
            let found = match read.status().as_u16() {
                200 => Some(sha256_hex(read.bytes().await.unwrap())),
                404 => None,
                status => panic!("{key}: {status}\n{}", running.output()),
            };
            let known = match &found {
                Some(hash) => sent.acknowledged.as_ref() == Some(hash) || sent.unknown.contains(hash),
                None => sent.acknowledged.is_none(),
            };
            assert!(known, "round {round}, {key}: {found:?} is none of {sent:?}");
            // From here on that is what it has.
            ledger.lock().unwrap().insert(key, Sent { acknowledged: found, unknown: Vec::new() });
        }
        let writers = (0..4).map(|n| tokio::spawn(write_until_gone(admin.clone(), ledger.clone(), n)));
        let writers: Vec<_> = writers.collect();
        // Somewhere in the middle of it.
        sleep(Duration::from_millis(u64::try_from(300 + random_below(1500)).unwrap())).await;
        running.kill();
        for writer in writers {
            writer.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_507_and_the_service_goes_on() {
    let (site, disk) = (Site::new(), Disk::new(64));
    fs::create_dir_all(site.data_dir()).unwrap();
    std::os::unix::fs::symlink(disk.path(), site.data_dir().join("objects")).unwrap();
    let running = site.start().await;
    let admin = site.admin().await;
    bucket(&admin, "full").await;
    put(&admin, "full", "before", "is there").await.expect(201);
    disk.fill(0);
    put(&admin, "full", "small", "x").await.problem(507, "disk_full");
    disk.relieve();
    disk.fill(2 << 20);
    put(&admin, "full", "large", vec![1_u8; 4 << 20]).await.problem(507, "disk_full");
    assert_eq!(page(&admin, "full", "").await.0, ["before"], "nothing partial is shown");
    assert_eq!(admin.get(&path("full", "before")).await.text, "is there");
    disk.relieve();
    put(&admin, "full", "large", vec![1_u8; 4 << 20]).await.expect(201);
    disk.fill(0);
    // Deleting needs no room: what is deleted makes it.
    admin.delete(&path("full", "large")).await.expect(204);
    disk.relieve();
    put(&admin, "full", "small", "x").await.expect(201);
    let left: Vec<_> = unfinished(disk.path());
    assert!(left.is_empty(), "{left:?}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

fn unfinished(dir: &std::path::Path) -> Vec<String> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { unfinished(&path) } else { vec![path.display().to_string()] })
        .filter(|path| path.contains('#'))
        .collect()
}
