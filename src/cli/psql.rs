//! `holdfast psql`: the database's own terminal, for whoever follows a runbook.

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
use crate::{
    app::Config,
    platform::db::{RoleKind, Target, tools},
};

/// A server that is frozen takes connections, and never answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of a session that only reads: it cannot write a row, and holds nothing up for long. Its role may replicate, and so make a slot.
const READ_ONLY: &str = "-c default_transaction_read_only=on -c statement_timeout=60s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=60s";
/// Of one that may write.
const WRITING: &str = "-c lock_timeout=15s -c idle_in_transaction_session_timeout=300s";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast psql                                         a session that can only read rows\n  \
    holdfast psql -c 'SELECT queue, count(*) FROM jobs GROUP BY queue'\n  \
    holdfast psql --write                                 as the owner of the tables; asks first\n  \
    holdfast psql --write --yes -c 'SELECT pg_terminate_backend(4711)'\n  \
    holdfast psql --admin --yes -c 'SELECT pg_terminate_backend(4711)'      also a superuser's session\n  \
    holdfast psql --database postgres -c 'SELECT * FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 5'\n  \
    holdfast psql -- --csv -c 'SELECT 1'                  what stands behind -- is psql's own\n\n\
    It reads all organisations' rows. The private server is started for it where no appliance runs."
)]
pub struct Args {
    /// Run this and stop; may be given several times.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    commands: Vec<String>,
    /// Configuration file; also `HOLDFAST_CONFIG`. (Here -c is psql's.)
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// As the owner of the tables, who may change everything.
    #[arg(long, group = "changes")]
    write: bool,
    /// As the user of `database.url`, or the private server's superuser: for what its owner may not, as ending a superuser's session.
    #[arg(long, group = "changes")]
    admin: bool,
    /// Do not ask before --write or --admin.
    #[arg(long, requires = "changes")]
    yes: bool,
    /// Another database of the server.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Arguments of psql.
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
    // Asked first: psql would say why it cannot connect in fewer words, and its version should be the server's.
    let connected = timeout(PATIENCE, PgConnection::connect_with(&options)).await.with_context(|| {
        format!("the database takes the connection and says nothing for {} s: is it frozen?", PATIENCE.as_secs())
    })?;
    let conn = connected.with_context(|| {
        format!("cannot connect as {name}: does the database run, and has `holdfast serve` made its roles?")
    })?;
    let major = conn.server_version_num().map_or(0, |number| number / 10_000);
    let _ = conn.close().await;
    let found = tools::Tools::find(tools_dir.as_deref(), major);
    // An older psql speaks to a newer server; only some of its backslash commands do not.
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
        // Others' texts are read with it: they are not for a file in a home.
        .env("PSQL_HISTORY", "/dev/null")
        .kill_on_drop(true);
    // Ctrl-C is psql's, which ends a statement by it; it reaches us too, and would end us, and a server that we started.
    let _ours = signal(SignalKind::interrupt())?;
    let status = psql.status().await.with_context(|| format!("cannot start {}", dir.join("psql").display()))?;
    Ok(code(status))
}

fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Asks at the terminal; where there is none, `--yes` must have been said.
fn agreed() -> anyhow::Result<bool> {
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "a session that can write asks first, and nobody sits here: add --yes"
    );
    eprint_line(
        "This session can change and delete everything, of every organisation, and no rule of Holdfast is asked.\n\
         Is there a backup of today (holdfast backup list)? Type yes to go on:",
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim().eq_ignore_ascii_case("yes"))
}
