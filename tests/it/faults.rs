//! What must not be lost: the database goes away, the process is killed, somebody presses Ctrl-C too early.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use chrono::TimeDelta;
use holdfast::platform::crypto::random_bytes;
use reqwest::header;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    knowledge::document,
    support::{
        app::{Answer, Client, TestApp},
        cluster::{PATIENCE, terminate_sessions},
        disk::Disk,
        documents::{add_document, files, fixture, make_base, send_file, wait_for_document},
        process::Site,
    },
};

/// An answer while the database may be away: a success, or 503 that says when to come back.
#[track_caller]
fn ok_or_come_back(answer: &Answer) -> bool {
    if answer.status.as_u16() == 503 {
        assert!(answer.headers.contains_key(header::RETRY_AFTER), "503 without Retry-After: {}", answer.text);
        return false;
    }
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.text);
    true
}

/// Who is told to come back does not ask again at once: that would end at the limit on requests.
async fn a_moment() {
    sleep(Duration::from_millis(50)).await;
}

/// Asks in a conversation of its own; what was acknowledged must be there later.
async fn chat(client: &Client, agent: &str) -> Option<String> {
    let path = format!("/api/v1/agents/{agent}/conversations");
    let made = client.post(&path, &json!({})).await;
    if !ok_or_come_back(&made) {
        a_moment().await;
        return None;
    }
    let conversation = format!("{path}/{}", made.json()["id"].as_str().unwrap());
    let answer = client.post(&format!("{conversation}/messages"), &json!({"content": "How long is the weir?"})).await;
    ok_or_come_back(&answer).then_some(conversation)
}

fn page(n: usize) -> String {
    let text = format!("The weir number {n} is {n}00 metres long and was built by the heron's keepers. ");
    format!("# Weir {n}\n\n{}\n", (0..120).map(|p| format!("{text}Paragraph {p}.\n\n")).collect::<String>())
}

