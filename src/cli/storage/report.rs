//! `holdfast storage report`

use std::process::ExitCode;

use super::{bucket_of, bytes, in_words, place::Place, print};
use crate::{app::App, cli::print_line};
use files::{ImageCounts, LastImageReport};

pub(super) async fn run(app: &App, place: &str, now: bool, json: bool) -> anyhow::Result<ExitCode> {
    let (who, bucket) = bucket_of(app, &Place::expect(place)?).await?;
    if now {
        app.files.start_image_report(&who, &bucket).await.map_err(in_words)?;
        print_line("a report begins as soon as a worker has time; the same command without --now shows it");
        return Ok(ExitCode::SUCCESS);
    }
    let last = app.files.image_report(&who, &bucket).await.map_err(in_words)?;
    let Some(last) = last else {
        anyhow::bail!("there is no report of {} yet: --now makes one", bucket.name);
    };
    print(json, &last, || show(&last))?;
    Ok(ExitCode::SUCCESS)
}

fn show(last: &LastImageReport) {
    if last.ended_at.is_none() {
        print_line(&format!("a report is being made since {}", last.started_at.format("%Y-%m-%d %H:%M")));
    }
    let Some(report) = &last.report else { return };
    print_line(&row("all images", &report.all));
    for (format, counts) in &report.by_format {
        print_line(&row(&format!("  {format}"), counts));
    }
    print_line(&format!("{} were tried, {} could not be read", report.sampled, report.unread));
}

fn row(name: &str, counts: &ImageCounts) -> String {
    let saved = (counts.bytes - counts.would_be).max(0);
    let percent = if counts.bytes > 0 { i128::from(saved) * 100 / i128::from(counts.bytes) } else { 0 };
    format!(
        "{name:<20} {:>8} images, {} would be {}: {percent} % less",
        counts.images,
        bytes(counts.bytes),
        bytes(counts.would_be)
    )
}
