//! Files as both programs write them: what is taken, and that the rest is told.

use serde_json::Value;

use super::{Candidate, Fate, MonitorRow, Parsed, parse};
use crate::{
    model::{ImportSource, Kind},
    settings::{Limits, secret_problems},
    spec::{Auth, Condition, MailTls, MonitorSpec, PostgresTls, Take, Test},
    target::Policy,
};
use secrecy::ExposeSecret as _;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/import/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn row<'p>(parsed: &'p Parsed, name: &str) -> &'p MonitorRow {
    parsed.report.monitors.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn made<'p>(parsed: &'p Parsed, key: &str) -> &'p Candidate {
    parsed.monitors.iter().find(|one| one.key == key).unwrap_or_else(|| panic!("no {key}"))
}

fn has_left(row: &MonitorRow, field: &str) -> bool {
    row.left.iter().any(|left| left.field == field)
}

/// Everything that is made could be saved.
fn is_valid(parsed: &Parsed) {
    let limits = Limits { shortest_interval: 10, policy: Policy::default() };
    for one in &parsed.monitors {
        let problems = one.settings.clone().tidied().problems(&limits);
        assert!(problems.is_empty(), "{}: {problems:?}", one.key);
        let row = parsed.report.monitors.iter().find(|row| row.key.as_deref() == Some(&one.key)).unwrap();
        let missing = secret_problems(&one.settings.spec, &one.secrets);
        assert_eq!(missing.len(), row.secrets.len(), "{}: {missing:?}", one.key);
    }
}

#[test]
fn monitors_of_uptime_kuma() {
    let parsed = parse(ImportSource::UptimeKuma, &fixture("kuma.json")).unwrap();
    is_valid(&parsed);
    assert_eq!(parsed.groups, [("shop".to_owned(), "Shop".to_owned())]);
    let page = made(&parsed, "first-page");
    assert_eq!(page.group.as_deref(), Some("shop"));
    let MonitorSpec::Http(http) = &page.settings.spec else { panic!("{page:?}") };
    assert_eq!(http.expect, [Condition::Keyword { text: "Add to cart".into(), absent: true }]);
    assert_eq!((http.verify, http.status.as_slice()), (false, ["200-299".to_owned(), "304".to_owned()].as_slice()));
    assert!(matches!(&http.auth, Some(Auth::Basic { user, .. }) if user == "probe"));
    assert_eq!(http.headers["X-Api-Key"], "{{secret.x_api_key}}");
    assert_eq!((page.settings.retries, page.settings.retry_ms, page.settings.certificate_days), (10, Some(30_000), 21));
    assert_eq!(page.settings.tags, ["region:eu", "customer"]);
    let of_page = row(&parsed, "First page");
    assert_eq!(of_page.fate, Fate::Taken);
    for field in ["maxretries", "resendInterval", "proxyId", "notificationIDList", "ignoreTls"] {
        assert!(has_left(of_page, field), "{field}: {:?}", of_page.left);
    }

    let api = made(&parsed, "api");
    assert!(api.paused, "it was paused there");
    let MonitorSpec::Http(http) = &api.settings.spec else { panic!("{api:?}") };
    assert!(matches!(&http.expect[..], [Condition::Json { path, test: Test::Is, .. }] if path == "$.status"));
    assert_eq!(api.settings.timeout_ms, 24_000, "0.8 of the interval");

    let twin = made(&parsed, "first-page-2");
    assert!(twin.paused, "upside down");
    assert_eq!(twin.settings.interval_seconds, 10);
    let place = |key: &str| parsed.monitors.iter().position(|one| one.key == key).unwrap();
    assert!(place("router") < place("ssh"), "parents first");
    assert_eq!(made(&parsed, "ssh").parent.as_deref(), Some("router"));
    let token = made(&parsed, "nightly-job").token.as_ref().map(|token| token.expose_secret().to_owned());
    assert_eq!(token.as_deref(), Some("Zq9hY2Lw0s"));
    let MonitorSpec::Postgres(postgres) = &made(&parsed, "orders").settings.spec else { panic!() };
    assert_eq!((postgres.host.as_str(), postgres.port, postgres.tls), ("db.example.com", 5433, PostgresTls::Require));
    let MonitorSpec::Grpc(grpc) = &made(&parsed, "ledger").settings.spec else { panic!() };
    assert_eq!((grpc.url.as_str(), grpc.service.as_str()), ("https://ledger.example.com:8443", "ledger.v1.Ledger"));
}

