//! `holdfast mail`

mod log;
mod suppressions;
mod which;

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use mail::{Address, DnsStatus, Domain, Mail, MailError, Owner};
use platform::{http::Slice, lifecycle::Lifecycle};

/// Who changed something.
const BY: &str = "cli";
/// The installation has fewer.
const MOST: i64 = 200;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast mail test ada@example.com       sends a mail, and says what the server answered\n  \
    holdfast mail list --state failed --since 2h\n  \
    holdfast mail retry --state failed --since 2h --answer \"not verified\"\n  \
    holdfast mail domain add example.com     makes keys, and prints the DNS records to publish\n  \
    holdfast mail domain check               once they are published"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Domains that the installation sends mail from, and the keys that sign it (DKIM).
    #[command(subcommand)]
    Domain(Action),
    /// Send a test mail, and wait for the server's answer. Exits 1 if it was not accepted.
    Test(log::Test),
    /// The newest mails of the log, of all organisations and of the installation.
    List(log::List),
    /// Queue mails again that failed, were suppressed or were cancelled.
    Retry(log::Retry),
    /// Cancel mails that wait.
    Cancel(log::Cancel),
    /// Send no more mail to an address.
    Suppress(suppressions::Suppress),
    /// Send mail again to an address, or to all addresses of a domain. Exits 1 if none was suppressed.
    Unsuppress(suppressions::Unsuppressed),
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make keys for a domain, and print the DNS records to publish.
    #[command(
        after_help = "Examples:\n  holdfast mail domain add example.com\n  holdfast mail domain add example.com --json | jq -r '.records[].value'"
    )]
    Add {
        /// What stands behind the @ of the sender's address.
        domain: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look into the DNS; mail is signed once the RSA key is there. Exits 1 if a record is missing or wrong.
    #[command(after_help = "Examples:\n  holdfast mail domain check\n  holdfast mail domain check example.com --json")]
    Check {
        /// Default: the domain of `mail.from`.
        domain: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the domains of the installation.
    #[command(
        after_help = "Examples:\n  holdfast mail domain list\n  holdfast mail domain list --json | jq -r '.[].domain'"
    )]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let booted = Booted::existing(config).await?;
    let result = Box::pin(with_appliance(&booted, args.command)).await;
    booted.close().await;
    result
}

async fn with_appliance(booted: &Booted, command: Command) -> anyhow::Result<ExitCode> {
    // Alone on the directory; a running appliance migrates its own database.
    if booted.data_dir.is_locked() {
        booted.migrate().await?;
    }
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let result = match command {
        Command::Domain(action) => work(&app.mail, &booted.config, action).await,
        Command::Test(args) => log::test(&app.mail, &args).await,
        Command::List(args) => log::list(&app, &args).await,
        Command::Retry(args) => log::retry(&app, &args).await,
        Command::Cancel(args) => log::cancel(&app, &args).await,
        Command::Suppress(args) => suppressions::suppress(&app, &args).await,
        Command::Unsuppress(args) => suppressions::unsuppress(&app, &args).await,
    };
    lifecycle.drain(Duration::from_secs(1)).await;
    app.close().await;
    result
}

async fn work(mail: &Mail, config: &Config, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::Add { domain, json } => {
            let added = mail.make_domain(Owner::Installation, &domain).await.map_err(in_words)?;
            print(json, &added, || show_records(&added))?;
        }
        Action::Check { domain, json } => {
            let domain = match domain {
                Some(domain) => domain,
                None => config.mail.sender().context("mail.from is not set: name the domain")?.domain().to_owned(),
            };
            // As it is stored.
            let address = Address::new("", &format!("postmaster@{domain}"))?;
            let known = mail.domains(Owner::Installation, &Slice::first(MOST)).await?;
            let found = known.into_iter().find(|known| known.domain == address.domain());
            let found = found.with_context(|| format!("no such domain: holdfast mail domain add {domain}"))?;
            let checked = mail.look_up(Owner::Installation, &found).await.map_err(in_words)?;
            print(json, &checked, || show_checks(&checked))?;
            if checked.checks.iter().any(|check| check.status == DnsStatus::Fail) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Action::List { json } => {
            let domains = mail.domains(Owner::Installation, &Slice::first(MOST)).await?;
            print(json, &domains, || domains.iter().for_each(show))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with a field, without its pointer: it is the command's argument.
fn in_words(error: MailError) -> anyhow::Error {
    match error {
        MailError::Invalid(errors) => {
            anyhow::Error::msg(errors.into_iter().map(|error| error.detail).collect::<Vec<_>>().join("; "))
        }
        error => error.into(),
    }
}

fn print<T: Serialize>(json: bool, value: &T, show: impl FnOnce()) -> anyhow::Result<()> {
    if json {
        print_line(&serde_json::to_string_pretty(value)?);
    } else {
        show();
    }
    Ok(())
}

fn show(domain: &Domain) {
    let state = if domain.verified_at.is_some() { "verified" } else { "not verified: its mail is not signed" };
    print_line(&format!("{:<32} {:<12} {state}", domain.domain, domain.selector));
}

fn show_records(domain: &Domain) {
    show(domain);
    print_line("Publish these records, then run `holdfast mail domain check`:");
    for record in &domain.records {
        print_line(&format!("  {}  TXT  \"{}\"", record.host, record.value));
    }
}

fn show_checks(domain: &Domain) {
    show(domain);
    for check in &domain.checks {
        print_line(&format!("{:<8} {:<14} {}  {}", check.status.as_str(), check.name, check.host, check.detail));
    }
}
