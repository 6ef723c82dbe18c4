//! `holdfast storage`

mod copying;
mod keys;
mod listing;
mod migrate;
mod place;
mod removing;
mod report;
mod scrub;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;
use serde::Serialize;

use super::{boot::Booted, print_line};
use crate::app::{App, Config};
use files::{Bucket, Caller, FilesError};
use place::Place;
use platform::{ids::OrgId, lifecycle::Lifecycle};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast storage ls acme:team-files/reports/\n  holdfast storage cp report.pdf acme:team-files/reports/\n  \
    holdfast storage cp -r acme:team-files/reports/ ./reports\n  holdfast storage du acme\n  \
    holdfast storage scrub                       how the store is: damage, scrubs, orphans\n  \
    holdfast storage keys create acme backups --verb list,read,write\n\n\
    A place is ORG:BUCKET/KEY: the organisation's slug, the bucket's name, and the key or its beginning."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List organisations, buckets, or what is in a bucket.
    #[command(
        after_help = "Examples:\n  holdfast storage ls\n  holdfast storage ls acme\n  holdfast storage ls acme:team-files/reports/\n  \
        holdfast storage ls -r acme:team-files --json | jq -r '.[].key'"
    )]
    Ls {
        /// ORG, ORG:BUCKET or ORG:BUCKET/PREFIX; default: the organisations.
        place: Option<String>,
        /// Everything below, not only the next folder.
        #[arg(long, short)]
        recursive: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy files into buckets, out of them, or between them.
    #[command(
        after_help = "Examples:\n  holdfast storage cp report.pdf acme:team-files/reports/\n  holdfast storage cp -r ./site acme:www\n  \
        holdfast storage cp acme:team-files/report.pdf - | less\n  pg_dump db | holdfast storage cp - acme:dumps/db.sql"
    )]
    Cp {
        /// A file, a folder with -r, `-` for standard input, or ORG:BUCKET/KEY.
        from: String,
        /// Likewise; a place that ends in a slash is a folder.
        to: String,
        /// A folder with all that is below it.
        #[arg(long, short)]
        recursive: bool,
    },
    /// Delete objects: into the trash of their bucket, or for good.
    #[command(
        after_help = "Examples:\n  holdfast storage rm acme:team-files/old.pdf\n  holdfast storage rm -r --purge acme:team-files/tmp/"
    )]
    Rm {
        /// ORG:BUCKET/KEY
        place: String,
        /// All objects that begin so.
        #[arg(long, short)]
        recursive: bool,
        /// Out of the trash, too: they cannot be put back.
        #[arg(long)]
        purge: bool,
    },
    /// What organisations and buckets have: bytes, versions, trash.
    #[command(after_help = "Examples:\n  holdfast storage du\n  holdfast storage du acme --json")]
    Du {
        /// Slug of an organisation; default: all.
        org: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// How the store is: damage, scrubs, orphans; begin a scrub; repair out of a backup. Exits 1 if something is damaged.
    #[command(after_help = "Examples:\n  holdfast storage scrub\n  holdfast storage scrub --now\n  \
        holdfast storage scrub --repair --key-file /mnt/usb/holdfast-backup.key")]
    Scrub {
        /// Begin one; a worker does it.
        #[arg(long, conflicts_with = "repair")]
        now: bool,
        /// Bring damaged objects back out of the newest backup that has them. Exits 1 if one stays damaged.
        #[arg(long)]
        repair: bool,
        /// The key that decrypts backups; default: `backup.key_file`.
        #[arg(long, value_name = "FILE", requires = "repair")]
        key_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy the whole store to another: a folder, S3, GCS or Azure. Goes on where it was, and compares what it copied.
    #[command(
        after_help = "Examples:\n  holdfast storage migrate --to s3://files --account new.toml     beside the running appliance\n  \
        holdfast storage migrate --to s3://files --account new.toml --finish  the last pass, while it is stopped\n  \
        holdfast storage migrate --to /mnt/large/objects"
    )]
    Migrate {
        /// `s3://`, `gs://`, `az://` or a folder.
        #[arg(long, value_name = "URL")]
        to: String,
        /// A settings file whose [storage] has the account of the destination; default: this installation's.
        #[arg(long, value_name = "FILE")]
        account: Option<PathBuf>,
        /// The last pass: compares both sides, and prints the settings to change. The appliance must be stopped.
        #[arg(long)]
        finish: bool,
    },
    /// How much smaller the images of a bucket could be. Nothing is changed.
    #[command(
        after_help = "Examples:\n  holdfast storage report acme:photos --now\n  holdfast storage report acme:photos --json"
    )]
    Report {
        /// ORG:BUCKET
        place: String,
        /// Make a new one; a worker does it.
        #[arg(long)]
        now: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Access keys of the S3 API.
    #[command(subcommand)]
    Keys(keys::Action),
}