async fn make_agent(client: &Client, base: &str) -> String {
    let agent = client.post("/api/v1/agents", &json!({"name": "Weirs", "knowledge_bases": [base]})).await.expect(201);
    agent["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_database_ends_cost_a_retry_and_nothing_else() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Weirs").await;
    let agent = make_agent(&admin, &base).await;
    let mut documents = Vec::new();
    for n in 0..3 {
        documents.push(add_document(&admin, &base, &format!("weir-{n}.md"), page(n).as_bytes()).await);
    }
    let storm = async {
        for _ in 0..12 {
            sleep(Duration::from_secs(1)).await;
            terminate_sessions(app.target()).await;
        }
    };
    let mut kept = Vec::new();
    let load = async {
        loop {
            kept.extend(chat(&admin, &agent).await);
        }
    };
    tokio::select! { () = storm => {}, () = load => {} }
    let since = Instant::now();
    while !ok_or_come_back(&admin.get("/api/v1/agents").await) {
        assert!(since.elapsed() < Duration::from_secs(5), "not back within 5 s");
        a_moment().await;
    }
    assert!(!kept.is_empty(), "nothing was answered between the terminations");
    for conversation in &kept {
        let messages = timeout(PATIENCE, async {
            loop {
                let answer = admin.get(conversation).await;
                if ok_or_come_back(&answer) {
                    return answer.json()["messages"].clone();
                }
                a_moment().await;
            }
        });
        assert_eq!(messages.await.unwrap().as_array().unwrap().len(), 2, "an acknowledged answer is gone");
    }
    for id in &documents {
        let document = wait_for_document(&admin, &base, id).await;
        assert_eq!(document["status"], "ready", "{document}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgresql_is_survived() {
    let site = Site::new();
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, "Weirs").await;
    let agent = make_agent(&admin, &base).await;
    let first = add_document(&admin, &base, "first.md", page(0).as_bytes()).await;
    wait_for_document(&admin, &base, &first).await;
    let mut kept = vec![chat(&admin, &agent).await.expect("an answer")];
    // A restart, and a crash, after which the server first replays its log.
    for (round, (signal, seconds)) in [(Signal::INT, 5), (Signal::KILL, 10)].into_iter().enumerate() {
        let name = format!("second-{round}.md");
        let second = add_document(&admin, &base, &name, page(round + 1).as_bytes()).await;
        sleep(Duration::from_millis(100)).await;
        let before = site.postmaster().expect("a postmaster");
        kill_process(before, signal).unwrap();
        let (gone, mut away) = (Instant::now(), false);
        loop {
            let ok = ok_or_come_back(&admin.get("/api/v1/agents").await);
            away |= !ok;
            if ok && away && site.postmaster().is_some_and(|now| now != before) {
                break;
            }
            let waited = gone.elapsed();
            assert!(
                waited < Duration::from_secs(seconds),
                "{signal:?}: not back after {waited:?}:\n{}",
                running.output()
            );
            sleep(Duration::from_millis(10)).await;
        }
        let answered = timeout(PATIENCE, async {
            loop {
                if let Some(conversation) = chat(&admin, &agent).await {
                    return conversation;
                }
            }
        });
        kept.push(answered.await.expect("an answer"));
        assert_eq!(wait_for_document(&admin, &base, &second).await["status"], "ready");
    }
    for conversation in &kept {
        assert_eq!(admin.get(conversation).await.expect(200)["messages"].as_array().unwrap().len(), 2);
    }
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_finish_although_the_process_is_killed() {
    let site = Site::new();
    let mut running = site.start().await;
    let mut admin = site.admin().await;
    let base = make_base(&admin, "Weirs").await;
    let mut documents = Vec::new();
    for round in 0..3 {
        for (name, content) in [
            (format!("page-{round}.md"), page(round).into_bytes()),
            (
                format!("report-{round}.docx"),
                fixture(["report.en.docx", "report.ru.docx", "libreoffice.en.docx"][round]),
            ),
            (
                format!("paper-{round}.pdf"),
                fixture(["chromium.en.pdf", "libreoffice.ru.pdf", "latex-two-columns.pdf"][round]),
            ),
        ] {
            documents.push(add_document(&admin, &base, &name, &content).await);
        }
        let [moment] = random_bytes::<1>();
        sleep(Duration::from_millis(u64::from(moment) * 8)).await;
        running.kill();
        running = site.start().await;
        admin = site.admin().await;
    }
    for id in &documents {
        let document = wait_for_document(&admin, &base, id).await;
        assert_eq!(document["status"], "ready", "{document}");
    }
    let found = admin
        .post(&format!("/api/v1/knowledge-bases/{base}/search"), &json!({"query": "weir number 2"}))
        .await
        .expect(200);
    assert!(!found["results"].as_array().unwrap().is_empty());
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
    assert_eq!(site.processes(), Vec::<String>::new(), "something still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_time_password_is_shown_once_and_everything_is_kept() {
    let site = Site::without_admin();
    let running = site.start().await;
    let beside = site.run(&["doctor", "--json"]).await;
    assert!(
        beside.status.success(),
        "{}{}",
        String::from_utf8_lossy(&beside.stdout),
        String::from_utf8_lossy(&beside.stderr)
    );
    let reports: Value = serde_json::from_slice(&beside.stdout).unwrap();
    assert!(reports.as_array().unwrap().iter().all(|r| r["status"] != "fail"), "{reports}");
    assert!(site.run(&["doctor"]).await.status.success());

    let second = Site::new();
    let mut intruder = Site::without_admin();
    intruder.set("HOLDFAST_DATA_DIR", &site.data_dir().display().to_string());
    let refused = intruder.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("another Holdfast uses"), "{said}");
    drop(second);

    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
    assert_eq!(site.processes(), Vec::<String>::new(), "something still runs");
    // Its standard output is the log of whoever started it: JSON lines, and in none of them the password or an address.
    let file = site.data_dir().join("first-admin-password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read_to_string(&file).unwrap();
    let [email, password] = kept.lines().collect::<Vec<_>>()[..] else { panic!("{kept}") };
    assert!(email == "admin@localhost" && password.len() >= 12, "{kept}");
    let lines: Vec<Value> =
        output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    assert!(lines.len() > 3 && !output.contains(password) && !output.contains(email), "{output}");
    let told = lines.iter().find(|line| line["file"] == file.display().to_string().as_str());
    assert!(told.is_some_and(|line| line["message"].as_str().unwrap().contains("one-time password")), "{output}");

    let running = site.start().await;
    let client = site.anonymous().sign_in("admin@localhost", password).await;
    client.get("/api/v1/agents").await.problem(403, "password_change_required");
    let change = json!({"current_password": password, "new_password": "a better password of mine"});
    // Started again it is there still, and holds; then it opens nothing, and is gone.
    assert_eq!(fs::read_to_string(&file).unwrap(), kept);
    assert!(client.post("/api/v1/auth/password", &change).await.status.is_success());
    assert!(!file.exists(), "the file names a password that opens nothing");
    let client = site.anonymous().sign_in("admin@localhost", "a better password of mine").await;
    make_base(&client, "Kept").await;
    let (_, output) = running.stop().await;
    assert!(!output.contains("one-time password"), "a second one-time password");
    // As of a first start whose database was replaced: it opens nothing; what is no such file stays.
    fs::write(&file, &kept).unwrap();
    let foreign = site.data_dir().join("first-admin-password.txt");
    fs::write(&foreign, &kept).unwrap();

    let running = site.start().await;
    let client = site.anonymous().sign_in("admin@localhost", "a better password of mine").await;
    assert_eq!(client.get("/api/v1/knowledge-bases").await.expect(200)["data"][0]["name"], "Kept");
    for _ in 0..100 {
        if !file.exists() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!file.exists() && foreign.exists(), "the file names a password that opens nothing");
    let (status, _) = running.stop().await;
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_the_start_leaves_nothing_behind() {
    let site = Site::new();
    for wait in [150, 600, 1500, 2500] {
        let running = site.launch();
        sleep(Duration::from_millis(wait)).await;
        let (status, output) = running.stop().await;
        assert!(status.success(), "after {wait} ms: {status}:\n{output}");
        assert_eq!(site.processes(), Vec::<String>::new(), "after {wait} ms something still runs");
    }
    let running = site.start().await;
    site.admin().await;
    assert!(running.stop().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_configuration_is_told_whole_and_exits_64() {
    let mut site = Site::new();
    site.set("HOLDFAST_SERVER__MAX_CONNECTIONS", "0");
    site.set("HOLDFAST_AGENTS__HISTORY_MESSAGES", "many");
    site.set("HOLDFAST_JOBS__NO_SUCH_SETTING", "1");
    for args in [&["serve"][..], &["config", "check"], &["doctor"]] {
        let output = site.run(args).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{args:?}: {said}");
        for name in ["server.max_connections", "agents.history_messages", "jobs.no_such_setting"] {
            assert!(said.contains(name), "{args:?}: {name} is not named in {said}");
        }
    }
    assert!(!site.data_dir().exists(), "a bad configuration touched the disk");
}

/// A job that ends without product code (here: cancelled) leaves a document that people can see failed and try again.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_job_is_gone_fails_and_can_be_tried_again() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Weirs").await;
    admin.post("/api/v1/queues/knowledge/pause", &json!({})).await;
    let id = add_document(&admin, &base, "weir.md", page(1).as_bytes()).await;
    let path = format!("/api/v1/knowledge-bases/{base}/documents/{id}");
    let jobs = admin.get("/api/v1/jobs?kind=knowledge.extract").await.expect(200);
    let job = jobs["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{jobs}")).to_owned();

    // It waits for as long as it likes while its job does.
    app.clock.advance(TimeDelta::hours(1));
    app.app.knowledge.fail_abandoned().await.unwrap();
    assert_eq!(admin.get(&path).await.expect(200)["status"], "queued");

    admin.post(&format!("/api/v1/jobs/{job}/cancel"), &json!({})).await.expect(200);
    app.app.knowledge.fail_abandoned().await.unwrap();
    let document = admin.get(&path).await.expect(200);
    assert_eq!(document["status"], "failed", "{document}");
    admin.post("/api/v1/queues/knowledge/resume", &json!({})).await;
    assert!(admin.post(&format!("{path}/retry"), &json!({})).await.status.is_success());
    assert_eq!(wait_for_document(&admin, &base, &id).await["status"], "ready");
    app.stop().await;
}

/// What was accepted is not given up because the store was out of reach for a while.
#[tokio::test(flavor = "multi_thread")]
async fn a_document_waits_for_as_long_as_the_object_store_is_away() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Weirs").await;
    admin.post("/api/v1/queues/knowledge/pause", &json!({})).await;
    let id = add_document(&admin, &base, "weir.md", page(1).as_bytes()).await;
    let lost = add_document(&admin, &base, "lost.md", page(2).as_bytes()).await;
    let (objects, away) = (app.data_dir.join("objects"), app.data_dir.join("objects.away"));
    fs::rename(&objects, &away).unwrap();
    fs::write(&objects, b"no folder").unwrap();
    admin.post("/api/v1/queues/knowledge/resume", &json!({})).await;

    // Nobody waits for backoffs here.
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let hurry = "UPDATE jobs SET run_at = now(), order_at = now() WHERE kind = 'knowledge.extract' AND run_at > now()";
    let failed = "SELECT count(*) FROM job_attempts WHERE outcome = 'failed'";
    let since = Instant::now();
    while sqlx::query_scalar::<_, i64>(failed).fetch_one(&mut db).await.unwrap() < 8 {
        assert!(since.elapsed() < PATIENCE, "the last attempt never came");
        sqlx::query(hurry).execute(&mut db).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    for _ in 0..20 {
        sqlx::query(hurry).execute(&mut db).await.unwrap();
        sleep(Duration::from_millis(100)).await;
        let document = document(&admin, &base, &id).await;
        assert!(document["status"] != "failed", "{document}");
    }

    fs::remove_file(&objects).unwrap();
    fs::rename(&away, &objects).unwrap();
    // Of one the file never comes back: that is said, and waits for nothing.
    let original = files(&objects).into_iter().find(|path| path.to_string_lossy().contains(&lost)).unwrap();
    fs::remove_file(original).unwrap();
    for (id, status, code) in [(&id, "ready", Value::Null), (&lost, "failed", json!("original_missing"))] {
        let since = Instant::now();
        loop {
            sqlx::query(hurry).execute(&mut db).await.unwrap();
            let document = document(&admin, &base, id).await;
            if document["status"] == status {
                assert_eq!(document["failure_code"], code, "{document}");
                break;
            }
            assert!(since.elapsed() < PATIENCE, "{document}");
            sleep(Duration::from_millis(100)).await;
        }
    }
    app.stop().await;
}

/// Whether a commit stands is unknown when its answer is lost: the file must be there if it does.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_commit_fails_keeps_its_object() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Weirs").await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql(
        "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'lost' USING ERRCODE = '08006'; END $$; \
         CREATE CONSTRAINT TRIGGER lost AFTER INSERT ON knowledge_documents DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION lost()",
    )
    .execute(&mut db)
    .await
    .unwrap();
    let answer = send_file(&admin, &base, "weir.md", page(1).as_bytes()).await;
    assert!(!ok_or_come_back(&answer));
    assert_eq!(files(&app.data_dir.join("objects")).len(), 1, "the file of a document that may exist is gone");
    sqlx::raw_sql("DROP TRIGGER lost ON knowledge_documents").execute(&mut db).await.unwrap();
    let id = add_document(&admin, &base, "weir.md", page(1).as_bytes()).await;
    assert_eq!(wait_for_document(&admin, &base, &id).await["status"], "ready");
    db.close().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_roles_passwords_are_in_no_log() {
    let mut site = Site::new();
    site.set("HOLDFAST_TELEMETRY__LOG", "debug,sqlx=trace");
    let running = site.start().await;
    let (status, output) = running.stop().await;
    assert!(status.success());
    assert!(output.contains("db.statement"), "statements are not in the log at all");
    assert!(!output.contains("PASSWORD '"), "a statement with a password is in the log");
}

/// A mount for objects alone, as on hosts with a large disk for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_below_one_folder_is_called_that_by_the_upload_the_doctor_and_readiness() {
    let (site, disk) = (Site::new(), Disk::new(64));
    fs::create_dir_all(site.data_dir()).unwrap();
    std::os::unix::fs::symlink(disk.path(), site.data_dir().join("objects")).unwrap();
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, "Full").await;
    disk.fill(0);
    let refused = send_file(&admin, &base, "weir.md", page(1).as_bytes()).await;
    refused.problem(507, "disk_full");
    assert!(refused.json()["detail"].as_str().unwrap().contains("the disk is full"), "{}", refused.text);
    let ops = Client::new(&format!("http://{}", site.ops));
    let told = ops.get("/readyz").await.expect(503);
    assert!(told["disk"].as_str().unwrap().starts_with("full: objects ("), "{told}");
    let doctor = site.run(&["doctor"]).await;
    let said = String::from_utf8_lossy(&doctor.stdout);
    let line = said.lines().find(|line| line.contains("disk.space")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("objects"), "{said}");
    disk.relieve();
    ops.get("/readyz").await.expect(200);
    send_file(&admin, &base, "weir.md", page(1).as_bytes()).await.expect(201);
    running.stop().await;
}

/// Frozen with all its processes (a full host, a volume that hangs) it takes connections, and never says anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_not_ready_and_that_is_said_in_time() {
    let site = Site::new();
    let running = site.start().await;
    let (public, ops) =
        (Client::new(&format!("http://{}", site.address)), Client::new(&format!("http://{}", site.ops)));
    assert_eq!(public.get("/readyz").await.status, 200);
    let admin = site.admin().await;
    admin.get("/api/v1/agents").await.expect(200);
    let postmaster = site.postmaster().unwrap();
    let all = || {
        let pid = postmaster.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        std::iter::once(postmaster).chain(children.collect::<Vec<_>>())
    };
    all().for_each(|pid| kill_process(pid, Signal::STOP).unwrap());
    let began = Instant::now();
    let answers = timeout(PATIENCE, async { (public.get("/readyz").await, ops.get("/readyz").await) }).await;
    let took = began.elapsed();
    // Its connections lie ready, and are of no use.
    let refused = timeout(Duration::from_secs(30), admin.get("/api/v1/agents")).await;
    all().for_each(|pid| kill_process(pid, Signal::CONT).unwrap());
    let (public_answer, ops_answer) = answers.unwrap();
    let refused = refused.expect("an answer while the database hangs");
    assert!(refused.status == 503 && refused.headers.contains_key(header::RETRY_AFTER), "{}", refused.text);
    // Whoever probes waits ten seconds, often less.
    assert!(took < Duration::from_secs(15), "two answers took {took:?}");
    assert_eq!((public_answer.status.as_u16(), public_answer.text.as_str()), (503, "not ready\n"));
    assert!(ops_answer.json()["database"].as_str().unwrap().contains("does not answer"), "{}", ops_answer.text);
    timeout(PATIENCE, async {
        while public.get("/readyz").await.status != 200 {
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await
    .expect("ready again");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_lock_in_vain_is_told_so_and_when_to_come_back() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let mut holder = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE agents IN ACCESS EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let refused = admin.get("/api/v1/agents").await;
    refused.problem(503, "database_locked");
    assert!(
        refused.headers.contains_key(header::RETRY_AFTER) && refused.text.contains("holds a lock"),
        "{}",
        refused.text
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    admin.get("/api/v1/agents").await.expect(200);
    app.stop().await;
}

/// A postmaster that is stopped takes connections, by the kernel's hand, and answers none.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_of_a_frozen_database_ends() {
    let site = Site::new();
    let running = site.start().await;
    let postmaster = site.postmaster().unwrap();
    kill_process(postmaster, Signal::STOP).unwrap();
    let began = Instant::now();
    let output = site.run(&["doctor"]).await;
    let took = began.elapsed();
    kill_process(postmaster, Signal::CONT).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(took < Duration::from_secs(10), "{took:?}: {said}");
    let failed = |check: &str| said.lines().any(|line| line.starts_with("FAIL") && line.contains(check));
    assert!(output.status.code() == Some(1) && failed("database.reachable"), "{said}");
    running.stop().await;
}