#[test]
fn what_uptime_kuma_has_and_this_has_not_is_told() {
    let parsed = parse(ImportSource::UptimeKuma, &fixture("kuma.json")).unwrap();
    let fates: Vec<(Fate, &str)> = ["Other call", "Cache", "Broker", "Intranet", "Container", "Odd query"]
        .into_iter()
        .map(|name| (row(&parsed, name).fate, name))
        .collect();
    let expected = [
        (Fate::NotTaken, "Other call"),
        (Fate::NotTaken, "Cache"),
        (Fate::Offered, "Broker"),
        (Fate::Paused, "Intranet"),
        (Fate::NotTaken, "Container"),
        (Fate::Paused, "Odd query"),
    ];
    assert_eq!(fates, expected);
    assert!(made(&parsed, "broker").is_offered && made(&parsed, "broker").paused);
    assert!(has_left(row(&parsed, "Broker"), "mqttTopic") && has_left(row(&parsed, "Container"), "docker_container"));
    let channels: Vec<&str> = parsed.report.proposals.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(channels, ["Ops chat", "Mail"]);
    assert!(parsed.report.left.iter().any(|left| left.field == "notificationList" && left.value == "Phone"));
    // Nothing that may be a secret is in the report.
    let report = serde_json::to_string(&parsed.report).unwrap();
    for secret in ["hunter2", "k-123", "p@ss", "hooks.slack.com", "Zq9hY2Lw0s"] {
        assert!(!report.contains(secret), "{secret}: {report}");
    }
}

