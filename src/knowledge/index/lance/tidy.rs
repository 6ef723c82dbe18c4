//! Brings a table's indexes up to date as soon as that is worth it, while documents come in.
//!
//! A row that no full-text index covers is read and cut into words again by every search: some 20 µs each, so that a thousand of them
//! cost more than a search of a hundred thousand indexed ones. And every write leaves a small file, which each search opens. Both are
//! put right here in pieces whose cost follows what is new, not what is there; [`VectorIndex::optimize`] does it thoroughly, later.

use lancedb::Table;
use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};

use super::{IndexError, VectorIndex, full_text_index};

/// Rows that searches may have to scan for while documents come in.
const MAX_WAITING: usize = 256;
/// Small files that searches may have to open.
const MAX_SMALL_FILES: usize = 16;
/// Rows of a file that is large enough to be left alone: new rows are never a reason to write more than this again.
pub(super) const FULL_FILE_ROWS: usize = 32_768;
/// Up to this size an index is written anew with what is new: a second. Above it, what is new becomes a part of its own ...
const ONE_PART_ROWS: usize = 20_000;
/// ... until there are so many, which every search asks one by one.
const MAX_PARTS: usize = 8;

/// What a table has that makes its searches slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub rows: usize,
    /// Rows that no full-text index covers.
    pub waiting: usize,
    pub files: usize,
    /// Parts of the full-text index.
    pub parts: usize,
}

/// What is done about a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub compact: bool,
    pub index: Option<Indexing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexing {
    /// A part of its own for what is new.
    Append,
    /// One index of all parts and what is new.
    Merge,
}

/// What [`VectorIndex::tidy`] did and left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Rows that the full-text index covers now and did not before.
    pub indexed: usize,
    /// Rows that searches still scan for.
    pub waiting: usize,
    /// Whether anything was done.
    pub worked: bool,
    /// Large enough for a vector index, and has none or an outgrown one: work for [`VectorIndex::optimize`].
    pub wants_vector_index: bool,
}

impl Backlog {
    /// `settled`: nothing more is on its way, so that what is done now will not have to be done again in a minute.
    pub(super) fn work(self, settled: bool) -> Option<Work> {
        let small_files = self.files.saturating_sub(self.rows / FULL_FILE_ROWS);
        let compact = small_files > if settled { MAX_SMALL_FILES / 4 } else { MAX_SMALL_FILES };
        let index = self.waiting >= if settled { 1 } else { MAX_WAITING };
        let whole = self.rows <= ONE_PART_ROWS || self.parts >= MAX_PARTS;
        let index = index.then_some(if whole { Indexing::Merge } else { Indexing::Append });
        (compact || index.is_some()).then_some(Work { compact, index })
    }
}

impl VectorIndex {
    /// Brings the table's indexes up to date where that is worth it: when many rows wait or many small files lie about, or,
    /// where the base is `settled`, a few. Only by the table's writer. A table that is not there has nothing to tidy.
    pub async fn tidy(&self, name: &str, settled: bool) -> Result<Tidied, IndexError> {
        let tidied = match self.tidy_table(name, settled).await {
            Err(IndexError::NoSuchTable(_)) => Ok(Tidied::default()),
            tidied => tidied,
        };
        self.explained(name, tidied).await
    }

    async fn tidy_table(&self, name: &str, settled: bool) -> Result<Tidied, IndexError> {
        let table = self.table(name).await?;
        let before = backlog(&table).await?;
        let wants_vector_index = settled && self.wants_vector_index(&table, before.rows).await?;
        let Some(work) = before.work(settled) else {
            return Ok(Tidied { waiting: before.waiting, wants_vector_index, ..Tidied::default() });
        };
        if work.compact {
            let options = compaction(0.1);
            table.optimize(OptimizeAction::Compact { options, remap_options: None }).await?;
        }
        if let Some(indexing) = work.index {
            let options = match indexing {
                Indexing::Append => OptimizeOptions::append(),
                Indexing::Merge => OptimizeOptions::merge(usize::MAX),
            };
            table.optimize(OptimizeAction::Index(options)).await?;
        }
        let waiting = backlog(&table).await?.waiting;
        let indexed = before.waiting.saturating_sub(waiting);
        Ok(Tidied { indexed, waiting, worked: true, wants_vector_index })
    }
}

/// How files are joined; those with at least this share of deleted rows are written again however large they are.
pub(super) fn compaction(deleted: f32) -> CompactionOptions {
    CompactionOptions {
        target_rows_per_fragment: FULL_FILE_ROWS,
        materialize_deletions_threshold: deleted,
        ..CompactionOptions::default()
    }
}

async fn backlog(table: &Table) -> Result<Backlog, IndexError> {
    let stats = table.stats().await?;
    let (rows, files) = (stats.num_rows, stats.fragment_stats.num_fragments);
    let index = match full_text_index(table).await? {
        Some(index) => table.index_stats(&index).await?,
        None => None,
    };
    let covered = index.as_ref().map_or(0, |index| index.num_indexed_rows);
    let parts = index.and_then(|index| index.num_indices).unwrap_or_default() as usize;
    Ok(Backlog { rows, waiting: rows.saturating_sub(covered), files, parts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_indexed_when_it_is_worth_it() {
        let backlog = |rows, waiting, files, parts| Backlog { rows, waiting, files, parts };
        let merge = |compact| Some(Work { compact, index: Some(Indexing::Merge) });
        let append = |compact| Some(Work { compact, index: Some(Indexing::Append) });
        for (what, backlog, busy, settled) in [
            ("nothing", backlog(10_000, 0, 1, 1), None, None),
            ("a document", backlog(10_030, 30, 2, 1), None, merge(false)),
            ("a book", backlog(10_300, 300, 4, 1), merge(false), merge(false)),
            ("a book in a large base", backlog(100_300, 300, 7, 1), append(false), append(false)),
            ("many books in a large base", backlog(100_300, 300, 7, 8), merge(false), merge(false)),
            ("many notes", backlog(10_200, 200, 20, 1), Some(Work { compact: true, index: None }), merge(true)),
            ("full files of a large base", backlog(655_360, 0, 20, 1), None, None),
        ] {
            assert_eq!(backlog.work(false), busy, "{what}, more to come");
            assert_eq!(backlog.work(true), settled, "{what}, settled");
        }
    }
}
