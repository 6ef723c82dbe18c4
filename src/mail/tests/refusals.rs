//! What refusals are about: the mail, its recipient, its sender, or the account.

use crate::{
    Address,
    smtp::{Answer, Envelope, Failure, Step, judge},
};

/// A refusal of a mail by the configured sender (`own`) or by an organisation's own.
fn judged(to: &str, own: bool, step: Step, code: u16, text: &str) -> Failure {
    let from = Address::parse(if own { "holdfast@example.com" } else { "orders@a.example" }).unwrap();
    let to = Address::parse(to).unwrap();
    judge(step, Some(&Envelope { from: &from, to: &to, own, bounces: None }), Answer::new(code, text))
}

/// What a failure is to the mail: `now`, `bad` (and `address`), `unknown`, `busy`, `account`.
fn verdict(failure: &Failure) -> &'static str {
    match failure {
        Failure::Before(_) => "now",
        Failure::Permanent { of_address: true, .. } => "address",
        Failure::Permanent { .. } => "bad",
        Failure::Unknown(_) => "unknown",
        Failure::Busy(_) => "busy",
        Failure::Account { .. } => "account",
    }
}

#[track_caller]
fn check(own: bool, answers: &[(Step, u16, &str, &str)]) {
    for (step, code, text, expected) in answers {
        let failure = judged("a@b.example", own, *step, *code, text);
        assert_eq!(verdict(&failure), *expected, "own: {own}, {step:?} {code} {text}");
    }
}

