//! Name and help text of each metric.

use prometheus_client::registry::{Registry, Unit};

use super::Metrics;

impl Metrics {
    pub(super) fn describe(&self, registry: &mut Registry) {
        registry.register("documents", "Documents by status", self.documents.clone());
        registry.register("chunks", "Stored chunks", self.chunks.clone());
        registry.register("bases", "Knowledge bases", self.bases.clone());
        registry.register("documents_uploaded", "Documents accepted for processing", self.uploaded.clone());
        registry.register_with_unit(
            "ingest_duration",
            "Duration of a document processing stage",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register("document_failures", "Documents failed or rejected, by reason", self.failures.clone());
        registry.register_with_unit("search_duration", "Search duration", Unit::Seconds, self.searches.clone());
        registry.register_with_unit(
            "search_part_duration",
            "Duration of a search phase; phases overlap, and `vector` and `text` run once per knowledge base",
            Unit::Seconds,
            self.parts.clone(),
        );
        registry.register(
            "searches_unmatched",
            "Searches without an answer in the bases: no results or only weak matches",
            self.unmatched.clone(),
        );
        registry.register(
            "searches_degraded",
            "Hybrid searches that fell back to full text because the query could not be embedded",
            self.degraded.clone(),
        );
        registry.register("index_failures", "Index maintenance steps that failed", self.index_failures.clone());
        registry.register("index_maintenance", "Index maintenance steps, by outcome", self.maintenance.clone());
        registry.register_with_unit(
            "index_last_maintenance_timestamp",
            "Unix time of this process's last complete maintenance round; 0 if none",
            Unit::Seconds,
            self.last_maintenance.clone(),
        );
        registry.register("index_repairs", "Documents with missing or stale index rows", self.repaired.clone());
        registry.register(
            "index_losses",
            "Indexes with lost files, rebuilt from the database",
            self.index_lost.clone(),
        );
        self.describe_reading(registry);
        self.describe_index(registry);
    }

    fn describe_reading(&self, registry: &mut Registry) {
        registry.register(
            "documents_doubted",
            "Ready documents whose reading report has doubts and should be checked",
            self.documents_doubted.clone(),
        );
        registry.register(
            "documents_words_only",
            "Ready documents without vectors (found by full text only), because the embedding model was unavailable",
            self.documents_words_only.clone(),
        );
        registry.register("reading_doubts", "Doubts raised when reading documents, by kind", self.doubts.clone());
        registry.register(
            "left_out_characters",
            "Characters left out of extracted texts, by kind",
            self.left_out.clone(),
        );
        registry.register("pages_read", "Pages read with text, by method", self.pages.clone());
        registry.register("pages_unread", "Pages left without usable text, by reason", self.unread_pages.clone());
    }

    fn describe_index(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "index_update_duration",
            "Duration of an index update: `quick` after writes, `thorough` by maintenance",
            Unit::Seconds,
            self.updates.clone(),
        );
        registry.register(
            "index_update_failures",
            "Quick index updates that failed; new chunks are scanned until maintenance has indexed them",
            self.update_failures.clone(),
        );
        registry.register("index_tables", "Tables of the index", self.index_tables.clone());
        registry.register(
            "index_unindexed_rows",
            "Chunks not yet covered by an index, which every search scans; grows when maintenance fails",
            self.index_unindexed.clone(),
        );
        registry.register(
            "index_fragments",
            "Data files of the current table versions; grows when compaction fails",
            self.index_fragments.clone(),
        );
        registry.register(
            "index_versions",
            "Table versions; grows when old versions are not removed",
            self.index_versions.clone(),
        );
        registry.register_with_unit(
            "index_size",
            "Size of the index files, old versions included; measured every five minutes",
            Unit::Bytes,
            self.index_size.clone(),
        );
        registry.register_with_unit(
            "held_vectors",
            "Memory held by cached vectors of bases without an approximate index; measured every five minutes",
            Unit::Bytes,
            self.held_vectors.clone(),
        );
    }
}
