mod dns_records;
mod domains;
mod refusals;
mod writing;

use chrono::{DateTime, TimeDelta};

use super::{
    Account, Address, BadAddress, Config, KINDS, Kind, Owner, Signing, dns, doctor, kinds,
    model::{DnsCheck, DnsStatus},
    service::{account_wait, lane, later_by, most_counted, retry_wait},
    smtp::{Answer, Envelope, Step, judge},
    store::lanes::Waiting,
};
use platform::{config::ConfigErrors, health::Status, ids::OrgId};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

#[test]
fn addresses_are_read_as_people_write_them() {
    for (text, name, plain) in [
        ("ada@example.com", "", "ada@example.com"),
        (" Ada@Example.COM\n", "", "Ada@example.com"),
        ("Ada Lovelace <ada@example.com>", "Ada Lovelace", "ada@example.com"),
        ("\"Lovelace, Ada\" <ada@example.com>", "Lovelace, Ada", "ada@example.com"),
        ("\"a \\\"b\\\" \\\\c\" <a@b.example>", "a \"b\" \\c", "a@b.example"),
        ("<ada@example.com>", "", "ada@example.com"),
        ("Ада <ada@пример.рф>", "Ада", "ada@xn--e1afmkfd.xn--p1ai"),
        ("имя@пример.рф", "", "имя@xn--e1afmkfd.xn--p1ai"),
        ("o'neil+tag@mail-1.example.com", "", "o'neil+tag@mail-1.example.com"),
        ("root@localhost", "", "root@localhost"),
        ("愛 <a@b.example>", "愛", "a@b.example"),
    ] {
        let read = address(text);
        assert_eq!((read.name(), read.address().as_str()), (name, plain), "{text:?}");
        assert_eq!(address(&read.to_string()), read, "what is shown is read as the same: {read}");
    }
    assert!(address("имя@example.com").needs_smtputf8() && !address("a@пример.рф").needs_smtputf8());
    assert_eq!(address("Ada@Example.com").key(), "ada@example.com");
}

#[test]
fn what_is_not_one_address_is_refused() {
    use BadAddress::{Control, Domain, Form, Invisible, Local};
    for (text, why) in [
        ("", Form),
        ("ada", Form),
        ("ada@", Domain),
        ("@example.com", Local),
        ("a@b.example, c@d.example", Local),
        ("A, B <a@b.example>", Form),
        ("A <a@b.example> <c@d.example>", Form),
        ("a b@example.com", Local),
        ("a..b@example.com", Local),
        (".a@example.com", Local),
        ("\"a b\"@example.com", Local),
        ("a@[127.0.0.1]", Domain),
        ("a@x_y.example", Domain),
        ("a@-x.example", Domain),
        ("a@example.com.", Domain),
        ("a\u{200b}b@example.com", Invisible),
        ("a\u{202e}b@example.com", Invisible),
        ("a@b.example\r\nBcc: c@d.example", Control),
        ("a@b.example\nDATA", Control),
        ("a\0@b.example", Control),
        ("Ada\r\nBcc: <c@d.example>", Control),
        ("\"Ada\r\n\" <a@b.example>", Control),
    ] {
        assert_eq!(Address::parse(text), Err(why), "{text:?}");
    }
    assert_eq!(Address::new("Ada\r\nBcc: c@d.example", "a@b.example"), Err(Control));
    assert_eq!(Address::new("", &format!("{}@example.com", "a".repeat(65))), Err(Local));
    assert_eq!(Address::new(&"a".repeat(201), "a@b.example"), Err(BadAddress::NameTooLong));
}

#[test]
fn a_lane_is_a_domain_of_recipients() {
    assert_eq!(lane(&address("Ada <ada@Пример.РФ>")), "smtp/xn--e1afmkfd.xn--p1ai");
    assert_eq!(lane(&address("a@example.com")), lane(&address("b@EXAMPLE.com")));
    assert_ne!(lane(&address("a@example.com")), lane(&address("a@mail.example.com")));
}

/// Each mail pays for its count, however high the limits are.
#[test]
fn no_more_is_counted_than_decides() {
    let config = Config { per_org_per_hour: 1_000_000, per_recipient_per_hour: 30, ..Config::default() };
    assert_eq!(most_counted(&config, &kinds::API), (1_000_000, 30));
    assert_eq!(most_counted(&config, &kinds::ALERT), (24_000_000, 720));
    assert_eq!(most_counted(&config, &kinds::PASSWORD_RESET), (0, 720));
}

