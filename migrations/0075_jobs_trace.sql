-- The trace (W3C Trace Context: 32 hexadecimal digits) in which a job was queued; its attempts go on in it. NULL: nobody's.
ALTER TABLE job_payloads ADD COLUMN trace_id text
  CONSTRAINT job_payloads_trace_id_check CHECK (trace_id ~ '^[0-9a-f]{32}$');