/// Names of all fields of an object.
fn names(value: &Value) -> Vec<String> {
    value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn each_field_of_a_monitor_is_taken_or_told() {
    let file: Value = serde_json::from_str(&fixture("kuma.json")).unwrap();
    let parsed = parse(ImportSource::UptimeKuma, &fixture("kuma.json")).unwrap();
    for monitor in file["monitorList"].as_array().unwrap().iter().filter(|one| one["type"] != "group") {
        let mut odd = monitor.clone();
        odd.as_object_mut().unwrap().insert("somethingNew".into(), "x".into());
        let text = serde_json::json!({"version": "1.23.16", "monitorList": [odd]}).to_string();
        let alone = parse(ImportSource::UptimeKuma, &text).unwrap();
        assert!(has_left(&alone.report.monitors[0], "somethingNew"), "{}", monitor["name"]);
        assert!(!names(monitor).is_empty());
    }
    assert_eq!(parsed.report.monitors.len(), 15);
}

#[test]
fn endpoints_of_gatus() {
    let parsed = parse(ImportSource::Gatus, &fixture("gatus.yaml")).unwrap();
    is_valid(&parsed);
    let page = made(&parsed, "core_front-page");
    let MonitorSpec::Http(http) = &page.settings.spec else { panic!("{page:?}") };
    assert_eq!(http.status, ["200", "301"]);
    assert_eq!((http.verify, http.redirects), (false, 0));
    assert_eq!(http.headers["Authorization"], "Bearer {{secret.api_token}}");
    let expect = [Condition::Keyword { text: "Welcome".into(), absent: false }, Condition::TimeBelow { ms: 500 }];
    assert_eq!(http.expect, expect);
    let settings = &page.settings;
    assert_eq!(
        (settings.interval_seconds, settings.timeout_ms, settings.retries, settings.successes),
        (90, 5000, 3, 3)
    );
    assert_eq!((settings.certificate_days, settings.retry_ms), (10, Some(90_000)));
    let of_page = row(&parsed, "Front page");
    assert_eq!((of_page.fate, of_page.secrets.as_slice()), (Fate::Taken, ["api_token".to_owned()].as_slice()));
    for field in ["client.dns-resolver", "ui", "extra-labels", "conditions"] {
        assert!(has_left(of_page, field), "{field}: {:?}", of_page.left);
    }
    let domain = parsed.monitors.iter().find(|one| one.settings.spec.kind() == Kind::Domain).unwrap();
    assert!(
        matches!(&domain.settings.spec, MonitorSpec::Domain(domain) if domain.name == "example.org" && domain.days == 30)
    );

    let MonitorSpec::Dns(dns) = &made(&parsed, "_name").settings.spec else { panic!() };
    assert_eq!(
        (dns.server.as_deref(), dns.values.as_slice()),
        (Some("8.8.8.8:53"), ["93.184.216.34".to_owned()].as_slice())
    );
    let MonitorSpec::Smtp(mail) = &made(&parsed, "_mail").settings.spec else { panic!() };
    assert_eq!((mail.tls, mail.port), (MailTls::Starttls, 587));
    assert!(made(&parsed, "_router").paused);
    let nightly = made(&parsed, "jobs_nightly");
    assert_eq!((nightly.settings.interval_seconds, nightly.settings.retries), (1800, 0));
    assert_eq!(nightly.token.as_ref().map(|token| token.expose_secret().to_owned()).as_deref(), Some("potato-potato"));

    let MonitorSpec::Flow(flow) = &made(&parsed, "shop_checkout").settings.spec else { panic!() };
    assert_eq!(flow.steps[0].http.body.as_deref(), Some("{\"user\": \"probe\"}"));
    assert_eq!(flow.steps[0].take["token"], Take::Json { path: "$.token".into() });
    assert_eq!(flow.steps[1].http.headers["Authorization"], "Bearer {{token}}");
    let crons: Vec<Option<&str>> = parsed.windows.iter().map(|one| one.window.cron.as_deref()).collect();
    assert_eq!(crons, [Some("30 2 * * SUN"), Some("0 23 * * MON,THU")]);
    assert_eq!(parsed.windows[0].monitors, ["core_front-page"]);
    // What is there besides the file's monitors is not in maintenance.
    let all: Vec<&str> = parsed.monitors.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(parsed.windows[1].monitors, all);
    assert!(parsed.windows.iter().all(|one| !one.window.every));
}

#[test]
fn a_dropped_condition_pauses() {
    let parsed = parse(ImportSource::Gatus, &fixture("gatus.yaml")).unwrap();
    let api = row(&parsed, "API");
    assert_eq!(api.fate, Fate::Paused);
    assert!(api.left.iter().any(|left| left.value == "[IP] == 127.0.0.1"), "{:?}", api.left);
    assert!(made(&parsed, "core_api").paused);
    assert_eq!(row(&parsed, "Behind a proxy").fate, Fate::Paused);
    assert_eq!(row(&parsed, "Socket").fate, Fate::NotTaken);
    // Without it, it is simply taken.
    let text = fixture("gatus.yaml").replace("      - \"[IP] == 127.0.0.1\"\n", "");
    assert_eq!(row(&parse(ImportSource::Gatus, &text).unwrap(), "API").fate, Fate::Taken);
}

#[test]
fn what_is_merged_into_an_endpoint_is_taken_and_one_without_conditions_is_paused() {
    let text = "x: &defaults {group: core, interval: 2m, conditions: [\"[STATUS] < 400\"]}\n\
        endpoints: [{name: a, url: https://example.org/, <<: *defaults}, {name: b, url: https://example.org/}]\n";
    let parsed = parse(ImportSource::Gatus, text).unwrap();
    let a = made(&parsed, "core_a");
    let MonitorSpec::Http(http) = &a.settings.spec else { panic!("{a:?}") };
    assert_eq!((http.status.as_slice(), a.settings.interval_seconds), (["100-399".to_owned()].as_slice(), 120));
    assert!(!a.paused && row(&parsed, "a").left.is_empty(), "{:?}", row(&parsed, "a"));
    let b = row(&parsed, "b");
    assert!(b.fate == Fate::Paused && has_left(b, "conditions") && made(&parsed, "_b").paused, "{b:?}");
}

#[test]
fn a_heartbeat_of_more_than_a_day_is_late_as_it_was_there_and_one_of_weeks_is_paused() {
    for (days, grace) in [(1, Some(0)), (7, Some(518_400)), (8, Some(604_800)), (25, None)] {
        let gatus =
            format!("external-endpoints: [{{name: a, token: potato-potato, heartbeat: {{interval: {}h}}}}]", days * 24);
        let monitor = serde_json::json!({"id": 1, "name": "a", "type": "push", "pushToken": "Zq9hY2Lw0s", "interval": days * 86_400});
        let kuma = serde_json::json!({"version": "1.23", "monitorList": [monitor]}).to_string();
        for (source, text) in [(ImportSource::Gatus, &gatus), (ImportSource::UptimeKuma, &kuma)] {
            let parsed = parse(source, text).unwrap();
            is_valid(&parsed);
            let one = &parsed.monitors[0];
            let MonitorSpec::Heartbeat(heartbeat) = &one.settings.spec else { panic!("{one:?}") };
            assert_eq!((one.settings.interval_seconds, one.paused), (86_400, grace.is_none()), "{days} {one:?}");
            assert_eq!(heartbeat.grace_seconds, grace.unwrap_or(0), "{days} {one:?}");
            assert_eq!(parsed.report.monitors[0].left.is_empty(), days == 1, "{:?}", parsed.report.monitors[0].left);
        }
    }
}

#[test]
fn a_window_names_no_more_monitors_than_it_may() {
    let endpoints: Vec<String> = (0..201)
        .map(|n| format!("{{name: m{n}, url: https://example.org/, conditions: [\"[STATUS] == 200\"]}},"))
        .collect();
    let endpoints = endpoints.concat();
    let text = format!("endpoints: [{endpoints}]\nmaintenance: {{start: \"23:00\", duration: 1h}}");
    let parsed = parse(ImportSource::Gatus, &text).unwrap();
    let windows: Vec<(&str, usize)> =
        parsed.windows.iter().map(|one| (one.window.name.as_str(), one.monitors.len())).collect();
    assert_eq!(windows, [("Maintenance", 200), ("Maintenance 2", 1)]);
}

#[test]
fn each_part_of_a_configuration_of_gatus_is_taken_or_told() {
    let file: Value = serde_yaml_ng::from_str(&fixture("gatus.yaml")).unwrap();
    let parsed = parse(ImportSource::Gatus, &fixture("gatus.yaml")).unwrap();
    let taken = ["endpoints", "external-endpoints", "suites", "maintenance", "alerting", "ui", "announcements"];
    for name in names(&file) {
        let is_told = parsed.report.left.iter().any(|left| left.field == name);
        assert!(is_told || taken.contains(&name.as_str()), "{name}");
    }
    assert!(parsed.report.left.iter().any(|left| left.field == "alerting.pagerduty"));
    for (what, name) in
        [("channel", "slack"), ("page", "Status of Example"), ("announcement", "information"), ("rule", "Front page")]
    {
        assert!(parsed.report.proposals.iter().any(|one| one.what == what && one.name == name), "{what} {name}");
    }
    let report = serde_json::to_string(&parsed.report).unwrap();
    for secret in ["hooks.slack.com", "potato", "JDJhJDEw"] {
        assert!(!report.contains(secret), "{secret}");
    }
    // A field that nobody knows is told, wherever it is.
    for before in ["    method: GET\n", "      timeout: 5s\n", "debug: true\n"] {
        let indent: String = before.chars().take_while(|c| *c == ' ').collect();
        let text = fixture("gatus.yaml").replace(before, &format!("{before}{indent}something-new: x\n"));
        let parsed = parse(ImportSource::Gatus, &text).unwrap();
        let all = parsed.report.monitors.iter().flat_map(|row| &row.left).chain(&parsed.report.left);
        assert!(all.into_iter().any(|left| left.field.ends_with("something-new")), "{before}");
    }
}

#[test]
fn other_files_are_refused() {
    for (source, text) in [
        (ImportSource::UptimeKuma, "not JSON"),
        (ImportSource::UptimeKuma, "[]"),
        (ImportSource::UptimeKuma, "{\"version\": \"2.0.0\"}"),
        (ImportSource::Gatus, "a: [b"),
        (ImportSource::Gatus, "just: text"),
        (ImportSource::Gatus, "- 1"),
    ] {
        assert!(parse(source, text).is_err(), "{text}");
    }
    assert!(parse(ImportSource::UptimeKuma, &"x".repeat(super::LONGEST + 1)).is_err());
}

#[test]
fn a_file_with_too_many_entries_is_refused() {
    let many = |list: &str| vec![list; 5001].join(",");
    let kuma = format!(r#"{{"version": "1.23", "monitorList": [{}]}}"#, many(r#"{"name": "a"}"#));
    let gatus = format!("endpoints: [{}]", many("{name: a}"));
    for (source, text) in [(ImportSource::UptimeKuma, kuma), (ImportSource::Gatus, gatus)] {
        let error = parse(source, &text).unwrap_err().to_string();
        assert!(error.contains("5001"), "{error}");
    }
}

#[test]
fn a_chain_of_parents_and_many_of_one_name_take_no_time() {
    let monitors: Vec<Value> = (1..=5000)
        .map(|id| serde_json::json!({"id": id, "parent": id + 1, "name": "a", "type": "http", "url": "https://example.com/"}))
        .collect();
    let text = serde_json::json!({"version": "1.23", "monitorList": monitors}).to_string();
    let began = std::time::Instant::now();
    let parsed = parse(ImportSource::UptimeKuma, &text).unwrap();
    // Quadratic in the depth it took minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(parsed.monitors.len(), 5000);
    // The last one of the file is above all others.
    let keys: Vec<&str> = parsed.monitors.iter().take(2).map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["a-5000", "a-4999"]);
    let parent_of = |key: &str| made(&parsed, key).parent.clone();
    assert_eq!((parent_of("a-5000"), parent_of("a").as_deref()), (None, Some("a-2")));
}

#[test]
fn a_circle_of_parents_has_none() {
    let one = |id: u32, parent: u32| serde_json::json!({"id": id, "parent": parent, "name": format!("m{id}"), "type": "http", "url": "https://example.com/"});
    let monitors = [one(1, 2), one(2, 1), one(3, 3), one(4, 9)];
    let text = serde_json::json!({"version": "1.23", "monitorList": monitors}).to_string();
    let parsed = parse(ImportSource::UptimeKuma, &text).unwrap();
    assert!(parsed.monitors.len() == 4 && parsed.monitors.iter().all(|one| one.parent.is_none()), "{parsed:?}");
}
