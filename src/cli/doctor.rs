//! `holdfast doctor`

use std::{process::ExitCode, time::Duration};

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use platform::{
    db::{Target, roles},
    health::{self, Report, Status},
    lifecycle::Lifecycle,
};

#[derive(Debug, Default, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast doctor\n  holdfast doctor --json | jq '.[] | select(.status != \"pass\")'\n  \
    holdfast doctor --roles-sql    for a database server on which we may not create roles: SQL for its administrator\n  \
    holdfast doctor --live         only ask the running appliance whether it is ready (for health checks of containers)"
)]
pub struct Args {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print the SQL that creates the database roles, including their passwords, for the server's administrator.
    #[arg(long, conflicts_with_all = ["json", "live"])]
    roles_sql: bool,
    /// Only query /readyz of the running appliance.
    #[arg(long)]
    live: bool,
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    if args.live {
        return live(&config).await;
    }
    anyhow::ensure!(
        !args.roles_sql || config.database.url.is_some(),
        "the private database server (no database.url) has its roles"
    );
    let booted = Booted::existing(config).await?;
    if args.roles_sql {
        print_line(roles_sql(&booted.target).trim_end());
        booted.close().await;
        return Ok(ExitCode::SUCCESS);
    }
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let reports = health::run_all(&app.checks()).await;
    lifecycle.drain(Duration::from_secs(1)).await;
    // Nothing is in progress; do not wait for a hanging database once more.
    let _ = tokio::time::timeout(Duration::from_secs(1), app.close()).await;
    booted.close().await;
    if args.json {
        print_line(&serde_json::to_string_pretty(&reports)?);
    } else {
        reports.iter().for_each(print);
    }
    let failed = reports.iter().any(|r| r.result.status == Status::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn roles_sql(target: &Target) -> String {
    let database = target.admin.get_database().unwrap_or("postgres");
    roles::setup_sql(target, database, true) + &roles::statistics_sql(target)
}

fn print(report: &Report) {
    let mark = match report.result.status {
        Status::Pass => "pass",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
    };
    print_line(&format!("{mark}  {:<28} {}", report.name, report.result.summary));
    if let Some(remedy) = &report.result.remedy {
        remedy.lines().for_each(|line| print_line(&format!("      {:<28} -> {line}", "")));
    }
}

async fn live(config: &Config) -> anyhow::Result<ExitCode> {
    let address = config.ops.local();
    let clients = platform::http_client::HttpClients::new()?;
    let response =
        clients.operator().get(format!("http://{address}/readyz")).timeout(Duration::from_secs(4)).send().await?;
    let ok = response.status().is_success();
    print_line(response.text().await?.trim_end());
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