#[test]
fn links_go_before_alerts_and_these_before_bulk() {
    for (kind, priority) in [
        (&kinds::INVITATION, 0),
        (&kinds::PASSWORD_RESET, 0),
        (&kinds::NEW_DEVICE, 1),
        (&kinds::ALERT, 1),
        (&kinds::API, 2),
        (&kinds::DIGEST, 2),
        (&kinds::WEEKLY_REPORT, 2),
    ] {
        assert_eq!(kind.priority(), priority, "{}", kind.name);
    }
}

#[test]
fn kinds_have_names_of_their_own() {
    for (at, kind) in KINDS.iter().enumerate() {
        assert_eq!(Kind::named(kind.name), Some(*kind));
        assert!(KINDS[..at].iter().all(|other| other.name != kind.name), "{}", kind.name);
    }
    assert_eq!(Kind::named("none"), None);
}

/// Nobody is to choose among, or unsubscribe from, what is never sent to them.
#[test]
fn kinds_are_offered_where_they_are_sent() {
    let names = |owner: Owner| kinds::sent_by(owner).iter().map(|kind| kind.name).collect::<Vec<_>>();
    let org = Owner::Org(OrgId(uuid::Uuid::nil()));
    assert_eq!(names(org), ["welcome", "invitation", "alert", "api", "test"]);
    let of_house = ["password_reset", "new_device", "alert", "digest", "backup_report", "weekly_report", "test"];
    assert_eq!(names(Owner::Installation), of_house);
}

#[test]
fn attempts_come_less_and_less_often() {
    for _ in 0..50 {
        let mut tried_for = TimeDelta::zero();
        for minutes in [1.0, 5.0, 15.0, 60.0, 120.0, 240.0, 240.0] {
            let wait = retry_wait(tried_for);
            let waited = wait.as_secs_f64() / 60.0;
            assert!(waited >= minutes * 0.9 && waited <= minutes * 1.2, "after {tried_for}: {waited}");
            // Sending takes its time, too.
            tried_for += TimeDelta::from_std(wait).unwrap() + TimeDelta::seconds(5);
        }
    }
    assert!(retry_wait(TimeDelta::seconds(-5)).as_secs() >= 54, "who greylists does not accept a mail within seconds");
    for (failures, seconds) in [(1, 10.0), (2, 20.0), (7, 640.0), (8, 900.0), (i32::MAX, 900.0)] {
        let wait = account_wait(failures).as_secs_f64();
        assert!(wait >= seconds * 0.85 && wait <= seconds * 1.15, "{failures}: {wait}");
    }
}

#[test]
fn what_is_beyond_a_limit_waits_for_its_hour() {
    for (count, hours) in [(0, 0), (999, 0), (1000, 1), (1999, 1), (10_000, 10)] {
        assert_eq!(later_by(count, 1000), TimeDelta::hours(hours), "{count}");
    }
}

#[test]
fn a_sender_that_most_servers_refuse_is_no_setting() {
    let errors = |from: &str| {
        let mut errors = ConfigErrors::default();
        Config { from: from.to_owned(), ..Config::default() }.validate(&mut errors);
        if errors.is_empty() { String::new() } else { errors.to_string() }
    };
    for from in ["", "Holdfast <holdfast@example.com>", "Почта <mail@пример.рф>"] {
        assert_eq!(errors(from), "", "{from}");
    }
    for from in ["почта@example.com", "nobody"] {
        assert!(errors(from).contains("from: "), "{from}: {}", errors(from));
    }
}

#[test]
fn bounces_go_to_an_address_that_every_server_takes() {
    for (address, is_valid) in
        [("", true), ("bounces@example.com", true), ("bounces", false), ("возврат@example.com", false)]
    {
        let mut errors = ConfigErrors::default();
        let mut config = Config { bounce_address: address.to_owned(), ..Config::default() };
        config.validate(&mut errors);
        assert_eq!(errors.is_empty(), is_valid, "{address}");
    }
}

#[test]
fn a_name_server_is_an_address_with_or_without_a_port() {
    let server = |text: &str| Config { dns_server: text.to_owned(), ..Config::default() }.dns_server();
    for (text, address) in [
        ("9.9.9.9", Some("9.9.9.9:53")),
        ("127.0.0.1:5353", Some("127.0.0.1:5353")),
        ("2001:db8::1", Some("[2001:db8::1]:53")),
        ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
        ("", None),
        ("dns.example.com", None),
    ] {
        assert_eq!(server(text), address.map(|address| address.parse().unwrap()), "{text}");
    }
    let mut errors = ConfigErrors::default();
    Config { dns_server: "dns.example.com".to_owned(), ..Config::default() }.validate(&mut errors);
    assert!(errors.to_string().contains("dns_server"), "{errors}");
}

