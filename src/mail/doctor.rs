//! Health checks: whether the SMTP server takes mail, whether mail waits, and what the DNS says about the sender's domain.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::{
    Account, Domain, Mail, MailError, Signing, dns,
    model::{DnsCheck, DnsStatus, MailboxState},
    smtp::{Envelope, Failure, Step},
    store::{
        domains,
        lanes::{self, Waiting},
    },
};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// For name servers, and for a mail server after the connection. `doctor` waits for a check for seven seconds unless the check says otherwise.
const LIMIT: Duration = Duration::from_secs(6);
/// Mail that waits for longer does so for a reason.
const LONG: f64 = 15.0 * 60.0;
/// A few mailboxes are always full.
const MANY: i64 = 5;

pub fn checks(mail: &Mail) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(Smtp(mail.clone())),
        Box::new(Outbox(mail.clone())),
        Box::new(Domains(mail.clone())),
        Box::new(Bounces(mail.clone())),
    ]
}

/// Does the server take mail?
struct Smtp(Mail);

#[async_trait]
impl Check for Smtp {
    fn name(&self) -> &'static str {
        "mail.smtp"
    }

    fn limit(&self) -> Duration {
        patience(&self.0) + Duration::from_secs(1)
    }

    async fn run(&self) -> CheckResult {
        let inner = &self.0.inner;
        let (Some(account), Some(sender)) = (&inner.account, inner.config.sender()) else {
            return match all_waiting(&self.0).await {
                Ok(all) => unset(&all),
                Err(error) => unreadable(&error),
            };
        };
        // To the sender itself: an address that the server should know, and nothing is sent.
        let bounces = inner.config.bounces_to();
        let envelope = Envelope { from: &sender, to: &sender, own: true, bounces: bounces.as_ref() };
        let server = account.server();
        let (patience, hostname) = (patience(&self.0), inner.hostname.as_str());
        match timeout(patience, account.rehearse(&envelope)).await {
            Err(_) => CheckResult::fail(
                format!("{server} did not take a mail within {} s", patience.as_secs()),
                "see whether a firewall is between them; many networks block port 25",
            ),
            Ok(Err((step, failure))) => refusal(&server, hostname, step, &failure),
            Ok(Ok(_)) if account.exposes_password() => CheckResult::warn(
                format!("{server} takes mail, but the password is sent to it unencrypted"),
                "set mail.smtp_security to starttls or tls",
            ),
            Ok(Ok(_)) if !account.is_here() && !dns::is_public(hostname) => CheckResult::warn(
                format!(
                    "{server} takes mail, but this host calls itself {hostname}, which others refuse or take for spam"
                ),
                NAME,
            ),
            Ok(Ok(answer)) => {
                CheckResult::pass(format!("{server} takes mail from {}: {}", sender.address(), answer.shown()))
            }
        }
    }
}

const NAME: &str = "set mail.hostname to the name that this host has in the DNS, such as mail.example.com";

const CERTIFICATE: &str = "the certificate must have mail.smtp_host among its names (subjectAltName; the CN alone is not looked at), be of version 3 \
     and valid today; its authority, or it itself, must be trusted by this host or stand in mail.smtp_ca_file";

/// As long as mail waits for the connection: an answer that comes in time for mail comes in time here.
fn patience(mail: &Mail) -> Duration {
    Duration::from_secs(mail.inner.config.connect_seconds) + LIMIT
}

