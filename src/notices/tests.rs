//! Rules without a database.

use chrono::{DateTime, TimeDelta};
use prometheus_client::registry::Registry;
use serde_json::json;

use super::{
    Config, Metrics, NoticesError,
    doctor::judge,
    model::{AboutAlert, Group, NoticeKind, Recipients, Unmade, about, link, short, unlinked},
    module::LOCALE,
    pages,
    service::{cost_text, entries, in_zone, key},
};
use alerting::AlertId;
use console::{Lang, Texts};
use events::{EventId, Occurred};
use mail::{Address, Owner, TEMPLATES, kinds};
use platform::{clock::Clock, config::ConfigErrors, health::Status as Health, ids::OrgId};

fn addresses(recipients: &Recipients) -> Vec<String> {
    recipients.addresses.iter().map(ToString::to_string).collect()
}

fn errors(config: &Config) -> String {
    let mut errors = ConfigErrors::default();
    config.validate(&mut errors);
    if errors.is_empty() { String::new() } else { errors.to_string() }
}

#[test]
fn recipients_are_ordered_by_domain_and_told_once() {
    let people = [
        ("Ada", "ada@b.example.com"),
        ("", "zoe@a.example.com"),
        ("Twice", "ADA@b.example.com"),
        ("First", "admin@localhost"),
        ("", "no address"),
    ];
    let found = Recipients::of(people);
    assert_eq!(addresses(&found), ["zoe@a.example.com", "Ada <ada@b.example.com>"]);
    assert_eq!(found.unusable, 2);
    // A name that cannot stand in a header costs nobody the notice.
    assert_eq!(addresses(&Recipients::of([("x".repeat(300).as_str(), "a@example.com")])), ["a@example.com"]);
}

/// A relay takes mail to these, and returns it to nobody who looks.
#[test]
fn names_of_one_network_or_of_examples_have_no_mailbox() {
    for nobody in [
        "admin@localhost",
        "admin@holdfast.localhost",
        "admin@holdfast.local",
        "admin@HOLDFAST.Local",
        "admin@mail.internal",
        "admin@nowhere.invalid",
        "admin@holdfast.test",
        "admin@acme.example",
        "admin@mailhost",
    ] {
        let found = Recipients::of([("", nobody)]);
        assert_eq!((addresses(&found).len(), found.unusable), (0, 1), "{nobody}");
    }
    for somebody in ["ada@example.com", "ada@local.example.org", "ada@test.de", "имя@пример.рф"] {
        assert_eq!(Recipients::of([("", somebody)]).addresses.len(), 1, "{somebody}");
    }
}

#[test]
fn the_key_is_of_the_event_and_the_recipient() {
    let to = |text: &str| Address::parse(text).unwrap();
    let longest = to(&format!("{}@{}.example.com", "a".repeat(64), "b".repeat(60)));
    let event = "0198a1c2-5e33-7d21-9a4b-7c1d2e3f4a5b";
    assert!(key(&format!("digest/{event}"), &longest).len() <= 100);
    assert_eq!(key(event, &to("Ada <Ada@example.com>")), key(event, &to("ada@example.com")));
    assert_ne!(key(event, &to("ada@example.com")), key(event, &to("bob@example.com")));
    assert_ne!(key(event, &to("ada@example.com")), key("other", &to("ada@example.com")));
}

#[test]
fn settings_are_checked() {
    assert!(errors(&Config::default()).is_empty(), "{}", errors(&Config::default()));
    let wrong = Config {
        to: vec!["nobody".into()],
        language: "de".into(),
        digest_schedule: "hourly".into(),
        report_schedule: "0 25 * * 1".into(),
        time_zone: "Mars".into(),
        ..Config::default()
    };
    let text = errors(&wrong);
    for setting in ["to", "language", "digest_schedule", "report_schedule", "time_zone"] {
        assert!(text.contains(&format!("{setting}: ")), "{setting} is not refused: {text}");
    }
    let off = Config { digest_schedule: "off".into(), report_schedule: "never".into(), ..Config::default() };
    assert!(errors(&off).is_empty());
    assert!(!off.has_digest() && Config::default().has_digest());
}

