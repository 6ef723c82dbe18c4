//! The postmaster process: start, log, supervision, restart, stop.

use std::{fs, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use super::{Layout, ManagedError, io};

const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Handle of the supervised postmaster.
#[derive(Debug)]
pub struct Postmaster {
    stop: CancellationToken,
    stopped: watch::Receiver<bool>,
}

impl Postmaster {
    /// Starts the server and a task that restarts it if it ends. The task is not tracked by [`Lifecycle`], because tracked tasks may need
    /// the database until they end.
    #[expect(clippy::disallowed_methods, reason = "must outlive every tracked task; `stop` waits for it")]
    pub fn start(layout: Layout) -> Result<Self, ManagedError> {
        let first = spawn(&layout)?;
        let stop = CancellationToken::new();
        let (done, stopped) = watch::channel(false);
        let token = stop.clone();
        tokio::spawn(async move {
            supervise(&layout, first, &token).await;
            done.send_replace(true);
        });
        Ok(Self { stop, stopped })
    }

    /// Fast shutdown; waits for the end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = self.stopped.wait_for(|done| *done).await;
    }
}

/// Stops the supervision when the handle is dropped without [`Postmaster::stop`] (an error path), so that the server is not restarted for
/// ever.
impl Drop for Postmaster {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn supervise(layout: &Layout, first: Child, stop: &CancellationToken) {
    let mut child = first;
    let mut backoff = Duration::from_millis(200);
    loop {
        let started = tokio::time::Instant::now();
        tokio::select! {
            status = child.wait() => tracing::error!(?status, "PostgreSQL ended by itself; starting it again"),
            () = stop.cancelled() => return stop_child(child).await,
        }
        if started.elapsed() > Duration::from_secs(60) {
            backoff = Duration::from_millis(200);
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(backoff) => {}
                () = stop.cancelled() => return,
            }
            backoff = (backoff * 2).min(Duration::from_secs(10));
            // Back-ends of the old postmaster may still use its shared memory; the new one waits for them.
            match spawn(layout) {
                Ok(again) => {
                    child = again;
                    break;
                }
                Err(error) => tracing::error!(%error, "PostgreSQL cannot be started"),
            }
        }
    }
}

/// Starts the server in its own process group: Ctrl-C must reach us only, who stop it last.
#[expect(clippy::disallowed_methods, reason = "reads the child's log until it closes; ends with the child")]
fn spawn(layout: &Layout) -> Result<Child, ManagedError> {
    let mut child = layout
        .command("postgres")
        .arg("-D")
        .arg(&layout.cluster)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(io("cannot start postgres"))?;
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(forward_log(stderr));
    }
    Ok(child)
}

/// Forwards PostgreSQL's log to ours, with its severity.
async fn forward_log(stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    // A detail line is logged if the line before it was.
    let mut heard = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let (severity, message) = line.split_once(":  ").unwrap_or(("LOG", &line));
        match severity {
            "PANIC" | "FATAL" if !is_expected(message) => tracing::error!(target: "postgres", severity, "{message}"),
            "ERROR" | "WARNING" => tracing::warn!(target: "postgres", severity, "{message}"),
            "LOG" if is_telling(message) => tracing::warn!(target: "postgres", severity, "{message}"),
            "DETAIL" if heard => tracing::warn!(target: "postgres", severity, "{message}"),
            _ => tracing::debug!(target: "postgres", severity, "{message}"),
        }
        heard = severity == "LOG" && is_telling(message);
    }
}

/// Lines of `log_min_duration_statement` and `log_lock_waits`: a slow statement, or who waits for which lock (the detail says who holds
/// it).
fn is_telling(message: &str) -> bool {
    message.starts_with("duration: ") || (message.starts_with("process ") && message.contains(" still waiting for "))
}

/// Printed as FATAL at every start and stop.
fn is_expected(message: &str) -> bool {
    [
        "the database system is starting up",
        "the database system is not yet accepting connections",
        "the database system is shutting down",
        "terminating connection due to administrator command",
    ]
    .iter()
    .any(|m| message.starts_with(m))
}

async fn stop_child(mut child: Child) {
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else { return };
    let _ = kill_process(pid, Signal::INT);
    if tokio::time::timeout(STOP_TIMEOUT, child.wait()).await.is_err() {
        tracing::warn!("PostgreSQL did not stop fast; stopping it at once (it recovers at the next start)");
        let _ = kill_process(pid, Signal::QUIT);
        let _ = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    }
}

/// Stops a postmaster left by an earlier run.
pub async fn stop_leftover(cluster: &Path) -> Result<(), ManagedError> {
    let pid_file = cluster.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&pid_file) else { return Ok(()) };
    let mut lines = text.lines();
    let pid = lines.next().and_then(|l| l.trim().parse().ok()).and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|p| test_kill_process(*p).is_ok() && is_postgres(*p)) else { return Ok(()) };
    tracing::warn!(
        pid = pid.as_raw_nonzero().get(),
        "a PostgreSQL of an earlier run still runs here; stopping it fast"
    );
    for (signal, timeout) in [(Signal::INT, 20), (Signal::QUIT, 5), (Signal::KILL, 2)] {
        let _ = kill_process(pid, signal);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(timeout);
        while tokio::time::Instant::now() < deadline {
            if test_kill_process(pid).is_err() || !is_postgres(pid) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Err(ManagedError::Command {
        what: "cannot stop the PostgreSQL of an earlier run".into(),
        output: format!("{pid:?}"),
    })
}

/// Process ids are reused: only signals a postmaster.
fn is_postgres(pid: Pid) -> bool {
    let comm = fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
    comm.is_ok_and(|name| name.trim() == "postgres")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_statements_and_waits_for_locks_are_heard_and_routine_is_not() {
        // As written by PostgreSQL 15 to 18.
        for told in [
            "duration: 1203.512 ms  execute sqlx_s_7: SELECT count(*) FROM jobs",
            "process 4711 still waiting for AccessShareLock on relation 16481 of database 16385 after 1000.123 ms",
        ] {
            assert!(is_telling(told), "{told}");
        }
        for routine in [
            "checkpoint starting: time",
            "process 4711 acquired AccessShareLock on relation 16481 of database 16385 after 2000.1 ms",
        ] {
            assert!(!is_telling(routine), "{routine}");
        }
    }
}
