//! What can be tested without a database or an Alertmanager.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::{
    Config,
    config::Webhook,
    model::{Alert, AlertId, Labels, Notification, Report, Severity, distinct},
    runbooks,
    service::parse_matchers,
};
use platform::config::ConfigErrors;
use webhooks::SigningKey;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

#[test]
fn weak_secrets_are_refused() {
    for bad in ["", "whsec_", "whsec_c2hvcnQ=", "not base64 at all, but long enough to be", "whsec_***"] {
        assert!(SigningKey::parse(&SecretString::from(bad)).is_err(), "{bad:?}");
    }
    let mut config = Config { token: Some("short".to_owned().into()), ..Config::default() };
    config.alertmanager_url = "alertmanager:9093".into();
    config.heartbeat_url = Some("ftp://x".to_owned().into());
    let webhook = Webhook { url: "x".into(), severities: vec!["page".into()], ..Webhook::default() };
    config.webhooks.insert("On Call".into(), webhook);
    let mut errors = ConfigErrors::default();
    errors.enter("alerting");
    config.validate(&mut errors);
    let named: Vec<&str> = errors.iter().map(|(setting, _)| setting).collect();
    let hook = "alerting.webhooks.On Call";
    let hook_settings =
        [hook.to_owned(), format!("{hook}.url"), format!("{hook}.secret_file"), format!("{hook}.severities")];
    let expected: Vec<String> = ["alerting.token", "alerting.alertmanager_url", "alerting.heartbeat_url"]
        .into_iter()
        .map(str::to_owned)
        .chain(hook_settings)
        .collect();
    assert_eq!(named, expected);
}

fn reports(alerts: &serde_json::Value) -> Vec<Report> {
    let text = json!({"version": "4", "alerts": alerts}).to_string();
    let notification: Notification = platform::http::decode(text.as_bytes()).unwrap();
    distinct(notification.read().0.into_iter().map(|alert| alert.report(at(100))))
}

#[test]
fn what_is_said_twice_in_a_notification_is_kept_once_and_its_end_wins() {
    let alert = |status: &str, ends: &str| json!({"status": status, "labels": {"alertname": "A", "severity": "critical"}, "startsAt": at(0), "endsAt": ends, "fingerprint": "f"});
    let (open, end) = ("0001-01-01T00:00:00Z", at(50).to_rfc3339());
    for alerts in [
        json!([alert("firing", open), alert("resolved", &end)]),
        json!([alert("resolved", &end), alert("firing", open)]),
    ] {
        let kept = reports(&alerts);
        assert_eq!((kept.len(), kept[0].ends_at, kept[0].severity), (1, Some(at(50)), Severity::Critical));
    }
    // Resolved without an end, or with one before its start: it counts as ended all the same.
    let kept = reports(&json!([alert("resolved", open)]));
    assert_eq!(kept[0].ends_at, Some(at(100)));
    let kept = reports(&json!([alert("resolved", &(at(0) - TimeDelta::hours(1)).to_rfc3339())]));
    assert_eq!(kept[0].ends_at, Some(at(0)));
}

#[test]
fn odd_alerts_are_taken_all_the_same() {
    let kept = reports(&json!([
        {"status": "firing", "labels": {"alertname": "Nul\u{0}", "severity": "page"}, "startsAt": "2026-11-23T03:00:00.123456789Z", "unknown": {"a": [1]}},
        {"status": "firing", "labels": {}, "annotations": {}, "startsAt": "2026-11-23T03:00:00+03:00"},
    ]));
    assert_eq!(kept.len(), 2);
    let odd = kept.iter().find(|report| !report.labels.is_empty()).unwrap();
    assert_eq!((odd.name.as_str(), odd.severity), ("Nul\u{fffd}", Severity::None));
    assert_eq!(odd.starts_at.timestamp_subsec_nanos(), 123_456_000, "PostgreSQL's precision");
    assert!(kept.iter().all(|report| report.fingerprint.len() == 16) && kept[0].fingerprint != kept[1].fingerprint);
}