#[test]
fn names_of_hosts_are_kept_as_the_dns_has_them() {
    let mut config = Config {
        hostname: "почта.Пример.рф".to_owned(),
        smtp_host: "Mail.Example.com".to_owned(),
        imap_host: "2001:db8::1".to_owned(),
        imap_user: "a".to_owned(),
        imap_password: Some("b".to_owned().into()),
        ..Config::default()
    };
    let mut errors = ConfigErrors::default();
    config.validate(&mut errors);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(config.hostname, "xn--80a1acny.xn--e1afmkfd.xn--p1ai");
    assert_eq!((config.smtp_host.as_str(), config.imap_host.as_str()), ("mail.example.com", "2001:db8::1"));
    for name in ["mail.example.com:25", "a b", "https://mail.example.com", "mail..example.com"] {
        let mut errors = ConfigErrors::default();
        Config { smtp_host: name.to_owned(), ..Config::default() }.validate(&mut errors);
        assert!(!errors.is_empty() && errors.to_string().contains("smtp_host: "), "{name}");
    }
}

#[test]
fn amazon_ses_gets_no_signature_unless_the_operator_wants_one() {
    let signing = |host: &str, dkim| Config { smtp_host: host.to_owned(), dkim, ..Config::default() }.signing();
    for host in [
        "email-smtp.eu-central-1.amazonaws.com",
        "EMAIL-SMTP.us-east-1.amazonaws.com",
        "email-smtp-fips.us-gov-west-1.amazonaws.com",
        "email-smtp.cn-north-1.amazonaws.com.cn",
        "vpce-1-2.email-smtp.eu-west-1.vpce.amazonaws.com",
    ] {
        assert_eq!(signing(host, Signing::Auto), Signing::None, "{host}");
        assert_eq!(signing(host, Signing::Rsa), Signing::Rsa, "{host}");
    }
    for host in ["smtp.sendgrid.net", "", "email-smtp.example.com", "mail.ec2.amazonaws.com"] {
        assert_eq!(signing(host, Signing::Auto), Signing::Both, "{host}");
    }
    assert_eq!(signing("smtp.sendgrid.net", Signing::None), Signing::None);
}

#[test]
fn a_name_that_only_this_host_knows_is_none() {
    for name in ["mail.example.com", "Mail.Example.COM.", "xn--e1afmkfd.xn--p1ai"] {
        assert!(dns::is_public(name), "{name}");
    }
    for name in ["localhost", "127.0.0.1", "[::1]", "2001:db8::1", "a1b2c3d4", "x.localhost", "nas.local", ""] {
        assert!(!dns::is_public(name), "{name}");
    }
}

#[test]
fn doctor_knows_a_refusal_of_the_name_from_others() {
    let judged = |hostname: &str, code, text: &str| {
        let failure = judge(Step::Connect, None, Answer::new(code, text));
        doctor::refusal("mail.example.com:587", hostname, Step::Connect, &failure)
    };
    for (hostname, code, text, is_name) in [
        ("127.0.0.1", 501, "5.5.2 invalid HELO", true),
        ("ai.example.com", 550, "5.7.1 <ai.example.com>: Helo command rejected", true),
        ("localhost", 550, "Access denied", true),
        ("ai.example.com", 550, "Access denied", false),
        ("localhost", 535, "5.7.8 wrong password", false),
    ] {
        let found = judged(hostname, code, text);
        assert_eq!(found.status, Status::Fail);
        assert_eq!(found.remedy.unwrap().contains("mail.hostname"), is_name, "{hostname} {code} {text}");
        assert!(found.summary.contains(text), "{}", found.summary);
    }
}

#[test]
fn doctor_wants_the_records_of_the_signatures_that_are_made() {
    let check = |name: &str, status| DnsCheck {
        name: name.to_owned(),
        status,
        host: "x".into(),
        record: "TXT".into(),
        found: Vec::new(),
        expected: String::new(),
        detail: "missing".into(),
    };
    let checks = |rsa, ed25519| [check("dkim_rsa", rsa), check("dkim_ed25519", ed25519), check("spf", DnsStatus::Pass)];
    let judged = |signing, rsa, ed25519| doctor::records("example.com", true, signing, &checks(rsa, ed25519)).status;
    for (signing, without_ed25519, without_both) in [
        (Signing::Both, Status::Pass, Status::Warn),
        (Signing::Rsa, Status::Pass, Status::Warn),
        (Signing::None, Status::Pass, Status::Pass),
    ] {
        assert_eq!(judged(signing, DnsStatus::Pass, DnsStatus::Pass), Status::Pass, "{signing:?}");
        assert_eq!(judged(signing, DnsStatus::Pass, DnsStatus::Fail), without_ed25519, "{signing:?}");
        assert_eq!(judged(signing, DnsStatus::Fail, DnsStatus::Fail), without_both, "{signing:?}");
    }
    let none = doctor::records("example.com", false, Signing::None, &checks(DnsStatus::Fail, DnsStatus::Fail));
    assert!(none.summary.contains("mail.dkim"), "{none:?}");
}

