//! `holdfast org`

use std::process::ExitCode;

use clap::Subcommand;

use super::{print_line, user::with_auth};
use crate::app::Config;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast org create \"Acme Ltd\"\n  holdfast org create \"Acme Ltd\" --slug acme --json\n  \
    holdfast org list\n  holdfast org list --search acme --json | jq -r '.[].slug'"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create an organisation; then add its owner with `holdfast user create` or `holdfast user add-to-org`.
    #[command(
        after_help = "Examples:\n  holdfast org create \"Acme Ltd\"\n  holdfast org create \"Acme Ltd\" --slug acme --json | jq -r .id"
    )]
    Create {
        /// Its name.
        name: String,
        /// Short name in URLs and commands; default: derived from the name.
        #[arg(long)]
        slug: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List organisations.
    #[command(
        after_help = "Examples:\n  holdfast org list\n  holdfast org list --search acme --json | jq -r '.[].slug'"
    )]
    List {
        /// Only those whose name or slug contains this text.
        #[arg(long)]
        search: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    with_auth(config, async |auth| match args.command {
        Command::Create { name, slug, json } => {
            let org = auth.create_organisation(&name, slug.as_deref(), None).await?;
            if json {
                print_line(&serde_json::to_string_pretty(&org)?);
            } else {
                print_line(&format!("{}  {}  {}", org.id, org.slug, org.name));
            }
            Ok(())
        }
        Command::List { search, json } => {
            let orgs = super::user::all_pages(
                async |slice| auth.list_organisations(search.as_deref(), &slice).await,
                |o| o.id.0,
            )
            .await?;
            if json {
                print_line(&serde_json::to_string_pretty(&orgs)?);
            } else {
                for org in &orgs {
                    print_line(&format!("{}  {:<24} {}", org.id, org.slug, org.name));
                }
            }
            Ok(())
        }
    })
    .await
}
