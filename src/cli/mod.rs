//! The command line.

mod backup;
mod boot;
mod config;
mod docs;
mod doctor;
mod incidents;
mod knowledge;
mod log_level;
mod mail;
mod migrate;
mod openapi;
mod org;
mod owner;
mod psql;
mod restore;
mod serve;
mod status_page;
mod support_bundle;
mod upgrade_postgres;
mod uptime;
mod user;

use std::{
    io::{ErrorKind, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::{Parser, Subcommand};

use crate::app::Config;
use platform::config::{ConfigErrors, Raw};

/// `sysexits.h`: `EX_USAGE` 64, `EX_CONFIG` 78; a configuration error exits like invalid arguments.
const EXIT_USAGE: u8 = 64;

/// This program's file, for starting child processes; stays valid when an upgrade replaces the file.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A self-hosted GPT agent platform in one process: agents, knowledge, LLM gateway, jobs.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  holdfast serve                     start on the embedded default (own PostgreSQL, local files)\n  \
    holdfast serve --role worker       only work on jobs, beside an external database\n  \
    holdfast doctor                    check every part and show remedies\n  \
    holdfast user create ann@example.com --org default --role member\n\n\
    Settings: one TOML file (--config, or /etc/holdfast/holdfast.toml) and HOLDFAST_<SECTION>__<KEY> variables;\n\
    `holdfast config docs` prints every one of them."
)]
pub struct Cli {
    /// Configuration file; also `HOLDFAST_CONFIG`.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the API, the console and the worker.
    Serve(serve::Args),
    /// Migrate the database and exit; or roll an upgrade back.
    Migrate(migrate::Args),
    /// Check every part; prints pass, warn or fail, and remedies. Exits 1 if a check fails.
    Doctor(doctor::Args),
    /// Show the log filter of the running appliance, or change it for a limited time.
    LogLevel(log_level::Args),
    /// The configuration: check it, show it, or print its documentation.
    #[command(subcommand)]
    Config(config::Action),
    /// Organisations.
    Org(org::Args),
    /// People who can sign in.
    User(user::Args),
    /// Backups: make, list, verify, test by restoring; and the keys that decrypt them.
    Backup(backup::Args),
    /// Restore a backup on an empty host, with only this program and the key.
    Restore(restore::Args),
    /// A psql session on the database: read-only, or with --write one that may do everything.
    Psql(psql::Args),
    /// Upgrade the private PostgreSQL to a newer major version, with a backup before and a rollback.
    UpgradePostgres(upgrade_postgres::Args),
    /// Mail: send a test, look into the log, send again, cancel, suppress; and the domains that it is sent from.
    Mail(mail::Args),
    /// Monitors: list and check them, apply their file, import others, report a month.
    Uptime(uptime::Args),
    /// Status pages: list, show and publish them, announce incidents and maintenance, export subscribers.
    StatusPage(status_page::Args),
    /// Incidents: list, acknowledge, resolve them; who is on call; test a channel.
    Incidents(incidents::Args),
    /// Documents: read files like uploads.
    #[command(subcommand)]
    Knowledge(knowledge::Action),
    /// Collect diagnostic data into one file, without secrets and without users' texts.
    SupportBundle(support_bundle::Args),
    /// Print the OpenAPI 3.1 document of the REST API.
    #[command(
        after_help = "Examples:\n  holdfast openapi > openapi.json\n  holdfast openapi | jq -r '.paths | keys[]'"
    )]
    Openapi,
    /// Print generated documentation.
    #[command(subcommand)]
    Docs(docs::Action),
    /// Reads one document from standard input; started by Holdfast itself.
    #[command(hide = true)]
    ExtractChild,
}

