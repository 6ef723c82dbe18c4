//! Monitors, groups and windows by API and console.

use holdfast::platform::http::Role;
use serde_json::{Value, json};

use crate::{
    alerting::pages::{open, submit},
    support::{
        app::{Client, TestApp},
        odd_target::Http,
        wait::until,
    },
};

pub const MONITORS: &str = "/api/v1/uptime/monitors";
/// Loopback is open to monitors.
pub const OPEN: (&str, &str) = ("HOLDFAST_UPTIME__PRIVATE_NETWORKS", "127.0.0.0/8");

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// Paused: nothing is asked.
pub async fn make(client: &Client, name: &str) -> Value {
    let spec = json!({"kind": "tcp", "host": "127.0.0.1", "port": 9});
    client.post(MONITORS, &json!({"name": name, "spec": spec, "paused": true})).await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_is_made_found_changed_paused_and_deleted() {
    let app = TestApp::start_with(&[OPEN]).await;
    let admin = app.admin().await;
    let made = make(&admin, "Shop, first page").await;
    assert_eq!((made["key"].as_str(), made["kind"].as_str()), (Some("shop-first-page"), Some("tcp")));
    assert_eq!((made["interval_seconds"].as_i64(), made["retries"].as_i64()), (Some(60), Some(2)));
    assert_eq!(make(&admin, "Shop, first page").await["key"], "shop-first-page-2");
    let path = format!("{MONITORS}/{}", id(&made));
    let found = admin.get(&format!("{MONITORS}?q=first&kind=tcp")).await.expect(200);
    assert!(found["data"].as_array().is_some_and(|all| !all.is_empty()), "{found}");
    assert_eq!(admin.get(&format!("{MONITORS}?kind=http")).await.expect(200)["data"], json!([]));

    let changed =
        admin.patch(&path, &json!({"name": "Shop", "slow_ms": 800, "target": 0.999, "tags": ["eu", "eu"]})).await;
    let changed = changed.expect(200);
    assert_eq!(
        (&changed["name"], &changed["slow_ms"], &changed["tags"]),
        (&json!("Shop"), &json!(800), &json!(["eu"]))
    );
    let cleared = admin.patch(&path, &json!({"slow_ms": null})).await.expect(200);
    assert_eq!((&cleared["slow_ms"], &cleared["target"]), (&Value::Null, &json!(0.999)), "only what is named changes");
    assert!(admin.post(&format!("{path}/resume"), &json!({})).await.expect(200)["paused_at"].is_null());
    assert!(admin.post(&format!("{path}/pause"), &json!({})).await.expect(200)["paused_at"].is_string());
    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "monitor_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_with_its_code() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let post = async |spec: Value, more: Value| {
        let mut body = json!({"name": "x", "spec": spec, "paused": true});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        admin.post(MONITORS, &body).await
    };
    let http = || json!({"kind": "http", "url": "https://example.com/"});
    for (spec, more, code) in [
        (json!({"kind": "tcp", "host": "127.0.0.1", "port": 9}), json!({}), "private_target"),
        (http(), json!({"interval_seconds": 5}), "interval_too_short"),
        (http(), json!({"timeout_ms": 1}), "out_of_range"),
        (http(), json!({"name": " "}), "required"),
        (http(), json!({"key": "Not a key"}), "invalid"),
        (http(), json!({"group_id": "00000000-0000-7000-8000-000000000000"}), "not_found"),
        (
            json!({"kind": "http", "url": "https://example.com/", "auth": {"by": "bearer", "token": "t"}}),
            json!({}),
            "missing",
        ),
        (json!({"kind": "internal", "check": "appliance-database"}), json!({}), "not_permitted"),
    ] {
        let answer = post(spec.clone(), more).await.expect(422);
        let codes: Vec<&str> =
            answer["errors"].as_array().unwrap().iter().filter_map(|one| one["code"].as_str()).collect();
        assert!(codes.contains(&code), "{spec}: {answer}");
    }
    assert!((app.metric("holdfast_uptime_targets_refused_total{reason=\"saved\"}") - 1.0).abs() < 0.1);
    let first = post(http(), json!({"key": "first"})).await.expect(201);
    post(http(), json!({"key": "first"})).await.problem(409, "taken");
    let second = post(http(), json!({"key": "second", "parent_id": id(&first)})).await.expect(201);
    let circle =
        admin.patch(&format!("{MONITORS}/{}", id(&first)), &json!({"parent_id": id(&second)})).await.expect(422);
    assert_eq!(circle["errors"][0]["code"], "circle");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_named_and_never_shown() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let spec = json!({"kind": "http", "url": "https://example.com/", "auth": {"by": "basic", "user": "u", "password": "word"}});
    let body = json!({"name": "x", "spec": spec, "secrets": {"word": "open sesame"}, "paused": true});
    let made = admin.post(MONITORS, &body).await;
    assert!(!made.text.contains("sesame"));
    let made = made.expect(201);
    assert_eq!(made["secrets"], json!(["word"]));
    let path = format!("{MONITORS}/{}", id(&made));
    assert!(!admin.get(&path).await.text.contains("sesame"));
    let gone = admin.patch(&path, &json!({"secrets": {"word": null}})).await.expect(422);
    assert_eq!(gone["errors"][0]["code"], "missing");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_see_their_own() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, other) = (app.admin().await, app.other_org("rival").await);
    let ours = make(&admin, "Ours").await;
    let group = admin.post("/api/v1/uptime/groups", &json!({"name": "Ours"})).await.expect(201);
    let path = format!("{MONITORS}/{}", id(&ours));
    for (method, path) in [
        ("get", path.clone()),
        ("get", format!("{path}/checks")),
        ("get", format!("{path}/spans")),
        ("get", format!("{path}/series")),
        ("get", format!("{path}/uptime")),
        ("post", format!("{path}/pause")),
        ("post", format!("{path}/check")),
        ("delete", path.clone()),
    ] {
        let answer = match method {
            "get" => other.get(&path).await,
            "post" => other.post(&path, &json!({})).await,
            _ => other.delete(&path).await,
        };
        answer.problem(404, "monitor_not_found");
    }
    assert_eq!(other.get(MONITORS).await.expect(200)["data"], json!([]));
    let foreign = json!({"name": "x", "spec": {"kind": "heartbeat"}, "parent_id": id(&ours), "group_id": id(&group)});
    other.post(MONITORS, &foreign).await.expect(422);
    let windows = "/api/v1/uptime/windows";
    for (pointer, named) in
        [("/monitors", json!({"monitors": [id(&ours)]})), ("/groups", json!({"groups": [id(&group)]}))]
    {
        let mut window = json!({"name": "Theirs", "cron": "0 2 * * SUN", "minutes": 90});
        window.as_object_mut().unwrap().extend(named.as_object().unwrap().clone());
        let refused = other.post(windows, &window).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer);
        let own = admin.post(windows, &window).await.expect(201);
        admin.put(&format!("{windows}/{}", id(&own)), &window).await.expect(200);
    }
    other.get(&format!("{MONITORS}?installation=true")).await.expect(403);
    other.get("/api/v1/uptime/file").await.expect(403);
    // The same key is another's.
    let same = json!({"name": "Ours", "key": "ours", "spec": {"kind": "heartbeat"}});
    assert_eq!(other.post(MONITORS, &same).await.expect(201)["key"], "ours");
    // Members read, and change nothing.
    let member = app.person("rival", Role::Member).await;
    member.get(MONITORS).await.expect(200);
    member.post(MONITORS, &same).await.expect(403);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_has_a_token_of_its_own() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let made = admin.post(MONITORS, &json!({"name": "Backup", "spec": {"kind": "heartbeat"}})).await.expect(201);
    let token = made["token"].as_str().unwrap().to_owned();
    assert!(made["beat_url"].as_str().unwrap().ends_with(&token));
    let path = format!("{MONITORS}/{}", id(&made));
    assert!(!admin.get(&path).await.text.contains(&token), "it is shown only once");
    let anonymous = app.anonymous();
    let beat = |token: &str| format!("/api/v1/uptime/beats/{token}");
    assert_eq!(anonymous.post(&beat(&token), &json!({})).await.expect(200), json!({"ok": true, "stored": true}));
    anonymous.post(&format!("{}/fail?msg=disk%20full", beat(&token)), &json!({})).await.expect(200);
    anonymous.post(&beat("nonsense"), &json!({})).await.problem(404, "heartbeat_not_found");
    // As Uptime Kuma's and Gatus's senders do.
    // Senders that can only open an address.
    for end in ["", "/start", "/fail"] {
        let opened = anonymous.get(&format!("{}{end}?msg=done&took=12", beat(&token))).await;
        assert_eq!(opened.expect(200), json!({"ok": true, "stored": true}), "{end}");
    }
    anonymous.get(&beat("nonsense")).await.problem(404, "heartbeat_not_found");
    let pushed = anonymous.get(&format!("/api/push/{token}?status=up&msg=OK&ping=12.5")).await;
    assert_eq!(pushed.expect(200), json!({"ok": true, "stored": true}));
    assert_eq!(anonymous.get("/api/push/nonsense?status=up").await.status, 404);
    // The key in the address is the one of the token's monitor, or the report is another's.
    for (token, key, question, expected) in [
        (&*token, "backup", "success=false&error=disk%20full&duration=1m30s", 200),
        (&*token, "backup", "success=perhaps", 400),
        (&*token, "core_other", "success=true", 401),
        ("nonsense", "backup", "success=true", 401),
    ] {
        let external = format!("/api/v1/endpoints/{key}/external?{question}");
        let request = anonymous.request(reqwest::Method::POST, &external).bearer_auth(token);
        assert_eq!(anonymous.send(request).await.status, expected, "{key} {question}");
    }
    let renewed = admin.post(&format!("{path}/token"), &json!({})).await.expect(200);
    anonymous.post(&beat(&token), &json!({})).await.problem(404, "heartbeat_not_found");
    anonymous.post(&beat(renewed["token"].as_str().unwrap()), &json!({})).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_reports_sixty_times_a_minute() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let token = async |name: &str| {
        let made = admin.post(MONITORS, &json!({"name": name, "spec": {"kind": "heartbeat"}})).await.expect(201);
        made["token"].as_str().unwrap().to_owned()
    };
    let (often, seldom, anonymous) = (token("Often").await, token("Seldom").await, app.anonymous());
    let mut taken = 0;
    // One a second comes back: a slow machine gets a few more.
    let refused = loop {
        let answer = anonymous.post(&format!("/api/v1/uptime/beats/{often}"), &json!({})).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
        assert!(taken < 120, "nothing is refused");
    };
    refused.problem(429, "rate_limited");
    assert!(taken >= 60, "{taken} were taken");
    anonymous.post(&format!("/api/v1/uptime/beats/{seldom}"), &json!({})).await.expect(200);
    assert!((app.metric("holdfast_uptime_beats_total{outcome=\"too_often\"}") - 1.0).abs() < 0.1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_a_badge_only_if_its_owner_says_so() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, anonymous) = (app.admin().await, app.anonymous());
    let made = make(&admin, "Shop & more").await;
    let (path, badge) = (format!("{MONITORS}/{}", id(&made)), format!("/api/v1/uptime/badges/{}", id(&made)));
    anonymous.get(&badge).await.problem(404, "monitor_not_found");
    anonymous.get(&format!("{badge}/shields")).await.problem(404, "monitor_not_found");
    admin.patch(&path, &json!({"badge": true})).await.expect(200);
    until("its badge is not shown", async || anonymous.get(&badge).await.status == 200).await;
    let picture = anonymous.get(&badge).await;
    assert!(picture.headers["content-type"].to_str().unwrap().starts_with("image/svg+xml"));
    assert_eq!(picture.headers["cache-control"], "public, max-age=60");
    assert!(picture.text.contains("Shop &amp; more"), "{}", picture.text);
    let shields = anonymous.get(&format!("{badge}/shields")).await.expect(200);
    assert_eq!((&shields["schemaVersion"], &shields["label"]), (&json!(1), &json!("Shop & more")));
    assert!(open(&admin, &format!("/monitors/{}", id(&made)), "en").await.text.contains(&badge));
    admin.patch(&path, &json!({"badge": false})).await.expect(200);
    until("its badge is still shown", async || anonymous.get(&badge).await.status == 404).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_made_and_their_times_computed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let windows = "/api/v1/uptime/windows";
    let weekly =
        json!({"name": "Patches", "cron": "0 2 * * SUN", "minutes": 90, "zone": "Europe/Berlin", "every": true});
    let made = admin.post(windows, &weekly).await.expect(201);
    assert_eq!((&made["key"], &made["excluded"]), (&json!("patches"), &json!(true)));
    let look = format!("{windows}/occurrences?from=2026-10-17T00:00:00Z&until=2026-11-02T00:00:00Z");
    let found = admin.get(&look).await.expect(200);
    let from: Vec<&str> = found["data"].as_array().unwrap().iter().filter_map(|one| one["from"].as_str()).collect();
    assert_eq!(from, ["2026-10-18T00:00:00Z", "2026-10-25T00:00:00Z", "2026-11-01T01:00:00Z"]);
    let wrong =
        admin.post(windows, &json!({"name": "x", "cron": "often", "minutes": 5, "every": true})).await.expect(422);
    assert_eq!(wrong["errors"][0]["pointer"], "/cron");
    let path = format!("{windows}/{}", id(&made));
    admin.put(&path, &json!({"name": "Later", "cron": "0 4 * * SUN", "minutes": 30, "every": true})).await.expect(200);
    admin.delete(&path).await.expect(204);
    app.stop().await;
}

