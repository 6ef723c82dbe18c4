//! The whole disaster: fill, back up, destroy everything, bring it back with nothing but the program and the key.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use holdfast::platform::{
    crypto::{MasterKey, sha256_hex},
    db::managed::Managed,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{
    app::Client,
    cluster::{PATIENCE, binaries},
    documents::{add_document, files, fixture, make_base, wait_for_document},
    process::Site,
    room_rows,
    s3::S3,
    vault::Vault,
};

/// Tables whose rows the appliance changes by itself between a backup and the look after a restore, and why they are left out. Every
/// other table of the catalogue is compared, row for row; a table that is made tomorrow is one of them.
const LEFT_OUT: [(&str, &str); 29] = [
    ("sessions", "the look itself signs in"),
    ("idempotency_keys", "end by themselves"),
    ("job_queues", "seen by every worker"),
    ("jobs", "done in between"),
    ("job_payloads", "done in between"),
    ("job_history", "done in between"),
    ("job_attempts", "done in between"),
    ("job_schedules", "fire in between"),
    ("job_workers", "signs of life"),
    ("job_leases", "renewed in between"),
    ("events", "the end of the backup is an event"),
    ("event_cursors", "move on in between"),
    ("notice_items", "mailed with the next digest, in between"),
    ("notice_counts", "count what happens in between"),
    ("embedding_cache", "the look's own questions; made again where it is lost"),
    ("backups", "the backup is being made in its own dump, and the drill comes after it"),
    ("backup_copies", "as backups"),
    ("backup_drills", "as backups"),
    ("backup_known_files", "what the run itself notes down"),
    ("uptime_prober", "written each second"),
    ("uptime_hours_open", "rolled up in between"),
    ("status_page_renders", "made again within a minute"),
    ("status_page_versions", "as status_page_renders"),
    ("files_damage", "found and repaired in between"),
    ("files_garbage", "looked at in between"),
    ("files_lifecycle_runs", "rules are carried out in between"),
    ("files_scrubs", "go on in between"),
    ("files_spent", "end by themselves"),
    ("files_sweeps", "go on in between"),
];
/// Tables of which only the organisation's rows are compared: the appliance's own monitors go on, and an organisation's are paused.
const GOING_ON: [&str; 11] = [
    "incident_causes",
    "incident_component_changes",
    "incident_components",
    "incident_log",
    "incident_told",
    "incidents",
    "uptime_checks",
    "uptime_days",
    "uptime_minutes",
    "uptime_spans",
    "uptime_state",
];
/// Tables that stay empty here: their rows come from outside, or from what goes wrong. Compared, but not expected to have any.
const EMPTY: [&str; 16] = [
    "agent_answer_pieces",
    "agent_attachments",
    "agent_document_uses",
    "agent_feedback",
    "agent_privacy",
    "agent_trace_details",
    "agent_traces",
    "alerts",
    "alert_deliveries",
    "alert_watchdog",
    "job_dead_letters",
    "llm_aliases",
    "llm_providers",
    "webhook_endpoints",
    "webhook_deliveries",
    "webhook_receivers",
];
/// Rooms whose rows [`fill`] makes through the API, or whose tables are all left out or empty. Rows of all others come from
/// `tests/it/lists/<room>.sql`; a room that is made tomorrow is one of them.
const FILLED: [&str; 7] = ["agents", "alerting", "auth", "backup", "jobs", "knowledge", "webhooks"];

/// The report of a backup would be a mail that the backup itself does not have.
const NO_NOTICES: (&str, &str) = ("HOLDFAST_NOTICES__ENABLED", "false");

/// What is compared of a table.
fn compared(table: &str) -> String {
    match table {
        // When somebody signed in last is not what people made.
        "users" => "(SELECT id, email, name, password_hash FROM users)".to_owned(),
        // A search counts what it embeds.
        "llm_usage" => "(SELECT to_jsonb(u) AS usage FROM llm_usage u WHERE operation = 'chat')".to_owned(),
        "llm_usage_days" => "(SELECT to_jsonb(d) AS usage FROM llm_usage_days d WHERE operation = 'chat')".to_owned(),
        table if GOING_ON.contains(&table) => format!("(SELECT * FROM {table} WHERE org_id IS NOT NULL)"),
        table => table.to_owned(),
    }
}

/// Everything that must come back the same.
#[derive(Debug, PartialEq)]
struct State {
    /// Hash of all rows by table.
    rows: BTreeMap<String, String>,
    /// Hash by name.
    objects: BTreeMap<String, String>,
    answers: Vec<Value>,
}

