//! The file of monitors on a running appliance.

use std::{fs, path::Path};

use holdfast::uptime::file::Applied;
use serde_json::{Value, json};

use super::{
    manage::{MONITORS, id, make},
    watch::{Away, becomes, checks, connect, number, of_key, spans, story},
};
use crate::support::{
    app::{Client, TestApp},
    odd_target::{Answer, Http},
    wait::until,
};

const SHOP: &str =
    "[monitors.shop]\nname = 'Shop'\npaused = true\ngroup = 'web'\ntcp = { host = '127.0.0.1', port = 9 }\n";
const GROUP: &str = "[groups.web]\nname = 'Web'\n";

/// An appliance with a file, and where it is.
async fn start(text: &str) -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uptime.toml");
    fs::write(&file, text).unwrap();
    let named = ("HOLDFAST_UPTIME__MONITORS_FILE", file.to_str().unwrap());
    (TestApp::start_with(&[named, super::manage::OPEN]).await, folder)
}

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("uptime.toml"), text).unwrap();
}

async fn apply(app: &TestApp) -> Applied {
    app.app.uptime.apply_file(false, false).await.unwrap()
}

/// Of the installation, by key.
async fn found(admin: &Client, key: &str) -> Option<Value> {
    let all = admin.get(&format!("{MONITORS}?installation=true&limit=200")).await.expect(200);
    all["data"].as_array().unwrap().iter().find(|one| one["key"] == key).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_applied_by_itself_and_again_when_it_changes() {
    let (app, folder) = start(&format!("{GROUP}{SHOP}")).await;
    let admin = app.admin().await;
    until("the worker does not read the file", async || found(&admin, "shop").await.is_some()).await;
    let shop = found(&admin, "shop").await.unwrap();
    assert_eq!((&shop["managed_by"], &shop["name"]), (&json!("file"), &json!("Shop")));
    let state = admin.get("/api/v1/uptime/file").await.expect(200);
    assert_eq!((&state["is_applied"], &state["counts"]["created"]), (&json!(true), &json!(2)));
    write(folder.path(), &format!("{GROUP}{}", SHOP.replace("'Shop'", "'Store'")));
    until("a change is not seen", async || found(&admin, "shop").await.unwrap()["name"] == "Store").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_appears_after_the_start_is_applied() {
    let (mut away, folder) = (Away::new().await, tempfile::tempdir().unwrap());
    fs::write(folder.path().join("holdfast.toml"), "").unwrap();
    let mut site = away.site();
    site.set("HOLDFAST_CONFIG", folder.path().join("holdfast.toml").to_str().unwrap());
    let running = site.start().await;
    let alive = "SELECT count(*) FROM uptime_prober WHERE alive_at IS NOT NULL";
    until("nobody checks", async || number(&mut away.db, alive).await == 1).await;
    write(folder.path(), &format!("{GROUP}{SHOP}"));
    let shop = "SELECT count(*) FROM uptime_monitors WHERE key = 'shop' AND managed_by = 'file'";
    until("the new file is not read", async || number(&mut away.db, shop).await == 1).await;
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_names_every_line() {
    let (app, folder) = start(&format!("{GROUP}{SHOP}")).await;
    let admin = app.admin().await;
    assert!(apply(&app).await.problems.is_empty());
    write(
        folder.path(),
        "[groups.web]\nname = 'Other'\n[monitors.shop]\ntcp = { host = 'a', prot = 1 }\n[widnows.x]\n[monitors.new]\ninterval = 'often'\n",
    );
    let refused = apply(&app).await;
    assert!(!refused.applied && refused.changes.is_empty());
    let lines: Vec<usize> = refused.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines.len(), 3, "{:?}", refused.problems);
    assert!(refused.problems.iter().any(|problem| problem.setting == "widnows" && problem.problem.contains("windows")));
    assert_eq!(found(&admin, "shop").await.unwrap()["name"], "Shop");
    let groups = admin.get("/api/v1/uptime/groups?installation=true").await.expect(200);
    assert_eq!(groups["data"][0]["name"], "Web");
    let state = admin.get("/api/v1/uptime/file").await.expect(200);
    assert_eq!((&state["is_applied"], state["problems"].as_array().map(Vec::len)), (&json!(false), Some(3)));
    // What only the database knows is a problem, too.
    write(folder.path(), "[monitors.shop]\ntcp = { host = '127.0.0.1', port = 9 }\ngroup = 'none'\nparent = 'none'\n");
    assert_eq!(apply(&app).await.problems.len(), 1);
    fs::remove_file(folder.path().join("uptime.toml")).unwrap();
    assert!(apply(&app).await.problems[0].problem.contains("cannot be read"));
    assert!(found(&admin, "shop").await.is_some(), "a file that is gone removes nothing");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renaming_reordering_and_removing() {
    let other = "[monitors.other]\nparent = 'shop'\npaused = true\ntcp = { host = '127.0.0.1', port = 10 }\n";
    let (app, folder) = start(&format!("{GROUP}{other}{SHOP}")).await;
    let admin = app.admin().await;
    assert!(apply(&app).await.problems.is_empty());
    let shop = found(&admin, "shop").await.unwrap();
    assert_eq!(found(&admin, "other").await.unwrap()["parent_id"], shop["id"]);
    write(folder.path(), &format!("{SHOP}{other}{GROUP}"));
    let same = apply(&app).await;
    assert_eq!((same.counts.unchanged, same.counts.changed, same.counts.removed), (3, 0, 0), "{same:?}");
    // Another key is another monitor; the former keeps its history for a while.
    write(folder.path(), &format!("{GROUP}{}", SHOP.replace("monitors.shop", "monitors.store")));
    assert!(apply(&app).await.applied);
    assert_ne!(found(&admin, "store").await.unwrap()["id"], shop["id"]);
    assert!(found(&admin, "shop").await.is_none());
    let gone = admin.get(&format!("{MONITORS}?installation=true&removed=true")).await.expect(200);
    assert_eq!(gone["data"].as_array().unwrap().len(), 2);
    write(folder.path(), &format!("{GROUP}{SHOP}"));
    apply(&app).await;
    assert_eq!(found(&admin, "shop").await.unwrap()["id"], shop["id"], "it comes back with its history");
    write(folder.path(), "");
    assert_eq!(apply(&app).await.problems.len(), 1, "an empty file removes everything only if asked to");
    assert_eq!(app.app.uptime.apply_file(true, true).await.unwrap().counts.removed, 2, "a dry run says so");
    assert!(found(&admin, "shop").await.is_some());
    assert!(app.app.uptime.apply_file(false, true).await.unwrap().applied);
    assert!(found(&admin, "shop").await.is_none());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_refuses_edits_and_a_key_by_hand_is_adopted() {
    let (app, folder) = start(&format!("{GROUP}{SHOP}")).await;
    let admin = app.admin().await;
    apply(&app).await;
    let path = format!("{MONITORS}/{}", id(&found(&admin, "shop").await.unwrap()));
    admin.patch(&path, &json!({"name": "x"})).await.problem(409, "managed");
    admin.delete(&path).await.problem(409, "managed");
    // Pausing is operation: a reload leaves it alone.
    admin.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    write(folder.path(), &format!("{GROUP}{}", SHOP.replace("'Shop'", "'Store'")));
    apply(&app).await;
    let detail = admin.get(&path).await.expect(200);
    assert_eq!((&detail["name"], &detail["paused_at"]), (&json!("Store"), &Value::Null));

    let by_hand = json!({"name": "Hand", "spec": {"kind": "tcp", "host": "127.0.0.1", "port": 9}, "paused": true, "installation": true});
    let hand = admin.post(MONITORS, &by_hand).await.expect(201);
    write(folder.path(), &format!("{GROUP}{SHOP}{}", SHOP.replace("monitors.shop", "monitors.hand")));
    let refused = apply(&app).await;
    assert!(refused.problems.len() == 1 && refused.problems[0].problem.starts_with("taken_by_hand"), "{refused:?}");
    assert_eq!(app.app.uptime.adopt("hand").await.unwrap(), ["monitors"]);
    assert!(apply(&app).await.applied);
    assert_eq!(found(&admin, "hand").await.unwrap()["id"], hand["id"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_can_be_an_organisations() {
    let (app, folder) = start(&format!("{GROUP}{SHOP}")).await;
    let admin = app.admin().await;
    let rival = app.other_org("rival").await;
    write(folder.path(), &format!("organisation = 'rival'\n{GROUP}{SHOP}"));
    assert!(apply(&app).await.applied);
    assert_eq!(rival.get(MONITORS).await.expect(200)["data"].as_array().unwrap().len(), 1);
    assert!(found(&admin, "shop").await.is_none(), "what it managed before is removed");
    write(folder.path(), &format!("organisation = 'nobody'\n{GROUP}{SHOP}"));
    assert_eq!(apply(&app).await.problems[0].setting, "organisation");
    let _ = make(&admin, "Own").await;
    app.stop().await;
}

/// The example that is shipped, with all of its rooms' tables. Its monitors are paused: nothing is asked of hosts that do not exist.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_file_is_read() {
    let example = fs::read_to_string(format!("{}/config/uptime.toml.example", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let is_monitor = |line: &str| {
        line.strip_prefix("[monitors.").and_then(|rest| rest.strip_suffix(']')).is_some_and(|key| !key.contains('.'))
    };
    let lines = example.lines().filter(|line| !line.starts_with("paused = "));
    let paused: Vec<String> =
        lines.map(|line| if is_monitor(line) { format!("{line}\npaused = true") } else { line.to_owned() }).collect();
    let (app, folder) = start("").await;
    let admin = app.admin().await;
    write(folder.path(), &paused.join("\n"));
    let dry = app.app.uptime.apply_file(true, false).await.unwrap();
    assert!(dry.problems.is_empty(), "{:?}", dry.problems);
    // The worker may have read it already.
    let all = dry.counts.created + dry.counts.unchanged;
    assert!(all > 15, "{:?}", dry.counts);
    until("it is not applied", async || found(&admin, "shop-home").await.is_some()).await;
    for (key, kind) in [
        ("edge-router", "icmp"),
        ("shop-home", "http"),
        ("checkout", "flow"),
        ("nightly-backup", "heartbeat"),
        ("domain", "domain"),
    ] {
        let one = found(&admin, key).await.unwrap();
        assert_eq!((&one["kind"], &one["managed_by"]), (&json!(kind), &json!("file")), "{key}");
    }
    assert_eq!(
        found(&admin, "shop-home").await.unwrap()["parent_id"],
        found(&admin, "edge-router").await.unwrap()["id"]
    );
    for (path, key) in
        [("incident-components", "shop"), ("incident-channels", "ops-mail"), ("incident-rules", "critical")]
    {
        let listed = admin.get(&format!("/api/v1/{path}?installation=true&limit=200")).await.expect(200);
        assert!(listed["data"].as_array().unwrap().iter().any(|one| one["key"] == key), "{path}: {listed}");
    }
    // Another digest, and the same things.
    write(folder.path(), &format!("{}\n# the same\n", paused.join("\n")));
    let again = apply(&app).await;
    assert!(again.applied && again.problems.is_empty(), "{:?}", again.problems);
    assert_eq!((again.counts.created, again.counts.changed, again.counts.removed), (0, 0, 0), "{again:?}");
    assert_eq!(again.counts.unchanged, all);
    app.stop().await;
}

/// As Prometheus and Alertmanager must not after a reload.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_does_not_tell_again() {
    let target = Http::start().await;
    let text = |name: &str, interval: &str, retries: u8| {
        format!(
            "[monitors.shop]\nname = '{name}'\ninterval = '{interval}'\ntimeout = '2s'\nretries = {retries}\nhttp = {{ url = '{}' }}\n",
            target.url("/")
        )
    };
    let (app, folder) = start(&text("Shop", "10s", 0)).await;
    let admin = app.admin().await;
    let mut db = connect(&app.target().admin).await;
    until("the worker does not read the file", async || found(&admin, "shop").await.is_some()).await;
    let monitor = of_key(&mut db, "shop").await;
    becomes(&mut db, monitor, "up").await;
    target.answer(|_| Answer::status(500));
    becomes(&mut db, monitor, "down").await;
    let before = spans(&mut db, monitor).await;
    // Everything but what is asked: each change is seen by the prober, and the next check finds it down still.
    for (name, interval, retries) in [("Store", "10s", 0), ("Store", "11s", 0), ("Store", "11s", 3)] {
        write(folder.path(), &text(name, interval, retries));
        apply(&app).await;
        let asked = checks(&mut db, monitor).await;
        until("it is not checked after the reload", async || checks(&mut db, monitor).await > asked).await;
    }
    assert_eq!(spans(&mut db, monitor).await, before, "the outage goes on as it was");
    let told = "SELECT count(*) FROM events WHERE topic = 'uptime.monitor.down' AND payload->>'key' = 'shop'";
    assert_eq!(number(&mut db, told).await, 1);
    target.answer(|_| Answer::ok("well"));
    becomes(&mut db, monitor, "up").await;
    assert_eq!(story(&spans(&mut db, monitor).await), ["up", "down!", "up!"]);
    assert_eq!(number(&mut db, &told.replace(".down", ".up")).await, 1);
    app.stop().await;
}
