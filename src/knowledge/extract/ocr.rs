//! Page images: `pdftoppm` (poppler-utils) renders a page, `tesseract` recognises its words.
//!
//! Both are third-party programs that parse untrusted files, so they run below a child process of this program (see
//! `child`): they inherit its memory and CPU limits, cannot write files, get no environment but a thread limit, and die
//! with its process group. Pages are processed one by one, so that an expensive page only costs itself.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::{Pid, Resource, Rlimit};
use serde::{Deserialize, Serialize};

use super::{
    ExtractError, Limits,
    child::{SUBCOMMAND, page_with},
};

/// Folders to search if none is configured.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
/// Longer side of a page image for OCR, pixels: A4 at 300 dpi. Also the limit for posters.
const PIXELS: u32 = 3508;
/// Longer side of a page image for a model, which would downscale larger ones.
const MODEL_PIXELS: u32 = 1568;
/// A greyscale page of that size takes 9 MB.
const PICTURE_BYTES: u64 = 64 << 20;
const TEXT_BYTES: u64 = 4 << 20;
const COMPLAINT_BYTES: u64 = 4 << 10;
/// Languages used if a base names none.
const DEFAULT_LANGUAGES: [&str; 2] = ["eng", "rus"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    pub tesseract: Option<PathBuf>,
    pub pdftoppm: Option<PathBuf>,
}

impl Programs {
    /// Searches `folder`, or the usual folders if it is empty.
    pub fn find(folder: &str) -> Self {
        let folders: Vec<&str> = if folder.is_empty() { FOLDERS.to_vec() } else { vec![folder] };
        let find = |name: &str| folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
        Self { tesseract: find("tesseract"), pdftoppm: find("pdftoppm") }
    }

    /// Names of the missing programs.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [("tesseract", &self.tesseract), ("pdftoppm", &self.pdftoppm)];
        all.into_iter().filter(|(_, path)| path.is_none()).map(|(name, _)| name).collect()
    }

    /// Languages that tesseract has data for, including `osd` (page orientation); empty if it cannot be run.
    pub async fn languages(&self) -> Vec<String> {
        let Some(tesseract) = &self.tesseract else { return Vec::new() };
        let listing = tokio::process::Command::new(tesseract)
            .arg("--list-langs")
            .env_clear()
            .current_dir("/")
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .output();
        let Ok(Ok(output)) = tokio::time::timeout(Duration::from_secs(5), listing).await else { return Vec::new() };
        // The first line is a title; some versions print the list to standard error.
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// The installed ones of `wanted`, or of the default languages if `wanted` is empty.
pub fn choose_languages(wanted: &[String], installed: &[String]) -> Vec<String> {
    let usual = DEFAULT_LANGUAGES.map(str::to_owned);
    let wanted = if wanted.is_empty() { &usual[..] } else { wanted };
    wanted.iter().filter(|language| installed.contains(language)).cloned().collect()
}

/// What to do with one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub pdftoppm: PathBuf,
    /// From 1.
    pub page: u32,
    /// Recognise the page; `None` returns its image.
    pub ocr: Option<Recognition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognition {
    pub tesseract: PathBuf,
    /// At least one.
    pub languages: Vec<String>,
    /// The data for detecting page orientation is installed.
    pub turns: bool,
}

/// The recognised words of a page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// Lines, with an empty line between paragraphs.
    pub text: String,
    /// Mean word confidence of tesseract, 0 to 100; 0 without words.
    pub confidence: f32,
}

/// The result of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    Text(Words),
    /// A PNG in base64.
    Picture(String),
}

pub async fn recognise_page(exe: &Path, pdf: &[u8], order: Order, limits: &Limits) -> Result<Words, ExtractError> {
    match page_with(exe, &[OsStr::new(SUBCOMMAND)], pdf, order, limits).await? {
        Answer::Text(words) => Ok(words),
        Answer::Picture(_) => Err(ExtractError::malformed("the child returned an image instead of text")),
    }
}

/// Renders a page as a base64-encoded PNG.
pub async fn draw_page(exe: &Path, pdf: &[u8], order: Order, limits: &Limits) -> Result<String, ExtractError> {
    match page_with(exe, &[OsStr::new(SUBCOMMAND)], pdf, order, limits).await? {
        Answer::Picture(picture) => Ok(picture),
        Answer::Text(_) => Err(ExtractError::malformed("the child returned text instead of an image")),
    }
}

