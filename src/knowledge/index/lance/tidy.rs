//! Incremental index updates while documents come in.
//!
//! Every search reads and tokenizes each row that the full-text index does not cover: about 20 µs per row, so a
//! thousand of them cost more than a search of a hundred thousand indexed rows. And every write leaves a small file
//! that each search opens. Both are fixed here at a cost proportional to the new rows, not to the table;
//! [`VectorIndex::optimize`] does it thoroughly, later.

use lancedb::Table;
use lancedb::table::{CompactionOptions, OptimizeAction, OptimizeOptions};

use super::{IndexError, VectorIndex, full_text_index};

/// Unindexed rows that searches may have to scan while documents come in.
const MAX_WAITING: usize = 256;
/// Small files that searches may have to open.
const MAX_SMALL_FILES: usize = 16;
/// Files with this many rows are not compacted again, so that new rows never cause more than this to be rewritten.
pub(super) const FULL_FILE_ROWS: usize = 32_768;
/// Up to this size the index is rewritten together with the new rows, which takes a second. Above, new rows become a
/// part of their own ...
const ONE_PART_ROWS: usize = 20_000;
/// ... until there are this many parts; every search queries each of them.
const MAX_PARTS: usize = 8;

/// The state of a table that makes its searches slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Backlog {
    pub rows: usize,
    /// Rows that no full-text index covers.
    pub waiting: usize,
    pub files: usize,
    /// Parts of the full-text index.
    pub parts: usize,
}

/// What to do about a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Work {
    pub compact: bool,
    pub index: Option<Indexing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexing {
    /// Index the new rows as a part of their own.
    Append,
    /// Merge all parts and the new rows into one index.
    Merge,
}

/// The result of [`VectorIndex::tidy`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Rows newly covered by the full-text index.
    pub indexed: usize,
    /// Rows that searches still scan.
    pub waiting: usize,
    /// Whether anything was done.
    pub worked: bool,
    /// Needs a new or renewed vector index: work for [`VectorIndex::optimize`].
    pub wants_vector_index: bool,
}

impl Backlog {
    /// `settled`: no more documents are pending, so this work will not be repeated in a minute.
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
    /// Updates the table's indexes if it is worthwhile: when many rows are unindexed or there are many small files; if
    /// the base is `settled`, a few suffice. Only for the table's writer. A missing table is not an error.
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

/// Compaction options; files with at least this share of deleted rows are rewritten whatever their size.
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
    fn new_rows_are_indexed_when_it_is_worthwhile() {
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
