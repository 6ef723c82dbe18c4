-- Jobs that ended, by the hour.
CREATE INDEX job_history_finished_idx ON job_history (org_id, finished_at);