/// Executes an order in the child.
pub(super) fn answer(order: &Order, pdf: Vec<u8>, limits: &Limits) -> Result<Answer, ExtractError> {
    let page = order.page.to_string();
    let pixels = if order.ocr.is_some() { PIXELS } else { MODEL_PIXELS }.to_string();
    // The crop box is what a viewer shows. Text in hidden layers is not rendered.
    let mut draw = vec!["-f", &page, "-l", &page, "-singlefile", "-cropbox", "-gray", "-scale-to", &pixels];
    if order.ocr.is_none() {
        // PNG compression takes as long as rendering, and tesseract also reads the raw format.
        draw.push("-png");
    }
    draw.push("-");
    let picture = run(&order.pdftoppm, &draw, pdf, PICTURE_BYTES, limits)?;
    let Some(Recognition { tesseract, languages, turns }) = &order.ocr else {
        return Ok(Answer::Picture(STANDARD.encode(picture)));
    };
    let languages = languages.join("+");
    let segmentation = if *turns { "1" } else { "3" };
    let read = ["stdin", "stdout", "-l", &languages, "--psm", segmentation, "--dpi", "300", "tsv"];
    let text = run(tesseract, &read, picture, TEXT_BYTES.min(limits.output_bytes), limits)?;
    Ok(Answer::Text(words(&String::from_utf8_lossy(&text))))
}

/// Assembles the words of tesseract's TSV output: level, page, block, paragraph, line, word, four coordinates,
/// confidence, word.
pub(super) fn words(table: &str) -> Words {
    let mut found = Words::default();
    let (mut sum, mut count) = (0.0, 0.0);
    let mut last: Option<(&str, &str, &str)> = None;
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [_, _, block, paragraph, line, _, _, _, _, _, confidence, word] = cells[..] else { continue };
        let (Ok(confidence), word) = (confidence.parse::<f32>(), word.trim()) else { continue };
        if confidence < 0.0 || word.is_empty() {
            continue;
        }
        found.text.push_str(match last {
            None => "",
            Some((b, p, l)) if (b, p, l) == (block, paragraph, line) => " ",
            Some((b, p, _)) if (b, p) == (block, paragraph) => "\n",
            // Tesseract starts a new paragraph at a slightly longer line or a new column, even inside a sentence.
            Some(_) if continues_sentence(&found.text, word) => "\n",
            Some(_) => "\n\n",
        });
        found.text.push_str(word);
        last = Some((block, paragraph, line));
        sum += confidence;
        count += 1.0;
    }
    found.confidence = if count > 0.0 { sum / count } else { 0.0 };
    found
}

/// Runs a program with `input` on its standard input, and returns its output.
fn run(
    program: &Path,
    arguments: &[&str],
    input: Vec<u8>,
    most: u64,
    limits: &Limits,
) -> Result<Vec<u8>, ExtractError> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |why: &str| ExtractError::malformed(format!("{name}: {why}"));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        // One thread per page: with more, threads mostly wait for each other.
        .env("OMP_THREAD_LIMIT", "1")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    // The inherited limit includes this program's own large mappings. Set before the child has any input to work on.
    let memory = Rlimit { current: Some(limits.memory_bytes), maximum: Some(limits.memory_bytes) };
    rustix::process::prlimit(Some(Pid::from_child(&child)), Resource::As, memory)
        .map_err(|error| failed(&error.to_string()))?;
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed("no pipes"));
    };
    // Concurrently: sequentially, both sides could block forever.
    let write = std::thread::spawn(move || {
        // A program that failed early does not read all input; its error output tells why.
        let _ = stdin.write_all(&input);
    });
    let complain = std::thread::spawn(move || {
        let mut complaint = Vec::new();
        let _ = stderr.take(COMPLAINT_BYTES).read_to_end(&mut complaint);
        complaint
    });
    let mut out = Vec::new();
    let read = stdout.take(most + 1).read_to_end(&mut out);
    if out.len() as u64 > most {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(&error.to_string()))?;
    let _ = write.join();
    let complaint = complain.join().unwrap_or_default();
    if out.len() as u64 > most {
        return Err(ExtractError::TooLargeOutput { limit: most });
    }
    read.map_err(|error| failed(&error.to_string()))?;
    if status.success() && !out.is_empty() {
        return Ok(out);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let line = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(failed(if line.is_empty() { "it returned nothing" } else { line }))
}

/// Whether `word` continues a sentence that `text` has not ended.
fn continues_sentence(text: &str, word: &str) -> bool {
    word.starts_with(char::is_lowercase) && !text.ends_with(['.', '!', '?', ':', ';'])
}
