-- Searching and filtering the list of alerts; how, says 20261129210000_platform_search.sql. Alerts have no organisation, and no row-level
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
  firing boolean, severity text, pattern text, since timestamptz, until timestamptz, below uuid, most bigint
) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(concat(
      'alerts a WHERE true',
      CASE firing WHEN true THEN ' AND a.ends_at IS NULL' WHEN false THEN ' AND a.ends_at IS NOT NULL' END,
      CASE WHEN severity IS NOT NULL THEN format(' AND a.severity = %L', severity) END,
      CASE WHEN since IS NOT NULL THEN format(' AND (a.ends_at IS NULL OR a.ends_at >= %L)', since) END,
      CASE WHEN until IS NOT NULL THEN format(' AND a.starts_at < %L', until) END),
    'a.id', 'alerts_text(a.name, a.annotations, a.labels)', pattern, below, false, most)
$$;
SELECT holdfast_found_by('alerts_found(boolean, text, text, timestamptz, timestamptz, uuid, bigint)', 'system');
