//! `[mail]`

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::address::Address;
use platform::config::{ConfigErrors, secret};

/// Mail: the SMTP account, limits, retention, and the mailbox that bounces come back to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Sender: `Holdfast <holdfast@example.com>`. While it or `smtp_host` is empty, mail waits in the outbox.
    pub from: String,
    /// Whether organisations may send mail by the API as `from`, too. Otherwise only from domains that they have verified.
    pub shared_sender: bool,
    /// Where servers send bounces to (the envelope's sender, `MAIL FROM`), for mail from every sender. Empty: to the sender of each mail.
    pub bounce_address: String,
    /// Name that EHLO gives; empty: the host of `server.public_url`.
    pub hostname: String,
    /// SMTP server. Empty: nothing is sent, mail waits in the outbox.
    pub smtp_host: String,
    /// 0: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub smtp_port: u16,
    pub smtp_security: Security,
    pub smtp_user: String,
    #[serde(serialize_with = "secret::masked")]
    pub smtp_password: Option<SecretString>,
    /// File that holds the password.
    pub smtp_password_file: Option<PathBuf>,
    /// PEM file with certificates that are trusted besides those of the system, for SMTP and IMAP.
    pub smtp_ca_file: Option<PathBuf>,
    /// DKIM signatures of mail whose sender's domain has keys here.
    pub dkim: Signing,
    /// Name server that is asked for the records of senders' domains: `9.9.9.9` or `192.0.2.1:5353`. Empty: those of this host.
    pub dns_server: String,
    /// Connections of a process to the server at once: many servers permit an account ten or twenty, Microsoft 365 three.
    pub smtp_connections: usize,
    /// Of these for one domain of recipients.
    pub connections: usize,
    /// Limit for the connection with its greeting and TLS, seconds.
    pub connect_seconds: u64,
    /// Limit for the answer to a command, seconds.
    pub command_seconds: u64,
    /// Limit for the content and the answer to it, seconds.
    pub data_seconds: u64,
    /// A mail that the server keeps refusing for the time being has failed after this long, hours.
    pub retry_hours: u32,
    /// Mails of an organisation in an hour; the API refuses more, notices wait.
    pub per_org_per_hour: i64,
    /// Mails to one address in an hour; the API refuses more, notices wait.
    pub per_recipient_per_hour: i64,
    /// Attachments of an organisation in a day, MiB; the API refuses more.
    pub attachment_mib_per_org_per_day: i64,
    /// Retention of the log with the texts, days (whole weeks are dropped). Mail that waits is kept.
    pub retention_days: i32,
    /// IMAP server of the mailbox that bounces come to; empty: none.
    pub imap_host: String,
    /// 0: 993 with `tls`, 143 otherwise.
    pub imap_port: u16,
    pub imap_security: Security,
    pub imap_user: String,
    #[serde(serialize_with = "secret::masked")]
    pub imap_password: Option<SecretString>,
    /// File that holds the password.
    pub imap_password_file: Option<PathBuf>,
    pub imap_folder: String,
    /// Folder that reports are moved to when they were understood; empty: they stay, marked as read.
    pub imap_done_folder: String,
}

/// Encryption of a connection to a mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Begins without, and is encrypted before anything else; a server that does not offer it gets nothing.
    #[default]
    StartTls,
    /// Encrypted from the first byte.
    Tls,
    /// None: only for a server on the same host or in the same private network.
    None,
}

/// Which DKIM signatures a mail gets here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// None for Amazon SES, which signs by itself, refuses two signatures and replaces headers that ours cover; otherwise both.
    #[default]
    Auto,
    /// RSA and Ed25519.
    Both,
    Rsa,
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            from: String::new(),
            shared_sender: false,
            bounce_address: String::new(),
            hostname: String::new(),
            smtp_host: String::new(),
            smtp_port: 0,
            smtp_security: Security::StartTls,
            smtp_user: String::new(),
            smtp_password: None,
            smtp_password_file: None,
            smtp_ca_file: None,
            dkim: Signing::Auto,
            smtp_connections: 10,
            dns_server: String::new(),
            connections: 4,
            connect_seconds: 30,
            command_seconds: 60,
            data_seconds: 300,
            retry_hours: 48,
            per_org_per_hour: 1000,
            per_recipient_per_hour: 30,
            attachment_mib_per_org_per_day: 1024,
            retention_days: 90,
            imap_host: String::new(),
            imap_port: 0,
            imap_security: Security::Tls,
            imap_user: String::new(),
            imap_password: None,
            imap_password_file: None,
            imap_folder: "INBOX".to_owned(),
            imap_done_folder: String::new(),
        }
    }
}

