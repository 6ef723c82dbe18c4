//! `holdfast mail test|list|retry|cancel`: the outbox and its log at the terminal, of all owners.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use super::{
    BY, in_words, print,
    which::{Named, Which, now, owners},
};
use crate::{
    app::App,
    cli::{eprint_line, print_line},
};
use mail::{Address, Changed, Filter, Mail, Message, MessageId, Owner, State};
use platform::http::Slice;

/// How often a test mail is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast mail test ada@example.com\n  \
    holdfast mail test ada@example.com --language ru --wait 120")]
pub struct Test {
    /// Where it goes to.
    address: String,
    /// en or ru.
    #[arg(long, default_value = "en", value_parser = ["en", "ru"])]
    language: String,
    /// How long to wait for the server's answer, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast mail list --state failed --since 2h\n  \
    holdfast mail list --to ada@example.com --since 7d\n  \
    holdfast mail list --search 0198a1c2@example.com      a Message-ID, as mail servers log it\n  \
    holdfast mail list --bounced --json | jq -r '.[].to_address'")]
pub struct List {
    #[command(flatten)]
    which: Which,
    /// queued, sending, sent, failed, suppressed or cancelled.
    #[arg(long)]
    state: Option<State>,
    /// Only what came back, or was called spam.
    #[arg(long)]
    bounced: bool,
    /// Part of the address, the subject or the error; or a whole Message-ID.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast mail retry --state failed --since 2h --dry-run      how many would be sent again\n  \
    holdfast mail retry --state failed --since 2h --answer \"not verified\"\n  \
    holdfast mail retry --state suppressed --since 7d --org acme\n\n\
    Left out is what has no text any more (a link that opens an account: make a new one) or is of no use any more."
)]
pub struct Retry {
    #[command(flatten)]
    which: Which,
    /// failed, suppressed or cancelled.
    #[arg(long, default_value = "failed")]
    state: State,
    /// Only say how many there are.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast mail cancel --org acme --kind api --dry-run      how many wait\n  \
    holdfast mail cancel --org acme --kind api\n  \
    holdfast mail cancel --until 7d                           what was written more than a week ago\n\n\
    Cancelled mail stays in the log, and can be sent again (holdfast mail retry --state cancelled); the text of one with a link that\n\
    opens an account is deleted.")]
pub struct Cancel {
    #[command(flatten)]
    which: Which,
    /// Everything that waits, if nothing else is named.
    #[arg(long)]
    all: bool,
    /// Only say how many there are.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub async fn test(mail: &Mail, args: &Test) -> anyhow::Result<ExitCode> {
    let to = Address::parse(&args.address).context("ADDRESS")?;
    anyhow::ensure!(mail.is_configured(), "no SMTP server is configured: set [mail] as in docs/mail.md");
    let id = mail.send_test_at_terminal(&to, &args.language, BY).await.map_err(in_words)?;
    let message = answered(mail, id, Duration::from_secs(args.wait)).await?;
    let (said, code) = match message.state {
        State::Sent => ("sent: the server has accepted it".to_owned(), ExitCode::SUCCESS),
        State::Queued | State::Sending => {
            let error = message.error.unwrap_or_else(|| "no worker has taken it: does the appliance run?".to_owned());
            (format!("waits: {error}"), ExitCode::FAILURE)
        }
        State::Suppressed => {
            (format!("not sent: {to} is suppressed (holdfast mail unsuppress {to})"), ExitCode::FAILURE)
        }
        State::Failed | State::Cancelled => {
            (format!("{}: {}", message.state.as_str(), message.error.unwrap_or_default()), ExitCode::FAILURE)
        }
    };
    print_line(&format!("{id}  {said}"));
    Ok(code)
}

/// The message after its first attempt, or as it is when nobody waits any longer.
async fn answered(mail: &Mail, id: MessageId, patience: Duration) -> anyhow::Result<Message> {
    let end = Instant::now() + patience;
    loop {
        let message = mail.message(Owner::Installation, id).await?;
        let is_open = match message.state {
            State::Queued => message.attempts == 0,
            State::Sending => true,
            _ => false,
        };
        if !is_open || Instant::now() >= end {
            return Ok(message);
        }
        sleep(LOOK_EVERY).await;
    }
}

pub async fn list(app: &App, args: &List) -> anyhow::Result<ExitCode> {
    let (state, search) = (args.state, args.search.as_deref());
    let filter = Filter { state, bounced: args.bounced, search, ..args.which.filter(now()) };
    let mut found = Vec::new();
    for Named { name, owner } in owners(app, &args.which.whose).await? {
        let rows = app.mail.list_of(owner, &filter, &Slice::first(args.limit.into())).await?;
        found.extend(rows.into_iter().map(|row| (name.clone(), row)));
    }
    found.sort_by_key(|(_, row)| std::cmp::Reverse(row.id));
    found.truncate(args.limit.into());
    let rows: Vec<&Message> = found.iter().map(|(_, row)| row).collect();
    print(args.json, &rows, || found.iter().for_each(|(name, row)| show(name, row)))?;
    Ok(ExitCode::SUCCESS)
}

fn show(owner: &str, message: &Message) {
    let Message { id, created_at, state, kind, to_address, subject, error, bounce, .. } = message;
    let bounced = bounce.map(|bounce| format!(" ({} bounce)", bounce.as_str())).unwrap_or_default();
    let at = created_at.format("%Y-%m-%dT%H:%M:%SZ");
    print_line(&format!("{id}  {at}  {owner}  {}{bounced}  {kind}  {to_address}  {subject:?}", state.as_str()));
    if let Some(error) = error {
        print_line(&format!("    {error}"));
    }
}

pub async fn retry(app: &App, args: &Retry) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        matches!(args.state, State::Failed | State::Suppressed | State::Cancelled),
        "--state is failed, suppressed or cancelled"
    );
    anyhow::ensure!(args.which.since.is_some(), "say from when on: --since 2h");
    let filter = Filter { state: Some(args.state), ..args.which.filter(now()) };
    let owners = owners(app, &args.which.whose).await?;
    if args.dry_run {
        return count(&app.mail, &owners, &filter, args.json).await;
    }
    let done = of_each(&owners, async |owner| app.mail.retry_many_of(owner, args.state, &filter, BY).await).await?;
    app.mail.retry_account().await?;
    let Changed { changed, skipped, .. } = done;
    print(args.json, &done, || {
        print_line(&format!("{changed} queued again, {skipped} left out (no text any more, or of no use any more)"));
    })?;
    Ok(ExitCode::SUCCESS)
}

