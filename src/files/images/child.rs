//! The child process that decodes pictures: this program with a hidden command, for many orders.
//!
//! It limits itself before it reads anything (address space, no files written, no core dump), and ends when its parent does. An order is a line
//! of JSON and the bytes of the picture; an answer is a line that begins with [`MARK`], and the bytes that were made. One order at a time: what a
//! picture does to the child, it does to no other picture.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    panic::AssertUnwindSafe,
    process::ExitCode,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ImageError, Kind, Limit, Made, Order, make::make};

/// The hidden command of this program that is such a child.
pub const SUBCOMMAND: &str = "image-child";

/// Begins the line of an answer. What a library prints before it is passed over.
pub(crate) const MARK: &[u8] = b"holdfast-image-1 ";
/// Longest line.
pub(crate) const LINE_BYTES: u64 = 64 << 10;
/// What a child may use before it was told otherwise.
const MEMORY_MIB: u64 = 768;
/// Processor time of a child for all its orders: a parent that lives ends it long before, at the deadline of an order.
const CPU_SECONDS: u64 = 3600;
const DESCRIPTORS: u64 = 16;

/// The first line to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub memory_mib: u64,
}

/// The line of an order; `bytes` of the picture follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub order: Order,
    pub bytes: u64,
}

/// The line of an answer, in a `Result`; `bytes` follow.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub format: Kind,
    pub width: u32,
    pub height: u32,
    pub frames: u32,
    pub bytes: u64,
}

/// Answers the orders from `input` until it ends.
pub fn main(input: impl Read, output: impl Write) -> ExitCode {
    if limit(MEMORY_MIB).is_err() {
        return ExitCode::FAILURE;
    }
    watch_parent();
    match serve(BufReader::new(input), output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(mut input: BufReader<impl Read>, mut output: impl Write) -> std::io::Result<()> {
    let Some(setup) = line::<Setup>(&mut input)? else { return Ok(()) };
    limit(setup.memory_mib)?;
    while let Some(Request { order, bytes }) = line::<Request>(&mut input)? {
        let mut content = Vec::new();
        input.by_ref().take(bytes).read_to_end(&mut content)?;
        if content.len() as u64 != bytes {
            return Ok(());
        }
        // A decoder that panics has met a picture that is not as it should be. The parent replaces this child then.
        let made = std::panic::catch_unwind(AssertUnwindSafe(|| make(&order, &content)));
        let made = made.unwrap_or(Err(ImageError::Malformed)).map_err(|error| match error {
            // A decoder's own limit was a part of this.
            ImageError::Refused { limit: Limit::Memory, .. } => ImageError::refused(Limit::Memory, setup.memory_mib),
            error => error,
        });
        answer(&mut output, made)?;
    }
    Ok(())
}

fn line<T: DeserializeOwned>(input: &mut BufReader<impl Read>) -> std::io::Result<Option<T>> {
    let mut line = Vec::new();
    input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
}

fn answer(output: &mut impl Write, made: Result<Made, ImageError>) -> std::io::Result<()> {
    let (answer, bytes) = match made {
        Ok(Made { bytes, format, width, height, frames }) => {
            (Ok(Answer { format, width, height, frames, bytes: bytes.len() as u64 }), bytes)
        }
        Err(error) => (Err(error), bytes::Bytes::new()),
    };
    // The test harness, which is such a child in tests, leaves a line without an end.
    output.write_all(b"\n")?;
    output.write_all(MARK)?;
    serde_json::to_writer(&mut *output, &answer)?;
    output.write_all(b"\n")?;
    output.write_all(&bytes)?;
    output.flush()
}

/// Soft limits, which the first line can still change, but for what no picture needs.
fn limit(memory_mib: u64) -> std::io::Result<()> {
    let soft = |resource, value: u64| {
        let maximum = rustix::process::getrlimit(resource).maximum;
        let current = Some(maximum.map_or(value, |maximum| value.min(maximum)));
        rustix::process::setrlimit(resource, Rlimit { current, maximum })
    };
    let none = |resource| rustix::process::setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) });
    // The program's own mappings count towards the limit.
    soft(Resource::As, address_space()?.saturating_add(memory_mib << 20))?;
    soft(Resource::Cpu, CPU_SECONDS)?;
    soft(Resource::Nofile, DESCRIPTORS)?;
    none(Resource::Fsize)?;
    none(Resource::Core)?;
    Ok(())
}

/// Bytes of address space that are mapped by this process (proc(5), `statm`, first field, in pages).
fn address_space() -> std::io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').next().and_then(|field| field.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| std::io::Error::other("/proc/self/statm has no size"))?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// Ends this process when its parent is gone. The parent-death signal does not work: it is sent when the thread that started the child ends.
fn watch_parent() {
    let parent = rustix::process::getppid();
    std::thread::spawn(move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(Duration::from_millis(500));
        }
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
    });
}
