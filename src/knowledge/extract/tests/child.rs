//! The child process of these tests is this test program, told to run only `as_child`.

use std::{ffi::OsStr, path::Path, time::Duration};

use super::{
    super::child::{self, extract_with},
    *,
};

/// The name of the test [`as_child`].
fn child_name() -> String {
    let module = module_path!();
    format!("{}::as_child", module.split_once("::").map_or(module, |(_, path)| path))
}

/// Arguments that turn this test program into the child.
pub(super) fn arguments() -> Vec<String> {
    ["--exact", &child_name(), "--ignored", "--nocapture"].map(str::to_owned).to_vec()
}

#[test]
#[ignore = "the child process of the other tests"]
fn as_child() {
    // Skip when all ignored tests run: the child's limits would end the whole program.
    if !std::env::args().any(|argument| argument == child_name()) {
        return;
    }
    let _ = child::main(std::io::stdin(), std::io::stdout());
}

async fn in_child(bytes: &[u8], name: &str, limits: &Limits) -> Result<Extracted, ExtractError> {
    let exe = std::env::current_exe().unwrap();
    let arguments = arguments();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    extract_with(&exe, &arguments, bytes, name, limits).await.and_then(Extracted::or_no_text)
}

#[tokio::test]
async fn the_child_returns_the_same_as_in_process() {
    for name in ["chromium.ru.pdf", "report.en.docx", "page.windows-1251.html", "notes.md", "letter.koi8-r.txt"] {
        assert_eq!(in_child(&fixture(name), name, &Limits::default()).await.as_ref(), Ok(&read(name)), "{name}");
    }
}

#[tokio::test]
async fn errors_cross_with_their_types() {
    for name in
        ["encrypted.pdf", "images-only.pdf", "looping-pages.pdf", "zip-bomb.docx", "deep.docx", "sheet.xlsx", "old.doc"]
    {
        assert_eq!(in_child(&fixture(name), name, &Limits::default()).await, Err(failure(name)), "{name}");
    }
}

#[tokio::test]
async fn memory_is_limited() {
    // 60 MB of document against 40 MB of memory.
    let limits = Limits { memory_bytes: 140 << 20, ..Limits::default() };
    let big = "word ".repeat(12_000_000);
    assert_eq!(in_child(big.as_bytes(), "big.txt", &limits).await, Err(ExtractError::OutOfMemory));
}

#[tokio::test]
async fn processor_time_is_limited() {
    let limits = Limits { cpu_seconds: 1, ..Limits::default() };
    let slow = "<p>a<b>b<i>c".repeat(1_000_000);
    let start = std::time::Instant::now();
    assert_eq!(in_child(slow.as_bytes(), "slow.html", &limits).await, Err(ExtractError::Timeout));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn output_is_limited() {
    let limits = Limits { output_bytes: 1000, ..Limits::default() };
    let error = in_child("word ".repeat(1000).as_bytes(), "a.txt", &limits).await.unwrap_err();
    assert_eq!(error, ExtractError::TooLargeOutput { limit: 1000 });
    // A child that ignores the limits.
    let flood = [OsStr::new("-c"), OsStr::new("yes")];
    let error = extract_with(Path::new("/bin/sh"), &flood, b"x", "a", &limits).await.unwrap_err();
    assert_eq!(error, ExtractError::TooLargeOutput { limit: 1000 });
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_with_its_children() {
    let marker = "86399.17";
    let limits = Limits { wall_seconds: 1, ..Limits::default() };
    let script = format!("sleep {marker} & sleep {marker}");
    let arguments = [OsStr::new("-c"), OsStr::new(&script)];
    let result = extract_with(Path::new("/bin/sh"), &arguments, b"x", "a", &limits).await;
    assert_eq!(result, Err(ExtractError::Timeout));
    assert_none_left(marker).await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_child() {
    let marker = "86399.23";
    let limits = Limits::default();
    let script = format!("sleep {marker} & sleep {marker}");
    let arguments = [OsStr::new("-c"), OsStr::new(&script)];
    let work = extract_with(Path::new("/bin/sh"), &arguments, b"x", "a", &limits);
    assert!(tokio::time::timeout(Duration::from_millis(300), work).await.is_err());
    assert_none_left(marker).await;
}

#[tokio::test]
async fn a_child_that_cannot_start_or_dies_is_a_transient_error() {
    let limits = Limits::default();
    let missing = child::extract_in_child(Path::new("/nonexistent"), b"x", "a", &limits).await.unwrap_err();
    assert!(missing.is_transient());
    let killed = [OsStr::new("-c"), OsStr::new("kill -9 $$")];
    assert!(extract_with(Path::new("/bin/sh"), &killed, b"x", "a", &limits).await.unwrap_err().is_transient());
    let crashed = [OsStr::new("-c"), OsStr::new("kill -SEGV $$")];
    let crashed = extract_with(Path::new("/bin/sh"), &crashed, b"x", "a", &limits).await.unwrap_err();
    assert_eq!(crashed.code(), "malformed");
}

/// No living process has `marker` on its command line.
async fn assert_none_left(marker: &str) {
    for _ in 0..50 {
        let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let path = entry.path();
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            line.starts_with(b"sleep") && line.windows(marker.len()).any(|window| window == marker.as_bytes())
        });
        if !left {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a process of the child's group is still running");
}
