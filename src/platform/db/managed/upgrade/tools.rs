//! PostgreSQL's own tools around an upgrade: `pg_upgrade`, and what runs before and after it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};
use tokio::{process::Command, time::sleep};

use super::{
    super::{Layout, ManagedError, SUPERUSER, binaries::Binaries, io},
    folders::{Folders, size_of},
};

/// Of the new server, beside the old one; it too only names the socket file.
pub const PORT: u16 = 5433;
/// Interval of progress messages in long steps.
const EVERY: Duration = Duration::from_secs(10);

/// Programs needed of the old and of the new version.
const OF_OLD: [&str; 4] = ["postgres", "pg_ctl", "pg_controldata", "pg_resetwal"];
const OF_NEW: [&str; 9] = [
    "pg_upgrade",
    "initdb",
    "pg_controldata",
    "pg_resetwal",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "psql",
    "vacuumdb",
];

/// Missing programs for an upgrade, if any.
pub fn missing_programs(old: &Binaries, new: &Binaries) -> Option<String> {
    let lacks = |of: &Binaries, programs: &[&str]| -> Vec<String> {
        let missing = programs.iter().map(|name| of.dir.join(name)).filter(|path| !path.exists());
        missing.map(|path| path.display().to_string()).collect()
    };
    let missing = [lacks(old, &OF_OLD), lacks(new, &OF_NEW)].concat();
    let (old, new) = (old.major, new.major);
    (!missing.is_empty()).then(|| {
        format!(
            "missing: {} (Debian, Ubuntu: apt-get install postgresql-{old} postgresql-{new} postgresql-client-{new}; Fedora and its kin \
             have pg_upgrade in a package of its own)",
            missing.join(", ")
        )
    })
}

/// Output of `pg_controldata`, as pairs split at the colon.
pub async fn control_data(layout: &Layout, cluster: &Path) -> Result<Vec<(String, String)>, ManagedError> {
    let text = run(layout.command("pg_controldata").arg(cluster), "pg_controldata").await?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
}

pub fn value<'a>(of: &'a [(String, String)], name: &str) -> &'a str {
    of.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
}

/// Arguments of initdb that match the old cluster's files: checksums and segment size. `pg_upgrade` itself carries over encoding and locale
/// (since 16).
pub async fn shape(old: &Layout, new_major: u32) -> Result<Vec<String>, ManagedError> {
    let control = control_data(old, &old.cluster).await?;
    let mut shape = Vec::new();
    let has_checksums = !matches!(value(&control, "Data page checksum version"), "" | "0");
    if has_checksums {
        shape.push("--data-checksums".to_owned());
    } else if new_major >= 18 {
        shape.push("--no-data-checksums".to_owned());
    }
    if let Ok(bytes) = value(&control, "Bytes per WAL segment").parse::<u64>() {
        shape.push(format!("--wal-segsize={}", bytes >> 20));
    }
    Ok(shape)
}

/// The new cluster must not archive before it is in place, even if the operator's settings say so.
const QUIET: &str = "-c archive_mode=off";

/// Starts the new cluster's server in the work folder.
pub async fn start(new: &Layout, work: &Path) -> Result<(), ManagedError> {
    let log = work.join("server.log");
    let mut command = new.command("pg_ctl");
    command.arg("start").arg("-D").arg(&new.cluster).arg("-l").arg(&log).args(["-w", "-t", "120", "-o"]);
    // Parsed by a shell; the folder's name is our own, see `socket_dir`.
    let options =
        format!("-p {PORT} -c listen_addresses='' -c unix_socket_directories={} {QUIET}", new.socket_dir.display());
    let started = run(command.arg(options), "pg_ctl").await;
    let text = fs::read_to_string(&log).unwrap_or_default();
    started.map(|_| ()).map_err(|error| ManagedError::Command {
        what: format!("PostgreSQL {} does not start with this installation's settings", new.binaries.major),
        output: if text.trim().is_empty() { error.to_string() } else { last_lines(&text, 12) },
    })
}

/// Clean shutdown with a checkpoint.
pub async fn stop(new: &Layout) -> Result<(), ManagedError> {
    let mut command = new.command("pg_ctl");
    command.arg("stop").arg("-D").arg(&new.cluster).args(["-m", "fast", "-w", "-t", "600"]);
    run(&mut command, "pg_ctl").await.map(|_| ())
}

/// Mode of `pg_upgrade`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Checks only; the old server may run.
    Check,
    Copy,
    Clone,
}

