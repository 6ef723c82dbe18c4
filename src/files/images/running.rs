//! One running child, seen from its parent.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

use crate::{
    ImageError, Limit, Made, Order,
    child::{Answer, LINE_BYTES, MARK, Request, Setup},
};

/// Orders of a child, and bytes of their pictures, after which another takes its place: what leaks, leaks no further.
const ORDERS: u32 = 500;
const BYTES: u64 = 2 << 30;
/// Bytes of its complaint, which only tells how it died.
const COMPLAINT_BYTES: u64 = 4 << 10;
/// For a child that has closed its output to end.
const ENDING: Duration = Duration::from_secs(1);

/// A child. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
    memory_mib: u64,
    orders: u32,
    bytes: u64,
    /// When it was last busy.
    pub since: Instant,
}

impl Running {
    pub async fn start(executable: &Path, arguments: &[OsString], memory_mib: u64) -> Result<Self, ImageError> {
        let mut child = Command::new(executable)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(ImageError::Child("no pipes".to_owned()));
        };
        let output = BufReader::new(output);
        let (orders, bytes, since) = (0, 0, Instant::now());
        let mut running = Self { child, input, output, errors, memory_mib, orders, bytes, since };
        running.write(&Setup { memory_mib }, &[]).await.map_err(failed)?;
        Ok(running)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn is_worn(&self) -> bool {
        self.orders >= ORDERS || self.bytes >= BYTES
    }

    pub async fn ask(&mut self, order: &Order, source: &Bytes) -> Result<Made, ImageError> {
        self.orders += 1;
        self.bytes += source.len() as u64;
        let request = Request { order: order.clone(), bytes: source.len() as u64 };
        // One that has died does not read; how it died is told below.
        let _ = self.write(&request, source).await;
        match self.answer(order.limits.output_bytes).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(self.death().await),
            Err(error) => Err(failed(error)),
        }
    }

    async fn write(&mut self, line: &impl serde::Serialize, bytes: &[u8]) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(line)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await
    }

    /// `None`: its output has ended.
    async fn answer(&mut self, most: u64) -> std::io::Result<Option<Result<Made, ImageError>>> {
        loop {
            let mut line = Vec::new();
            if (&mut self.output).take(LINE_BYTES).read_until(b'\n', &mut line).await? == 0 {
                return Ok(None);
            }
            let Some(answer) = line.strip_prefix(MARK) else { continue };
            let Answer { format, width, height, frames, bytes } = match serde_json::from_slice(answer)? {
                Ok(answer) => answer,
                Err(error) => return Ok(Some(Err(error))),
            };
            if bytes > most {
                return Ok(Some(Err(ImageError::refused(Limit::OutputBytes, most))));
            }
            let mut made = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
            self.output.read_exact(&mut made).await?;
            return Ok(Some(Ok(Made { bytes: made.into(), format, width, height, frames })));
        }
    }

    async fn death(&mut self) -> ImageError {
        let mut complaint = Vec::new();
        let ended = async {
            let _ = (&mut self.errors).take(COMPLAINT_BYTES).read_to_end(&mut complaint).await;
            self.child.wait().await
        };
        match tokio::time::timeout(ENDING, ended).await {
            Ok(Ok(status)) => died(status, &String::from_utf8_lossy(&complaint), self.memory_mib),
            Ok(Err(error)) => failed(error),
            Err(_) => ImageError::Child("it closed its output and runs on".to_owned()),
        }
    }
}

impl Drop for Running {
    /// The whole group: the child starts nothing, but what decodes strangers' pictures may do what it should not.
    fn drop(&mut self) {
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            // Fails only if it has already ended.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to map_err")]
fn failed(error: std::io::Error) -> ImageError {
    ImageError::Child(error.to_string())
}

/// What a child's end says about the picture.
fn died(status: ExitStatus, complaint: &str, memory_mib: u64) -> ImageError {
    let signal = status.signal().and_then(Signal::from_named_raw);
    if complaint.contains("memory allocation of") {
        ImageError::refused(Limit::Memory, memory_mib)
    } else if matches!(signal, Some(Signal::SEGV | Signal::ABORT | Signal::BUS | Signal::ILL | Signal::XCPU)) {
        ImageError::Malformed
    } else {
        // Killed by somebody else, most likely because the machine ran out of memory.
        ImageError::Child(status.to_string())
    }
}