impl State {
    /// Where, without pages of passages.
    fn differs_from(&self, other: &Self) -> String {
        format!(
            "rows {:?}, objects {}, answers {}",
            self.rows.iter().filter(|(table, hash)| other.rows.get(*table) != Some(hash)).collect::<Vec<_>>(),
            self.objects == other.objects,
            self.answers == other.answers
        )
    }
}

/// As the administrator of the private PostgreSQL.
async fn connect(data_dir: &Path) -> PgConnection {
    let key = MasterKey::load(&data_dir.join("secrets/master.key"), false).unwrap();
    let target = Managed::attach(data_dir, "holdfast", &key).unwrap();
    PgConnection::connect_with(&target.admin).await.unwrap()
}

async fn rows(data_dir: &Path) -> BTreeMap<String, String> {
    let mut db = connect(data_dir).await;
    let all = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_sqlx_migrations' ORDER BY 1";
    let all: Vec<String> = sqlx::query_scalar(all).fetch_all(&mut db).await.unwrap();
    let lists = LEFT_OUT.iter().map(|(table, _)| *table).chain(EMPTY);
    let gone: Vec<_> = lists.filter(|table| !all.iter().any(|found| found == table)).collect();
    assert!(gone.is_empty(), "no such table: take {gone:?} out of LEFT_OUT and EMPTY");
    let mut found = BTreeMap::new();
    for table in all.iter().filter(|table| !LEFT_OUT.iter().any(|(left_out, _)| left_out == table)) {
        let from = compared(table);
        let sql = format!(
            "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') || ' ' || count(*) FROM {from} t"
        );
        let hash: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap();
        assert!(
            !hash.ends_with(" 0") || EMPTY.contains(&table.as_str()),
            "{table} is empty, so that nothing of it is compared: make a row of it in tests/it/lists/<room>.sql (in `fill` if its \
             room is in FILLED), or say in LEFT_OUT why it need not come back"
        );
        found.insert(table.clone(), hash);
    }
    db.close().await.unwrap();
    found
}

fn objects(data_dir: &Path) -> BTreeMap<String, String> {
    let folder = data_dir.join("objects");
    let hash = |path: &Path| sha256_hex(fs::read(path).unwrap());
    let found: BTreeMap<_, _> = files(&folder)
        .iter()
        .map(|path| (path.strip_prefix(&folder).unwrap().display().to_string(), hash(path)))
        .collect();
    assert!(!found.is_empty());
    found
}

async fn answers(client: &Client, bases: &[&str]) -> Vec<Value> {
    let mut found = Vec::new();
    for base in bases {
        for mode in ["vector", "text", "hybrid"] {
            for query in ["What sings at dawn?", "Где стоит лодка?"] {
                let body = json!({"query": query, "mode": mode, "limit": 5});
                found.push(client.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200));
            }
        }
    }
    assert!(found.iter().any(|answer| answer["results"].as_array().unwrap().len() > 1), "{found:?}");
    found
}

/// Documents of several kinds, an agent, a conversation, an API key, a second organisation; what the files of other rooms make. Returns the
/// first's base.
async fn fill(site: &Site) -> String {
    let admin = site.admin().await;
    let base = make_base(&admin, "Harbour").await;
    let mut ids = Vec::new();
    for name in ["libreoffice.ru.docx", "chromium.en.pdf"] {
        ids.push(add_document(&admin, &base, name, &fixture(name)).await);
    }
    ids.push(add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await);
    ids.push(add_document(&admin, &base, "boats.md", "# Лодки\n\nЛодка стоит у причала.\n".as_bytes()).await);
    for id in &ids {
        assert_eq!(wait_for_document(&admin, &base, id).await["status"], "ready");
    }
    super::ask(&admin, &base).await;
    let key = json!({"name": "reader", "scopes": ["knowledge_read"]});
    let made = admin.post("/api/v1/api-keys", &key).await;
    assert!(made.status.is_success(), "{}", made.text);
    let link = json!({"email": "new@example.com", "role": "member"});
    admin.post("/api/v1/members/links", &link).await.expect(201);
    let output = site.run(&["org", "create", "Others Ltd", "--slug", "others"]).await;
    assert!(output.status.success(), "{output:?}");
    let (mut others, me) = (room_rows::rooms(), admin.get("/api/v1/auth/me").await.expect(200));
    for room in FILLED {
        assert!(
            others.iter().any(|other| other == room),
            "there is no tests/it/lists/{room}.sql: take it out of FILLED"
        );
    }
    others.retain(|room| !FILLED.contains(&room.as_str()));
    let mut db = connect(&site.data_dir()).await;
    room_rows::insert(&mut db, &others, &me, 1).await;
    db.close().await.unwrap();
    // The self-test comes last, and decides how the arms of a search are weighed.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for state in ["queued", "running"] {
        let path = format!("/api/v1/jobs?state={state}");
        while !admin.get(&path).await.expect(200)["data"].as_array().unwrap().is_empty() {
            assert!(tokio::time::Instant::now() < deadline, "jobs do not end");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
    base
}

async fn ok(site: &Site, args: &[&str]) -> String {
    said(&args.join(" "), &site.run(args).await)
}

fn said(command: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}:\n{out}\n{err}");
    out.into_owned()
}

