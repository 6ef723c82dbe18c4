//! What each metric is called, and what it says.

use prometheus_client::registry::{Registry, Unit};

use super::Metrics;

impl Metrics {
    pub(super) fn describe(&self, registry: &mut Registry) {
        registry.register("documents", "Documents by status", self.documents.clone());
        registry.register("chunks", "Passages of all documents", self.chunks.clone());
        registry.register("bases", "Knowledge bases", self.bases.clone());
        registry.register("documents_uploaded", "Documents that were accepted", self.uploaded.clone());
        registry.register_with_unit(
            "ingest_duration",
            "Time that a stage of a document took",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register(
            "document_failures",
            "Documents that failed or were refused, by reason",
            self.failures.clone(),
        );
        registry.register_with_unit("search_duration", "Time that a search took", Unit::Seconds, self.searches.clone());
        registry.register_with_unit(
            "search_part_duration",
            "Time that a part of a search took; parts run beside each other, and `vector` and `text` once for each knowledge base",
            Unit::Seconds,
            self.parts.clone(),
        );
        registry.register(
            "searches_unmatched",
            "Searches that nothing in the bases answers: they found weak matches at best",
            self.unmatched.clone(),
        );
        registry.register(
            "searches_degraded",
            "Hybrid searches answered by words alone, because the question could not be embedded",
            self.degraded.clone(),
        );
        registry.register("index_failures", "Steps of index maintenance that failed", self.index_failures.clone());
        registry.register(
            "index_maintenance",
            "Steps of index maintenance, by how they ended",
            self.maintenance.clone(),
        );
        registry.register_with_unit(
            "index_last_maintenance_timestamp",
            "When this process last looked after all indexes, seconds since 1970; 0 for never",
            Unit::Seconds,
            self.last_maintenance.clone(),
        );
        registry.register(
            "index_repairs",
            "Documents whose index rows were missing or left over",
            self.repaired.clone(),
        );
        registry.register(
            "index_losses",
            "Indexes whose files were gone, and that are made again from the database",
            self.index_lost.clone(),
        );
        self.describe_reading(registry);
        self.describe_index(registry);
    }

    fn describe_reading(&self, registry: &mut Registry) {
        registry.register(
            "documents_doubted",
            "Ready documents that somebody should look at: their reading report has doubts",
            self.documents_doubted.clone(),
        );
        registry.register(
            "documents_words_only",
            "Ready documents that are found by their words alone, because the embedding model was missing",
            self.documents_words_only.clone(),
        );
        registry.register("reading_doubts", "Doubts about documents that were read, by kind", self.doubts.clone());
        registry.register(
            "left_out_characters",
            "Characters of documents that are not in their text, by what they were taken for",
            self.left_out.clone(),
        );
        registry.register("pages_read", "Pages of documents with text, by what they were read by", self.pages.clone());
        registry.register(
            "pages_unread",
            "Pages that stayed without usable text, by why no other way has read them",
            self.unread_pages.clone(),
        );
    }

    fn describe_index(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "index_update_duration",
            "Time that bringing an index up to date took: `quick` while documents come in, `thorough` by maintenance",
            Unit::Seconds,
            self.updates.clone(),
        );
        registry.register(
            "index_update_failures",
            "Quick updates of an index that failed; its new passages are scanned until maintenance has indexed them",
            self.update_failures.clone(),
        );
        registry.register("index_tables", "Tables of the index", self.index_tables.clone());
        registry.register(
            "index_unindexed_rows",
            "Passages that searches still scan for, because no index covers them yet; grows when maintenance fails",
            self.index_unindexed.clone(),
        );
        registry.register(
            "index_fragments",
            "Data files of the newest versions; grows when compaction fails",
            self.index_fragments.clone(),
        );
        registry.register(
            "index_versions",
            "Versions of all tables; grows when old versions are not removed",
            self.index_versions.clone(),
        );
        registry.register_with_unit(
            "index_size",
            "Files of the index, old versions included; every five minutes",
            Unit::Bytes,
            self.index_size.clone(),
        );
        registry.register_with_unit(
            "held_vectors",
            "Vectors of bases without an approximate index that are held in memory; every five minutes",
            Unit::Bytes,
            self.held_vectors.clone(),
        );
    }
}