impl Command {
    /// Whether it reads or writes the data directory as the appliance does.
    fn works_in_the_data_directory(&self) -> bool {
        match self {
            Self::Migrate(_)
            | Self::Doctor(_)
            | Self::Org(_)
            | Self::User(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Psql(_)
            | Self::UpgradePostgres(_)
            | Self::Mail(_)
            | Self::Uptime(_)
            | Self::StatusPage(_)
            | Self::Incidents(_)
            | Self::SupportBundle(_) => true,
            Self::Serve(_)
            | Self::LogLevel(_)
            | Self::Config(_)
            | Self::Knowledge(_)
            | Self::Openapi
            | Self::Docs(_)
            | Self::ExtractChild => false,
        }
    }
}

/// Runs the command line and returns its exit code.
pub fn run(cli: Cli) -> ExitCode {
    let code = run_command(cli);
    if LOST.load(Ordering::Relaxed) { ExitCode::FAILURE } else { code }
}

fn run_command(cli: Cli) -> ExitCode {
    match cli.command {
        // No configuration and no runtime: it limits its resources before it reads anything.
        Command::ExtractChild => return extraction::child::main(std::io::stdin(), std::io::stdout()),
        Command::Openapi => return openapi::run(),
        Command::Docs(action) => return docs::run(&action),
        Command::Config(config::Action::Docs) => return config::docs(),
        _ => {}
    }
    let file = match &cli.command {
        // Its -c belongs to psql, so it has a --config of its own.
        Command::Psql(args) => args.config.as_deref().or(cli.config.as_deref()),
        _ => cli.config.as_deref(),
    };
    let config = match load(file) {
        Ok(config) => config,
        Err(errors) => return usage_error(&errors.to_string()),
    };
    if let Command::Serve(args) = &cli.command
        && let Err(errors) = args.check(&config)
    {
        return usage_error(&errors.to_string());
    }
    if cli.command.works_in_the_data_directory()
        && let Err(error) = owner::check(&config.data_dir)
    {
        return failure(&error);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&anyhow::Error::from(error).context("cannot start the runtime")),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => Box::pin(serve::run(config, args)).await,
            Command::Migrate(args) => migrate::run(config, args).await,
            Command::Doctor(args) => Box::pin(doctor::run(config, args)).await,
            Command::LogLevel(args) => log_level::run(&config, &args).await,
            Command::Config(action) => config::run(&config, &action),
            Command::Org(args) => org::run(config, args).await,
            Command::User(args) => user::run(config, args).await,
            Command::Backup(args) => Box::pin(backup::run(config, args)).await,
            Command::Restore(args) => Box::pin(restore::run(config, args)).await,
            Command::SupportBundle(args) => Box::pin(support_bundle::run(config, args)).await,
            Command::UpgradePostgres(args) => Box::pin(upgrade_postgres::run(config, args)).await,
            Command::Psql(args) => psql::run(config, args).await,
            Command::Mail(args) => Box::pin(mail::run(config, args)).await,
            Command::Uptime(args) => Box::pin(uptime::run(config, args)).await,
            Command::StatusPage(args) => Box::pin(status_page::run(config, args)).await,
            Command::Incidents(args) => Box::pin(incidents::run(config, args)).await,
            Command::Knowledge(action) => knowledge::run(&config, action).await,
            Command::Openapi | Command::Docs(_) | Command::ExtractChild => Ok(ExitCode::SUCCESS),
        }
    });
    // Cancelled blocking work must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.unwrap_or_else(|error| failure(&error))
}

fn load(file: Option<&std::path::Path>) -> Result<Config, ConfigErrors> {
    Config::load(Raw::load(file)?)
}

fn usage_error(message: &str) -> ExitCode {
    eprint_line(message);
    ExitCode::from(EXIT_USAGE)
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprint_line(&format!("holdfast: {error:#}"));
    ExitCode::FAILURE
}

/// Whether output could not be written, e.g. because of a full disk.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line of a command's result. If the reader closes the pipe early (`| head`), the command continues silently, with its usual exit
/// code.
pub(crate) fn print_line(line: &str) {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            if !LOST.swap(true, Ordering::Relaxed) {
                eprint_line(&format!("holdfast: cannot write to standard output: {error}"));
            }
        }
        Ok(()) | Err(_) => {}
    }
}

/// Prints a message for the person at the terminal.
pub(crate) fn eprint_line(line: &str) {
    // There is nowhere else to report it.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn without_examples(command: &mut clap::Command, path: &str, missing: &mut Vec<String>) -> usize {
        let mut leaves = 0;
        let inner: Vec<_> =
            command.get_subcommands_mut().filter(|c| !c.is_hide_set() && c.get_name() != "help").collect();
        let is_leaf = inner.is_empty();
        for sub in inner {
            let path = format!("{path} {}", sub.get_name());
            leaves += without_examples(sub, &path, missing);
        }
        if is_leaf {
            let help = command.render_long_help().to_string();
            if !help.contains(&format!("Examples:\n  {path}")) {
                missing.push(format!("{path}:\n{help}"));
            }
            return 1;
        }
        leaves
    }

    #[test]
    fn the_c_of_psql_is_a_statement_and_that_of_others_a_file() {
        let cli =
            Cli::try_parse_from(["holdfast", "-c", "a.toml", "psql", "-c", "SELECT 1", "-c", "SELECT 2"]).unwrap();
        assert_eq!(cli.config.as_deref(), Some(std::path::Path::new("a.toml")));
        let said = format!("{:?}", cli.command);
        assert!(said.contains(r#"commands: ["SELECT 1", "SELECT 2"]"#) && said.contains("write: false"), "{said}");
        let cli = Cli::try_parse_from(["holdfast", "doctor", "-c", "b.toml"]).unwrap();
        assert_eq!(cli.config.as_deref(), Some(std::path::Path::new("b.toml")));
        assert!(Cli::try_parse_from(["holdfast", "psql", "--yes"]).is_err(), "--yes without --write");
    }

    #[test]
    fn every_commands_help_has_examples() {
        let mut missing = Vec::new();
        let leaves = without_examples(&mut Cli::command(), "holdfast", &mut missing);
        assert!(missing.is_empty(), "{}", missing.join("\n"));
        assert!(leaves >= 14, "only {leaves} commands?");
    }
}
