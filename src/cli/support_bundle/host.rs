//! The machine: versions, memory, disks.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::app::Config;
use platform::{clock::Clock, pools::CpuPool};

/// Lines of a file in `/proc` or `/etc` that start with one of these words.
fn lines(path: &str, words: &[&str]) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let wanted = text.lines().filter(|line| words.iter().any(|word| line.starts_with(word)));
    wanted.fold(String::new(), |all, line| all + line + "\n")
}

pub fn versions() -> String {
    let mut text = format!("holdfast {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "made at {}", Clock::system().now().to_rfc3339());
    text += &lines("/etc/os-release", &["PRETTY_NAME"]);
    text += &fs::read_to_string("/proc/version").unwrap_or_default();
    let _ = writeln!(text, "processors {}", std::thread::available_parallelism().map_or(0, usize::from));
    text += &lines("/proc/meminfo", &["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"]);
    text += &lines("/proc/loadavg", &[""]);
    for file in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"] {
        if let Ok(found) = fs::read_to_string(file) {
            let _ = writeln!(text, "{file} {}", found.trim());
        }
    }
    text
}

/// Free space and usage of the data directory's folders. Blocking walks: a hanging folder costs only this part.
pub async fn disks(config: &Config) -> anyhow::Result<String> {
    let data = config.data_dir.clone();
    let work = config.backup.work_dir(&data);
    Ok(CpuPool::new(1).run(move || measure(&data, work)).await?)
}

fn measure(data: &Path, work: PathBuf) -> String {
    let mut text = String::from("folder | free MiB | of MiB | free inodes | takes MiB\n");
    let folders = ["objects", "vectors", "postgres", "models"].map(|name| data.join(name));
    for folder in [data.to_owned()].into_iter().chain(folders).chain([work]) {
        let takes = if folder == data { "-".to_owned() } else { (size(&folder) >> 20).to_string() };
        let _ = match rustix::fs::statvfs(&folder) {
            Ok(fs) => {
                let (free, all) = ((fs.f_bavail * fs.f_frsize) >> 20, (fs.f_blocks * fs.f_frsize) >> 20);
                writeln!(text, "{} | {free} | {all} | {} | {takes}", folder.display(), fs.f_favail)
            }
            Err(error) => writeln!(text, "{} | {error}", folder.display()),
        };
    }
    text
}

/// Size of the files below a folder, bytes; does not follow links.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
