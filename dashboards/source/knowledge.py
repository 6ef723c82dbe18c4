"""Ingestion of documents, searches, and the index."""
from .grafana import Dashboard, above, age, increase, largest, quantile, rate, row, stat, timeseries

INGEST, SEARCH = "holdfast_knowledge_ingest_duration_seconds", "holdfast_knowledge_search_duration_seconds"
WAITING = 'status=~"queued|extracting|embedding"'

DASHBOARD = Dashboard(
    title="Knowledge",
    question="Do uploads become searchable, are searches fast and complete, and is the index healthy?",
    service="knowledge",
    panels=[
        row("Now"),
        stat("Documents ready", "How many can be searched?", "short", largest("holdfast_knowledge_documents", where='status="ready"')),
        stat("Documents in progress", "How many are waiting or being processed?", "short", f"sum({largest('holdfast_knowledge_documents', 'status', WAITING)})", alerts=("KnowledgeDocumentsStuck",)),
        stat("Documents failed", "How many could not be read?", "short", largest("holdfast_knowledge_documents", where='status="failed"')),
        stat("Indexed passages", "How much is indexed?", "short", largest("holdfast_knowledge_chunks")),
        stat("Knowledge bases", "In how many bases, and tables of the index, is that?", "short", (largest("holdfast_knowledge_bases"), "bases"), (largest("holdfast_knowledge_index_tables"), "tables")),
        stat(
            "Time since index maintenance", "Is the index maintained?", "s", age("holdfast_knowledge_index_last_maintenance_timestamp_seconds"),
            limits=above(7200), empty="none known", alerts=("KnowledgeMaintenanceStale",),
        ),
        row("Documents"),
        timeseries("Documents in progress by status", "Do documents get through, or pile up somewhere?", "short", (largest("holdfast_knowledge_documents", "status", 'status!="ready"'), "{{status}}"), stack=True, alerts=("KnowledgeDocumentsStuck",)),
        timeseries(
            "Documents per second: uploaded, ready", "Are uploads processed as fast as they arrive?", "cps",
            (rate("holdfast_knowledge_documents_uploaded_total"), "uploaded"), (rate(f"{INGEST}_count", where='stage="total"'), "ready"),
        ),
        timeseries("Document failures by reason", "Why do documents fail or get refused?", "short", (increase("holdfast_knowledge_document_failures_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("KnowledgeDocumentsFailing",), details="logs"),
        timeseries("Duration of ingestion by stage, p95", "How long do the slowest 5 % of the documents take, and in which stage?", "s", (quantile(0.95, INGEST, "stage"), "{{stage}}")),
        timeseries("Embedded texts per second", "How many texts are embedded?", "cps", (rate("holdfast_llm_embedded_texts_total", "backend"), "{{backend}}"), stack=True, details="llm"),
        row("Reading"),
        stat("Documents that need attention", "How many ready documents have doubts, and how many wait for the embedding model?", "short", (largest("holdfast_knowledge_documents_doubted"), "with doubts"), (largest("holdfast_knowledge_documents_words_only"), "full-text only"), alerts=("KnowledgeWordsOnly",)),
        timeseries("Reading doubts by kind", "Which doubts does reading raise?", "short", (increase("holdfast_knowledge_reading_doubts_total", "doubt"), "{{doubt}}"), bars=True, stack=True),
        timeseries("Characters left out of texts by kind", "What is not taken into the text, and how much of it?", "short", (increase("holdfast_knowledge_left_out_characters_total", "kind"), "{{kind}}"), bars=True, stack=True),
        timeseries(
            "Pages read, by method", "How are pages read: by their text, OCR or a model? Which stay without text, and why?", "short",
            (increase("holdfast_knowledge_pages_read_total", "by"), "{{by}}"), (increase("holdfast_knowledge_pages_unread_total", "reason"), "unread: {{reason}}"),
            bars=True, stack=True, alerts=("KnowledgePagesUnread",), details="logs",
        ),
        row("Searches"),
        timeseries("Searches per second by mode", "How many searches are made, and in which mode?", "cps", (rate(f"{SEARCH}_count", "mode"), "{{mode}}"), stack=True),
        timeseries(
            "Search duration by mode, p95", "How long do the slowest 5 % of the searches take?", "s", (quantile(0.95, SEARCH, "mode"), "{{mode}}"),
            limits=above(0.5), exemplars=True, alerts=("KnowledgeSearchSlow",),
        ),
        timeseries(
            "Search duration by part, p95", "Which part of a search is slow: embedding the question, vector search, full-text search, or the database?", "s",
            (quantile(0.95, "holdfast_knowledge_search_part_duration_seconds", "part"), "{{part}}"), exemplars=True,
        ),
        timeseries(
            "Degraded searches, and searches without a match", "How many hybrid searches could not embed their question, and how many found only weak matches?", "short",
            (increase("holdfast_knowledge_searches_degraded_total"), "full-text only"), (increase("holdfast_knowledge_searches_unmatched_total", "mode"), "no match, {{mode}}"), bars=True, alerts=("KnowledgeSearchesDegraded",),
        ),
        row("Index"),
        timeseries(
            "Unindexed passages", "How many rows must searches scan?", "short", (largest("holdfast_knowledge_index_unindexed_rows"), "unindexed"),
            limits=above(50000), alerts=("KnowledgeUnindexedRowsGrowing",),
        ),
        timeseries(
            "Duration of index updates, p95", "How long do index updates take, as documents arrive and by maintenance?", "s",
            (quantile(0.95, "holdfast_knowledge_index_update_duration_seconds", "update"), "{{update}}"),
        ),
        timeseries("Index files and versions", "Does maintenance merge files and remove old versions?", "short", (largest("holdfast_knowledge_index_fragments"), "files"), (largest("holdfast_knowledge_index_versions"), "versions")),
        timeseries(
            "Size of the index", "How much disk space does the index take, and how much memory the cached vectors?", "bytes",
            (largest("holdfast_knowledge_index_size_bytes"), "index on disk"), (largest("holdfast_knowledge_held_vectors_bytes"), "vectors in memory"),
        ),
        timeseries(
            "Maintenance steps by outcome", "Which steps of maintenance run, and do they fail?", "short",
            (increase("holdfast_knowledge_index_maintenance_total", "step, outcome"), "{{step}} {{outcome}}"), (increase("holdfast_knowledge_index_failures_total"), "failed steps"),
            (increase("holdfast_knowledge_index_update_failures_total"), "failed quick updates"), bars=True, alerts=("KnowledgeMaintenanceFailing",), details="logs",
        ),
        timeseries(
            "Index repairs and losses", "Did the index differ from the database, or get lost?", "short",
            (increase("holdfast_knowledge_index_repairs_total"), "documents repaired"), (increase("holdfast_knowledge_index_losses_total"), "indexes lost"),
            bars=True, alerts=("KnowledgeIndexDiverged", "KnowledgeIndexLost"),
        ),
    ],
)
