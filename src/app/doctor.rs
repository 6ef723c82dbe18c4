//! Checks that belong to no capability: database and disk.

use async_trait::async_trait;

use super::App;
use platform::{
    db::{self, DoctorDeps},
    disk::{Disks, Volume, gib},
    health::{Check, CheckResult},
};

/// The checks of database and disk.
pub fn checks(app: &App) -> Vec<Box<dyn Check>> {
    let runtime = &app.runtime;
    let mut checks = db::checks(DoctorDeps {
        db: app.db.clone(),
        target: runtime.target.clone(),
        clock: runtime.clock.clone(),
        private_in: runtime.config.database.url.is_none().then(|| runtime.data_dir.clone()),
        bin_dir: runtime.config.database.bin_dir.clone(),
    });
    checks.push(Box::new(DiskSpace(app.disks.clone())));
    checks
}

struct DiskSpace(Disks);

#[async_trait]
impl Check for DiskSpace {
    fn name(&self) -> &'static str {
        "disk.space"
    }

    async fn run(&self) -> CheckResult {
        match self.0.volumes().await {
            None => CheckResult::fail("a file system does not answer", "is a network mount's server away?"),
            Some(volumes) => judge_volumes(&volumes),
        }
    }
}

/// Every file system that Holdfast writes to; the result is the worst of them.
fn judge_volumes(volumes: &[Volume]) -> CheckResult {
    let judged = volumes.iter().map(|volume| match &volume.space {
        Err(error) => CheckResult::fail(
            format!("cannot look at {}: {error}", volume.name()),
            "is the folder there, and its disk mounted?",
        ),
        Ok(space) if space.lacks_files() => CheckResult::fail(
            format!(
                "no more files can be made for {} ({} inodes are free)",
                volume.name(),
                space.files.unwrap_or_default()
            ),
            "df -i shows it: remove many small files there, or move what lies there to a file system with more inodes",
        ),
        Ok(space) => judge_space(space.free, space.size, &volume.name()),
    });
    let judged: Vec<CheckResult> = judged.collect();
    let summary = judged.iter().map(|result| result.summary.as_str()).collect::<Vec<_>>().join("; ");
    let worst = judged.into_iter().rev().max_by_key(|result| result.status);
    worst.map_or_else(|| CheckResult::pass("nothing is kept here"), |worst| CheckResult { summary, ..worst })
}

/// `free` of `total` bytes.
fn judge_space(free: u64, total: u64, place: &str) -> CheckResult {
    let summary = format!("{:.1} GiB free of {:.1} GiB for {place}", gib(free), gib(total));
    if free < 1 << 30 {
        CheckResult::fail(summary, "free some space: below 1 GiB uploads and the database are at risk")
    } else if free < 5 << 30 || free < total / 20 {
        CheckResult::warn(summary, "free some space, or move what lies there to a larger disk")
    } else {
        CheckResult::pass(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::{
        disk::{Folder, Space},
        health::Status,
    };

    #[test]
    fn little_space_is_a_warning_and_almost_none_a_failure() {
        let judge = |free: u64, total: u64| judge_space(free << 20, total << 20, "data").status;
        assert_eq!(judge(1023, 100 << 10), Status::Fail);
        assert_eq!(judge(1024, 20 << 10), Status::Warn);
        assert_eq!(judge(5 << 10, 100 << 10), Status::Pass);
        assert_eq!(judge(40 << 10, 1000 << 10), Status::Warn, "a twentieth of a large disk");
        assert_eq!(judge(60 << 10, 1000 << 10), Status::Pass);
    }

    #[test]
    fn the_worst_file_system_decides_and_all_are_named() {
        let volume = |folder, space| Volume { folders: vec![folder], path: folder.as_str().into(), space };
        let gib = |free: u64| Ok(Space { free: free << 30, size: 100 << 30, files: Some(1000) });
        let found = judge_volumes(&[volume(Folder::Data, gib(50)), volume(Folder::Objects, gib(0))]);
        assert_eq!(found.status, Status::Fail, "{found:?}");
        assert!(found.summary.contains("data (data)") && found.summary.contains("objects (objects)"), "{found:?}");
        let gone = Err(std::io::ErrorKind::NotFound.into());
        let found = judge_volumes(&[volume(Folder::Data, gib(50)), volume(Folder::Vectors, gone)]);
        assert!(found.status == Status::Fail && found.remedy.is_some(), "{found:?}");
        assert_eq!(judge_volumes(&[volume(Folder::Data, gib(50))]).status, Status::Pass);
        let crowded = Ok(Space { free: 50 << 30, size: 100 << 30, files: Some(0) });
        let found = judge_volumes(&[volume(Folder::Data, crowded)]);
        assert!(found.status == Status::Fail && found.summary.contains("0 inodes"), "{found:?}");
    }
}