impl Config {
    /// Reads the secrets from their files and validates the settings.
    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        secret::resolve(&mut self.smtp_password, self.smtp_password_file.as_deref(), "smtp_password_file", errors);
        secret::resolve(&mut self.imap_password, self.imap_password_file.as_deref(), "imap_password_file", errors);
        for (setting, text) in [("from", &self.from), ("bounce_address", &self.bounce_address)] {
            match Address::parse(text) {
                _ if text.is_empty() => {}
                Err(error) => errors.push(setting, error.to_string()),
                // All mail would fail at servers without SMTPUTF8, which are most.
                Ok(address) if address.needs_smtputf8() => {
                    let text = "use an address with ASCII characters before the @: most servers refuse others";
                    errors.push(setting, text);
                }
                Ok(_) => {}
            }
        }
        for (setting, name) in
            [("hostname", &mut self.hostname), ("smtp_host", &mut self.smtp_host), ("imap_host", &mut self.imap_host)]
        {
            match host(name) {
                _ if name.is_empty() => {}
                Some(ascii) => *name = ascii,
                None => errors.push(setting, format!("{name:?} is not the name or the address of a host")),
            }
        }
        for (setting, user, password) in [
            ("smtp_user", &self.smtp_user, self.smtp_password.is_some()),
            ("imap_user", &self.imap_user, self.imap_password.is_some()),
        ] {
            if user.is_empty() == password {
                errors.push(setting, "set the user and the password, or neither");
            }
        }
        if !self.imap_host.is_empty() && self.imap_user.is_empty() {
            errors.push("imap_user", "the mailbox that bounces come to needs a user and a password");
        }
        if let Some(file) = &self.smtp_ca_file
            && let Err(error) = std::fs::metadata(file)
        {
            errors.push("smtp_ca_file", format!("{} cannot be read: {error}", file.display()));
        }
        errors.range("smtp_connections", self.smtp_connections, 1, 1000);
        if !self.dns_server.is_empty() && self.dns_server().is_none() {
            errors.push(
                "dns_server",
                "expected an IP address, with a port if it is not 53: 192.0.2.1:5353 or [2001:db8::1]:5353",
            );
        }
        errors.range("connections", self.connections, 1, 64);
        errors.range("connect_seconds", self.connect_seconds, 1, 120);
        errors.range("command_seconds", self.command_seconds, 1, 300);
        errors.range("data_seconds", self.data_seconds, 1, 600);
        errors.range("retry_hours", self.retry_hours, 1, 24 * 14);
        errors.range("per_org_per_hour", self.per_org_per_hour, 1, 1_000_000);
        errors.range("per_recipient_per_hour", self.per_recipient_per_hour, 1, 100_000);
        errors.range("attachment_mib_per_org_per_day", self.attachment_mib_per_org_per_day, 1, 1 << 20);
        errors.range("retention_days", self.retention_days, 7, 3650);
        if self.imap_folder.trim().is_empty() || self.imap_folder.chars().any(char::is_control) {
            errors.push("imap_folder", "expected the name of a folder, such as INBOX");
        }
        if self.imap_done_folder.chars().any(char::is_control) || self.imap_done_folder == self.imap_folder {
            errors.push("imap_done_folder", "expected the name of another folder, such as Done");
        }
    }

    /// The sender; `None` if it is not set.
    pub fn sender(&self) -> Option<Address> {
        Address::parse(&self.from).ok()
    }

    /// `bounce_address`; `None` if it is not set.
    pub fn bounces_to(&self) -> Option<Address> {
        Address::parse(&self.bounce_address).ok()
    }

    /// Whether mail can be sent.
    pub fn is_configured(&self) -> bool {
        !self.smtp_host.is_empty() && self.sender().is_some()
    }

    /// `dns_server`; `None` if it is not set.
    pub fn dns_server(&self) -> Option<SocketAddr> {
        let with_port = self.dns_server.parse().ok();
        with_port.or_else(|| Some(SocketAddr::new(self.dns_server.parse().ok()?, 53)))
    }

    /// `dkim`, with `auto` resolved.
    pub fn signing(&self) -> Signing {
        match self.dkim {
            Signing::Auto if is_amazon_ses(&self.smtp_host) => Signing::None,
            Signing::Auto => Signing::Both,
            chosen => chosen,
        }
    }

    /// `smtp_port`, with 0 resolved to the default.
    pub fn port(&self) -> u16 {
        match (self.smtp_port, self.smtp_security) {
            (0, Security::StartTls) => 587,
            (0, Security::Tls) => 465,
            (0, Security::None) => 25,
            (port, _) => port,
        }
    }

    /// `imap_port`, with 0 resolved to the default.
    pub fn imap_port(&self) -> u16 {
        match (self.imap_port, self.imap_security) {
            (0, Security::Tls) => 993,
            (0, Security::StartTls | Security::None) => 143,
            (port, _) => port,
        }
    }
}

/// `email-smtp.<region>.amazonaws.com`, with `-fips` or of China, or the endpoint of a private network that has this name within it.
fn is_amazon_ses(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host.contains("email-smtp")
        && [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end))
}

/// A name of DNS or an IP address, without a port, as EHLO, TLS and the DNS need it: `xn--...` for letters beyond ASCII.
fn host(name: &str) -> Option<String> {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some(name.to_owned());
    }
    idna::domain_to_ascii(name).ok().filter(|ascii| is_dns_name(ascii))
}

fn is_dns_name(ascii: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    ascii.len() <= 253 && ascii.split('.').all(is_label)
}
