//! `holdfast docs metrics|events`

use std::process::ExitCode;

use clap::Subcommand;

use super::print_line;

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Every metric with its type, unit and meaning, as Markdown (docs/metrics.md).
    #[command(
        after_help = "Examples:\n  holdfast docs metrics > docs/metrics.md\n  holdfast docs metrics | grep holdfast_jobs_"
    )]
    Metrics,
    /// Every kind of event with its fields, as Markdown (docs/events.md).
    #[command(after_help = "Examples:\n  holdfast docs events > docs/events.md\n  holdfast docs events | grep webhook")]
    Events,
}

pub fn run(action: &Action) -> ExitCode {
    match action {
        Action::Metrics => print_line(crate::app::metrics_reference().trim_end()),
        Action::Events => print_line(crate::app::events_reference().trim_end()),
    }
    ExitCode::SUCCESS
}
