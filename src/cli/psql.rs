//! `holdfast psql`: the database's own terminal, for following runbooks.

use std::{
    io::IsTerminal as _,
    path::PathBuf,
    process::{ExitCode, ExitStatus},
    time::Duration,
};

use anyhow::Context as _;
use sqlx::{Connection as _, PgConnection};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use super::{boot::Booted, eprint_line};
use crate::app::Config;
use platform::db::{RoleKind, Target, tools};

/// A frozen server accepts connections but never answers.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Options of a read-only session: it cannot write a row, and cannot block others for long. Its role may create a replication slot.
const READ_ONLY: &str = "-c default_transaction_read_only=on -c statement_timeout=60s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=60s";
/// Options of a session that may write.
const WRITING: &str = "-c lock_timeout=15s -c idle_in_transaction_session_timeout=300s";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast psql                                         a session that can only read rows\n  \
    holdfast psql -c 'SELECT queue, count(*) FROM jobs GROUP BY queue'\n  \
    holdfast psql --write                                 as the owner of the tables; asks first\n  \
    holdfast psql --write --yes -c 'SELECT pg_terminate_backend(4711)'\n  \
    holdfast psql --admin --yes -c 'SELECT pg_terminate_backend(4711)'      also a superuser's session\n  \
    holdfast psql --database postgres -c 'SELECT * FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 5'\n  \
    holdfast psql -- --csv -c 'SELECT 1'                  arguments after -- are passed to psql\n\n\
    It reads the rows of all organisations. Without a running appliance it starts the private server."
)]
pub struct Args {
    /// Run this and exit; may be repeated.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    commands: Vec<String>,
    /// Configuration file; also `HOLDFAST_CONFIG`. (Here -c is psql's.)
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Connect as the owner of the tables, who may change everything.
    #[arg(long, group = "changes")]
    write: bool,
    /// Connect as the user of `database.url`, or the private server's superuser: for what the owner may not do, such as ending a superuser's
    /// session.
    #[arg(long, group = "changes")]
    admin: bool,
    /// Skip the confirmation of --write or --admin.
    #[arg(long, requires = "changes")]
    yes: bool,
    /// Another database of the server.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Further arguments for psql.
    #[arg(last = true)]
    rest: Vec<String>,
}

impl Args {
    fn changes(&self) -> bool {
        self.write || self.admin
    }
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    if args.changes() && !args.yes && !agreed()? {
        return Ok(ExitCode::FAILURE);
    }
    let tools_dir = config.tools_dir();
    let booted = Booted::open_or_join(config).await?;
    let ended = session(&booted.target, tools_dir, &args).await;
    booted.close().await;
    ended
}

async fn session(target: &Target, tools_dir: Option<PathBuf>, args: &Args) -> anyhow::Result<ExitCode> {
    let role = if args.write { RoleKind::Owner } else { RoleKind::Backup };
    let (options, name) = if args.admin {
        (target.admin.clone(), target.admin.get_username().to_owned())
    } else {
        (target.connect_as(role), target.role_name(role))
    };
    let mut options = options.application_name("holdfast psql");
    if let Some(database) = &args.database {
        options = options.database(database);
    }
    // Connect first: psql's own errors are less helpful, and the server's version selects the psql to use.
    let connected = timeout(TIMEOUT, PgConnection::connect_with(&options)).await.with_context(|| {
        format!("the database accepts the connection but does not answer within {} s: is it frozen?", TIMEOUT.as_secs())
    })?;
    let conn = connected.with_context(|| {
        format!("cannot connect as {name}: is the database running, and has `holdfast serve` created its roles?")
    })?;
    let major = conn.server_version_num().map_or(0, |number| number / 10_000);
    let _ = conn.close().await;
    let found = tools::Tools::find(tools_dir.as_deref(), major);
    // An older psql works with a newer server, except for some backslash commands.
    let dir = found.or_else(|_| tools::Tools::find(tools_dir.as_deref(), 0)).context("psql")?.dir;

    let (url, password) = tools::connection(&options);
    let mut psql = Command::new(dir.join("psql"));
    for name in tools::LIBPQ {
        psql.env_remove(name);
    }
    psql.arg("--no-psqlrc").arg("--dbname").arg(url).args(["--set", "ON_ERROR_STOP=1"]);
    for sql in &args.commands {
        psql.arg("--command").arg(sql);
    }
    psql.args(&args.rest)
        .envs(password.map(|password| ("PGPASSWORD", password)))
        .env("PGOPTIONS", if args.changes() { WRITING } else { READ_ONLY })
        .env("PGAPPNAME", "holdfast psql")
        .env("PGCONNECT_TIMEOUT", "10")
        // Statements may contain users' texts: no history file in a home directory.
        .env("PSQL_HISTORY", "/dev/null")
        .kill_on_drop(true);
    // Ctrl-C is for psql, which cancels the statement; it also reaches us, and would end us and a server that we started.
    let _ours = signal(SignalKind::interrupt())?;
    let status = psql.status().await.with_context(|| format!("cannot start {}", dir.join("psql").display()))?;
    Ok(code(status))
}

fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Asks at the terminal; without a terminal, `--yes` is required.
fn agreed() -> anyhow::Result<bool> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "a session that can write asks for confirmation, and there is no terminal: add --yes"
    );
    eprint_line(
        "This session can change and delete everything, in every organisation, and bypasses all of Holdfast's rules.\n\
         Is there a backup of today (holdfast backup list)? Type yes to go on:",
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().eq_ignore_ascii_case("yes"))
}
