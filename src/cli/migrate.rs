//! `holdfast migrate`

use std::process::ExitCode;

use super::{boot::Booted, print_line};
use crate::app::Config;

pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let booted = Booted::open(config).await?;
    let result = booted.migrate().await;
    booted.close().await;
    let migrated = result?;
    print_line(&format!(
        "installation {}: {} of {} migrations applied now, row-level security holds",
        migrated.installation, migrated.applied, migrated.total
    ));
    Ok(ExitCode::SUCCESS)
}