/// Lord Howe Island changes its clocks by half an hour, Berlin by an hour.
#[tokio::test(flavor = "multi_thread")]
async fn windows_follow_daylight_saving() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let windows = "/api/v1/uptime/windows";
    for (zone, cron, look, expected) in [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "from=2026-03-28T00:00:00Z&until=2026-03-31T00:00:00Z",
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "from=2026-10-02T12:00:00Z&until=2026-10-05T12:00:00Z",
            ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
        ),
    ] {
        let body = json!({"name": "Nightly", "cron": cron, "minutes": 30, "zone": zone, "every": true});
        let made = admin.post(windows, &body).await.expect(201);
        let found = admin.get(&format!("{windows}/occurrences?{look}")).await.expect(200);
        let all = found["data"].as_array().unwrap();
        let from: Vec<&str> = all.iter().filter_map(|one| one["from"].as_str()).collect();
        assert_eq!(from, expected, "{zone}");
        admin.delete(&format!("{windows}/{}", id(&made))).await.expect(204);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_opens_in_both_languages() {
    let app = TestApp::start_with(&[OPEN]).await;
    let admin = app.admin().await;
    let made = make(&admin, "Shop").await;
    admin.post("/api/v1/uptime/groups", &json!({"name": "Web"})).await.expect(201);
    let own = format!("/monitors/{}", id(&made));
    let mut paths: Vec<String> = ["", "/new", "/groups", "/windows", "/reports", "/import", "/file"]
        .map(|path| format!("/monitors{path}"))
        .to_vec();
    paths.extend([own.clone(), format!("{own}/edit"), format!("{own}/edit?as=json"), format!("{own}?time=90d")]);
    for kind in ["flow", "tls", "dns", "icmp", "smtp", "imap", "postgres", "grpc", "heartbeat", "domain"] {
        paths.push(format!("/monitors/new?kind={kind}"));
    }
    paths.push("/monitors?whose=installation".to_owned());
    for path in paths {
        for lang in ["en", "ru"] {
            let answer = open(&admin, &path, lang).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            assert!(!answer.text.contains("uptime-"), "{path} {lang}: a word is missing");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_makes_and_changes_a_monitor() {
    let app = TestApp::start_with(&[OPEN]).await;
    let admin = app.admin().await;
    let fields = |name: &'static str, port: &'static str| {
        [
            ("kind", "tcp"),
            ("name", name),
            ("host", "127.0.0.1"),
            ("port", port),
            ("interval", "60"),
            ("timeout", "2,5"),
            ("retries", "1"),
            ("successes", "1"),
            ("certificate_days", "21"),
            ("target", "99.9"),
        ]
    };
    let refused = submit(&admin, "/monitors", &fields("Shop", "many")).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("Shop"), "what was written stays");
    let made = submit(&admin, "/monitors", &fields("Shop", "9")).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let listed = admin.get(&format!("{MONITORS}?q=Shop")).await.expect(200);
    let path = format!("/monitors/{}", id(&listed["data"][0]));
    let detail = admin.get(&format!("/api/v1/uptime{path}")).await.expect(200);
    assert_eq!((&detail["timeout_ms"], &detail["target"]), (&json!(2500), &json!(0.999)));
    assert_eq!(submit(&admin, &path, &fields("Store", "10")).await.status, 303);
    let detail = admin.get(&format!("/api/v1/uptime{path}")).await.expect(200);
    assert_eq!((&detail["name"], &detail["spec"]["port"]), (&json!("Store"), &json!(10)));
    assert_eq!(submit(&admin, &format!("{path}/pause"), &[]).await.status, 303);
    assert_eq!(submit(&admin, &format!("{path}/delete"), &[]).await.status, 303);
    // A heartbeat's token is shown at once, and on its page never again.
    let beat = [
        ("kind", "heartbeat"),
        ("name", "Job"),
        ("grace", "5"),
        ("interval", "60"),
        ("timeout", "10"),
        ("retries", "0"),
        ("successes", "1"),
        ("certificate_days", "0"),
    ];
    let made = submit(&admin, "/monitors", &beat).await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert!(made.text.contains("/api/v1/uptime/beats/"), "{}", made.text);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_tries_a_monitor_before_it_is_saved() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, target) = (app.admin().await, Http::start().await);
    let url = target.url("/well");
    let fields = |url: &str| {
        [
            ("kind", "http"),
            ("name", "Shop"),
            ("url", url),
            ("status", "200-299"),
            ("redirects", "5"),
            ("interval", "60"),
            ("timeout", "5"),
            ("retries", "1"),
            ("successes", "1"),
            ("certificate_days", "21"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |path: &str, url: &str| {
        let owned = fields(url);
        let all: Vec<(&str, &str)> = owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        submit(&admin, path, &all).await
    };
    let tried = send("/monitors/try", &url).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    assert!(tried.text.contains("id=\"found\"") && tried.text.contains(&url), "what was written stays: {}", tried.text);
    assert_eq!(send("/monitors/try", "http://10.0.0.1/").await.status, 422);
    assert_eq!(admin.get(MONITORS).await.expect(200)["data"].as_array().unwrap().len(), 0, "nothing is saved");
    let made = admin.post(MONITORS, &json!({"name": "Shop", "spec": {"kind": "http", "url": url}})).await.expect(201);
    let changed = send(&format!("/monitors/{}/try", id(&made)), &target.url("/other")).await;
    assert!(changed.status == 200 && changed.text.contains("id=\"found\""), "{}", changed.text);
    assert!(target.asked().iter().any(|asked| asked.path == "/other"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_go_to_another_host() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let spec = |host: &str| json!({"kind": "http", "url": format!("https://{host}/"), "auth": {"by": "bearer", "token": "word"}});
    let body = json!({"name": "x", "spec": spec("example.com"), "secrets": {"word": "open sesame"}, "paused": true});
    let path = format!("{MONITORS}/{}", id(&admin.post(MONITORS, &body).await.expect(201)));
    let refused = admin.patch(&path, &json!({"spec": spec("thief.example")})).await.expect(422);
    assert_eq!(
        (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (&json!("/secrets"), &json!("missing"))
    );
    let anew = json!({"spec": spec("other.example"), "secrets": {"word": "other"}});
    admin.patch(&path, &anew).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_by_tag_and_groups_are_renamed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for (name, tag) in [("Shop", "eu"), ("Store", "us")] {
        let body = json!({"name": name, "spec": {"kind": "heartbeat"}, "tags": [tag]});
        admin.post(MONITORS, &body).await.expect(201);
    }
    let listed = open(&admin, "/monitors?tag=eu", "en").await;
    assert!(listed.text.contains("Shop") && !listed.text.contains("Store"), "{}", listed.text);
    let group = admin.post("/api/v1/uptime/groups", &json!({"name": "Web"})).await.expect(201);
    let path = format!("/monitors/groups/{}/rename", id(&group));
    assert!(open(&admin, "/monitors/groups", "en").await.text.contains(&path));
    assert_eq!(submit(&admin, &path, &[("name", "Shops")]).await.status, 303);
    assert!(open(&admin, "/monitors/groups", "en").await.text.contains("Shops"));
    app.stop().await;
}