pub async fn cancel(app: &App, args: &Cancel) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.all || !args.which.is_everything(),
        "name what to cancel (--kind, --to, --org, --since, --until, --answer), or everything with --all"
    );
    let filter = Filter { state: Some(State::Queued), ..args.which.filter(now()) };
    let owners = owners(app, &args.which.whose).await?;
    if args.dry_run {
        return count(&app.mail, &owners, &filter, args.json).await;
    }
    let done = of_each(&owners, async |owner| app.mail.cancel_many_of(owner, &filter, BY).await).await?;
    let Changed { changed, skipped, .. } = done;
    print(args.json, &done, || {
        print_line(&format!("{changed} cancelled, {skipped} left out (being sent at this moment)"));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How many there are, of each owner that has some.
async fn count(mail: &Mail, owners: &[Named], filter: &Filter<'_>, json: bool) -> anyhow::Result<ExitCode> {
    let mut all = 0;
    for Named { name, owner } in owners {
        let found = mail.count(*owner, filter).await?;
        all += found;
        if found > 0 && !json {
            let more = if found > Mail::MOST_AT_ONCE { "more than " } else { "" };
            print_line(&format!("{more}{}  {name}", found.min(Mail::MOST_AT_ONCE)));
        }
    }
    print(json, &serde_json::json!({ "found": all }), || {
        if all == 0 {
            eprint_line("nothing is found");
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The work for each owner, again while there is more.
async fn of_each(
    owners: &[Named],
    work: impl AsyncFn(Owner) -> Result<Changed, mail::MailError>,
) -> anyhow::Result<Changed> {
    let mut all = Changed::default();
    for Named { owner, .. } in owners {
        loop {
            let Changed { changed, skipped, more } = work(*owner).await.map_err(in_words)?;
            all.changed += changed;
            if !more {
                all.skipped += skipped;
                break;
            }
        }
    }
    Ok(all)
}