/// Runs `pg_upgrade`; `report` gets progress messages. The inner error is its complaint.
pub async fn pg_upgrade(
    (old, new): (&Layout, &Layout),
    folders: &Folders,
    password: &str,
    mode: Mode,
    report: &dyn Fn(&str),
) -> Result<Result<(), String>, ManagedError> {
    let mut command = new.command("pg_upgrade");
    command
        .arg("--old-bindir")
        .arg(&old.binaries.dir)
        .arg("--new-bindir")
        .arg(&new.binaries.dir)
        .arg("--old-datadir")
        .arg(&old.cluster)
        .arg("--new-datadir")
        .arg(&new.cluster)
        .arg("--socketdir")
        .arg(&new.socket_dir)
        .args(["--username", SUPERUSER, "--old-port", &super::super::cluster::PORT.to_string()])
        .args(["--new-port", &PORT.to_string(), "--new-options", QUIET])
        .args(match mode {
            Mode::Check => Some("--check"),
            Mode::Copy => None,
            Mode::Clone => Some("--clone"),
        })
        .env("PGPASSWORD", password)
        .current_dir(&folders.work);
    let mut working = std::pin::pin!(finish(&mut command));
    let output = loop {
        tokio::select! {
            output = &mut working => break output.map_err(io("cannot start pg_upgrade"))?,
            () = sleep(EVERY) => report(&format!("... pg_upgrade is running; the new cluster has {} MiB", size_of(&new.cluster) >> 20)),
        }
    };
    if output.status.success() {
        return Ok(Ok(()));
    }
    let text = [output.stdout, output.stderr].concat();
    Ok(Err(complaint(&String::from_utf8_lossy(&text), &new.cluster.join("pg_upgrade_output.d"))))
}

/// Collects the planner's statistics, which are not all carried over (before 18: none). Rough at first, then better.
pub async fn analyze(new: &Layout, password: &str) -> Result<(), ManagedError> {
    let mut command = client(new, "vacuumdb", password);
    command.args(["--all", "--analyze-in-stages", "--quiet"]);
    if new.binaries.major >= 18 {
        command.arg("--missing-stats-only");
    }
    run(&mut command, "vacuumdb").await.map(|_| ())
}

/// Runs the script that `pg_upgrade` wrote to update extensions.
pub async fn update_extensions(new: &Layout, work: &Path, password: &str) -> Result<(), ManagedError> {
    let file = work.join("update_extensions.sql");
    if !file.exists() {
        return Ok(());
    }
    let mut command = client(new, "psql", password);
    command.args(["--no-psqlrc", "--quiet", "--dbname", "postgres", "--set", "ON_ERROR_STOP=1", "--file"]).arg(file);
    run(&mut command, "psql").await.map(|_| ())
}

fn client(new: &Layout, tool: &str, password: &str) -> Command {
    let mut command = new.command(tool);
    command.arg("--host").arg(&new.socket_dir).args(["--port", &PORT.to_string(), "--username", SUPERUSER]);
    command.env("PGPASSWORD", password);
    command
}

async fn run(command: &mut Command, name: &str) -> Result<String, ManagedError> {
    let output = finish(command).await.map_err(io(format!("cannot start {name}")))?;
    let text = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).trim().to_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(ManagedError::Command { what: format!("{name} failed"), output: last_lines(&text, 12) })
    }
}

/// Runs it in its own process group: Ctrl-C must reach us only, and we end the whole group.
async fn finish(command: &mut Command) -> std::io::Result<std::process::Output> {
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true).output().await
}

/// Output of `pg_upgrade` without passed checks, plus the lists that it refers to.
fn complaint(text: &str, output: &Path) -> String {
    let told = text.lines().filter(|line| !line.trim_end().ends_with(" ok") && !line.trim().is_empty());
    // Its advice on how to continue does not apply: the new cluster is discarded.
    let rest = ["---", "Performing ", "If pg_upgrade fails after this point", "new cluster before continuing"];
    let told: Vec<&str> = told.filter(|line| !rest.iter().any(|begin| line.starts_with(begin))).collect();
    let mut said = last_lines(&told.join("\n"), 14);
    for list in lists(output) {
        let text = fs::read_to_string(&list).unwrap_or_default();
        let head: Vec<&str> = text.lines().take(12).collect();
        let name = list.file_name().unwrap_or_default().to_string_lossy().into_owned();
        said = format!("{said}\n{name}: {}", head.join("; "));
    }
    said
}

