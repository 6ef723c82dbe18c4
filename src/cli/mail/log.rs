//! `holdfast mail test|list|retry|cancel|suppress|unsuppress`: the outbox and its log at the terminal, of all owners.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::{in_words, print};
use crate::{
    app::App,
    cli::{eprint_line, print_line, user::all_pages},
};
use mail::{Address, Changed, Filter, Mail, Message, MessageId, NewSuppression, Owner, Reason, State, Unsuppress};
use platform::{clock::Clock, http::Slice};

/// Who did it.
const BY: &str = "cli";
/// How often a test mail is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A time, absolute or before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Ago(TimeDelta),
    At(DateTime<Utc>),
}

impl When {
    fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(span) => now - span,
            Self::At(at) => at,
        }
    }
}

/// Parses `30m`, `2h`, `7d` (that long ago) or a time as in RFC 3339.
fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Ok(When::At(at));
    }
    let wrong = || format!("{text:?} is neither a time before now (30m, 2h, 7d) nor one such as 2026-11-30T01:00:00Z");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(wrong()),
    };
    // At most a hundred years.
    let number = number.parse::<i64>().ok().filter(|number| *number <= 100 * 366 * 24 * 60 / minutes);
    Ok(When::Ago(TimeDelta::minutes(number.ok_or_else(wrong)? * minutes)))
}

/// Whose.
#[derive(Debug, clap::Args)]
pub struct Whose {
    /// Only those of this organisation (its slug); default: of all, and of the installation.
    #[arg(long, value_name = "SLUG")]
    org: Option<String>,
    /// Only those of the installation.
    #[arg(long, conflicts_with = "org")]
    installation: bool,
}

/// Which mails.
#[derive(Debug, clap::Args)]
pub struct Which {
    #[command(flatten)]
    whose: Whose,
    /// Written at this time or later: 2h, 7d, or 2026-11-30T01:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Written before this time.
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Such as welcome, alert or api.
    #[arg(long)]
    kind: Option<String>,
    /// To this whole address.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// With this text in the error, which is the server's last answer.
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,
}

impl Which {
    fn filter(&self, now: DateTime<Utc>) -> Filter<'_> {
        Filter {
            kind: self.kind.as_deref(),
            to: self.to.as_deref(),
            answer: self.answer.as_deref(),
            since: self.since.map(|since| since.at(now)),
            until: self.until.map(|until| until.at(now)),
            ..Filter::default()
        }
    }

    fn is_everything(&self) -> bool {
        let Self { whose: Whose { org, installation }, since, until, kind, to, answer } = self;
        org.is_none()
            && !installation
            && since.is_none()
            && until.is_none()
            && [kind, to, answer].iter().all(|text| text.is_none())
    }
}

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
    /// Only those with this reason: hard_bounce, complaint, unsubscribed or manual.
    #[arg(long)]
    reason: Option<Reason>,
    /// Suppressed at this time or later: 2h, 7d, or 2026-11-30T01:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when)]
    since: Option<When>,
}

/// An organisation, or the installation, with its name.
struct Named {
    name: String,
    owner: Owner,
}

async fn owners(app: &App, whose: &Whose) -> anyhow::Result<Vec<Named>> {
    let installation = || Named { name: "installation".to_owned(), owner: Owner::Installation };
    if whose.installation {
        return Ok(vec![installation()]);
    }
    let search = whose.org.as_deref();
    let orgs = all_pages(async |slice| app.auth.list_organisations(search, &slice).await, |org| org.id.0).await?;
    let orgs = orgs.into_iter().filter(|org| search.is_none_or(|slug| org.slug == slug));
    let mut all: Vec<Named> = orgs.map(|org| Named { name: org.slug.clone(), owner: Owner::Org(org.id) }).collect();
    match search {
        Some(slug) => anyhow::ensure!(!all.is_empty(), "there is no organisation {slug}: see `holdfast org list`"),
        None => all.push(installation()),
    }
    Ok(all)
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_before_now() {
        assert_eq!(when("30m"), Ok(When::Ago(TimeDelta::minutes(30))));
        assert_eq!(when("2h"), Ok(When::Ago(TimeDelta::hours(2))));
        assert_eq!(when("7d"), Ok(When::Ago(TimeDelta::days(7))));
        let at = "2026-11-30T01:00:00Z".parse::<DateTime<Utc>>().unwrap();
        assert_eq!(when("2026-11-30T01:00:00Z"), Ok(When::At(at)));
        assert_eq!(when("2026-11-30T04:00:00+03:00"), Ok(When::At(at)));
        for wrong in ["", "2", "h", "2w", "-1h", "1.5h", "99999999999999999999d", "9999999999999d", "2026-11-30"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
