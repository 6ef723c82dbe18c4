//! `holdfast incidents`

use std::{process::ExitCode, time::Duration};

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use incidents::{
    Incident, IncidentFilter, IncidentFull, IncidentId, IncidentStatus, Incidents, IncidentsError, LogEntry, OnCall,
    Owner, Rota, Tried, UpdateDraft,
};
use platform::{http::Slice, lifecycle::Lifecycle};

/// Incidents that a list shows.
const MOST: i64 = 200;
/// Who did it.
const BY: &str = "cli";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast incidents list                           what is open, of the installation\n  \
    holdfast incidents list --org acme --all\n  \
    holdfast incidents acknowledge 0190b5a0-0000-7000-8000-000000000000\n  \
    holdfast incidents on-call                        who is on call now\n  \
    holdfast incidents test ops-chat                  sends a test message to a channel"
)]
pub struct Args {
    /// Slug of the organisation; left out: the installation.
    #[arg(long, global = true, value_name = "SLUG")]
    org: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the open incidents and maintenances, newest first.
    #[command(after_help = "Examples:\n  holdfast incidents list\n  \
        holdfast incidents list --all --json | jq -r '.[].name'")]
    List {
        /// Those that are over, too.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show an incident with its causes, its updates and its log.
    #[command(after_help = "Examples:\n  holdfast incidents show 0190b5a0-0000-7000-8000-000000000000\n  \
        holdfast incidents show 0190b5a0-0000-7000-8000-000000000000 --json | jq .log")]
    Show {
        id: IncidentId,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that somebody works on it: the escalation ends.
    #[command(after_help = "Examples:\n  holdfast incidents acknowledge 0190b5a0-0000-7000-8000-000000000000")]
    Acknowledge { id: IncidentId },
    /// Resolve an incident, or complete a maintenance.
    #[command(after_help = "Examples:\n  holdfast incidents resolve 0190b5a0-0000-7000-8000-000000000000\n  \
        holdfast incidents resolve 0190b5a0-0000-7000-8000-000000000000 --text \"A disk was replaced.\"")]
    Resolve {
        id: IncidentId,
        /// An update that says it; on pages where the incident is published.
        #[arg(long, default_value = "")]
        text: String,
    },
    /// Add an update to the timeline.
    #[command(
        after_help = "Examples:\n  holdfast incidents note 0190b5a0-0000-7000-8000-000000000000 \"We look into it.\"\n  \
        holdfast incidents note 0190b5a0-0000-7000-8000-000000000000 \"It is the disk.\" --status identified --publish"
    )]
    Note {
        id: IncidentId,
        /// Markdown.
        text: String,
        /// Moves it: `investigating`, `identified`, `monitoring`; `in_progress`, `verifying` for a maintenance.
        #[arg(long)]
        status: Option<IncidentStatus>,
        /// Pages show it, and the incident with it.
        #[arg(long)]
        publish: bool,
        /// Subscribers of pages get it by mail.
        #[arg(long, requires = "publish")]
        notify: bool,
    },
    /// Show who is on call now, and until when.
    #[command(after_help = "Examples:\n  holdfast incidents on-call\n  holdfast incidents on-call --org acme --json")]
    OnCall {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to a channel, and wait ten seconds for the answer. The running appliance sends it. Exits 1 if it was not delivered.
    #[command(after_help = "Examples:\n  holdfast incidents test ops-chat")]
    Test {
        /// Key of the channel.
        channel: String,
    },
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
    let result = work(&app, args).await;
    lifecycle.drain(Duration::from_secs(1)).await;
    app.close().await;
    result
}

async fn work(app: &App, args: Args) -> anyhow::Result<ExitCode> {
    let owner = app.uptime.owner_named(args.org.as_deref()).await?;
    act(&app.incidents, owner, args.command).await.map_err(in_words)?
}

