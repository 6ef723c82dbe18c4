"""Documents on their way, searches, and the index under them."""
from .grafana import Dashboard, above, age, increase, largest, quantile, rate, row, stat, timeseries

INGEST, SEARCH = "holdfast_knowledge_ingest_duration_seconds", "holdfast_knowledge_search_duration_seconds"
WAITING = 'status=~"queued|extracting|embedding"'

DASHBOARD = Dashboard(
    title="Knowledge",
    question="Do uploads become searchable, are searches fast and complete, and is the index kept in order?",
    service="knowledge",
    panels=[
        row("Now"),
        stat("Documents", "How many can be searched?", "short", largest("holdfast_knowledge_documents", where='status="ready"')),
        stat("On their way", "How many wait or are worked on?", "short", f"sum({largest('holdfast_knowledge_documents', 'status', WAITING)})", alerts=("KnowledgeDocumentsStuck",)),
        stat("Failed", "How many could not be read?", "short", largest("holdfast_knowledge_documents", where='status="failed"')),
        stat("Indexed passages", "How much is indexed?", "short", largest("holdfast_knowledge_chunks")),
        stat("Knowledge bases", "In how many bases, and tables of the index, is that?", "short", (largest("holdfast_knowledge_bases"), "bases"), (largest("holdfast_knowledge_index_tables"), "tables")),
        stat(
            "Since maintenance", "Is the index looked after?", "s", age("holdfast_knowledge_index_last_maintenance_timestamp_seconds"),
            limits=above(7200), empty="none known", alerts=("KnowledgeMaintenanceStale",),
        ),
        row("Documents"),
        timeseries("By status", "Do documents get through, or pile up somewhere?", "short", (largest("holdfast_knowledge_documents", "status", 'status!="ready"'), "{{status}}"), stack=True, alerts=("KnowledgeDocumentsStuck",)),
        timeseries(
            "In and out", "Are uploads worked off as fast as they come?", "cps",
            (rate("holdfast_knowledge_documents_uploaded_total"), "uploaded"), (rate(f"{INGEST}_count", where='stage="total"'), "ready"),
        ),
        timeseries("Failures", "Why do documents fail or get refused?", "short", (increase("holdfast_knowledge_document_failures_total", "reason"), "{{reason}}"), bars=True, stack=True, alerts=("KnowledgeDocumentsFailing",), details="logs"),
        timeseries("Time by stage", "How long does one document in twenty take at least, and where?", "s", (quantile(0.95, INGEST, "stage"), "{{stage}}")),
        timeseries("Embedding", "How many texts are embedded?", "cps", (rate("holdfast_llm_embedded_texts_total", "backend"), "{{backend}}"), stack=True, details="llm"),
        row("Reading"),
        stat("To look at", "How many ready documents have doubts, and how many wait for the embedding model?", "short", (largest("holdfast_knowledge_documents_doubted"), "with doubts"), (largest("holdfast_knowledge_documents_words_only"), "by words only"), alerts=("KnowledgeWordsOnly",)),
        timeseries("Doubts", "What is doubted about documents that are read?", "short", (increase("holdfast_knowledge_reading_doubts_total", "doubt"), "{{doubt}}"), bars=True, stack=True),
        timeseries("Left out", "What is not taken into the text, and how much of it?", "short", (increase("holdfast_knowledge_left_out_characters_total", "kind"), "{{kind}}"), bars=True, stack=True),
        timeseries(
            "Pages", "What are pages read by: their text, OCR or a model? Which stay without text, and why?", "short",
            (increase("holdfast_knowledge_pages_read_total", "by"), "{{by}}"), (increase("holdfast_knowledge_pages_unread_total", "reason"), "unread: {{reason}}"),
            bars=True, stack=True, alerts=("KnowledgePagesUnread",), details="logs",
        ),
        row("Searches"),
        timeseries("Searches", "How much is searched, and how?", "cps", (rate(f"{SEARCH}_count", "mode"), "{{mode}}"), stack=True),
        timeseries(
            "Search time", "How long does one search in twenty take at least?", "s", (quantile(0.95, SEARCH, "mode"), "{{mode}}"),
            limits=above(0.5), exemplars=True, alerts=("KnowledgeSearchSlow",),
        ),
        timeseries(
            "Time by part", "Which part of a search is slow: the question's vector, the search by meaning or by words, or the database?", "s",
            (quantile(0.95, "holdfast_knowledge_search_part_duration_seconds", "part"), "{{part}}"), exemplars=True,
        ),
        timeseries(
            "Words alone, and no match", "How many hybrid searches could not embed their question, and how many found weak matches at best?", "short",
            (increase("holdfast_knowledge_searches_degraded_total"), "by words alone"), (increase("holdfast_knowledge_searches_unmatched_total", "mode"), "no match, {{mode}}"), bars=True, alerts=("KnowledgeSearchesDegraded",),
        ),
        row("Index"),
        timeseries(
            "Passages in no index", "How much do searches have to scan?", "short", (largest("holdfast_knowledge_index_unindexed_rows"), "unindexed"),
            limits=above(50000), alerts=("KnowledgeUnindexedRowsGrowing",),
        ),
        timeseries(
            "Index updates", "How long does bringing an index up to date take, as documents come and by maintenance?", "s",
            (quantile(0.95, "holdfast_knowledge_index_update_duration_seconds", "update"), "{{update}}"),
        ),
        timeseries("Files and versions", "Does maintenance merge files and remove old versions?", "short", (largest("holdfast_knowledge_index_fragments"), "files"), (largest("holdfast_knowledge_index_versions"), "versions")),
        timeseries(
            "Size", "How much disk does the index take, and how much memory the vectors that are held for searches?", "bytes",
            (largest("holdfast_knowledge_index_size_bytes"), "index on disk"), (largest("holdfast_knowledge_held_vectors_bytes"), "vectors in memory"),
        ),
        timeseries(
            "Maintenance", "Which steps of maintenance run, and do they fail?", "short",
            (increase("holdfast_knowledge_index_maintenance_total", "step, outcome"), "{{step}} {{outcome}}"), (increase("holdfast_knowledge_index_failures_total"), "failed steps"),
            (increase("holdfast_knowledge_index_update_failures_total"), "failed quick updates"), bars=True, alerts=("KnowledgeMaintenanceFailing",), details="logs",
        ),
        timeseries(
            "Damage", "Did the index differ from the database, or get lost?", "short",
            (increase("holdfast_knowledge_index_repairs_total"), "documents repaired"), (increase("holdfast_knowledge_index_losses_total"), "indexes lost"),
            bars=True, alerts=("KnowledgeIndexDiverged", "KnowledgeIndexLost"),
        ),
    ],
)