#[test]
fn doctor_tells_a_slow_outbox_from_a_broken_account() {
    let works = Account {
        configured: true,
        server: "mail.example.com:587".into(),
        from: "a@example.com".into(),
        failing_since: None,
        retry_at: None,
        error: None,
    };
    let backlog = |minutes: f64| Waiting { due: 3, oldest_seconds: minutes * 60.0, lasting: 1, ..Waiting::default() };
    assert_eq!(doctor::waiting(&Waiting::default(), &works).status, Status::Pass);
    assert_eq!(doctor::waiting(&backlog(5.0), &works).status, Status::Pass);
    assert_eq!(doctor::waiting(&backlog(20.0), &works).status, Status::Warn);
    let fails =
        Account { failing_since: Some(DateTime::UNIX_EPOCH), error: Some("535 5.7.8 wrong".into()), ..works.clone() };
    let found = doctor::waiting(&backlog(5.0), &fails);
    assert!(found.status == Status::Fail && found.summary.contains("535 5.7.8"), "{found:?}");
    // Nothing is due, because the server puts off whatever it is given.
    let put_off = |count, minutes: f64| Waiting { put_off: count, tried_seconds: minutes * 60.0, ..Waiting::default() };
    let found = doctor::waiting(&put_off(40, 200.0), &works);
    assert!(found.status == Status::Warn && found.summary.contains("put 40 off"), "{found:?}");
    for few in [put_off(4, 200.0), put_off(40, 2.0)] {
        assert_eq!(doctor::waiting(&few, &works).status, Status::Pass, "{few:?}");
    }
    let missing = Account { configured: false, ..works };
    assert!(doctor::waiting(&backlog(20.0), &missing).remedy.unwrap().contains("mail.smtp_host"));
}

/// An installation that wants no mail has notices that wait and expire, and no warning that never ends.
#[test]
fn doctor_warns_without_a_server_once_somebody_asked_for_mail() {
    let missing = Account {
        configured: false,
        server: String::new(),
        from: String::new(),
        failing_since: None,
        retry_at: None,
        error: None,
    };
    let waiting = |lasting| Waiting { due: 7, oldest_seconds: 80_000.0, lasting, ..Waiting::default() };
    for (lasting, status) in [(0, Status::Pass), (2, Status::Warn)] {
        assert_eq!(doctor::unset(&waiting(lasting)).status, status, "{lasting}");
        assert_eq!(doctor::waiting(&waiting(lasting), &missing).status, status, "{lasting}");
    }
}

#[test]
fn doctor_tells_a_server_that_puts_everything_off_from_one_that_refuses_its_own_address() {
    let sender = address("holdfast@example.com");
    let mail = Envelope { from: &sender, to: &sender, own: true, bounces: None };
    let judged = |step, answer| {
        let failure = judge(step, Some(&mail), answer);
        doctor::refusal("mail.example.com:587", "ai.example.com", step, &failure)
    };
    for (step, answer, status, words) in [
        (Step::Sender, Answer::new(421, "4.4.2 later"), Status::Fail, "puts all mail off"),
        (Step::Sender, Answer::new(452, "4.3.1 Insufficient system storage"), Status::Fail, "takes no mail"),
        (Step::Recipient, Answer::own("no answer to a command within 60 s"), Status::Fail, "puts all mail off"),
        (Step::Recipient, Answer::new(452, "4.3.1 Insufficient system storage"), Status::Fail, "puts all mail off"),
        (Step::Recipient, Answer::new(451, "4.7.1 Greylisted"), Status::Warn, "the sender's own address"),
        (Step::Recipient, Answer::new(550, "5.1.1 no such user"), Status::Warn, "the sender's own address"),
        (Step::Connect, Answer::new(421, "4.7.0 too many connections"), Status::Warn, "no further connection"),
    ] {
        let found = judged(step, answer);
        assert!(found.status == status && found.summary.contains(words), "{step:?}: {found:?}");
    }
}