#[test]
fn one_odd_alert_does_not_keep_the_others_out() {
    let text = json!({"version": 4, "truncatedAlerts": null, "alerts": [
        {"status": "Firing", "labels": {"alertname": "A", "severity": " CRITICAL ", "code": 503, "up": true, "x": null},
         "annotations": null, "startsAt": at(0).to_rfc3339(), "endsAt": "", "generatorURL": null, "fingerprint": null},
        {"status": "firing", "labels": null, "startsAt": null},
        {"status": "firing", "labels": {"alertname": "B"}, "startsAt": "yesterday"},
        {"status": "pending", "labels": {"alertname": "C"}},
        "no object at all",
    ]})
    .to_string();
    let notification: Notification = platform::http::decode(text.as_bytes()).unwrap();
    assert_eq!((notification.version.as_str(), notification.truncated_alerts), ("4", 0));
    let (alerts, unreadable) = notification.read();
    assert_eq!((alerts.len(), unreadable.len()), (2, 3), "{unreadable:?}");
    let kept = distinct(alerts.into_iter().map(|alert| alert.report(at(100))));
    let first = kept.iter().find(|report| report.name == "A").unwrap();
    assert_eq!(
        (first.severity, first.labels["code"].as_str(), first.labels["up"].as_str()),
        (Severity::Critical, "503", "true")
    );
    assert!(first.annotations.is_empty() && first.ends_at.is_none());
    assert_eq!(kept.iter().find(|report| report.name.is_empty()).unwrap().starts_at, at(100));
}

#[test]
fn matchers_are_read_as_prometheus_writes_them() {
    let text = " alertname=\"Jobs\\\"Stuck\"\n\nseverity =~ warning|info\nqueue!=a=b\npath!~\"x\\\\.y\"";
    let read: Vec<String> = parse_matchers(text).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        read,
        [r#"alertname="Jobs\"Stuck""#, r#"severity=~"warning|info""#, r#"queue!="a=b""#, r#"path!~"x\\.y""#]
    );
    for bad in ["alertname", "=x", "a b=c", "a=\"open", "a!c", "1a=b"] {
        assert!(parse_matchers(bad).is_err(), "{bad}");
    }
}

#[test]
fn runbooks_are_files_and_not_paths() {
    for name in ["", "../operations", "..", "a/b", "README.md", "nosuchrunbook"] {
        assert_eq!(runbooks::html(name), None, "{name}");
    }
    let alert = |url: &str| Alert {
        id: AlertId(uuid::Uuid::nil()),
        fingerprint: String::new(),
        name: "../x".into(),
        severity: Severity::None,
        starts_at: at(0),
        ends_at: None,
        labels: Labels::new(),
        annotations: Labels::from([("runbook_url".to_owned(), url.to_owned())]),
        generator_url: String::new(),
        received_at: at(0),
        heard_at: at(0),
    };
    assert_eq!(runbooks::href(&alert("https://example.com/r")), "https://example.com/r");
    for bad in ["javascript:alert(1)", "", "//evil"] {
        assert_eq!(runbooks::href(&alert(bad)), "", "{bad}");
    }
    for name in runbooks::names() {
        assert!(runbooks::html(&name).is_some_and(|html| !html.is_empty()), "{name}");
    }
}

#[test]
fn runbooks_link_to_each_other_and_hold_no_markup_of_their_own() {
    let text = "# DatabaseDown\n\n## Diagnosis\n\nSee [the disk](DiskFull.md#diagnosis), [x](Other.md).\n\n<script>x</script>\n";
    let html = runbooks::render(text, &["DatabaseDown".to_owned(), "DiskFull".to_owned()]);
    assert!(html.contains(r#"href="/runbooks/DiskFull#diagnosis""#), "{html}");
    assert!(html.contains("x (Other.md)") && !html.contains("<script"), "{html}");
}
