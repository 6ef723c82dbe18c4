//! What a support bundle holds, and above all what it does not.

use std::{fs, io::Read as _};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::support::{
    cluster::is_bare,
    documents::{add_document, make_base, wait_for_document},
    process::Site,
};

/// Stand where secrets and people's texts stand.
const CANARIES: [&str; 7] = [
    "canary-provider-key-5512",
    "canary-alert-token-7781",
    "whsec_Y2FuYXJ5LWhvb2stc2VjcmV0LTMzNDktMDEyMzQ1Njc4OQ==",
    "canary-loki-password-0917",
    "canaryword",
    "canary-question",
    "canary-basename",
];

fn unpacked(path: &std::path::Path) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let read = |name: String| {
        let mut text = String::new();
        zip.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_what_is_listed_and_nothing_of_anybodys() {
    let mut site = Site::new();
    site.set("HOLDFAST_LLM__PROVIDERS__ONE__BASE_URL", "http://127.0.0.1:9/v1");
    site.set("HOLDFAST_LLM__PROVIDERS__ONE__API_KEY", CANARIES[0]);
    site.set("HOLDFAST_ALERTING__TOKEN", CANARIES[1]);
    site.set("HOLDFAST_ALERTING__WEBHOOKS__OPS__URL", "http://127.0.0.1:9/hook");
    site.set("HOLDFAST_ALERTING__WEBHOOKS__OPS__SECRET", CANARIES[2]);
    site.set("HOLDFAST_TELEMETRY__LOKI_URL", "http://127.0.0.1:9");
    site.set("HOLDFAST_TELEMETRY__LOKI_USER", "holdfast");
    site.set("HOLDFAST_TELEMETRY__LOKI_PASSWORD", CANARIES[3]);
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, CANARIES[6]).await;
    let id = add_document(&admin, &base, "canaryword.md", b"# Birds\n\nThe canaryword sings.\n").await;
    wait_for_document(&admin, &base, &id).await;
    let agent = admin.post("/api/v1/agents", &json!({"name": "A", "knowledge_bases": [base]})).await.expect(201);
    let path = format!("/api/v1/agents/{}/conversations", agent["id"].as_str().unwrap());
    let made = admin.post(&path, &json!({})).await.expect(201);
    let messages = format!("{path}/{}/messages", made["id"].as_str().unwrap());
    admin.post(&messages, &json!({"content": CANARIES[5]})).await;

    // Somebody else's work on the same server.
    let sql = "SELECT 1 AS sights_of_the_neighbour";
    let theirs = site.run(&["psql", "--database", "postgres", "-c", sql]).await;
    assert!(theirs.status.success(), "{theirs:?}");

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle.zip");
    let output = site.run(&["support-bundle", "--out", out.to_str().unwrap()]).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("only you can read it"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&out).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let files = unpacked(&out);
    let text = |name: &str| &files.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}")).1;
    assert!(text("config.toml").contains("[llm.providers.one]") && text("versions.txt").contains("holdfast "));
    assert!(
        text("doctor.json").contains("database.reachable") && text("metrics.txt").contains("holdfast_database_up 1")
    );
    assert!(text("jobs.json").contains("knowledge.extract") && text("tables.json").contains("knowledge_chunks"));
    assert!(text("log.jsonl").contains("\"level\"") && text("schema.json").contains("\"missing\": []"));
    assert!(text("disk.txt").contains("objects") && text("server.json").contains("shared_buffers"));
    // The private server counts statements, in a database beside ours; what others ran there is none of ours.
    let statements = text("statements.json");
    let counted = !is_bare().await;
    assert!(!counted || statements.contains("jobs") && !statements.contains("sights_of_the_neighbour"), "{statements}");
    for (name, text) in &files {
        for canary in CANARIES {
            assert!(!text.contains(canary), "{canary} is in {name}");
        }
        assert!(!text.contains(crate::support::app::ADMIN_PASSWORD), "the admin's password is in {name}");
        assert!(!text.starts_with("unavailable") || !counted && name == "statements.json", "{name}: {text}");
    }
    // A preview is the same, and leaves no file; a file that is there is not written over.
    let preview = site.run_in(folder.path(), &["support-bundle", "--preview"]).await;
    let preview = String::from_utf8_lossy(&preview.stdout).into_owned();
    assert!(files.iter().all(|(name, _)| preview.contains(&format!("===== {name} "))), "{preview}");
    assert!(!site.run(&["support-bundle", "--out", out.to_str().unwrap()]).await.status.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // With a database that does not answer, everything else is there.
    let postmaster = site.postmaster().unwrap();
    kill_process(postmaster, Signal::STOP).unwrap();
    let down = folder.path().join("down.zip");
    let began = std::time::Instant::now();
    let output = site.run(&["support-bundle", "--out", down.to_str().unwrap()]).await;
    kill_process(postmaster, Signal::CONT).unwrap();
    assert!(began.elapsed().as_secs() < 80, "somebody waits for it at night: {:?}", began.elapsed());
    assert!(output.status.success(), "{output:?}");
    let files = unpacked(&down);
    for (name, text) in &files {
        let lost = text.starts_with("unavailable");
        let of_database = ["tables", "jobs", "activity", "server", "statements", "backups", "schema", "doctor"];
        assert!(!lost || of_database.iter().any(|part| name.starts_with(part)), "{name}: {text}");
    }
    running.kill();
}
