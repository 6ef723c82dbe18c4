//! `holdfast status-page`

use std::{process::ExitCode, time::Duration};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use incidents::{AffectedDraft, ComponentStatus, IncidentDraft, IncidentFull, IncidentsError, MaintenanceDraft};
use platform::{error::FieldError, http::Slice, lifecycle::Lifecycle};
use status_page::{Owner, Page, PageState, StatusPageError, Visibility};

/// An owner has at most 50.
const MOST: i64 = 200;
/// Who did it.
const BY: &str = "cli";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast status-page list                pages of the installation\n  \
    holdfast status-page show appliance      who sees it, and what it shows\n  \
    holdfast status-page announce \"Checkout fails\" --component checkout=partial_outage --text \"We look into it.\"\n  \
    holdfast status-page subscribers export shop > subscribers.csv")]
pub struct Args {
    /// Slug of the organisation; left out: the installation.
    #[arg(long, global = true)]
    org: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the status pages.
    #[command(
        after_help = "Examples:\n  holdfast status-page list\n  holdfast status-page list --org acme --json | jq -r '.[].slug'"
    )]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a page: who sees it, its components, its names of DNS, and how old is what visitors get.
    #[command(
        after_help = "Examples:\n  holdfast status-page show appliance\n  holdfast status-page show shop --json | jq -r .as_of"
    )]
    Show {
        /// In its address: /status/<slug>.
        slug: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a page to everybody; with --private to nobody but signed-in people of its owner.
    #[command(
        after_help = "Examples:\n  holdfast status-page publish shop\n  holdfast status-page publish shop --private"
    )]
    Publish {
        slug: String,
        /// Close it instead.
        #[arg(long)]
        private: bool,
    },
    /// Have a page rendered again, by the worker that checks monitors.
    #[command(after_help = "Examples:\n  holdfast status-page render shop")]
    Render { slug: String },
    /// Announce an incident on the pages that show what it affects.
    Announce(Announce),
    /// Announce maintenance on the pages that show what it affects; monitors of these components tell nobody meanwhile.
    Maintenance(Maintenance),
    /// Who follows a page by mail.
    #[command(subcommand)]
    Subscribers(Subscribers),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast status-page announce \"Checkout fails\" --component checkout=partial_outage --text \"We look into it.\"\n  \
    holdfast status-page announce \"Mail is late\" --component mail=degraded_performance --text \"A server is busy.\" --notify\n\n\
    Further updates, and its end, are written in the console (Incidents) or by the API."
)]
struct Announce {
    /// What is wrong, in a few words.
    name: String,
    /// What visitors read; Markdown.
    #[arg(long)]
    text: String,
    /// Key of a component, and how it is affected: `degraded_performance`, `partial_outage` or `major_outage`. Give it again for further ones.
    #[arg(long = "component", value_name = "KEY=STATUS", required = true, value_parser = affected)]
    components: Vec<Affected>,
    /// Mail it to subscribers, too.
    #[arg(long)]
    notify: bool,
    /// Visitors see nothing yet: somebody publishes it in the console.
    #[arg(long)]
    draft: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast status-page maintenance \"New disks\" --from 2026-12-20T22:00:00Z --until 2026-12-21T02:00:00Z --component shop\n  \
    holdfast status-page maintenance \"Move\" --from 2026-12-20T22:00:00+01:00 --until 2026-12-21T04:00:00+01:00 --component shop --component mail \\\n    \
    --text \"Everything is away.\" --notify --excluded"
)]
struct Maintenance {
    /// What is done, in a few words.
    name: String,
    /// When it begins, such as 2026-12-20T22:00:00Z.
    #[arg(long)]
    from: DateTime<Utc>,
    /// When it ends.
    #[arg(long)]
    until: DateTime<Utc>,
    /// Key of a component that is under maintenance. Give it again for further ones.
    #[arg(long = "component", value_name = "KEY", required = true)]
    components: Vec<String>,
    /// What visitors read; Markdown.
    #[arg(long, default_value = "")]
    text: String,
    #[command(flatten)]
    how: How,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Choices of a maintenance.
#[derive(Debug, clap::Args)]
struct How {
    /// Mail it to subscribers, too.
    #[arg(long)]
    notify: bool,
    /// Its time does not count for availability.
    #[arg(long)]
    excluded: bool,
    /// Visitors see nothing yet: somebody publishes it in the console.
    #[arg(long)]
    draft: bool,
}

#[derive(Debug, Subcommand)]
enum Subscribers {
    /// How many have confirmed their address, and how many have not yet.
    #[command(
        after_help = "Examples:\n  holdfast status-page subscribers count shop\n  holdfast status-page subscribers count shop --json | jq .confirmed"
    )]
    Count {
        slug: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write those who have confirmed to standard output, as CSV.
    #[command(after_help = "Examples:\n  holdfast status-page subscribers export shop > subscribers.csv")]
    Export { slug: String },
}

