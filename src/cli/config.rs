//! `holdfast config check|show|docs`

use std::process::ExitCode;

use clap::Subcommand;

use super::{eprint_line, print_line};
use crate::app::Config;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Read file and environment, and report all errors. Exits 64 if there are any.
    #[command(
        after_help = "Examples:\n  holdfast config check\n  holdfast --config ./new.toml config check && systemctl restart holdfast"
    )]
    Check,
    /// Print the effective configuration, including defaults, with secrets masked.
    #[command(
        after_help = "Examples:\n  holdfast config show\n  HOLDFAST_SERVER__LISTEN=0.0.0.0:8080 holdfast config show | grep listen"
    )]
    Show,
    /// Print every setting with its default and meaning.
    #[command(
        after_help = "Examples:\n  holdfast config docs | less\n  holdfast config docs > /etc/holdfast/holdfast.toml"
    )]
    Docs,
}

/// The shipped, commented file; a test keeps it equal to the defaults in the code.
const DOCUMENTATION: &str = include_str!("../../config/holdfast.toml");

pub fn run(config: &Config, action: &Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::Check => {
            for warning in &config.warnings {
                eprint_line(&format!("warning: {warning}"));
            }
            print_line("the configuration is fine");
        }
        Action::Show => print_line(toml::to_string_pretty(config)?.trim_end()),
        Action::Docs => return Ok(docs()),
    }
    Ok(ExitCode::SUCCESS)
}

pub fn docs() -> ExitCode {
    print_line(DOCUMENTATION.trim_end());
    ExitCode::SUCCESS
}
