//! `holdfast user`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{boot::Booted, print_line};
use crate::app::Config;
use auth::{Auth, AuthError, Metrics};
use platform::{
    clock::Clock,
    db::Db,
    http::{ListQuery, Role, Slice},
    telemetry::Telemetry,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holdfast user create ada@example.com --org default --role admin\n  \
    holdfast user reset-password ada@example.com        a lost password: prints a one-time password\n  \
    holdfast user add-to-org ada@example.com acme --role owner\n  holdfast user list --search example.com --json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a person with a one-time password, which is printed.
    #[command(after_help = "Examples:\n  holdfast user create ada@example.com --org acme --role admin\n  \
        holdfast user create ops@example.com --role owner --operator --json | jq -r .one_time_password")]
    Create {
        /// E-mail for signing in.
        email: String,
        /// Display name.
        #[arg(long, default_value = "")]
        name: String,
        /// Slug of their organisation.
        #[arg(long, default_value = "default")]
        org: String,
        /// viewer, member, admin or owner.
        #[arg(long, default_value = "member")]
        role: Role,
        /// May also see data of the installation: queues, providers, all organisations.
        #[arg(long)]
        operator: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a person a one-time password, which is printed, and end their sessions.
    #[command(
        after_help = "Examples:\n  holdfast user reset-password ada@example.com\n  holdfast user reset-password ada@example.com --json"
    )]
    ResetPassword {
        email: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a person to another organisation.
    #[command(after_help = "Examples:\n  holdfast user add-to-org ada@example.com acme\n  \
        holdfast user add-to-org ada@example.com acme --role owner")]
    AddToOrg {
        email: String,
        /// Slug of the organisation.
        org: String,
        /// viewer, member, admin or owner.
        #[arg(long, default_value = "member")]
        role: Role,
    },
    /// List people.
    #[command(
        after_help = "Examples:\n  holdfast user list\n  holdfast user list --search example.com --json | jq -r '.[].email'"
    )]
    List {
        /// Only those whose e-mail or name contains this text.
        #[arg(long)]
        search: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    with_auth(config, async |auth| match args.command {
        Command::Create { email, name, org, role, operator, json } => {
            let (id, password) = auth.create_user(&email, &name, &org, role, operator).await?;
            show_password(&email, Some(id.0), &password, json);
            Ok(())
        }
        Command::ResetPassword { email, json } => {
            let password = auth.reset_password(&email).await?;
            show_password(&email, None, &password, json);
            Ok(())
        }
        Command::AddToOrg { email, org, role } => {
            auth.add_to_organisation(&email, &org, role).await?;
            print_line(&format!("{email} is now {} of {org}", role.as_str()));
            Ok(())
        }
        Command::List { search, json } => list(auth, search.as_deref(), json).await,
    })
    .await
}

async fn list(auth: &Auth, search: Option<&str>, json: bool) -> anyhow::Result<()> {
    let users = all_pages(async |slice| auth.list_users(search, &slice).await, |u| u.id.0).await?;
    if json {
        print_line(&serde_json::to_string_pretty(&users)?);
        return Ok(());
    }
    for user in &users {
        let marks = [
            (user.is_operator, "operator"),
            (user.must_change_password, "one-time password"),
            (user.disabled, "disabled"),
        ];
        let marks: Vec<&str> = marks.into_iter().filter_map(|(set, mark)| set.then_some(mark)).collect();
        print_line(&format!("{}  {:<40} {:<24} {}", user.id, user.email, user.name, marks.join(", ")));
    }
    Ok(())
}

/// The only place that prints a one-time password: the terminal of the person who requested it.
fn show_password(email: &str, id: Option<Uuid>, password: &str, as_json: bool) {
    if as_json {
        print_line(&json!({ "id": id, "email": email, "one_time_password": password }).to_string());
    } else {
        print_line(&format!(
            "{email}\nOne-time password: {password}\nIt is shown once and must be changed at the first sign-in."
        ));
    }
}

/// Runs `work` with the auth service on the installation's database, beside a running appliance or alone.
pub(super) async fn with_auth(
    config: Config,
    work: impl AsyncFnOnce(&Auth) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let booted = Booted::open_or_join(config).await?;
    let result = async {
        // Alone on the directory, the database may be new. A running appliance migrates its own.
        if booted.data_dir.is_locked() {
            booted.migrate().await?;
        }
        let config = &booted.config;
        let db = Db::new(&booted.target, &config.database);
        let metrics = Telemetry::new().register("auth", Metrics::register);
        let auth = Auth::new(db.clone(), Clock::system(), &config.auth, &config.server, crate::app::scopes(), metrics)?;
        auth.keeps_first_password_in(&booted.data_dir.path);
        let result = work(&auth).await;
        db.close().await;
        result
    }
    .await;
    booted.close().await;
    result.map(|()| ExitCode::SUCCESS)
}

/// E-mail addresses of the installation's operators, at most five.
pub(super) async fn operators(booted: &Booted) -> anyhow::Result<Vec<String>> {
    let db = Db::new(&booted.target, &booted.config.database);
    let metrics = Telemetry::new().register("auth", Metrics::register);
    let auth = Auth::new(
        db.clone(),
        Clock::system(),
        &booted.config.auth,
        &booted.config.server,
        crate::app::scopes(),
        metrics,
    )?;
    auth.keeps_first_password_in(&booted.data_dir.path);
    auth.review_first_password().await;
    let people = all_pages(async |slice| auth.list_users(None, &slice).await, |u| u.id.0).await;
    db.close().await;
    Ok(people?.into_iter().filter(|user| user.is_operator && !user.disabled).map(|user| user.email).take(5).collect())
}

/// All rows of a list, the oldest first.
pub(super) async fn all_pages<T>(
    fetch: impl AsyncFn(Slice) -> Result<Vec<T>, AuthError>,
    id: impl Fn(&T) -> Uuid,
) -> anyhow::Result<Vec<T>> {
    let mut query = ListQuery { limit: Some(200), sort: "oldest".into(), ..ListQuery::default() };
    let mut rows: Vec<T> = Vec::new();
    loop {
        let slice = query.slice().map_err(|error| anyhow::anyhow!(error.detail))?;
        let page = slice.page(fetch(slice).await?, &id);
        rows.extend(page.data);
        match page.next_cursor {
            Some(next) => query.cursor = next,
            None => return Ok(rows),
        }
    }
}