/// A refusal of the sender's own address as recipient says nothing about others: some servers do not take mail for their own users from outside.
/// A server that puts even that off, or is silent, does so with all mail.
pub(super) fn refusal(server: &str, hostname: &str, step: Step, failure: &Failure) -> CheckResult {
    let answer = failure.answer();
    let said = answer.shown();
    let settings = if said.contains("certificate") {
        CERTIFICATE
    } else {
        "compare mail.smtp_host, smtp_port, smtp_security, smtp_user and from with what the provider says"
    };
    let is_the_servers =
        answer.code.is_none() || answer.enhanced.as_deref().is_some_and(|code| code.starts_with("4.3."));
    match failure {
        Failure::Account { .. } | Failure::Unknown(_) => {
            let names_hello = ["helo", "ehlo"].iter().any(|word| said.to_lowercase().contains(word));
            let may_mean_it = matches!(answer.code, Some(501 | 504 | 550)) && !dns::is_public(hostname);
            let remedy = match (names_hello, may_mean_it) {
                (true, _) => format!("{NAME}; now it calls itself {hostname}"),
                (false, true) => format!("{settings}; {NAME}: now it calls itself {hostname}"),
                (false, false) => settings.to_owned(),
            };
            CheckResult::fail(format!("{server} takes no mail: {said}"), remedy)
        }
        Failure::Busy(_) => CheckResult::warn(
            format!("{server} takes no further connection at the moment: {said}"),
            "set mail.smtp_connections to what the server permits, for all processes together",
        ),
        Failure::Before(_) if step != Step::Recipient || is_the_servers => CheckResult::fail(
            format!("{server} puts all mail off: {said}"),
            "see the server's own log, its disk and its status page; mail is tried again until mail.retry_hours are over",
        ),
        Failure::Before(_) | Failure::Permanent { .. } => CheckResult::warn(
            format!("{server} can be signed in to, but refuses mail to the sender's own address: {said}"),
            "send a test mail from the console's page Mail to an address elsewhere",
        ),
    }
}

/// Does mail wait?
struct Outbox(Mail);

#[async_trait]
impl Check for Outbox {
    fn name(&self) -> &'static str {
        "mail.outbox"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, MailError> = async { Ok((all_waiting(&self.0).await?, self.0.account().await?)) }.await;
        match found {
            Ok((all, account)) => waiting(&all, &account),
            Err(error) => unreadable(&error),
        }
    }
}

async fn all_waiting(mail: &Mail) -> Result<Waiting, MailError> {
    let mut tx = mail.system().await?;
    let now = mail.now(&mut tx).await?;
    Ok(lanes::waiting(&mut tx, now).await?)
}

fn unreadable(error: &MailError) -> CheckResult {
    CheckResult::fail(format!("cannot read the outbox: {}", chain(error)), "see the database check")
}

/// Without a server. Whoever wants no mail is not told of it for ever: notices and links that wait expire.
pub(super) fn unset(all: &Waiting) -> CheckResult {
    if all.lasting == 0 {
        return CheckResult::pass("no SMTP server is configured, and nobody has asked for mail to be sent");
    }
    CheckResult::warn(
        format!("no SMTP server is configured: {} mails of programs or tests wait in the outbox", all.lasting),
        "set mail.smtp_host, mail.from and, if the server wants it, mail.smtp_user and mail.smtp_password_file",
    )
}

pub(super) fn waiting(all: &Waiting, account: &Account) -> CheckResult {
    let Waiting { due, oldest_seconds, lasting, put_off, tried_seconds } = *all;
    let minutes = |seconds: f64| (seconds / 60.0).round();
    let summary = format!("{due} mails wait, the oldest for {} minutes", minutes(oldest_seconds));
    if let (Some(_), Some(error)) = (account.failing_since, &account.error) {
        return CheckResult::fail(
            format!("{summary}; the SMTP account fails: {error}"),
            "repair what the error says; all mail is sent after that",
        );
    }
    if account.configured && put_off >= MANY && tried_seconds >= LONG {
        return CheckResult::warn(
            format!("{summary}; the server has put {put_off} off, the oldest for {} minutes", minutes(tried_seconds)),
            "the console's page Mail shows what it answered; each fails when mail.retry_hours are over",
        );
    }
    if oldest_seconds < LONG || (!account.configured && lasting == 0) {
        return CheckResult::pass(summary);
    }
    let remedy = if account.configured {
        "see jobs.progress, and the console's page Mail: its log says what each mail waits for"
    } else {
        "it is sent when mail.smtp_host and mail.from are set; cancel what is of no use any more on the console's page Mail"
    };
    CheckResult::warn(summary, remedy)
}

