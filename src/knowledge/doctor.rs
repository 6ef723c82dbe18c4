//! Health checks of knowledge.
//!
//! - `knowledge.store`: the vector store accepts writes.
//! - `knowledge.index`: the vector store agrees with PostgreSQL.
//! - `knowledge.extraction`: the child process can read a document.
//! - `knowledge.ocr`: the OCR programs and languages that bases need are installed.
//! - `knowledge.vectors`: no document waits for the embedding model.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Knowledge, KnowledgeError,
    extract::{Limits, child::extract_in_child, ocr::Programs},
    index::{IndexError, table_name},
    store::{self, chunks::Pending, system::AnyBase},
};
use platform::{
    error::chain,
    health::{Check, CheckResult},
};

/// Number of bases compared per run, newest first; `knowledge.reconcile` compares all.
const BASES: usize = 50;
/// Time budget for reading index files; after that only row counts are compared.
const READ_BUDGET: Duration = Duration::from_secs(3);

pub fn checks(knowledge: &Knowledge) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(StoreCheck(knowledge.clone())),
        Box::new(IndexCheck(knowledge.clone())),
        Box::new(ExtractionCheck(knowledge.clone())),
        Box::new(OcrCheck(knowledge.clone())),
        Box::new(WordsOnlyCheck(knowledge.clone())),
    ]
}

struct StoreCheck(Knowledge);

#[async_trait]
impl Check for StoreCheck {
    fn name(&self) -> &'static str {
        "knowledge.store"
    }

    async fn run(&self) -> CheckResult {
        match self.0.inner.index_files.writes_once().await {
            Ok(true) => CheckResult::pass("the vector store accepts new files and does not overwrite existing ones"),
            // LanceDB commits with such a conditional write: without it two processes can overwrite each other's table
            // version.
            Ok(false) => CheckResult::fail(
                "the S3 service ignores If-None-Match: two processes can overwrite each other's changes to the index",
                "use a service that supports conditional writes (Amazon S3, MinIO, Cloudflare R2), or leave [knowledge] index_url empty",
            ),
            Err(error) => CheckResult::fail(
                format!("the vector store cannot be used: {:#}", anyhow::Error::new(error)),
                "check [knowledge] index_url, the credentials in [storage], free space, and write permission there",
            ),
        }
    }
}

struct IndexCheck(Knowledge);

#[async_trait]
impl Check for IndexCheck {
    fn name(&self) -> &'static str {
        "knowledge.index"
    }

    async fn run(&self) -> CheckResult {
        match compare(&self.0).await {
            Ok((bases, chunks, 0)) => {
                CheckResult::pass(format!("{chunks} passages of {bases} knowledge bases are in the index"))
            }
            Ok((bases, _, different)) => CheckResult::warn(
                format!("the index of {different} of {bases} knowledge bases differs from the database"),
                "the job knowledge.reconcile repairs it at start and every night",
            ),
            Err(Unreadable { table, error }) => CheckResult::fail(
                format!("the index {table} cannot be read: {:#}", anyhow::Error::new(error)),
                format!(
                    "check [knowledge] index_url, free space, and that this user may read there; a file that is broken or gone is made again \
                     by the next search or upload of its base, and otherwise when you delete the folder {table}.lance there"
                ),
            ),
        }
    }
}

/// The table that could not be read, and why.
struct Unreadable {
    table: String,
    error: KnowledgeError,
}

/// Returns: bases compared, chunks in their indexes, bases that differ.
async fn compare(knowledge: &Knowledge) -> Result<(usize, usize, usize), Unreadable> {
    let inner = &knowledge.inner;
    let begin = Instant::now();
    let of_database = |error: KnowledgeError| Unreadable { table: "of the database".to_owned(), error };
    let bases = async {
        let mut tx = inner.db.system().await?;
        Ok(store::system::bases(&mut tx).await?)
    };
    let (mut looked_at, mut chunks, mut different) = (0, 0, 0);
    for base in bases.await.map_err(of_database)?.iter().rev().take(BASES) {
        let (expected, words) = expected(knowledge, base).await.map_err(of_database)?;
        let table = table_name(base.id.0, base.index_generation);
        // While time remains, read every file as a search would: `stats` only reads the table's manifest.
        let rows = if begin.elapsed() < READ_BUDGET {
            knowledge.read_whole(&table, &words).await.map(|ids| ids.len())
        } else {
            inner.index.stats(&table).await.map(|stats| stats.rows)
        };
        let rows = match rows {
            Ok(rows) => rows,
            Err(IndexError::NoSuchTable(_)) => 0,
            Err(error) => return Err(Unreadable { table, error: error.into() }),
        };
        looked_at += 1;
        chunks += rows;
        // A document being indexed may be written but not yet marked, so a busy base is not counted.
        if usize::try_from(expected).unwrap_or_default() != rows && !base.busy {
            different += 1;
        }
    }
    Ok((looked_at, chunks, different))
}