/// What happens to a component.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Affected {
    key: String,
    status: ComponentStatus,
}

fn affected(text: &str) -> Result<Affected, String> {
    let (key, status) = text.split_once('=').ok_or("write a key and a status, such as shop=partial_outage")?;
    Ok(Affected { key: key.trim().to_owned(), status: status.trim().parse()? })
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let booted = Booted::existing(config).await?;
    let result = Box::pin(with_appliance(&booted, args)).await;
    booted.close().await;
    result
}

async fn with_appliance(booted: &Booted, args: Args) -> anyhow::Result<ExitCode> {
    // Alone on the directory; a running appliance migrates its own database.
    if booted.data_dir.is_locked() {
        booted.migrate().await?;
    }
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let result = Box::pin(work(&app, args)).await;
    lifecycle.drain(Duration::from_secs(1)).await;
    app.close().await;
    result
}

async fn work(app: &App, args: Args) -> anyhow::Result<ExitCode> {
    let owner = app.uptime.owner_named(args.org.as_deref()).await?;
    let pages = &app.status_pages;
    match args.command {
        Command::List { json } => {
            let all = pages.pages(owner, &Slice::first(MOST)).await?;
            print(json, &all, || all.iter().for_each(show))?;
        }
        Command::Show { slug, json } => {
            let state = pages.page_state(owner, &slug).await?;
            print(json, &state, || show_state(&state))?;
        }
        Command::Publish { slug, private } => {
            let visibility = if private { Visibility::Private } else { Visibility::Public };
            let page = pages.set_visibility(owner, &slug, visibility).await.map_err(in_words)?;
            print_line(&format!("{}: {}", page.slug, visibility.as_str()));
            let following = pages.page_state(owner, &slug).await?.subscribers.confirmed;
            if following > 0 && !page.tells_strangers() {
                print_line(&format!(
                    "nothing is mailed to its {following} subscribers any more: they are told so in ten minutes, and may leave"
                ));
            }
        }
        Command::Render { slug } => {
            pages.render_named(owner, &slug).await?;
            print_line("the worker that checks monitors renders it within seconds");
        }
        Command::Announce(args) => announce(app, owner, args).await?,
        Command::Maintenance(args) => maintenance(app, owner, args).await?,
        Command::Subscribers(Subscribers::Count { slug, json }) => {
            let count = pages.page_state(owner, &slug).await?.subscribers;
            print(json, &count, || {
                print_line(&format!("{} confirmed, {} not yet", count.confirmed, count.waiting));
            })?;
        }
        Command::Subscribers(Subscribers::Export { slug }) => {
            let table = pages.export_subscribers(owner, &slug).await?;
            print_line(String::from_utf8(table)?.trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn announce(app: &App, owner: Owner, args: Announce) -> anyhow::Result<()> {
    let keys: Vec<&str> = args.components.iter().map(|affected| affected.key.as_str()).collect();
    let ids = app.status_pages.components_named(owner, &keys).await.map_err(in_words)?;
    let affected = args.components.iter().zip(ids);
    let components = affected.map(|(named, component)| AffectedDraft { component, status: named.status }).collect();
    let draft = IncidentDraft {
        name: args.name,
        status: None,
        severity: None,
        impact: None,
        body: args.text,
        components,
        publish: !args.draft,
        notify: args.notify,
        started_at: None,
        installation: owner == Owner::Installation,
    };
    let made = Box::pin(app.incidents.open_as(owner, BY, draft)).await.map_err(of_incidents)?;
    print(args.json, &made, || show_made(&made))
}

async fn maintenance(app: &App, owner: Owner, args: Maintenance) -> anyhow::Result<()> {
    let keys: Vec<&str> = args.components.iter().map(String::as_str).collect();
    let components = app.status_pages.components_named(owner, &keys).await.map_err(in_words)?;
    let draft = MaintenanceDraft {
        name: args.name,
        body: args.text,
        scheduled_for: args.from,
        scheduled_until: args.until,
        components,
        publish: !args.how.draft,
        notify: args.how.notify,
        excluded: args.how.excluded,
        installation: owner == Owner::Installation,
    };
    let made = Box::pin(app.incidents.announce_as(owner, BY, draft)).await.map_err(of_incidents)?;
    print(args.json, &made, || show_made(&made))
}

fn in_words(error: StatusPageError) -> anyhow::Error {
    match error {
        StatusPageError::Invalid(errors) => told(&errors),
        error => error.into(),
    }
}

fn of_incidents(error: IncidentsError) -> anyhow::Error {
    match error {
        IncidentsError::Invalid(errors) => told(&errors),
        error => error.into(),
    }
}

/// What is wrong with fields, each with its place.
fn told(errors: &[FieldError]) -> anyhow::Error {
    let all: Vec<String> =
        errors.iter().map(|error| format!("{}: {}", error.pointer.trim_start_matches('/'), error.detail)).collect();
    anyhow::Error::msg(all.join("; "))
}

fn print<T: Serialize>(json: bool, value: &T, show: impl FnOnce()) -> anyhow::Result<()> {
    if json {
        print_line(&serde_json::to_string_pretty(value)?);
    } else {
        show();
    }
    Ok(())
}

fn show(page: &Page) {
    print_line(&format!("{:<8} {:<32} {}", page.visibility.as_str(), page.slug, page.name));
}

fn show_state(state: &PageState) {
    let page = &state.page;
    show(page);
    print_line(&format!("address      {}", state.url));
    let rendered = state.as_of.map_or_else(|| "not rendered yet".to_owned(), |as_of| as_of.to_rfc3339());
    print_line(&format!("as of        {rendered}"));
    let asked = [("a password", page.has_password), ("a network", !page.networks.is_empty())];
    let asked: Vec<&str> = asked.iter().filter(|(_, is_asked)| *is_asked).map(|(what, _)| *what).collect();
    if !asked.is_empty() {
        print_line(&format!("asks for     {}", asked.join(" and ")));
    }
    for domain in &page.domains {
        let proof = if domain.proven_at.is_some() { "in use" } else { "not proven" };
        let error = domain.error.as_deref().unwrap_or_default();
        print_line(&format!("domain       {} ({proof}) {error}", domain.domain));
        print_line(&format!("  TXT record {} {}", domain.record(), domain.proof));
    }
    print_line(&format!(
        "subscribers  {} confirmed, {} not yet",
        state.subscribers.confirmed, state.subscribers.waiting
    ));
    for component in &state.components {
        print_line(&format!("  {:<22} {:<32} {}", component.status.as_str(), component.key, component.name));
    }
}

fn show_made(made: &IncidentFull) {
    let of = &made.incident;
    let seen = if of.published_at.is_some() { "published" } else { "a draft" };
    print_line(&format!("{}  {}  {} ({seen})", of.id, of.status.as_str(), of.name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_named_with_its_status() {
        let found = affected("shop = partial_outage").unwrap();
        assert_eq!(found, Affected { key: "shop".into(), status: ComponentStatus::PartialOutage });
        assert!(affected("shop").unwrap_err().contains("shop=partial_outage"));
        assert!(affected("shop=down").unwrap_err().contains("major_outage"), "it says what there is");
    }
}