/// What does the DNS say about the sender's domain?
struct Domains(Mail);

#[async_trait]
impl Check for Domains {
    fn name(&self) -> &'static str {
        "mail.domains"
    }

    async fn run(&self) -> CheckResult {
        let Some(sender) = self.0.inner.config.sender() else { return CheckResult::pass("no sender is configured") };
        let found: Result<Option<Domain>, MailError> = async {
            let mut tx = self.0.system().await?;
            Ok(domains::named(&mut tx, None, sender.domain()).await?)
        }
        .await;
        match found {
            Err(error) => {
                CheckResult::fail(format!("cannot read the domains: {}", chain(&error)), "see the database check")
            }
            Ok(None) => CheckResult::pass(format!(
                "{} has no DKIM keys here: the provider's server has to sign its mail",
                sender.domain()
            )),
            Ok(Some(domain)) => match timeout(LIMIT, self.0.dns_checks(&domain)).await {
                Ok(checks) => {
                    let signing = self.0.inner.config.signing();
                    records(&domain.domain, domain.verified_at.is_some(), signing, &checks)
                }
                Err(_) => CheckResult::warn("the name servers did not answer", "see /etc/resolv.conf of this host"),
            },
        }
    }
}

/// Can the mailbox of bounces be read?
struct Bounces(Mail);

#[async_trait]
impl Check for Bounces {
    fn name(&self) -> &'static str {
        "mail.bounces"
    }

    fn limit(&self) -> Duration {
        patience(&self.0) + Duration::from_secs(1)
    }

    async fn run(&self) -> CheckResult {
        let config = &self.0.inner.config;
        if config.imap_host.is_empty() {
            return CheckResult::pass("no mailbox of bounces is configured (mail.imap_host)");
        }
        let (patience, server) = (patience(&self.0), format!("{}:{}", config.imap_host, config.imap_port()));
        let said = match timeout(patience, self.0.try_mailbox()).await {
            Ok(Ok(())) => match self.0.mailbox().await {
                // It can be opened, and what is in it cannot be read or marked.
                Ok(Some(MailboxState { error: Some(error), .. })) => error,
                _ => {
                    return CheckResult::pass(format!(
                        "the mailbox of bounces at {server} can be read as {}",
                        config.imap_user
                    ));
                }
            },
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} s", patience.as_secs()),
        };
        CheckResult::fail(
            format!("the mailbox of bounces at {server} cannot be read: {said}"),
            "compare mail.imap_host, imap_port, imap_security, imap_user, imap_folder and the password with what the provider says; the user must be \
             permitted to mark mails in the folder",
        )
    }
}

pub(super) fn records(domain: &str, verified: bool, signing: Signing, checks: &[DnsCheck]) -> CheckResult {
    let is_needed = |check: &&DnsCheck| match check.name.as_str() {
        // The reverse name is of consequence for those only who send by themselves; without Ed25519 mail is signed with RSA alone, which
        // everybody understands.
        "reverse" | "dkim_ed25519" => false,
        "dkim_rsa" => signing != Signing::None,
        _ => true,
    };
    let wrong = checks.iter().filter(|check| check.status != DnsStatus::Pass).filter(is_needed);
    let wrong: Vec<String> = wrong.map(|check| format!("{} ({}): {}", check.name, check.host, check.detail)).collect();
    let remedy = "the console's page Mail, Domains, shows the records as they should be";
    if !wrong.is_empty() {
        return CheckResult::warn(format!("{domain}: {}", wrong.join("; ")), remedy);
    }
    if signing == Signing::None {
        return CheckResult::pass(format!(
            "{domain}: its mail is not signed here (mail.dkim): the provider's server has to sign it"
        ));
    }
    if !verified {
        return CheckResult::warn(
            format!("{domain} is not verified yet, so its mail is not signed"),
            "check the domain on the console's page Mail, Domains",
        );
    }
    CheckResult::pass(format!("{domain}: its mail is signed, and the DNS has DKIM, SPF and DMARC records"))
}