pub async fn run(config: Config, args: Args) -> anyhow::Result<ExitCode> {
    let booted = Booted::existing(config).await?;
    let result = Box::pin(with_appliance(&booted, args.command)).await;
    booted.close().await;
    result
}

async fn with_appliance(booted: &Booted, command: Command) -> anyhow::Result<ExitCode> {
    // Alone on the directory; a running appliance migrates its own database.
    if booted.data_dir.is_locked() {
        booted.migrate().await?;
    }
    let lifecycle = Lifecycle::new();
    let app = App::build(booted.runtime(lifecycle.clone()))?;
    let result = match command {
        Command::Ls { place, recursive, json } => listing::ls(&app, place.as_deref(), recursive, json).await,
        Command::Cp { from, to, recursive } => copying::cp(&app, &from, &to, recursive).await,
        Command::Rm { place, recursive, purge } => removing::rm(&app, &place, recursive, purge).await,
        Command::Du { org, json } => listing::du(&app, org.as_deref(), json).await,
        Command::Scrub { now, repair, key_file, json } => {
            scrub::run(&app, now, repair.then_some(key_file.as_deref()), json).await
        }
        Command::Migrate { to, account, finish } => migrate::run(booted, &app, &to, account.as_deref(), finish).await,
        Command::Report { place, now, json } => report::run(&app, &place, now, json).await,
        Command::Keys(action) => keys::run(&app, action).await,
    };
    // What was given up is deleted behind it.
    lifecycle.drain(Duration::from_secs(5)).await;
    app.close().await;
    result
}

/// An organisation of the installation.
#[derive(Clone, Debug)]
struct Org {
    id: OrgId,
    slug: String,
}

async fn organisations(app: &App) -> anyhow::Result<Vec<Org>> {
    let all = super::user::all_pages(async |slice| app.auth.list_organisations(None, &slice).await, |org| org.id.0);
    Ok(all.await?.into_iter().map(|org| Org { id: org.id, slug: org.slug }).collect())
}

async fn organisation(app: &App, slug: &str) -> anyhow::Result<Org> {
    let found = organisations(app).await?.into_iter().find(|org| org.slug == slug);
    found.ok_or_else(|| anyhow::anyhow!("there is no organisation {slug}: `holdfast org list` has them"))
}

/// The command line does what the appliance itself may.
fn caller(org: &Org) -> Caller {
    Caller { subject: "cli".to_owned(), ..Caller::worker(org.id) }
}

/// The bucket of a place.
async fn bucket_of(app: &App, place: &Place) -> anyhow::Result<(Caller, Bucket)> {
    let who = caller(&organisation(app, &place.org).await?);
    let bucket = app.files.bucket(&who, &place.bucket).await.map_err(in_words)?;
    Ok((who, bucket))
}

/// What is wrong with a field, without its pointer: it is the command's argument.
fn in_words(error: FilesError) -> anyhow::Error {
    match error {
        FilesError::Invalid(errors) => {
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

/// Bytes in words: a terminal is no place for eleven digits.
fn bytes(count: i64) -> String {
    console::bytes(count, console::Lang::En)
}
