//! `holdfast serve`

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::ValueEnum;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::ExposeSecret as _;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use auth::{Auth, FirstAdmin};
use platform::{
    config::ConfigErrors,
    http::{Listener, Timeouts, serve},
    lifecycle::{Lifecycle, Signals},
    telemetry::{self, Logger},
};

/// Open files besides connections: of the database, the index, the pipes of a child.
const OTHER_FILES: u64 = 512;

/// Role of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// API, console and worker.
    All,
    /// API and console.
    Api,
    /// Jobs only.
    Worker,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast serve\n  holdfast serve --demo\n  HOLDFAST_SERVER__LISTEN=0.0.0.0:8080 holdfast serve\n  \
    holdfast serve --role api      one of several hosts: with database.url, secret_key_file, storage.url and knowledge.index_url"
)]
pub struct Args {
    /// Role of this process.
    #[arg(long, value_enum, default_value = "all")]
    role: Role,
    /// Also load a small demo knowledge base and agent.
    #[arg(long)]
    demo: bool,
}

impl Args {
    /// Whether this configuration suffices for the role.
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigErrors> {
        if self.role == Role::All { Ok(()) } else { config.check_shared() }
    }
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let guard = telemetry::init(&config.telemetry)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let result = Box::pin(serve_until_stopped(config, &args, guard.logger.clone())).await;
    if let Err(error) = &result {
        tracing::error!(error = format!("{error:#}"), "Holdfast cannot continue");
    }
    guard.flush().await;
    result
}

async fn serve_until_stopped(config: Config, args: &Args, logger: Logger) -> anyhow::Result<ExitCode> {
    let (started, signals) = (tokio::time::Instant::now(), Signals::listen()?);
    // Ports first: a port in use is reported at once, not after a database was started.
    let public = match args.role {
        Role::Worker => None,
        Role::All | Role::Api => Some(
            Listener::bind(config.server.listen)
                .await
                .with_context(|| format!("server.listen {}", config.server.listen))?
                .limited(&config.server),
        ),
    };
    let s3 = match config.files.s3_address() {
        Some(address) if args.role != Role::Worker => Some(
            Listener::bind(address)
                .await
                .with_context(|| format!("files.s3_listen {address}"))?
                .limited(&config.server),
        ),
        _ => None,
    };
    let ops = Listener::bind(config.ops.listen).await.with_context(|| format!("ops.listen {}", config.ops.listen))?;
    let mut booted = Booted::open(config).await?;
    booted.logger = logger;
    let result = with_database(&booted, args, Listeners { public, s3, ops }, started, signals).await;
    booted.close().await;
    result
}

/// The ports of this process.
struct Listeners {
    public: Option<Listener>,
    /// The S3 API alone.
    s3: Option<Listener>,
    ops: Listener,
}

