//! A virus scanner: what it finds cannot be read any more, what it did not look at is never called clean.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use holdfast::platform::http::Role;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    super::{bucket, path, put},
    metric, owner,
};
use crate::support::{app::TestApp, wait::until};

/// The test file of the industry, which no scanner takes for anything else. In two halves: this source is none.
fn eicar() -> String {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// Speaks clamd's protocol. It finds the test file, and is silent for as long as it is told to be.
struct Clamd {
    address: String,
    away: Arc<Mutex<bool>>,
    /// Sizes of what it has looked at.
    looked: Arc<Mutex<VecDeque<usize>>>,
}

impl Clamd {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        let (away, looked) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(VecDeque::new())));
        let (is_away, seen) = (away.clone(), looked.clone());
        tokio::spawn(async move {
            while let Ok((wire, _)) = listener.accept().await {
                if !*is_away.lock().unwrap() {
                    tokio::spawn(Self::answer(wire, seen.clone()));
                }
            }
        });
        Self { address, away, looked }
    }

    async fn answer(mut wire: TcpStream, looked: Arc<Mutex<VecDeque<usize>>>) -> Option<()> {
        let mut command = Vec::new();
        while command.last() != Some(&0) {
            command.push(wire.read_u8().await.ok()?);
        }
        if command != b"zINSTREAM\0" {
            return wire.write_all(b"ClamAV 1.4.1/27000/Mon Nov 30 08:00:00 2026\0").await.ok();
        }
        let mut content = Vec::new();
        loop {
            let length = wire.read_u32().await.ok()? as usize;
            if length == 0 {
                break;
            }
            let begin = content.len();
            content.resize(begin + length, 0);
            wire.read_exact(&mut content[begin..]).await.ok()?;
        }
        looked.lock().unwrap().push_back(content.len());
        let found = content.windows(eicar().len()).any(|part| part == eicar().as_bytes());
        let answer: &[u8] = if found { b"stream: Eicar-Test-Signature FOUND\0" } else { b"stream: OK\0" };
        wire.write_all(answer).await.ok()
    }

    fn looked(&self) -> Vec<usize> {
        self.looked.lock().unwrap().iter().copied().collect()
    }
}

async fn states(app: &TestApp, key: &str) -> Vec<(String, String)> {
    sqlx::query_as("SELECT scan, scan_note FROM files_objects WHERE key = $1 ORDER BY id")
        .bind(key)
        .fetch_all(&mut owner(app).await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn eicar_is_quarantined() {
    let clamd = Clamd::start().await;
    let app = TestApp::start_with(&[("HOLDFAST_FILES__CLAMD", &clamd.address)]).await;
    let admin = app.admin().await;
    bucket(&admin, "scanned").await;
    put(&admin, "scanned", "good.txt", "good").await.expect(201);
    put(&admin, "scanned", "bad.txt", eicar()).await.expect(201);
    put(&admin, "scanned", "copy.txt", eicar()).await.expect(201);
    until("the scanner looks at nothing", async || {
        states(&app, "good.txt").await[0].0 == "clean" && states(&app, "bad.txt").await[0].0 == "infected"
    })
    .await;
    // Every version with the same content.
    until("a copy stays readable", async || states(&app, "copy.txt").await[0].0 == "infected").await;
    assert_eq!(states(&app, "bad.txt").await[0].1, "Eicar-Test-Signature");
    admin.get(&path("scanned", "bad.txt")).await.problem(403, "quarantined");
    admin.get(&path("scanned", "copy.txt")).await.problem(403, "quarantined");
    assert_eq!(admin.get(&path("scanned", "good.txt")).await.text, "good");
    // Administrators may have it, as a file.
    let raw = "/files/b/scanned/object/raw?key=bad.txt&quarantined=1";
    let kept = admin.get(raw).await;
    assert!(kept.status == 200 && kept.text == eicar(), "{}", kept.status);
    assert_eq!(kept.headers["content-type"], "application/octet-stream");
    let member = app.person("default", Role::Member).await;
    assert_eq!(member.get(raw).await.status, 403);
    until("nobody is told", async || metric(&app, "scans_total{outcome=\"infected\"}") >= Some(1.0)).await;
    // What is known to be clean is not looked at again.
    let before = clamd.looked().len();
    put(&admin, "scanned", "again.txt", "good").await.expect(201);
    until("a known content waits", async || states(&app, "again.txt").await[0].0 == "clean").await;
    assert_eq!(clamd.looked().len(), before);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_for_the_scanner_is_never_clean() {
    let clamd = Clamd::start().await;
    let settings = [("HOLDFAST_FILES__CLAMD", clamd.address.as_str()), ("HOLDFAST_FILES__CLAMD_MAX_MIB", "1")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    bucket(&admin, "large").await;
    put(&admin, "large", "large", vec![1_u8; (1 << 20) + 1]).await.expect(201);
    until("it waits for ever", async || states(&app, "large").await[0].0 == "unscanned").await;
    assert!(states(&app, "large").await[0].1.contains("larger"), "it says why");
    assert!(clamd.looked().is_empty(), "nothing of it was sent");
    // Where files are read before the scan it can be read, elsewhere it cannot.
    assert_eq!(admin.get(&path("large", "large")).await.status, 200);
    admin.patch("/api/v1/buckets/large", &json!({"scan": "before"})).await.expect(200);
    admin.get(&path("large", "large")).await.problem(409, "not_scanned");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_is_away_leaves_files_waiting() {
    let clamd = Clamd::start().await;
    *clamd.away.lock().unwrap() = true;
    let settings = [("HOLDFAST_FILES__CLAMD", clamd.address.as_str()), ("HOLDFAST_FILES__SCAN", "before")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    bucket(&admin, "waits").await;
    put(&admin, "waits", "a", "content").await.expect(201);
    admin.get(&path("waits", "a")).await.problem(409, "not_scanned");
    until("its failure is not counted", async || metric(&app, "scans_total{outcome=\"failed\"}") >= Some(1.0)).await;
    assert_eq!(states(&app, "a").await[0].0, "pending", "nothing is called clean");
    *clamd.away.lock().unwrap() = false;
    until("it is never scanned", async || states(&app, "a").await[0].0 == "clean").await;
    assert_eq!(admin.get(&path("waits", "a")).await.text, "content");
    app.stop().await;
}
