//! `holdfast log-level`

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{eprint_line, print_line};
use crate::app::Config;
use platform::{data_dir, http::ops_token, http_client::HttpClients};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holdfast log-level                                     show the current filter\n  \
    holdfast log-level debug                               for ten minutes\n  \
    holdfast log-level info,holdfast::jobs=debug --for 1h\n  \
    holdfast log-level default                             as configured, now\n\n\
    It talks to the running appliance at ops.listen. For a permanent change, set telemetry.log."
)]
pub struct Args {
    /// A level, and levels for modules; `default` restores the configured filter.
    filter: Option<String>,
    /// Time after which the configured filter is restored: 30s, 10m, 2h, at most 24h.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = span)]
    span: Duration,
}

/// Parses `30s`, `10m`, `2h`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: use 30s, 10m or 2h");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

pub async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let url = format!("http://{}/log-level", config.ops.local());
    let clients = HttpClients::new()?;
    let request = match &args.filter {
        None => clients.operator().get(&url),
        Some(filter) => {
            let key = data_dir::existing_key(&config.data_dir, config.secret_key_file.as_deref())?;
            let key = key.with_context(|| format!("there is no installation in {}", config.data_dir.display()))?;
            let change = json!({"filter": filter, "for_seconds": args.span.as_secs()});
            clients.operator().put(&url).bearer_auth(ops_token(&key)).json(&change)
        }
    };
    let response = request.timeout(Duration::from_secs(5)).send().await.with_context(|| {
        format!("cannot reach the appliance at {url}: is it running, and does ops.listen match its setting?")
    })?;
    let (status, answer) = (response.status(), response.json::<Value>().await.unwrap_or_default());
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    if !status.is_success() {
        eprint_line(&format!(
            "holdfast: {}",
            if text("detail").is_empty() { status.to_string() } else { text("detail") }
        ));
        return Ok(ExitCode::FAILURE);
    }
    print_line(&match answer["until"].as_str() {
        Some(until) => format!("{} until {until}, then {}", text("filter"), text("configured")),
        None => format!("{} (as configured)", text("filter")),
    });
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(span("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "10", "m", "1d", "-1s", "1.5h", "99999999999999999999h", "9999999999999999999h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