/// The commands of docs/disaster-recovery.md, run word for word, in its order, in the folder where the key lies.
struct Page {
    folder: PathBuf,
    commands: VecDeque<String>,
}

impl Page {
    /// `destination` stands for the page's mounted folder.
    fn read(folder: PathBuf, destination: &str) -> Self {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/disaster-recovery.md");
        let mut commands = VecDeque::new();
        let mut inside = false;
        for line in fs::read_to_string(page).unwrap().lines().map(str::trim) {
            match (inside, line) {
                (false, "```sh") => inside = true,
                (true, "```") => inside = false,
                (true, command) => commands.push_back(command.replace("/mnt/nas/holdfast", destination)),
                _ => {}
            }
        }
        Self { folder, commands }
    }

    /// The next command is one of `holdfast`, with these words somewhere in it.
    async fn follow(&mut self, site: &Site, words: &str) -> String {
        let command = self.commands.pop_front().unwrap_or_else(|| panic!("the page ends before `{words}`"));
        assert!(command.contains(words), "the page says `{command}`, where `{words}` is done");
        let args: Vec<&str> = command.strip_prefix("holdfast ").unwrap().split(' ').collect();
        said(&command, &site.run_in(&self.folder, &args).await)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_on_an_empty_host() {
    let vault = Vault::new();
    let mut site = Site::new();
    site.set(NO_NOTICES.0, NO_NOTICES.1);
    let running = site.start().await;
    let base = fill(&site).await;
    let near = vault.folder("near").display().to_string();
    let key = vault.folder("holdfast-backup.key").display().to_string();
    let mut page = Page::read(vault.folder("."), &near);
    let words = page.follow(&site, "backup keys generate").await;
    let recipient =
        words.split('"').find(|word| word.starts_with("age1")).unwrap_or_else(|| panic!("{words}")).to_owned();
    site.set("HOLDFAST_BACKUP__RECIPIENTS", &recipient);
    site.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    site.set("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", &near);
    let sheet = page.follow(&site, "backup keys sheet").await;
    assert!(sheet.contains("AGE-SECRET-KEY-1") && sheet.contains(&near), "{sheet}");
    // Beside the running appliance.
    let made = page.follow(&site, "backup run").await;
    assert!(made.contains("verified"), "{made}");
    let drill = page.follow(&site, "backup drill").await;
    assert!(drill.contains("passed"), "{drill}");
    site.set("HOLDFAST_BACKUP__KEY_FILE", &key);
    let admin = site.admin().await;
    let before = State {
        rows: rows(&site.data_dir()).await,
        objects: objects(&site.data_dir()),
        answers: answers(&admin, &[&base]).await,
    };
    ok(&site, &["backup", "keys", "check"]).await;

    // While it runs, nothing is replaced under it.
    let refused = site.run(&["restore", "--from", &near, "--key-file", &key]).await;
    assert!(
        !refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("not confirmed"),
        "{refused:?}"
    );
    let installation = {
        let plan: Value = serde_json::from_str(
            &ok(&site, &["restore", "--from", "near", "--key-file", &key, "--plan", "--json"]).await,
        )
        .unwrap();
        plan["installation"].as_str().unwrap().to_owned()
    };
    let refused = site.run(&["restore", "--from", "near", "--key-file", &key, "--confirm", &installation]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another Holdfast uses"), "{refused:?}");
    running.kill();
    let killed = site.postmaster();
    let running = site.start().await;
    assert_ne!(site.postmaster(), killed);
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");

    // The disaster, and a new host: another folder, other ports, nothing but the key and the backups.
    fs::remove_dir_all(site.data_dir()).unwrap();
    let mut host = Site::new();
    host.set(NO_NOTICES.0, NO_NOTICES.1);
    host.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    // Where it lies by itself: nobody has put a model there.
    let model = host.data_dir().join("models/all-MiniLM-L6-v2");
    host.set("HOLDFAST_LLM__EMBEDDING__MODEL_DIR", &model.display().to_string());
    let plan = page.follow(&host, "--plan").await;
    assert!(plan.contains(&installation), "{plan}");
    let told = page.follow(&host, "restore").await;
    assert!(told.contains("the embedding model is in") && model.join("model.safetensors").exists(), "{told}");
    assert!(told.contains("sign in with their passwords at the time of the backup (admin@example.com)"), "{told}");
    assert!(told.contains("pass  database.reachable") && told.contains("pass  llm.embedding_model"), "{told}");
    assert!(page.commands.is_empty(), "the page says more: {:?}", page.commands);
    let running = host.start().await;
    let admin = host.admin().await;
    let after = State {
        rows: rows(&host.data_dir()).await,
        objects: objects(&host.data_dir()),
        answers: answers(&admin, &[&base]).await,
    };
    assert!(after == before, "what came back differs: {}", after.differs_from(&before));
    // No passage was embedded again.
    let log = running.output();
    assert!(!log.contains("rebuilding it from the database") && !log.contains("re-indexing"), "{log}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");

    // A second restore over it asks first, and loses nothing.
    let again = host.run(&["restore", "--from", &near, "--key-file", &key]).await;
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("not confirmed"), "{again:?}");
    ok(&host, &["restore", "--from", &near, "--key-file", &key, "--confirm", &installation]).await;
    assert!(host.data_dir().join("postgres.before-restore").exists());
    // One part by itself.
    fs::remove_dir_all(host.data_dir().join("objects")).unwrap();
    ok(&host, &["restore", "--from", &near, "--key-file", &key, "--only", "objects"]).await;
    assert_eq!(objects(&host.data_dir()), before.objects);
}

/// An older database: one migration is taken back.
async fn make_older(site: &Site) {
    let mut db = connect(&site.data_dir()).await;
    let sql = "ALTER TABLE messages DROP COLUMN alive_at; DELETE FROM _sqlx_migrations WHERE version = 61";
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_before_the_database_is_changed_or_it_is_not_changed() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    make_older(&site).await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    // A mount that is missing: no backup, no migration, no start.
    fs::rename(vault.folder("near"), vault.folder("unmounted")).unwrap();
    let output = site.run(&["migrate"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("nothing was changed"), "{said}");
    fs::rename(vault.folder("unmounted"), vault.folder("near")).unwrap();
    let said = ok(&site, &["migrate"]).await;
    assert!(said.contains(": 1 of "), "{said}");
    let list: Value = serde_json::from_str(&ok(&site, &["backup", "list", "--json"]).await).unwrap();
    let kinds: Vec<_> = list.as_array().unwrap().iter().map(|b| (&b["kind"], &b["status"])).collect();
    let before = json!("before_migration");
    assert_eq!(kinds, [(&before, &json!("verified")), (&before, &json!("failed"))]);
    assert!(ok(&site, &["migrate"]).await.contains(": 0 of "), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_rolled_back_by_one_command() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, "Before").await;
    let id = add_document(&admin, &base, "tides.md", b"# Tides\n\nThe quibblefrotz sings at dawn.\n").await;
    wait_for_document(&admin, &base, &id).await;
    // Nothing to roll back to yet.
    let output = site.run(&["migrate", "--rollback", "--confirm", "x"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("from before a migration"), "{output:?}");
    make_older(&site).await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let said = ok(&site, &["migrate", "--plan"]).await;
    assert!(said.contains("1 migrations would be applied, after a backup"), "{said}");
    // The new version starts, changes the database, and somebody works with it.
    let running = site.start().await;
    let admin = site.admin().await;
    make_base(&admin, "After").await;
    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{id}")).await;
    // Not under a running appliance.
    let plan = ok(&site, &["migrate", "--rollback", "--plan"]).await;
    let installation = plan.lines().find_map(|line| line.strip_prefix("installation  ")).unwrap().to_owned();
    let refused = site.run(&["migrate", "--rollback", "--confirm", &installation]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another Holdfast uses"), "{refused:?}");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let refused = site.run(&["migrate", "--rollback"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not confirmed"), "{refused:?}");
    let said = ok(&site, &["migrate", "--rollback", "--confirm", &installation]).await;
    assert!(said.contains("Rolling back to") && said.contains("pass  database.reachable"), "{said}");
    assert!(site.data_dir().join("postgres.before-restore").exists(), "what was written since is kept");
    let running = site.start().await;
    let admin = site.admin().await;
    let bases = admin.get("/api/v1/knowledge-bases").await.expect(200);
    let names: Vec<_> = bases["data"].as_array().unwrap().iter().map(|base| base["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Before"]);
    let found = json!({"query": "quibblefrotz"});
    let found = admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &found).await.expect(200);
    assert_eq!(found["results"][0]["document_id"], id.as_str(), "its file and its vectors are back, too");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_and_to_a_bucket() {
    let (s3, vault) = (S3::start(), Vault::new());
    let mut site = Site::with(s3.settings().into_iter().chain(vault.settings()));
    site.set(NO_NOTICES.0, NO_NOTICES.1);
    let account: Vec<_> = s3.settings().into_iter().filter(|(name, _)| name.contains("__S3_")).collect();
    for (name, value) in &account {
        site.set(&name.replace("STORAGE__", "BACKUP__DESTINATIONS__NEAR__"), value);
    }
    site.set("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", "s3://holdfast/backups");
    let running = site.start().await;
    let base = fill(&site).await;
    let admin = site.admin().await;
    let made: Value = serde_json::from_str(&ok(&site, &["backup", "run", "--json"]).await).unwrap();
    assert_eq!(made["status"], "verified", "{made}");
    ok(&site, &["backup", "keys", "adopt"]).await;
    let before = (rows(&site.data_dir()).await, answers(&admin, &[&base]).await);
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let left: Vec<String> = s3.contents().await.into_iter().map(|(key, _)| key).collect();
    assert!(left.iter().any(|key| key.starts_with("backups/blobs/")), "{left:?}");

    // Host, objects and vectors are gone; the new ones lie under another prefix.
    fs::remove_dir_all(site.data_dir()).unwrap();
    let mut host = Site::new();
    host.set(NO_NOTICES.0, NO_NOTICES.1);
    for (name, value) in
        s3.settings().into_iter().chain([("HOLDFAST_BACKUP__TOOLS_DIR", binaries().display().to_string())])
    {
        host.set(name, &value);
    }
    host.set("HOLDFAST_STORAGE__URL", "s3://holdfast/new/objects");
    host.set("HOLDFAST_KNOWLEDGE__INDEX_URL", "s3://holdfast/new/vectors");
    let key = vault.key_file().display().to_string();
    ok(&host, &["restore", "--from", "s3://holdfast/backups", "--key-file", &key]).await;
    let running = host.start().await;
    let admin = host.admin().await;
    assert_eq!(rows(&host.data_dir()).await, before.0);
    assert!(answers(&admin, &[&base]).await == before.1, "searches find something else");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_and_a_destination_are_enough() {
    let vault = Vault::new();
    let site = Site::with(vault.settings());
    let running = site.start().await;
    let base = make_base(&site.admin().await, "Harbour").await;
    let (near, key) = (vault.folder("near").display().to_string(), vault.key_file().display().to_string());
    let (right, wrong) = (vault.folder("right"), vault.folder("wrong"));
    fs::write(&right, "a ladder leans against the granary\n").unwrap();
    fs::write(&wrong, "a ladder leans against the brewery\n").unwrap();
    let (right, wrong) = (right.display().to_string(), wrong.display().to_string());
    ok(&site, &["backup", "run"]).await;
    // Before the key was left there, the passphrase opens nothing.
    let early = site.run(&["restore", "--from", &near, "--passphrase-file", &right, "--plan"]).await;
    assert!(!early.status.success(), "{early:?}");
    ok(&site, &["backup", "keys", "wrap", "--key-file", &key, "--passphrase-file", &right]).await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");

    fs::remove_dir_all(site.data_dir()).unwrap();
    fs::remove_file(vault.key_file()).unwrap();
    let mut host = Site::new();
    host.set("HOLDFAST_BACKUP__TOOLS_DIR", &binaries().display().to_string());
    let refused = host.run(&["restore", "--from", &near, "--passphrase-file", &wrong]).await;
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains("passphrase does not decrypt"), "{words}");
    ok(&host, &["restore", "--from", &near, "--passphrase-file", &right]).await;
    let running = host.start().await;
    host.admin().await.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200);
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}
