"""Files: is everything there that was stored, and can more be stored?"""
from .grafana import Dashboard, above, choice, increase, largest, quantile, rate, ratio, row, stat, timeseries, total

OPERATIONS, DURATION = "holdfast_files_operations_total", "holdfast_files_operation_duration_seconds"
FAILURES, SCANS = "holdfast_files_upload_failures_total", "holdfast_files_scans_total"
STORED, KNOWN = "holdfast_files_stored_bytes_total", "holdfast_files_deduplicated_bytes_total"
SIGNATURES = "holdfast_files_signatures_refused_total"
OURS = 'reason=~"disk|store|database"'
UPLOADS = 'operation=~"write|part|complete"'

DASHBOARD = Dashboard(
    title="Files",
    question="Is everything there that was stored, and can more be stored?",
    service="files",
    panels=[
        row("Now"),
        stat("Damaged or missing objects", "Is anything not as it was written?", "short", f"{largest('holdfast_files_damaged_objects')} + {largest('holdfast_files_missing_objects')}", limits=above(critical=1), alerts=("FilesDamaged",)),
        stat("Time since a scrub ended", "When was everything read the last time?", "s", largest("holdfast_files_scrub_age_seconds"), limits=above(864000), empty="nothing stored", alerts=("FilesScrubOverdue",)),
        stat("Largest share of a quota", "Is an organisation's quota used up?", "percentunit", largest("holdfast_files_quota_ratio_max"), limits=above(0.9), alerts=("FilesQuotaNear",)),
        stat("Stored bytes without a row", "How much does nobody know of?", "bytes", largest("holdfast_files_orphan_bytes"), limits=above(1073741824), alerts=("FilesOrphansGrow",)),
        stat("Virus scanner", "Does it answer?", "none", largest("holdfast_files_clamd_up"), texts=choice((0, "no answer", "orange"), (1, "answers", "green")), empty="none", alerts=("FilesClamdDown",)),
        stat("Unfinished uploads", "How many uploads are open?", "short", largest("holdfast_files_uploads_open")),
        row("What is done"),
        timeseries("Operations per second", "What is done with files?", "ops", (rate(OPERATIONS, "operation"), "{{operation}}"), stack=True),
        timeseries("Operations by outcome", "How do operations end?", "short", (increase(OPERATIONS, "outcome"), "{{outcome}}"), bars=True, details="logs"),
        timeseries("Duration of operations, p99", "How long do the slowest 1 % take? Writes to their commit, reads to their first byte.", "s", (quantile(0.99, DURATION, "operation"), "{{operation}}")),
        timeseries("Bytes stored per second", "How much is stored, and how much was there already?", "Bps", (rate(STORED), "stored"), (rate(KNOWN), "was there already")),
        timeseries("Failed uploads by reason", "Why are uploads not stored?", "short", (increase(FAILURES, "reason"), "{{reason}}"), bars=True, alerts=("FilesUploadsFail", "FilesQuotaReached"), details="logs"),
        timeseries("Share of uploads that failed here", "Do the disk, the store or the database fail?", "percentunit", (ratio(rate(FAILURES, where=OURS), rate(OPERATIONS, where=UPLOADS)), "failed"), limits=above(critical=0.01), alerts=("FilesUploadsFail",)),
        timeseries("Refused signatures by reason", "Why are requests to the S3 API refused?", "short", (increase(SIGNATURES, "reason"), "{{reason}}"), bars=True, alerts=("FilesSignaturesRefused",), details="logs"),
        row("What is stored"),
        timeseries("Bytes by kind", "What is stored: current objects, former versions, trash?", "bytes", (largest("holdfast_files_object_bytes", "kind"), "{{kind}}"), stack=True, alerts=("FilesDiskEnds",)),
        timeseries("Objects by kind", "How many objects are there?", "short", (largest("holdfast_files_objects", "kind"), "{{kind}}"), stack=True),
        timeseries("Blobs", "How many pieces of stored bytes are there?", "short", (largest("holdfast_files_blobs"), "blobs")),
        row("Upkeep"),
        timeseries("Bytes read by the scrub", "Does the scrub go on?", "bytes", (largest("holdfast_files_scrub_read_bytes"), "read by the newest"), alerts=("FilesScrubStuck",)),
        timeseries("Scrub running", "When do scrubs run?", "bool_yes_no", (largest("holdfast_files_scrub_running"), "running"), alerts=("FilesScrubStuck",)),
        timeseries("Damage", "What was found, and what was brought back?", "short", (largest("holdfast_files_damaged_objects"), "damaged"), (largest("holdfast_files_missing_objects"), "missing"), (largest("holdfast_files_repaired_objects"), "repaired"), alerts=("FilesDamaged",)),
        timeseries("Blobs to look at", "Is what was deleted cleaned up?", "short", (largest("holdfast_files_garbage_notes"), "notes"), alerts=("FilesGarbageHeld",)),
        timeseries("Orphans", "Are there stored objects that no row names?", "short", (largest("holdfast_files_orphans"), "orphans"), alerts=("FilesOrphansGrow",)),
        timeseries("Age of the oldest sweep and of lifecycle rules", "Does upkeep run?", "s", (largest("holdfast_files_sweep_age_seconds"), "sweep"), (largest("holdfast_files_lifecycle_age_seconds"), "lifecycle rules"), alerts=("FilesLifecycleLate",)),
        timeseries("Objects of the last lifecycle runs", "What did lifecycle rules do?", "short", (largest("holdfast_files_lifecycle_objects", "action"), "{{action}}")),
        row("Images"),
        timeseries("Images and compressed texts by outcome", "Are they in the cache, or made?", "short", (increase("holdfast_files_variants_total", "outcome"), "{{outcome}}"), bars=True),
        timeseries("Children that ended early", "Do decoders crash or hang?", "short", (increase("holdfast_files_image_children_ended_total", "reason"), "{{reason}}"), bars=True, alerts=("FilesImagesFail",), details="logs"),
        timeseries("Images that wait", "Is more asked for than can be made?", "short", (total("holdfast_files_image_orders_waiting"), "waiting"), (increase("holdfast_files_image_orders_refused_total"), "refused")),
        timeseries("Cache of images", "How much is kept?", "bytes", (total("holdfast_files_variant_cache_bytes"), "kept")),
        row("Viruses"),
        timeseries("Scans by outcome", "What does the scanner find?", "short", (increase(SCANS, "outcome"), "{{outcome}}"), bars=True, alerts=("FilesQuarantined",), details="logs"),
        timeseries("Objects that wait for the scanner", "Does it keep up?", "short", (largest("holdfast_files_scan_pending"), "waiting"), alerts=("FilesClamdDown",)),
    ],
)