#[test]
fn each_kind_has_a_template_of_its_name() {
    for kind in NoticeKind::ALL {
        assert_eq!(kind.of_mail().name, kind.as_str());
        assert!(TEMPLATES.iter().any(|template| template.name == kind.as_str()), "{}", kind.as_str());
    }
}

#[test]
fn an_event_that_cannot_be_read_says_so() {
    let event = Occurred {
        id: EventId::generate(&Clock::system()),
        org_id: None,
        topic: "alerting.alert.firing".into(),
        version: 1,
        key: String::new(),
        payload: json!({"alert": 1}),
        created_at: DateTime::UNIX_EPOCH,
        trace_id: None,
    };
    let error = about::<AboutAlert>(&event).unwrap_err();
    assert!(matches!(&error, NoticesError::Unreadable(id, _) if *id == event.id.to_string()), "{error}");
    let fine = Occurred { payload: json!({"alert_id": EventId::generate(&Clock::system()), "new": true}), ..event };
    assert!(about::<AboutAlert>(&fine).is_ok(), "later versions add fields");
}

#[test]
fn cost_has_two_decimals() {
    assert_eq!(cost_text(12.804), "12.80");
}

#[test]
fn entries_of_the_digest_have_what_its_template_reads() {
    let alert_id = AlertId::generate(&Clock::system());
    let group = |name: &str, count: i64, of_all: i64| Group {
        state: "firing".into(),
        name: name.into(),
        severity: "warning".into(),
        count,
        at: DateTime::UNIX_EPOCH,
        summary: "The disk fills.".into(),
        alert_id,
        since: DateTime::UNIX_EPOCH,
        of_all,
    };
    let list = "https://ai.example.com/alerts";
    let found = |groups: &[Group]| {
        let time = |at| in_zone(at, "UTC");
        entries(groups, |group| format!("{} fires", group.name), |count| format!("{count} more"), time, list)
    };
    let entry = |title: &str, text: &str, url: &str| json!({ "title": title, "text": text, "at": "1970-01-01T00:00:00Z", "url": url });
    let one = format!("{list}/{alert_id}");
    assert_eq!(found(&[group("DiskFull", 1, 1)]), [entry("DiskFull fires", "The disk fills.", &one)]);
    // Of many alerts the mail says how many there are.
    let storm = [group("DiskFull", 9000, 10_000), group("NodeDown", 1, 10_000)];
    let expected = [
        entry("DiskFull fires × 9000", "The disk fills.", list),
        entry("NodeDown fires", "The disk fills.", &one),
        entry("999 more", "", list),
    ];
    assert_eq!(found(&storm), expected);
    assert!(found(&[]).is_empty());
    let title = Texts::new(&[LOCALE]).text(Lang::Ru, "notices-alert-firing").with("name", "X").with("severity", "info");
    assert_eq!(title.to_string(), "Сработало: X (info)");
}

#[test]
fn times_are_those_of_the_configured_zone() {
    // An hour before midnight in UTC, in summer and in winter.
    let summer = DateTime::parse_from_rfc3339("2026-07-05T23:00:00Z").unwrap().to_utc();
    let winter = DateTime::parse_from_rfc3339("2026-12-05T23:00:00Z").unwrap().to_utc();
    assert_eq!(in_zone(summer, "UTC"), "2026-07-05T23:00:00Z");
    assert_eq!(in_zone(summer, "Europe/Moscow"), "2026-07-06T02:00:00+03:00[Europe/Moscow]");
    assert_eq!(in_zone(summer, "Europe/Berlin"), "2026-07-06T01:00:00+02:00[Europe/Berlin]");
    assert_eq!(in_zone(winter, "Europe/Berlin"), "2026-12-06T00:00:00+01:00[Europe/Berlin]");
}