/// The inner error: the output.
async fn act(
    incidents: &Incidents,
    owner: Owner,
    command: Command,
) -> Result<anyhow::Result<ExitCode>, IncidentsError> {
    let printed = match command {
        Command::List { all, json } => {
            let filter = IncidentFilter { open: (!all).then_some(true), ..IncidentFilter::default() };
            let found = incidents.list(owner, &filter, &Slice::first(MOST)).await?;
            print(json, &found, || found.iter().for_each(show))
        }
        Command::Show { id, json } => {
            let (full, log) = incidents.show_for(owner, id).await?;
            print(json, &json!({ "incident": full, "log": log }), || show_full(&full, &log))
        }
        Command::Acknowledge { id } => {
            show(&incidents.acknowledge_for(owner, id, BY).await?.incident);
            Ok(())
        }
        Command::Resolve { id, text } => {
            show(&incidents.resolve_for(owner, id, &text, BY).await?.incident);
            Ok(())
        }
        Command::Note { id, text, status, publish, notify } => {
            let draft = UpdateDraft {
                status,
                body: text,
                components: Vec::new(),
                publish: Some(publish),
                notify,
                display_at: None,
            };
            show(&incidents.update_for(owner, id, draft, BY).await?.incident);
            Ok(())
        }
        Command::OnCall { json } => {
            let found = incidents.on_call_for(owner).await?;
            print(json, &found, || found.iter().for_each(|(rota, on_call)| show_on_call(rota, on_call)))
        }
        Command::Test { channel } => return Ok(Ok(tried(&incidents.try_channel_for(owner, &channel).await?))),
    };
    Ok(printed.map(|()| ExitCode::SUCCESS))
}

/// What is wrong with a field, without its pointer: it is the command's argument.
fn in_words(error: IncidentsError) -> anyhow::Error {
    match error {
        IncidentsError::Invalid(errors) => {
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

fn show(incident: &Incident) {
    let waits =
        if incident.acknowledged_at.is_none() && incident.resolved_at.is_none() { "  nobody has it" } else { "" };
    let (severity, status) = (incident.severity.as_str(), incident.status.as_str());
    let began = incident.started_at.format("%Y-%m-%d %H:%M UTC");
    print_line(&format!("{}  {severity:<8} {status:<13} {began}  {}{waits}", incident.id, incident.name));
}

fn show_full(full: &IncidentFull, log: &[LogEntry]) {
    show(&full.incident);
    for cause in &full.causes {
        let end = cause.closed_at.map_or_else(|| "lasts".to_owned(), |at| format!("over {}", at.format("%H:%M:%S")));
        print_line(&format!("  {:<8} {} ({end})", cause.source.as_str(), cause.name));
    }
    for update in &full.updates {
        let at = update.display_at.format("%Y-%m-%d %H:%M");
        print_line(&format!("  {at}  {:<13} {}", update.status.as_str(), update.body));
    }
    for entry in log {
        let at = entry.at.format("%Y-%m-%d %H:%M:%S");
        print_line(&format!("  {at}  {:<16} {}  {}", entry.what.as_str(), entry.done_by, entry.summary()));
    }
}

fn show_on_call(rota: &Rota, on_call: &OnCall) {
    let Some(user) = on_call.user_id else {
        print_line(&format!("{:<24} nobody", rota.name));
        return;
    };
    let name = on_call.name.clone().unwrap_or_else(|| user.to_string());
    let until = on_call.shifts.first().map(|shift| format!("until {}", shift.until.format("%Y-%m-%d %H:%M UTC")));
    print_line(&format!("{:<24} {name}  {}", rota.name, until.unwrap_or_default()));
}

/// Mail is sent by its own outbox: `holdfast mail list` has the answer.
fn tried(tried: &Tried) -> ExitCode {
    let (status, error) = (tried.status.map(|status| format!(" {status}")), tried.error.as_deref().unwrap_or_default());
    print_line(format!("{}{} {error}", tried.state, status.unwrap_or_default()).trim_end());
    if tried.state == "delivered" { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
