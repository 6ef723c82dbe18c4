//! Extraction in a child process: the same binary with the hidden subcommand `extract-child`.
//!
//! The child first limits itself (address space, CPU time, no files, no core dump), then reads the document from
//! standard input and writes one frame to standard output. The parent clears its environment, puts it into its own
//! process group, and enforces a deadline and an output limit; whatever happens to the child, the parent gets a typed
//! error.
//!
//! The child polls for its parent and exits when the parent is gone. The parent-death signal does not work here: the
//! kernel sends it when the *thread* that started the child ends, and tokio's threads come and go.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{ExitCode, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::{ExtractError, Extracted, Limits, ocr, read as read_document, sniff};

/// The hidden subcommand, which must call [`main`].
pub const SUBCOMMAND: &str = "extract-child";

/// Marks the start of the frame; anything that a library printed before it is ignored.
const MARK: &[u8] = b"\nholdfast-extract-1\n";
/// Large, because parsers recurse; stack pages are only allocated when used.
const STACK_BYTES: usize = 64 << 20;
const HEADER_BYTES: u64 = 64 << 10;
/// Bytes read from standard error, which only tells how the child died.
const COMPLAINT_BYTES: u64 = 4 << 10;

#[derive(Serialize, Deserialize)]
struct Header {
    filename: String,
    limits: Limits,
    /// Render or recognise a single page instead of extracting the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<ocr::Order>,
}

/// Sniffs and extracts `bytes` in a child process started from `exe`, this program's own file. Dropping the future
/// kills the child and everything it started. A document without text is returned with its report;
/// [`Extracted::or_no_text`] turns it into an error.
pub async fn extract_in_child(
    exe: &Path,
    bytes: &[u8],
    filename: &str,
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    extract_with(exe, &[SUBCOMMAND.as_ref()], bytes, filename, limits).await
}

/// `extract_in_child` with custom arguments for tests, whose executable has no subcommands.
pub(super) async fn extract_with(
    exe: &Path,
    arguments: &[&OsStr],
    bytes: &[u8],
    filename: &str,
    limits: &Limits,
) -> Result<Extracted, ExtractError> {
    if bytes.len() as u64 > limits.input_bytes {
        return Err(ExtractError::TooLargeInput { limit: limits.input_bytes });
    }
    let header = Header { filename: filename.to_owned(), limits: limits.clone(), page: None };
    run(exe, arguments, &header, bytes).await
}

/// Renders or recognises a page of a PDF in a child process.
pub(super) async fn page_with(
    exe: &Path,
    arguments: &[&OsStr],
    bytes: &[u8],
    order: ocr::Order,
    limits: &Limits,
) -> Result<ocr::Answer, ExtractError> {
    let header = Header { filename: String::new(), limits: limits.clone(), page: Some(order) };
    run(exe, arguments, &header, bytes).await
}

/// Sends the header and the document to a child, and parses its answer.
async fn run<T: DeserializeOwned>(
    exe: &Path,
    arguments: &[&OsStr],
    header: &Header,
    bytes: &[u8],
) -> Result<T, ExtractError> {
    let limits = &header.limits;
    let mut child = Command::new(exe)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(process)?;
    let mut group = Group::of(&child);
    let talk = converse(&mut child, bytes, header);
    match tokio::time::timeout(Duration::from_secs(limits.wall_seconds), talk).await {
        Ok(Ok((status, answer, complaint))) => {
            group.disarm();
            read_answer(status, &answer, &complaint)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ExtractError::Timeout),
    }
}