/// `*.txt` files of its newest run.
fn lists(output: &Path) -> Vec<PathBuf> {
    let files = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = files(output).filter(|path| path.is_dir()).max();
    let mut found: Vec<PathBuf> = newest.iter().flat_map(|folder| files(folder)).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    found.sort();
    found
}

/// Whether its check only complains about a module that is dropped before the upgrade anyway.
pub fn lacks_only(new: &Layout, module: &str, database: &str) -> bool {
    let found = lists(&new.cluster.join("pg_upgrade_output.d"));
    let [list] = found.as_slice() else { return false };
    if list.file_name().is_none_or(|name| name != "loadable_libraries.txt") {
        return false;
    }
    let text = fs::read_to_string(list).unwrap_or_default();
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines().next().is_some()
        && lines().all(|line| {
            line.strip_prefix("In database: ").map_or_else(
                || line.starts_with(&format!("could not load library \"$libdir/{module}\"")),
                |name| name == database,
            )
        })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Kills tools that still work in the upgrade folder of a killed Holdfast. Afterwards their servers can be stopped through their pid files.
pub async fn end_orphans(folders: &Folders) {
    'signals: for signal in [Signal::TERM, Signal::KILL] {
        for _ in 0..100 {
            let found = running(&["pg_upgrade", "initdb", "pg_ctl"], &folders.work);
            if found.is_empty() {
                break 'signals;
            }
            for pid in found {
                // The group includes its children.
                let leads = getpgid(Some(pid)).is_ok_and(|group| group == pid);
                let _ = if leads { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    // A server that has just started has no pid file yet.
    for cluster in [&folders.cluster, &folders.fresh] {
        for _ in 0..100 {
            if cluster.join("postmaster.pid").exists() || running(&["postgres"], cluster).is_empty() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Processes with one of these names and an argument below `folder`.
fn running(programs: &[&str], folder: &Path) -> Vec<Pid> {
    let is_in = |argument: &[u8]| Path::new(std::str::from_utf8(argument).unwrap_or_default()).starts_with(folder);
    let works_there = |pid: &str| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let mut arguments = command.split(|byte| *byte == 0);
        let program = Path::new(std::str::from_utf8(arguments.next()?).ok()?).file_name()?.to_owned();
        (programs.iter().any(|name| program == *name) && arguments.any(is_in)).then_some(())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|pid| works_there(pid).is_some()).filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_has_what_failed_and_what_the_lists_name() {
        // As written by PostgreSQL 18.
        let text = "Performing Consistency Checks on Old Live Server\n------------------------------------------------\n\
            Checking cluster versions                                     ok\n\
            Checking for presence of required libraries                   fatal\n\n\
            Your installation references loadable libraries that are missing from the\nnew installation.\nFailure, exiting\n";
        let output = tempfile::tempdir().unwrap();
        for (run, found) in
            [("20260101T000000.000", "an older run"), ("20261129T165815.569", "could not load x\nIn database: crm")]
        {
            fs::create_dir(output.path().join(run)).unwrap();
            fs::write(output.path().join(run).join("loadable_libraries.txt"), found).unwrap();
        }
        let said = complaint(text, output.path());
        assert!(
            said.contains("required libraries                   fatal") && said.contains("Failure, exiting"),
            "{said}"
        );
        assert!(said.ends_with("loadable_libraries.txt: could not load x; In database: crm"), "{said}");
        assert!(!said.contains("cluster versions") && !said.contains("an older run"), "{said}");
    }

    #[tokio::test]
    async fn what_works_on_after_a_kill_is_ended_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::of(dir.path());
        fs::create_dir(&folders.work).unwrap();
        // A long-running program of that name with a file in that folder as argument.
        let program = dir.path().join("pg_upgrade");
        fs::copy("/usr/bin/tail", &program).unwrap();
        let start = |file: &Path| {
            fs::write(file, "").unwrap();
            std::process::Command::new(&program).arg("-f").arg(file).stdout(Stdio::null()).spawn().unwrap()
        };
        let mut orphan = start(&folders.work.join("log"));
        let mut other = start(&dir.path().join("postgres.upgrading-of-others"));
        let named = || running(&["pg_upgrade"], &folders.work).len();
        while named() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
        end_orphans(&folders).await;
        let (ended, goes_on) = (orphan.try_wait().unwrap(), other.try_wait().unwrap());
        other.kill().unwrap();
        let _ = orphan.kill();
        orphan.wait().unwrap();
        other.wait().unwrap();
        assert!(ended.is_some_and(|status| !status.success()) && goes_on.is_none(), "{ended:?} {goes_on:?}");
    }
}