/// Answers as Postfix, Exim, Exchange, Gmail, SES and others give them.
#[test]
fn answers_of_servers_are_told_apart() {
    use Step::{Connect, Content, Data, Recipient, Sender, SignIn};
    check(
        true,
        &[
            (Connect, 554, "5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", "account"),
            (Connect, 421, "4.3.2 Service not available", "account"),
            (SignIn, 535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "account"),
            (SignIn, 454, "4.7.0 Temporary authentication failure", "account"),
            (Sender, 530, "5.7.0 Must issue a STARTTLS command first", "account"),
            (Sender, 530, "5.7.1 Authentication required", "account"),
            (Recipient, 530, "SMTP authentication is required.", "account"),
            (Sender, 553, "5.7.1 <a@b>: Sender address rejected: not owned by user x", "account"),
            // It knows nothing of the mail yet.
            (Sender, 452, "4.3.1 Insufficient system storage", "account"),
            (Sender, 421, "4.4.2 mail.example.com Error: timeout exceeded", "now"),
            (Recipient, 450, "4.2.0 <a@b>: Recipient address rejected: Greylisted, see http://postgrey.example", "now"),
            (Recipient, 450, "4.7.1 <x[192.0.2.1]>: Client host rejected: Greylisted", "now"),
            (Recipient, 451, "4.7.1 Greylisting in action, please come back later", "now"),
            (Recipient, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "now"),
            (Recipient, 452, "4.2.2 The email account that you tried to reach is over quota", "now"),
            (Recipient, 452, "4.3.1 Insufficient system storage", "now"),
            (
                Recipient,
                550,
                "5.1.1 <a@b>: Recipient address rejected: User unknown in virtual mailbox table",
                "address",
            ),
            (Recipient, 550, "5.1.1 The email account that you tried to reach does not exist.", "address"),
            (Recipient, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP lookup", "address"),
            (Recipient, 550, "No such user here", "address"),
            (
                Recipient,
                450,
                "4.1.1 <a@b>: Recipient address rejected: unverified address: Address lookup failed",
                "now",
            ),
            (Recipient, 550, "Message blocked: see our list", "bad"),
            (Recipient, 550, "5.7.1 Service refused: our policy", "bad"),
            (Recipient, 552, "5.2.2 Mailbox full", "bad"),
            (Data, 554, "5.5.1 Error: no valid recipients", "bad"),
            (Data, 354, "End data with <CR><LF>.<CR><LF>", "now"),
            (Content, 554, "5.7.1 Message rejected: spam", "bad"),
            (Content, 552, "5.3.4 Message size exceeds fixed limit", "bad"),
            (Content, 451, "4.3.0 Error: queue file write error", "now"),
            // After the content nobody knows whom a server means.
            (Content, 550, "5.1.1 User unknown", "bad"),
            (Data, 550, "5.1.1 User unknown", "bad"),
            (Content, 554, "5.0.0 Message rejected as spam", "bad"),
            (Content, 554, "Message not allowed - [299]", "bad"),
            (Recipient, 550, "ip in prison", "bad"),
            (Recipient, 550, "5.0.0 Unknown user", "address"),
            (Recipient, 550, "5.2.1 The user you are trying to contact is receiving mail too quickly.", "bad"),
            (Recipient, 550, "5.2.1 The email account that you tried to reach is disabled.", "address"),
            (Recipient, 550, "5.2.1 This account has been suspended", "address"),
        ],
    );
    let silence = || Answer::own("no answer to a command within 60 s");
    for (step, expected) in [
        (Connect, Failure::account(silence())),
        (SignIn, Failure::account(silence())),
        (Sender, Failure::Before(silence())),
        (Recipient, Failure::Before(silence())),
        (Data, Failure::Before(silence())),
        (Content, Failure::Unknown(silence())),
    ] {
        assert_eq!(judge(step, None, silence()), expected, "{step:?}");
    }
    assert_eq!(Answer::new(550, "5.1.1 no\r\nsuch\0 user").shown(), "550 5.1.1 no such user", "one line, no NUL");
    assert_eq!(Answer::new(550, "5.1.1 x").enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(Answer::new(550, "127.0.0.1 is blocked").enhanced, None);
    assert_eq!(Answer::own("x".repeat(5000)).text.len(), 1000);
}

/// What the server would answer to all mail of the account, whatever code it has for it and whenever it says it; what is only alike; and what it
/// says to an organisation's own sender, whose mail alone waits.
#[test]
fn what_concerns_the_sender_is_no_fault_of_a_mail() {
    use Step::{Content, Data, Recipient, Sender};
    let of_sender = [
        // It has sent its share.
        (Content, 550, "5.4.5 Daily user sending limit exceeded."),
        (Recipient, 550, "5.4.5 Daily user sending limit exceeded."),
        (Content, 550, "5.1.90 Your message can't be sent because you've reached your daily limit"),
        (Recipient, 550, "5.1.90 Your message can't be sent because you've reached your daily limit"),
        (Content, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed"),
        (Content, 550, "5.7.233 Your tenant exceeded its daily limit for sending to external recipients"),
        (Recipient, 552, "Daily sending quota exceeded"),
        (Recipient, 550, "Domain c.example has exceeded the max emails per hour (100/100) allowed."),
        (Recipient, 450, "4.7.1 sending limit per hour exceeded for orders@a.example"),
        (Data, 550, "5.7.1 Daily SMTP relay limit exceeded for customer."),
        (Content, 454, "Throttling failure: Daily message quota exceeded."),
        // It is not known, or not any more: Postfix and others say so to the recipient, services to the content.
        (Sender, 550, "5.1.8 Bad sender address"),
        (Recipient, 553, "Sender address rejected: not owned by user x"),
        (Recipient, 450, "4.1.8 <orders@a.example>: Sender address rejected: Domain not found"),
        (Recipient, 554, "5.7.1 <a@b.example>: Relay access denied"),
        (Recipient, 550, "relay not permitted"),
        (Recipient, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        (
            Content,
            550,
            "The from address does not match a verified Sender Identity. Mail cannot be sent until this is resolved.",
        ),
        (Content, 554, "Message rejected: Email address is not verified. The following identities failed: a@b.example"),
        (Content, 554, "Transaction failed: Sending paused for this account."),
        (Content, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
        (Content, 554, "5.2.252 SendAsDenied; x@example.com not allowed to send as y@example.com"),
        (Content, 550, "Your account has been suspended: contact support"),
        (Recipient, 421, "Domain mg.a.example is not allowed to send: The domain is unverified"),
        (Content, 550, "5.1.8 Access denied, bad outbound sender AS(42004)"),
        (Content, 554, "Transaction failed: Duplicate header 'DKIM-Signature'."),
    ];
    for (step, code, text) in of_sender {
        check(true, &[(step, code, text, "account")]);
        check(false, &[(step, code, text, "now")]);
    }
    for own in [true, false] {
        check(
            own,
            &[
                (Sender, 451, "5.7.3 STARTTLS is required to send mail", "account"),
                (Recipient, 451, "5.7.3 STARTTLS is required to send mail", "account"),
                (Sender, 550, "5.7.10 Encryption needed: use STARTTLS", "account"),
                (Recipient, 554, "5.7.1 <x[192.0.2.1]>: Client host rejected: Access denied", "account"),
                (Recipient, 504, "5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname", "account"),
                (Content, 454, "Throttling failure: Maximum sending rate exceeded.", "now"),
                // A limit of the recipient is none of the account.
                (Recipient, 550, "5.2.121 The recipient's per hour message receive limit was exceeded", "bad"),
                (Recipient, 552, "5.2.2 The mailbox has exceeded its daily limit", "bad"),
                (Content, 552, "5.2.3 Your message exceeded our message size limits for sending", "bad"),
                // What the server passes on was said about somebody else.
                (Recipient, 550, "5.7.1 undeliverable: host mx.b.example said: 550 5.4.5 Daily sending limit", "bad"),
            ],
        );
    }
}

/// Most servers repeat the recipient's address, whose words are somebody's choice.
#[test]
fn an_address_cannot_speak_for_the_account() {
    use Step::{Content, Recipient};
    for (to, said) in [
        ("daily-limit@b.example", "5.1.1 <daily-limit@b.example>: Recipient address rejected: User unknown"),
        ("daily.limit@b.example", "5.7.1 daily.limit@b.example is not wanted"),
        ("starttls@b.example", "5.7.1 <starttls@b.example>: not wanted"),
        ("starttls@b.example", "5.7.1 No mail for STARTTLS here"),
        ("a@relay-denied.example", "5.7.1 No mail for relay-denied.example, please"),
        ("relay+denied@b.example", "5.7.1 \"relay+denied\": not wanted"),
        ("a@b.example", "5.7.1 <sending-limit@c.example not closed"),
    ] {
        let found = judged(to, true, Recipient, 550, said);
        assert!(matches!(found, Failure::Permanent { .. }), "{to}: {said}: {found:?}");
    }
    let found = judged("dkim-signature@b.example", true, Content, 554, "5.7.1 <dkim-signature@b.example> spam");
    assert!(matches!(found, Failure::Permanent { .. }), "{found:?}");
    // Only the address is left out.
    let found = judged("daily-limit@b.example", true, Recipient, 550, "<daily-limit@b.example>: relay access denied");
    assert_eq!(verdict(&found), "account");
}

/// Whether the refused mail may be the only one that hears it.
#[test]
fn what_is_said_before_the_mail_is_named_is_not_its_fault() {
    use Step::{Connect, Recipient, Sender};
    let by_mail = |own, step, code, text| match judged("a@b.example", own, step, code, text) {
        Failure::Account { by_mail, .. } => by_mail,
        other => panic!("{other:?}"),
    };
    assert!(!by_mail(true, Connect, 554, "5.7.1 no"));
    assert!(!by_mail(true, Sender, 550, "5.7.1 no"));
    assert!(by_mail(true, Recipient, 554, "5.7.1 Relay access denied"));
    assert!(by_mail(false, Sender, 530, "5.7.1 Authentication required"));
}

/// Others, or other processes, have as many connections as the server takes.
#[test]
fn a_server_without_a_free_connection_is_busy() {
    use Step::{Connect, Content, Data, Recipient, Sender, SignIn};
    check(
        true,
        &[
            // As many mails as it takes on one connection.
            (Data, 452, "4.4.5 Maximum number of messages per session exceeded", "busy"),
            (Sender, 451, "4.5.3 no more than 10 messages per connection, please", "busy"),
            (Sender, 452, "4.7.0 The message limit for this session is reached", "busy"),
            (Recipient, 451, "4.7.1 This message is not wanted at the moment", "now"),
            (Recipient, 550, "5.7.0 too many messages in this session", "bad"),
            (Connect, 421, "4.7.0 mail.example.com Error: too many connections from 192.0.2.1", "busy"),
            (Connect, 421, "Too many concurrent SMTP connections; please try again later", "busy"),
            (
                SignIn,
                432,
                "4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
                "busy",
            ),
            (Content, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", "busy"),
            (SignIn, 454, "4.7.0 Too many login attempts, please try again later", "account"),
            (Connect, 554, "5.7.1 too many connections: you are blocked", "account"),
        ],
    );
}
