-- Searching and filtering the list of alerts; how, says 20261129210100_knowledge_search.sql. Alerts have no organisation, and no row-level
-- security.

-- What an alert is found by: its name, its summary and the values of its labels.
CREATE FUNCTION alerts_text(name text, annotations jsonb, labels jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT concat_ws(' ', name, annotations ->> 'summary', (SELECT string_agg(value, ' ' ORDER BY key) FROM jsonb_each_text(labels)))
$$;
SELECT holdfast_search_index('alerts_search_idx', 'alerts USING gin (alerts_text(name, annotations, labels) gin_trgm_ops)');
CREATE INDEX alerts_severity_idx ON alerts (severity, id);
-- What fires, in the order of the page.
CREATE INDEX alerts_worst_idx ON alerts (array_position(ARRAY['critical', 'warning', 'info', 'none'], severity), starts_at DESC, id)
  WHERE ends_at IS NULL;

-- NULL is no filter. `since`, `until`: what fired between.
CREATE FUNCTION alerts_found(
  firing boolean, of_severity text, pattern text, since timestamptz, until timestamptz, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  RETURN QUERY SELECT a.id FROM alerts a
    WHERE a.id < below AND (firing IS NULL OR (a.ends_at IS NULL) = firing) AND (of_severity IS NULL OR a.severity = of_severity)
      AND (pattern IS NULL OR alerts_text(a.name, a.annotations, a.labels) ILIKE pattern)
      AND (since IS NULL OR a.ends_at IS NULL OR a.ends_at >= since) AND (until IS NULL OR a.starts_at < until)
    ORDER BY a.id DESC LIMIT most;
END $$;
SELECT holdfast_found_by('alerts_found(boolean, text, text, timestamptz, timestamptz, uuid, bigint)', 'system');
