//! `[knowledge]`

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{extract::Limits, index::IndexOptions};
use crate::{platform::config::ConfigErrors, storage};

/// Documents, their passages and the search index.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `s3://bucket/prefix` of the search index, with the account of `[storage]`; empty keeps it in the folder `vectors` of the data
    /// directory.
    pub index_url: String,
    /// Largest file, bytes.
    pub max_upload_bytes: u64,
    /// Most files in one upload.
    pub max_upload_files: usize,
    /// Documents being read at a time; each has a process of its own.
    pub extract_processes: usize,
    /// Memory that reading one document may take, MiB.
    pub extract_memory_mib: u64,
    /// Time that reading one document may take, seconds.
    pub extract_timeout_seconds: u64,
    /// Folder of the programs for OCR, tesseract and pdftoppm; empty looks where programs usually are.
    pub ocr_folder: String,
    /// Pages of one document that are recognised from their pictures at most; the reading report names the others.
    pub ocr_pages: usize,
    /// Processor time that OCR of one page may take, seconds; by the clock it may be three times that.
    pub ocr_page_seconds: u64,
    /// Pages of one document that are sent to the model of its base at most.
    pub vision_pages: usize,
    /// Tokens that reading pages by a model may take in one organisation on one day (UTC); 0 forbids it.
    pub vision_tokens_per_day: u64,
    /// Longest passage, tokens of the embedding model; a model with a smaller window shortens it.
    pub passage_tokens: usize,
    /// Rows of a base from which its vectors get an approximate index; below it every vector is compared.
    pub vector_index_rows: usize,
    /// Memory for opened parts of the index, MiB.
    pub index_cache_mib: usize,
    /// Memory for the vectors of bases that are searched and have no approximate index, MiB: 10 000 passages of MiniLM take 15. A base that
    /// would take more than half of it is read from disk for each search.
    pub vector_cache_mib: usize,
    /// A search sees what another process has written this long ago at the latest, milliseconds.
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
            // MiniLM's window is 256 word pieces; headings travel with the passage.
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

    /// Whether the index lies in a folder of this machine: several hosts would each see their own.
    pub fn is_local(&self) -> bool {
        self.index_url.is_empty()
    }

    /// The folder of a local index.
    pub fn local_folder(data_dir: &Path) -> PathBuf {
        data_dir.join("vectors")
    }

    /// Where LanceDB opens its tables.
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

    /// What reading one document may use.
    pub fn extract_limits(&self) -> Limits {
        Limits {
            memory_bytes: self.extract_memory_mib << 20,
            cpu_seconds: self.extract_timeout_seconds,
            wall_seconds: self.extract_timeout_seconds,
            input_bytes: self.max_upload_bytes,
            ..Limits::default()
        }
    }

    /// What drawing or recognising one page may use.
    pub fn page_limits(&self) -> Limits {
        // Processor time is what a page costs; on a busy server it waits for most of it.
        let (cpu_seconds, wall_seconds) = (self.ocr_page_seconds, self.ocr_page_seconds.saturating_mul(3));
        Limits { cpu_seconds, wall_seconds, ..self.extract_limits() }
    }
}
