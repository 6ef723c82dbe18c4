-- The span (W3C Trace Context: 16 hexadecimal digits) in which a job was queued, and whether its trace is recorded: the job's span
-- is below it, and recorded as it is. NULL: nobody's, or queued by an older version.
ALTER TABLE job_payloads
  ADD COLUMN span_id text CONSTRAINT job_payloads_span_id_check CHECK (span_id ~ '^[0-9a-f]{16}$'),
  ADD COLUMN trace_sampled boolean;