#[test]
fn nobody_to_tell_is_a_failure() {
    let status = |people: &[(&str, &str)]| judge(&Recipients::of(people.iter().copied()), 0).status;
    assert_eq!(status(&[]), Health::Fail);
    assert_eq!(status(&[("", "admin@localhost")]), Health::Fail);
    // The first administrator of an installation in Docker.
    assert_eq!(status(&[("", "admin@holdfast.local")]), Health::Fail);
    assert_eq!(status(&[("", "admin@localhost"), ("", "ada@example.com")]), Health::Warn);
    assert_eq!(status(&[("", "ada@example.com")]), Health::Pass);
    let two = Recipients::of([("", "ada@example.com"), ("", "bob@example.com")]);
    for (suppressed, expected) in [(0, Health::Pass), (1, Health::Warn), (2, Health::Fail)] {
        assert_eq!(judge(&two, suppressed).status, expected, "{suppressed} of two");
    }
}

#[test]
fn what_is_not_made_is_counted() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    metrics.unmade(NoticeKind::Alert, "x", Unmade::NoRecipient, 1);
    metrics.unmade(NoticeKind::Alert, "x", Unmade::BadAddress, 0);
    metrics.made(NoticeKind::Alert, "x", 2);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "unmade_total{kind=\"alert\",reason=\"no_recipient\"} 1",
        "unmade_total{kind=\"alert\",reason=\"bad_address\"} 0",
        "unmade_total{kind=\"digest\",reason=\"gone\"} 0",
        "made_total{kind=\"alert\"} 2",
        "recipients NaN",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
}

/// Each kind that the page offers has its words.
#[test]
fn every_choice_has_a_name() {
    let texts = Texts::new(&[LOCALE]);
    for owner in [Owner::Installation, Owner::Org(OrgId::generate(&Clock::system()))] {
        let offered: Vec<_> = kinds::sent_by(owner).into_iter().filter(|kind| kind.is_notice()).collect();
        assert!(!offered.is_empty());
        for kind in offered {
            let key = pages::key(owner, kind);
            assert!(Lang::ALL.into_iter().all(|lang| texts.has(lang, &key)), "{key}");
        }
    }
}

/// The mailer refuses such a link, and with it the mail about a critical alert.
#[test]
fn what_other_peoples_rules_write_costs_nobody_a_notice() {
    assert_eq!(link("https://example.com/r#1"), "https://example.com/r#1");
    for bad in ["https://example.com/a b", "javascript:alert(1)", "https://example.com/\n", "see the wiki", ""] {
        assert_eq!(link(bad), "", "{bad}");
    }
    assert_eq!((short("диск", 4), short("диск полон", 4)), ("диск".to_owned(), "диск…".to_owned()));
}

/// Whoever may invite could otherwise send strangers any link in our name.
#[test]
fn a_name_in_an_invitation_becomes_no_link() {
    for (name, shown) in [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Acme Ltd.", "Acme Ltd."),
        ("Пример. Рога и копыта", "Пример. Рога и копыта"),
        ("https://evil.example/win", "https evil. example/win"),
        ("Win at evil.example!", "Win at evil. example!"),
        ("a@evil.example", "a@ evil. example"),
    ] {
        assert_eq!(unlinked(name), shown, "{name}");
    }
    assert_eq!(unlinked(&"x".repeat(300)).chars().count(), 81);
}

/// Switched on after months, mail must not bring the alerts of months.
#[test]
fn each_kind_is_of_use_for_a_week_at_most() {
    for kind in NoticeKind::ALL {
        assert!((TimeDelta::days(1)..=TimeDelta::days(7)).contains(&kind.lives()), "{}", kind.as_str());
    }
    assert_eq!(NoticeKind::Alert.lives(), TimeDelta::days(1));
    let waiting: Vec<_> = NoticeKind::ALL.iter().filter(|kind| kind.waits_for_a_server()).collect();
    assert_eq!(waiting, [&NoticeKind::Welcome]);
}
