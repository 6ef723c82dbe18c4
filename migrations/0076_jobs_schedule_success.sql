-- When a job of a schedule's kind last did its work: job_history could tell, at the price of a scan for each scrape.
ALTER TABLE job_schedules ADD COLUMN last_success_at timestamptz;
UPDATE job_schedules s SET last_success_at = (
  SELECT max(h.finished_at) FROM job_history h WHERE h.kind = s.kind AND h.org_id IS NULL AND h.state = 'succeeded');
