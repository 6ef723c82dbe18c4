mod domains;
mod writing;

use chrono::{DateTime, TimeDelta};

use super::{
    Account, Address, Backlog, BadAddress, Config, KINDS, Kind, Signing, dns, doctor,
    model::{DnsCheck, DnsRecord, DnsStatus},
    service::{account_wait, lane, later_by, retry_wait},
    smtp::{Answer, Failure, Step, judge},
};
use platform::{config::ConfigErrors, health::Status};

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

#[test]
fn kinds_have_names_of_their_own() {
    for (at, kind) in KINDS.iter().enumerate() {
        assert_eq!(Kind::named(kind.name), Some(*kind));
        assert!(KINDS[..at].iter().all(|other| other.name != kind.name), "{}", kind.name);
    }
    assert_eq!(Kind::named("none"), None);
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

/// What a failure is to the mail: `now`, `bad` (and `address`), `unknown`, `account`.
fn verdict(step: Step, code: u16, text: &str) -> &'static str {
    match judge(step, Answer::new(code, text)) {
        Failure::Before(_) => "now",
        Failure::Permanent { of_address: true, .. } => "address",
        Failure::Permanent { .. } => "bad",
        Failure::Unknown(_) => "unknown",
        Failure::Account(_) => "account",
    }
}

