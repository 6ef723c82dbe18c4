//! `[knowledge]`

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{extract::Limits, index::IndexOptions};
use platform::config::ConfigErrors;

/// The `[knowledge]` section: uploads, extraction, OCR, chunking and the search index.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `s3://bucket/prefix` of the search index; uses the credentials in `[storage]`. Empty: the folder `vectors` in
    /// the data directory.
    pub index_url: String,
    /// Largest file accepted, bytes.
    pub max_upload_bytes: u64,
    /// Maximum number of files per upload.
    pub max_upload_files: usize,
    /// Documents read in parallel; each runs in its own child process.
    pub extract_processes: usize,
    /// Memory limit for reading one document, MiB.
    pub extract_memory_mib: u64,
    /// Time limit for reading one document, seconds.
    pub extract_timeout_seconds: u64,
    /// Folder with the OCR programs, tesseract and pdftoppm. Empty: the usual system folders.
    pub ocr_folder: String,
    /// Maximum pages per document that go through OCR; the reading report lists the skipped ones.
    pub ocr_pages: usize,
    /// CPU time limit for OCR of one page, seconds. The wall-clock limit is three times that.
    pub ocr_page_seconds: u64,
    /// Maximum pages per document that are sent to the base's vision model.
    pub vision_pages: usize,
    /// Token budget for reading pages with a model, per organisation and day (UTC); 0 disables it.
    pub vision_tokens_per_day: u64,
    /// Maximum chunk length, tokens of the embedding model; capped by the model's window.
    pub passage_tokens: usize,
    /// Rows from which a base gets an approximate vector index; below, every vector is compared.
    pub vector_index_rows: usize,
    /// Cache for open index segments, MiB.
    pub index_cache_mib: usize,
    /// Cache for the vectors of bases without an approximate index, MiB: 10 000 MiniLM chunks take 15. A base that
    /// needs more than half of it is read from disk on every search.
    pub vector_cache_mib: usize,
    /// Maximum age of what a search sees of other processes' writes, milliseconds.
    pub read_consistency_milliseconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            index_url: String::new(),
            max_upload_bytes: 100_000_000,
            max_upload_files: 100,
            extract_processes: 2,
            extract_memory_mib: 1024,
            extract_timeout_seconds: 180,
            ocr_folder: String::new(),
            ocr_pages: 200,
            ocr_page_seconds: 60,
            vision_pages: 20,
            vision_tokens_per_day: 500_000,
            // MiniLM's window is 256 word pieces; the headings are embedded together with the chunk.
            passage_tokens: 220,
            vector_index_rows: 50_000,
            index_cache_mib: 64,
            vector_cache_mib: 64,
            read_consistency_milliseconds: 1000,
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        if !self.is_local() && self.index_url.strip_prefix("s3://").is_none_or(|rest| rest.trim_matches('/').is_empty())
        {
            errors.push("index_url", "must be empty or s3://bucket/prefix");
        }
        errors.range("max_upload_bytes", self.max_upload_bytes, 1024, 10_000_000_000);
        errors.range("max_upload_files", self.max_upload_files, 1, 1000);
        errors.range("extract_processes", self.extract_processes, 1, 64);
        errors.range("extract_memory_mib", self.extract_memory_mib, 128, 65_536);
        errors.range("extract_timeout_seconds", self.extract_timeout_seconds, 5, 600);
        errors.range("ocr_pages", self.ocr_pages, 1, 10_000);
        errors.range("ocr_page_seconds", self.ocr_page_seconds, 5, 300);
        errors.range("vision_pages", self.vision_pages, 1, 10_000);
        errors.range("passage_tokens", self.passage_tokens, 32, 2048);
        errors.range("vector_index_rows", self.vector_index_rows, 1000, 10_000_000);
        errors.range("index_cache_mib", self.index_cache_mib, 8, 65_536);
        errors.range("vector_cache_mib", self.vector_cache_mib, 0, 65_536);
        errors.range("read_consistency_milliseconds", self.read_consistency_milliseconds, 0, 60_000);
    }

    /// Whether the index is a local folder, which other hosts cannot see.
    pub fn is_local(&self) -> bool {
        self.index_url.is_empty()
    }

    /// The folder of a local index.
    pub fn local_folder(data_dir: &Path) -> PathBuf {
        data_dir.join("vectors")
    }

    /// The URI that LanceDB opens.
    pub fn index_uri(&self, data_dir: &Path) -> String {
        if self.is_local() { Self::local_folder(data_dir).display().to_string() } else { self.index_url.clone() }
    }

    pub fn index_options(&self, storage: &storage::Config) -> IndexOptions {
        let account = if self.is_local() { Vec::new() } else { storage.s3_options() };
        IndexOptions {
            storage: account.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<_, _>>(),
            read_consistency: Duration::from_millis(self.read_consistency_milliseconds),
            index_cache_bytes: self.index_cache_mib << 20,
            vector_index_rows: self.vector_index_rows,
            held_vector_bytes: self.vector_cache_mib << 20,
            ..IndexOptions::default()
        }
    }

    /// Limits for reading one document.
    pub fn extract_limits(&self) -> Limits {
        Limits {
            memory_bytes: self.extract_memory_mib << 20,
            cpu_seconds: self.extract_timeout_seconds,
            wall_seconds: self.extract_timeout_seconds,
            input_bytes: self.max_upload_bytes,
            ..Limits::default()
        }
    }

    /// Limits for rendering or recognising one page.
    pub fn page_limits(&self) -> Limits {
        // The CPU limit is the real cost; on a busy server a page spends most of its wall-clock time waiting.
        let (cpu_seconds, wall_seconds) = (self.ocr_page_seconds, self.ocr_page_seconds.saturating_mul(3));
        Limits { cpu_seconds, wall_seconds, ..self.extract_limits() }
    }
}
