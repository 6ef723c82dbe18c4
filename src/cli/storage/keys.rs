//! `holdfast storage keys`

use std::process::ExitCode;

use clap::Subcommand;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{caller, in_words, organisation, print};
use crate::{app::App, cli::print_line};
use files::{AccessKeyInfo, NewAccessKey, Verb};
use platform::http::Slice;

/// An organisation has fewer.
const MOST: i64 = 2000;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the access keys of an organisation.
    #[command(after_help = "Examples:\n  holdfast storage keys list acme\n  holdfast storage keys list acme --json")]
    List {
        /// Slug of the organisation.
        org: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an access key; its secret is printed, only this once.
    #[command(
        after_help = "Examples:\n  holdfast storage keys create acme \"nightly backups\" --verb list,read,write,delete --bucket backups\n  \
        holdfast storage keys create acme reader --verb list,read --prefix public/ --json"
    )]
    Create {
        /// Slug of the organisation.
        org: String,
        /// What it is for.
        name: String,
        /// list, read, write, delete, admin.
        #[arg(long, value_delimiter = ',', default_value = "list,read,write,delete")]
        verb: Vec<Verb>,
        /// Only this bucket; may be given several times.
        #[arg(long)]
        bucket: Vec<String>,
        /// Only keys that begin so.
        #[arg(long, default_value = "")]
        prefix: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke an access key: it stops working within ten seconds.
    #[command(after_help = "Examples:\n  holdfast storage keys revoke acme HFABCDEFGHIJKLMNOPQR")]
    Revoke {
        /// Slug of the organisation.
        org: String,
        /// The access key id.
        access_key_id: String,
    },
}

pub(super) async fn run(app: &App, action: Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::List { org, json } => {
            let who = caller(&organisation(app, &org).await?);
            let keys = app.files.list_keys(&who, &Slice::first(MOST)).await.map_err(in_words)?;
            print(json, &keys, || keys.iter().for_each(|key| print_line(&shown(key))))?;
        }
        Action::Create { org, name, verb, bucket, prefix, json } => {
            let who = caller(&organisation(app, &org).await?);
            let mut ids = Vec::new();
            for name in &bucket {
                ids.push(app.files.bucket(&who, name).await.map_err(in_words)?.id);
            }
            let buckets = (!ids.is_empty()).then_some(ids);
            let new = NewAccessKey { name, verbs: verb, buckets, prefix, expires_at: None };
            let (key, secret) = app.files.create_key(&who, new).await.map_err(in_words)?;
            let secret = secret.expose_secret();
            let made = json!({"access_key_id": key.access_key_id, "secret_access_key": secret});
            print(json, &made, || {
                print_line(&format!("Access key ID:     {}\nSecret access key: {secret}", key.access_key_id));
                print_line("The secret is shown once.");
            })?;
        }
        Action::Revoke { org, access_key_id } => {
            let who = caller(&organisation(app, &org).await?);
            let keys = app.files.list_keys(&who, &Slice::first(MOST)).await.map_err(in_words)?;
            let key = keys.into_iter().find(|key| key.access_key_id == access_key_id);
            let key = key.ok_or_else(|| anyhow::anyhow!("{org} has no access key {access_key_id}"))?;
            app.files.revoke_key(&who, key.id).await.map_err(in_words)?;
            print_line(&format!("revoked: {}", key.name));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(key: &AccessKeyInfo) -> String {
    let verbs = key.verbs.iter().map(|verb| verb.as_str()).collect::<Vec<_>>().join(",");
    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| at.format("used %Y-%m-%d").to_string());
    let state = if key.revoked_at.is_some() { "  revoked" } else { "" };
    format!("{}  {:<24} {verbs:<30} {used}{state}", key.access_key_id, key.name)
}