/// Answers as Postfix, Exim, Exchange, Gmail, SES and others give them.
#[test]
fn answers_of_servers_are_told_apart() {
    use Step::{Connect, Data, Recipient, Sender, SignIn};
    let own = Sender { own: true };
    let content = Step::Content { own: true };
    for (step, code, text, expected) in [
        (Connect, 554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "account"),
        (Connect, 421, "4.7.0 Too many connections", "account"),
        (SignIn, 535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "account"),
        (SignIn, 454, "4.7.0 Temporary authentication failure", "account"),
        (own, 530, "5.7.0 Must issue a STARTTLS command first", "account"),
        (own, 530, "5.7.1 Authentication required", "account"),
        (Recipient, 530, "SMTP authentication is required.", "account"),
        (own, 553, "5.7.1 <a@b>: Sender address rejected: not owned by user x", "account"),
        (Sender { own: false }, 553, "5.7.1 <a@b>: Sender address rejected: not owned by user x", "bad"),
        (own, 452, "4.3.1 Insufficient system storage", "now"),
        (own, 421, "4.4.2 mail.example.com Error: timeout exceeded", "now"),
        (Recipient, 450, "4.2.0 <a@b>: Recipient address rejected: Greylisted, see http://postgrey.example", "now"),
        (Recipient, 451, "4.7.1 Greylisting in action, please come back later", "now"),
        (Recipient, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "now"),
        (Recipient, 452, "4.2.2 The email account that you tried to reach is over quota", "now"),
        (Recipient, 550, "5.1.1 <a@b>: Recipient address rejected: User unknown in virtual mailbox table", "address"),
        (Recipient, 550, "5.1.1 The email account that you tried to reach does not exist.", "address"),
        (
            Recipient,
            550,
            "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            "address",
        ),
        (Recipient, 550, "No such user here", "address"),
        (Recipient, 554, "5.7.1 <a@b>: Relay access denied", "bad"),
        (Recipient, 550, "relay not permitted", "bad"),
        (Recipient, 553, "Sender address rejected: not owned by user x", "bad"),
        (Recipient, 550, "Message blocked: see our list", "bad"),
        (Recipient, 550, "5.7.1 Service refused: our policy", "bad"),
        (Recipient, 552, "5.2.2 Mailbox full", "bad"),
        (Data, 554, "5.5.1 Error: no valid recipients", "bad"),
        (Data, 354, "End data with <CR><LF>.<CR><LF>", "now"),
        (content, 554, "5.7.1 Message rejected: spam", "bad"),
        (content, 554, "Message rejected: Email address is not verified.", "bad"),
        (content, 552, "5.3.4 Message size exceeds fixed limit", "bad"),
        (content, 451, "4.3.0 Error: queue file write error", "now"),
        // After the content nobody knows whom a server means.
        (content, 550, "5.1.1 User unknown", "bad"),
        (Data, 550, "5.1.1 User unknown", "bad"),
        (content, 554, "5.0.0 Message rejected as spam", "bad"),
        (content, 554, "Message not allowed - [299]", "bad"),
        (Recipient, 550, "ip in prison", "bad"),
        (Recipient, 550, "5.0.0 Unknown user", "address"),
        (Recipient, 550, "5.2.1 The user you are trying to contact is receiving mail too quickly.", "bad"),
        (Recipient, 550, "5.2.1 The email account that you tried to reach is disabled.", "address"),
    ] {
        assert_eq!(verdict(step, code, text), expected, "{step:?} {code} {text}");
    }
    let silence = || Answer::own("no answer to a command within 60 s");
    for (step, expected) in [
        (Connect, Failure::Account(silence())),
        (SignIn, Failure::Account(silence())),
        (own, Failure::Before(silence())),
        (Recipient, Failure::Before(silence())),
        (Data, Failure::Before(silence())),
        (content, Failure::Unknown(silence())),
    ] {
        assert_eq!(judge(step, silence()), expected, "{step:?}");
    }
    assert_eq!(Answer::new(550, "5.1.1 no\r\nsuch\0 user").shown(), "550 5.1.1 no such user", "one line, no NUL");
    assert_eq!(Answer::new(550, "5.1.1 x").enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(Answer::new(550, "127.0.0.1 is blocked").enhanced, None);
    assert_eq!(Answer::own("x".repeat(5000)).text.len(), 1000);
}

/// What the server would answer to all mail, whatever code it has for it, and what is only alike.
#[test]
fn what_concerns_the_account_is_no_fault_of_a_mail() {
    use Step::{Data, Recipient, Sender};
    let own = Sender { own: true };
    let (content, of_others) = (Step::Content { own: true }, Step::Content { own: false });
    for (step, code, text, expected) in [
        // The account has sent its share.
        (content, 550, "5.4.5 Daily user sending limit exceeded.", "account"),
        (Recipient, 550, "5.4.5 Daily user sending limit exceeded.", "account"),
        (content, 550, "5.1.90 Your message can't be sent because you've reached your daily limit", "account"),
        (Recipient, 550, "5.1.90 Your message can't be sent because you've reached your daily limit", "account"),
        (content, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed", "account"),
        (content, 550, "5.7.233 Your tenant exceeded its daily limit for sending to external recipients", "account"),
        (Recipient, 552, "Daily sending quota exceeded", "account"),
        (Recipient, 550, "Domain a.example has exceeded the max emails per hour (100/100) allowed.", "account"),
        (Data, 550, "5.7.1 Daily SMTP relay limit exceeded for customer.", "account"),
        (content, 454, "Throttling failure: Daily message quota exceeded.", "account"),
        (content, 454, "Throttling failure: Maximum sending rate exceeded.", "now"),
        // A limit of the recipient is none of the account.
        (Recipient, 550, "5.2.121 The recipient's per hour message receive limit was exceeded", "bad"),
        (Recipient, 552, "5.2.2 The mailbox has exceeded its daily limit", "bad"),
        (content, 552, "5.2.3 Your message exceeded our message size limits for sending", "bad"),
        (content, 554, "Transaction failed: Duplicate header 'DKIM-Signature'.", "account"),
        (of_others, 554, "Transaction failed: Duplicate header 'DKIM-Signature'.", "bad"),
        (own, 451, "5.7.3 STARTTLS is required to send mail", "account"),
        (Recipient, 451, "5.7.3 STARTTLS is required to send mail", "account"),
        (own, 550, "5.7.10 Encryption needed: use STARTTLS", "account"),
    ] {
        assert_eq!(verdict(step, code, text), expected, "{step:?} {code} {text}");
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
fn records_of_the_dns_are_judged() {
    let records = |texts: &[&str]| -> dns::Found { Ok(texts.iter().map(|text| (*text).to_owned()).collect()) };
    let expected = DnsRecord { host: "hf._domainkey.example.com".into(), value: "v=DKIM1; k=rsa; p=AAAA==".into() };
    for (found, status) in [
        (records(&["v=DKIM1; k=rsa; p=AAAA=="]), DnsStatus::Pass),
        (records(&["k=rsa;p=AA AA=="]), DnsStatus::Pass),
        // Which one a receiver takes is undefined.
        (records(&["v=DKIM1; k=rsa; p=AAAA==", "v=DKIM1; k=rsa; p=BBBB"]), DnsStatus::Fail),
        (records(&["other", "v=DKIM1; k=rsa; p=AAAA=="]), DnsStatus::Fail),
        (records(&["v=DKIM1; p=BBBB"]), DnsStatus::Fail),
        (records(&["v=DKIM1; p="]), DnsStatus::Fail),
        (records(&[]), DnsStatus::Fail),
        (Err("timeout".to_owned()), DnsStatus::Unknown),
    ] {
        let check = dns::dkim("dkim_rsa", &expected, found.clone());
        assert_eq!(check.status, status, "{found:?}");
        // A record that is not needed may be missing, but not be wrong.
        let is_missing = found == Ok(Vec::new());
        assert_eq!(dns::optional(check).status, if is_missing { DnsStatus::Warn } else { status }, "{found:?}");
    }
    for (found, status) in [
        (records(&["v=spf1 include:sendgrid.net -all", "google-site-verification=x"]), DnsStatus::Pass),
        (records(&["v=spf1 redirect=_spf.example.com"]), DnsStatus::Pass),
        (records(&["v=spf1 a mx"]), DnsStatus::Warn),
        (records(&["v=spf1 +all"]), DnsStatus::Fail),
        (records(&["v=spf1 a -all", "v=spf1 mx -all"]), DnsStatus::Fail),
        (records(&["google-site-verification=x"]), DnsStatus::Fail),
        (Err("timeout".to_owned()), DnsStatus::Unknown),
    ] {
        assert_eq!(dns::spf("example.com", found.clone()).status, status, "{found:?}");
    }
    for (found, status) in [
        (records(&["v=DMARC1; p=reject; rua=mailto:a@example.com"]), DnsStatus::Pass),
        (records(&["v=DMARC1; p=none"]), DnsStatus::Pass),
        (records(&["v=DMARC1; rua=mailto:a@example.com"]), DnsStatus::Fail),
        (records(&[]), DnsStatus::Warn),
    ] {
        assert_eq!(dns::dmarc("example.com", found.clone()).status, status, "{found:?}");
    }
    let ip = "192.0.2.1".parse().unwrap();
    let names = |name: &str| Ok(vec![(ip, vec![name.to_owned()])]);
    assert_eq!(dns::reverse("mail.example.com", names("Mail.example.com")).status, DnsStatus::Pass);
    assert_eq!(dns::reverse("mail.example.com", names("host.provider.example")).status, DnsStatus::Warn);
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
        doctor::refusal("mail.example.com:587", hostname, &judge(Step::Connect, Answer::new(code, text)))
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
    let backlog = |minutes: f64| Backlog { waiting: 3, oldest_seconds: minutes * 60.0, later: 1 };
    assert_eq!(doctor::waiting(&Backlog::default(), &works).status, Status::Pass);
    assert_eq!(doctor::waiting(&backlog(5.0), &works).status, Status::Pass);
    assert_eq!(doctor::waiting(&backlog(20.0), &works).status, Status::Warn);
    let fails =
        Account { failing_since: Some(DateTime::UNIX_EPOCH), error: Some("535 5.7.8 wrong".into()), ..works.clone() };
    let found = doctor::waiting(&backlog(5.0), &fails);
    assert!(found.status == Status::Fail && found.summary.contains("535 5.7.8"), "{found:?}");
    let missing = Account { configured: false, ..works };
    assert!(doctor::waiting(&backlog(20.0), &missing).remedy.unwrap().contains("mail.smtp_host"));
}