/// The number of chunks that a base's index should hold, and the text of one of them to search for.
async fn expected(knowledge: &Knowledge, base: &AnyBase) -> Result<(i64, String), KnowledgeError> {
    let mut tx = knowledge.inner.db.tenant(base.org_id).await?;
    let expected = store::chunks::count_indexed(&mut tx, base.id, base.index_generation).await?;
    let words = store::chunks::indexed_after(&mut tx, base.id, base.index_generation, Uuid::nil(), 1).await?;
    Ok((expected, words.first().map(Pending::searchable).unwrap_or_default()))
}

struct ExtractionCheck(Knowledge);

#[async_trait]
impl Check for ExtractionCheck {
    fn name(&self) -> &'static str {
        "knowledge.extraction"
    }

    async fn run(&self) -> CheckResult {
        let limits = Limits { wall_seconds: 8, cpu_seconds: 8, ..self.0.inner.config.extract_limits() };
        match extract_in_child(&self.0.inner.extractor, b"# Holdfast\n\nIt reads.\n", "doctor.md", &limits).await {
            Ok(read) if read.text.contains("It reads.") => CheckResult::pass("a document was read in a child process"),
            Ok(_) => {
                CheckResult::fail("a test document was read incorrectly", "this build is broken: install it again")
            }
            Err(error) => CheckResult::fail(
                format!("documents cannot be read: {}", chain(&error)),
                "check that processes may be started (container limits on processes and memory), and [knowledge] extract_memory_mib",
            ),
        }
    }
}

struct OcrCheck(Knowledge);

#[async_trait]
impl Check for OcrCheck {
    fn name(&self) -> &'static str {
        "knowledge.ocr"
    }

    async fn run(&self) -> CheckResult {
        match check_ocr(&self.0).await {
            Ok(result) => result,
            Err(error) => CheckResult::fail(
                format!("the settings of the knowledge bases cannot be read: {:#}", anyhow::Error::new(error)),
                "check the database",
            ),
        }
    }
}

/// Compares the OCR languages that bases use with the installed ones.
async fn check_ocr(knowledge: &Knowledge) -> Result<CheckResult, KnowledgeError> {
    let mut tx = knowledge.inner.db.system().await?;
    let wanted = store::system::ocr_languages(&mut tx).await?;
    tx.commit().await?;
    if wanted.bases == 0 {
        return Ok(CheckResult::pass("no knowledge base reads pages by OCR"));
    }
    let bases = wanted.bases;
    let programs = Programs::find(&knowledge.inner.config.ocr_folder);
    let missing = programs.missing();
    if !missing.is_empty() {
        return Ok(CheckResult::warn(
            format!(
                "{bases} knowledge bases read scanned pages by OCR, and {} is not installed",
                missing.join(" and ")
            ),
            "install tesseract-ocr, its language data (tesseract-ocr-rus, ...) and poppler-utils, or switch OCR off in the settings of the bases",
        ));
    }
    let installed = programs.languages().await;
    let absent: Vec<&str> =
        wanted.languages.iter().filter(|language| !installed.contains(language)).map(String::as_str).collect();
    if installed.iter().all(|language| language == "osd") {
        return Ok(CheckResult::warn(
            "OCR has no language data",
            "install some: tesseract-ocr-eng, tesseract-ocr-rus, ...",
        ));
    }
    if absent.is_empty() {
        let languages = installed.join(", ");
        return Ok(CheckResult::pass(format!(
            "{bases} knowledge bases read scanned pages by OCR; languages: {languages}"
        )));
    }
    Ok(CheckResult::warn(
        format!("OCR has no data for {}", absent.join(", ")),
        "install it (Debian: tesseract-ocr-<language>), or select other languages in the settings of the bases",
    ))
}

struct WordsOnlyCheck(Knowledge);

#[async_trait]
impl Check for WordsOnlyCheck {
    fn name(&self) -> &'static str {
        "knowledge.vectors"
    }

    async fn run(&self) -> CheckResult {
        let counted = async {
            let mut tx = self.0.inner.db.system().await?;
            let counted = store::system::doubted(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, KnowledgeError>(counted)
        };
        match counted.await {
            Ok((_, 0)) => CheckResult::pass("every ready document has its vectors"),
            Ok((_, count)) => CheckResult::warn(
                format!("{count} documents can only be found by words: the embedding model was not available"),
                "see llm.embedding_model; they get vectors automatically within 15 minutes after the model is available",
            ),
            Err(error) => CheckResult::fail(
                format!("documents cannot be counted: {:#}", anyhow::Error::new(error)),
                "check the database",
            ),
        }
    }
}