async fn with_database(
    booted: &Booted,
    args: &Args,
    Listeners { public, s3, ops }: Listeners,
    started: tokio::time::Instant,
    mut signals: Signals,
) -> anyhow::Result<ExitCode> {
    booted.migrate().await?;
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    app.probe_stores().await?;
    app.claim_store().await?;
    let first_admin = app.bootstrap().await?;
    // Before readiness is announced, because scripts look for it then.
    let log = public.is_none() || booted.config.telemetry.log_format.is_json();
    let kept = first_admin.as_ref().and_then(|admin| keep(admin, log, &app.auth));
    if args.demo {
        app.load_demo().await.context("cannot load the demo")?;
    }
    if args.role != Role::Api {
        app.start_worker()?;
    }
    app.start_background();

    let server = &booted.config.server;
    raise_file_limit(u64::from(server.max_connections));
    let grace = Duration::from_secs(server.grace_seconds);
    let timeouts = Timeouts {
        header: Duration::from_secs(server.header_timeout_seconds),
        grace,
        max_connections: usize::try_from(server.max_connections)?,
        ..Timeouts::default()
    };
    app.families.http.max_connections.set(i64::from(server.max_connections));
    let ops_address = ops.address;
    lifecycle.spawn_vital(
        "ops.listener",
        serve(ops, app.ops_router(), timeouts, app.families.http.clone(), lifecycle.clone()),
    );
    if let Some(s3) = s3 {
        tracing::info!(listen = %s3.address, "the S3 API has a port of its own");
        lifecycle.spawn_vital(
            "s3.listener",
            serve(s3, app.s3_router(), timeouts, app.families.http.clone(), lifecycle.clone()),
        );
    }
    if let Some(public) = public {
        let address = public.address;
        lifecycle.spawn_vital(
            "http.listener",
            serve(public, app.router(), timeouts, app.families.http.clone(), lifecycle.clone()),
        );
        let welcome = Welcome { base_url: &server.base_url(), address: &address.to_string() };
        if log {
            welcome.log(kept.as_ref());
        } else {
            welcome.print(first_admin.as_ref(), kept.as_ref());
        }
    } else if first_admin.is_some() {
        // A worker that was the first process of its installation.
        Welcome { base_url: &server.base_url(), address: "" }.log(kept.as_ref());
    }
    tracing::info!(role = ?args.role, ops = %ops_address, seconds = started.elapsed().as_secs_f64(), "ready");

    lifecycle.wait_for_signal(&mut signals).await;
    let clean = lifecycle.drain(grace).await;
    app.close().await;
    if let Some(task) = lifecycle.lost() {
        anyhow::bail!("{task} ended unexpectedly, which is a bug: the log shows where it panicked");
    }
    tracing::info!(clean, "stopped");
    Ok(ExitCode::SUCCESS)
}

/// Startup message with the address. The one-time password is shown on a terminal, or kept in a file that only its owner can read, because
/// a service's standard output is its log.
struct Welcome<'a> {
    base_url: &'a str,
    address: &'a str,
}

impl Welcome<'_> {
    fn log(&self, kept: Option<&io::Result<PathBuf>>) {
        tracing::info!(url = self.base_url, listen = self.address, "Holdfast is ready");
        match kept {
            None => {}
            Some(Ok(file)) => tracing::warn!(
                file = %file.display(),
                "the first administrator's address and one-time password are in this file: sign in and choose your own, which removes the file"
            ),
            Some(Err(error)) => tracing::error!(
                %error,
                "the first administrator's one-time password could not be stored: create another with `holdfast user reset-password`"
            ),
        }
    }

    fn print(&self, first_admin: Option<&FirstAdmin>, kept: Option<&io::Result<PathBuf>>) {
        print_line(&format!("\n  Holdfast is ready at {} (listening on {})", self.base_url, self.address));
        if let Some(admin) = first_admin {
            print_line(&format!("  Sign in as           {}", admin.email));
            if let Some(shown) = once(admin, kept) {
                print_line(&format!("  One-time password    {shown}"));
            }
        }
        print_line("  Stop with Ctrl-C; all data is kept.\n");
    }
}

/// Stores the one-time password in its file, unless a terminal shows it.
fn keep(admin: &FirstAdmin, log: bool, auth: &Auth) -> Option<io::Result<PathBuf>> {
    let password = admin.one_time_password.as_ref()?;
    (log || !io::stdout().is_terminal()).then(|| auth.keep_first_password(&admin.email, password))
}

/// The password for a terminal, or the file that contains it.
fn once(admin: &FirstAdmin, kept: Option<&io::Result<PathBuf>>) -> Option<String> {
    let password = admin.one_time_password.as_ref()?;
    Some(match kept {
        None => format!("{}   (shown once; you choose your own at the first sign-in)", password.expose_secret()),
        Some(Ok(file)) => format!("in {} (until you choose your own at the first sign-in)", file.display()),
        Some(Err(error)) => {
            format!("could not be stored ({error}): create another with `holdfast user reset-password {}`", admin.email)
        }
    })
}

/// A shell's soft limit is 1024 files: a thousand slow clients would leave none for the database.
fn raise_file_limit(connections: u64) {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let now = if raised.is_ok() { limit.maximum } else { limit.current };
    if now.is_some_and(|files| files < connections + OTHER_FILES) {
        tracing::warn!(
            open_files = now,
            "this system allows fewer open files than server.max_connections needs: raise the limit (LimitNOFILE, ulimit -n) or lower the setting"
        );
    }
}
