//! `holdfast storage scrub`

use std::{path::Path, process::ExitCode};

use serde_json::json;

use super::{bytes, in_words, print};
use crate::{
    app::App,
    cli::{eprint_line, print_line},
};
use files::{DamagedObject, Scrub, Swept};

/// Scrubs that are shown.
const SHOWN: i64 = 5;

/// `repair`: the key that decrypts backups, or none of its own.
pub(super) async fn run(app: &App, now: bool, repair: Option<Option<&Path>>, json: bool) -> anyhow::Result<ExitCode> {
    if now {
        let job = app.files.scrub_now().await.map_err(in_words)?;
        print_line(&format!("a scrub begins as soon as a worker has time (job {job})"));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(key_file) = repair {
        let repairer = app.backups.repairer(key_file.map(Path::to_owned));
        let (repaired, left) = app.files.repair_all(Some(&repairer)).await.map_err(in_words)?;
        print(json, &json!({"repaired": repaired, "damaged": left}), || {
            print_line(&format!("{repaired} objects were brought back, {left} are damaged still"));
        })?;
        if left > 0 {
            eprint_line("`holdfast storage scrub` says what was tried with each");
            return Ok(ExitCode::FAILURE);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let damage = app.files.damage().await.map_err(in_words)?;
    let scrubs = app.files.scrubs(SHOWN).await.map_err(in_words)?;
    let swept = app.files.sweeps().await.map_err(in_words)?;
    print(json, &json!({"damage": damage, "scrubs": scrubs, "sweeps": swept}), || show(&damage, &scrubs, &swept))?;
    Ok(if damage.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(damage: &[DamagedObject], scrubs: &[Scrub], swept: &[Swept]) {
    print_line(&format!("{} objects are damaged", damage.len()));
    for one in damage {
        let found = one.found_at.format("%Y-%m-%d %H:%M");
        print_line(&format!("  {:<8} {}/{}  found {found}  {}", one.kind, one.room, one.object, one.note));
    }
    for scrub in scrubs {
        let end = scrub.ended_at.map_or_else(|| "runs".to_owned(), |at| at.format("ended %Y-%m-%d %H:%M").to_string());
        print_line(&format!(
            "scrub of {}: {end}, {} objects, {}, {} damaged, {} repaired",
            scrub.started_at.format("%Y-%m-%d %H:%M"),
            scrub.objects,
            bytes(scrub.bytes),
            scrub.damaged,
            scrub.repaired
        ));
    }
    for room in swept {
        print_line(&format!(
            "{}: {} objects, {} of them without a row, swept since {}",
            room.room,
            room.objects,
            room.orphans,
            room.oldest.format("%Y-%m-%d %H:%M")
        ));
    }
}
