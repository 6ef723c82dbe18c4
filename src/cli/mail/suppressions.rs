//! `holdfast mail suppress|unsuppress`: addresses that get nothing.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{
    BY, in_words,
    which::{Named, When, Whose, now, owners, when},
};
use crate::{app::App, cli::print_line};
use mail::{Address, NewSuppression, Reason, Unsuppress};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast mail suppress ada@example.com --detail \"asked by phone\"\n  \
    holdfast mail suppress ada@example.com --org acme --kind digest")]
pub struct Suppress {
    address: String,
    /// Only for mail of this organisation (its slug); default: for all mail of this installation and its organisations.
    #[arg(long, value_name = "SLUG")]
    org: Option<String>,
    /// Only mail of this kind, such as digest.
    #[arg(long, default_value = "*")]
    kind: String,
    /// For people, for example who asked for it.
    #[arg(long, default_value = "")]
    detail: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast mail unsuppress ada@example.com\n  \
    holdfast mail unsuppress @example.com --reason hard_bounce --since 2h      a domain whose server refused everybody")]
pub struct Unsuppressed {
    /// An address, or @ and a domain for all of its addresses.
    #[arg(value_name = "ADDRESS|@DOMAIN")]
    what: String,
    #[command(flatten)]
    whose: Whose,
    /// Only those with this reason: `hard_bounce`, `complaint`, `unsubscribed` or `manual`.
    #[arg(long)]
    reason: Option<Reason>,
    /// Suppressed at this time or later: 2h, 7d, or 2026-11-30T01:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
}

pub async fn suppress(app: &App, args: &Suppress) -> anyhow::Result<ExitCode> {
    let whose = Whose { installation: args.org.is_none(), org: args.org.clone() };
    let new = NewSuppression { address: &args.address, kind: &args.kind, detail: &args.detail };
    for Named { name, owner } in owners(app, &whose).await? {
        let made = app.mail.suppress(owner, &new, BY).await.map_err(in_words)?;
        let what = if made.kind == "*" { "nothing more is sent".to_owned() } else { format!("no more {}", made.kind) };
        print_line(&format!("{}  {name}: {what}", made.address));
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn unsuppress(app: &App, args: &Unsuppressed) -> anyhow::Result<ExitCode> {
    let text = args.what.trim();
    // As it is stored.
    let (address, domain) = match text.strip_prefix('@') {
        Some(domain) => (None, Some(Address::new("", &format!("x@{domain}")).context("@DOMAIN")?.domain().to_owned())),
        None => (Some(Address::parse(text).context("ADDRESS")?.key()), None),
    };
    let what = Unsuppress { address: address.as_deref(), domain: domain.as_deref(), reason: args.reason };
    let since = args.since.map(|since| since.at(now()));
    let mut removed = 0;
    if args.whose.org.is_none() && !args.whose.installation {
        removed += app.mail.unsuppress(None, &what, since).await?;
    } else {
        for Named { owner, .. } in owners(app, &args.whose).await? {
            removed += app.mail.unsuppress(Some(owner), &what, since).await?;
        }
    }
    print_line(&format!("{removed} removed"));
    Ok(if removed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