/// Kills the child's process group on drop, unless the child was waited for.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails only if the group has already ended.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// Writes the document and reads the answer concurrently: sequentially, both sides could block forever.
async fn converse(
    child: &mut Child,
    bytes: &[u8],
    header: &Header,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), ExtractError> {
    let limits = &header.limits;
    let (Some(mut input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(process("no pipes"));
    };
    let mut header = serde_json::to_vec(header).map_err(process)?;
    header.push(b'\n');
    let write = async move {
        // A child that failed early does not read all of its input; its answer tells why.
        if input.write_all(&header).await.is_ok() {
            let _ = input.write_all(bytes).await;
        }
        drop(input);
    };
    // JSON is larger than the text because of block data and escapes.
    let most = limits.output_bytes.saturating_mul(3) + (1 << 20);
    let ((), answer, complaint) = tokio::join!(write, read(output, most), read(errors, COMPLAINT_BYTES));
    let answer = answer.map_err(process)?;
    if answer.len() as u64 > most {
        return Err(ExtractError::TooLargeOutput { limit: limits.output_bytes });
    }
    let status = child.wait().await.map_err(process)?;
    Ok((status, answer, complaint.unwrap_or_default()))
}

/// Reads at most `most` bytes and one more (to detect excess), then closes the pipe.
async fn read(pipe: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    pipe.take(most + 1).read_to_end(&mut out).await?;
    Ok(out)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to map_err")]
fn process(error: impl ToString) -> ExtractError {
    ExtractError::Process { reason: error.to_string() }
}

fn read_answer<T: DeserializeOwned>(status: ExitStatus, answer: &[u8], complaint: &[u8]) -> Result<T, ExtractError> {
    use std::os::unix::process::ExitStatusExt;
    if status.success() {
        let start = answer.windows(MARK.len()).position(|window| window == MARK).map(|at| at + MARK.len());
        let frame = start.map(|start| &answer[start..]).unwrap_or_default();
        let mut stream = serde_json::Deserializer::from_slice(frame).into_iter();
        return match stream.next() {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(process(error)),
            None => Err(process("it returned no answer")),
        };
    }
    let complaint = String::from_utf8_lossy(complaint);
    let signal = status.signal().and_then(Signal::from_named_raw);
    if complaint.contains("memory allocation of") {
        Err(ExtractError::OutOfMemory)
    } else if signal == Some(Signal::XCPU) {
        Err(ExtractError::Timeout)
    } else if matches!(signal, Some(Signal::SEGV | Signal::ABORT | Signal::BUS | Signal::ILL)) {
        Err(ExtractError::malformed("the parser crashed"))
    } else {
        // A SIGKILL that we did not send: from the kernel's out-of-memory killer, or an operator.
        Err(process(match signal {
            Some(Signal::KILL) => "it was killed, most likely because the machine ran out of memory".into(),
            _ => status.to_string(),
        }))
    }
}

/// The body of the hidden subcommand.
pub fn main(input: impl Read, mut output: impl Write) -> ExitCode {
    // Default limits first, before any input is read; the header may set others.
    if limit(&Limits::default()).is_err() {
        return ExitCode::FAILURE;
    }
    watch_parent();
    let written = answer(input)
        .map_err(std::io::Error::from)
        .and_then(|frame| output.write_all(MARK).and_then(|()| output.write_all(&frame)))
        .and_then(|()| output.flush());
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The frame's content: the result as JSON.
fn answer(input: impl Read) -> serde_json::Result<Vec<u8>> {
    match read_order(input) {
        Ok((Header { page: Some(order), limits, .. }, bytes)) => {
            serde_json::to_vec(&ocr::answer(&order, bytes, &limits))
        }
        Ok((header, bytes)) => serde_json::to_vec(&read_whole(header, bytes)),
        Err(error) => serde_json::to_vec(&Err::<Extracted, _>(error)),
    }
}

fn read_order(input: impl Read) -> Result<(Header, Vec<u8>), ExtractError> {
    let mut input = BufReader::new(input);
    let mut line = String::new();
    input.by_ref().take(HEADER_BYTES).read_line(&mut line).map_err(process)?;
    let header: Header = serde_json::from_str(&line).map_err(process)?;
    let limits = &header.limits;
    limit(limits).map_err(process)?;
    let mut bytes = Vec::new();
    input.take(limits.input_bytes + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::OutOfMemory => ExtractError::OutOfMemory,
        _ => process(error),
    })?;
    Ok((header, bytes))
}

fn read_whole(Header { filename, limits, .. }: Header, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let work = move || {
        let kind = sniff(&bytes, &filename)?;
        read_document(&bytes, kind, &limits)
    };
    // Thread creation fails if there is no memory for its stack.
    let thread =
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map_err(|_| ExtractError::OutOfMemory)?;
    // A parser panicked; the location is on standard error.
    thread.join().unwrap_or_else(|_| Err(ExtractError::malformed("the parser panicked")))
}

/// Sets soft limits only, so that the header can still raise them, except for resources that no document needs.
fn limit(limits: &Limits) -> std::io::Result<()> {
    let soft = |resource, value: u64| {
        let maximum = rustix::process::getrlimit(resource).maximum;
        let current = Some(maximum.map_or(value, |maximum| value.min(maximum)));
        rustix::process::setrlimit(resource, Rlimit { current, maximum })
    };
    let none = |resource| rustix::process::setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) });
    // The program's own mappings count towards the limit.
    soft(Resource::As, address_space()?.saturating_add(limits.memory_bytes))?;
    soft(Resource::Cpu, limits.cpu_seconds)?;
    none(Resource::Fsize)?;
    none(Resource::Core)?;
    Ok(())
}

/// Bytes of address space mapped by this process (proc(5), `statm`, first field, in pages).
fn address_space() -> std::io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').next().and_then(|field| field.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| std::io::Error::other("/proc/self/statm has no size"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

fn watch_parent() {
    let parent = rustix::process::getppid();
    std::thread::spawn(move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(Duration::from_millis(500));
        }
        // The parent is gone, so there is no one to answer and nothing to flush. Kill the programs started here first.
        if rustix::process::getpgrp() == rustix::process::getpid() {
            let _ = rustix::process::kill_process_group(rustix::process::getpid(), Signal::KILL);
        }
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    });
}
