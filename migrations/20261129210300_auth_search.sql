-- Searching the lists of members, people, organisations and API keys; how, says 20261129210100_knowledge_search.sql.

SELECT holdfast_search_index('users_search_idx', $$users USING gin ((email || ' ' || name) gin_trgm_ops)$$);
SELECT holdfast_search_index('organisations_search_idx', $$organisations USING gin ((name || ' ' || slug) gin_trgm_ops)$$);
SELECT holdfast_search_index('api_keys_search_idx', $$api_keys USING gin (org_id, (name || ' hf_' || prefix) gin_trgm_ops)$$);
CREATE INDEX sessions_user_id_id_idx ON sessions (user_id, id);

-- Asked for each person that is read: `IN (SELECT ...)` and `EXISTS` are answered by listing all members of the organisation first, for a page
-- as for all. A sub-select that gives a value is not; memberships' primary key makes it one row at most.
ALTER POLICY tenant ON users USING ((SELECT true FROM memberships m
  WHERE m.user_id = users.id AND m.org_id = (SELECT nullif(current_setting('holdfast.org_id', true), '')::uuid)));

-- Newest account first, or (`oldest`) the other way round: then `beyond` is the last one of the page before.
CREATE FUNCTION auth_members_found(pattern text, beyond uuid, oldest boolean, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  IF oldest THEN
    RETURN QUERY SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id
      WHERE m.org_id = org AND m.user_id > beyond AND (u.email || ' ' || u.name) ILIKE pattern
      ORDER BY m.user_id LIMIT most;
  ELSE
    RETURN QUERY SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id
      WHERE m.org_id = org AND m.user_id < beyond AND (u.email || ' ' || u.name) ILIKE pattern
      ORDER BY m.user_id DESC LIMIT most;
  END IF;
END $$;
SELECT holdfast_found_by('auth_members_found(text, uuid, boolean, bigint)', 'app');

CREATE FUNCTION auth_keys_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  org CONSTANT uuid := holdfast_current_org();
BEGIN
  RETURN QUERY SELECT k.id FROM api_keys k
    WHERE k.org_id = org AND (k.name || ' hf_' || k.prefix) ILIKE pattern AND k.id < below
    ORDER BY k.id DESC LIMIT most;
END $$;
SELECT holdfast_found_by('auth_keys_found(text, uuid, bigint)', 'app');

-- Of the whole installation, for its operators.
CREATE FUNCTION auth_organisations_found(pattern text, beyond uuid, oldest boolean, most bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
BEGIN
  IF oldest THEN
    RETURN QUERY SELECT o.id FROM organisations o WHERE (o.name || ' ' || o.slug) ILIKE pattern AND o.id > beyond ORDER BY o.id LIMIT most;
  ELSE
    RETURN QUERY SELECT o.id FROM organisations o WHERE (o.name || ' ' || o.slug) ILIKE pattern AND o.id < beyond ORDER BY o.id DESC LIMIT most;
  END IF;
END $$;
SELECT holdfast_found_by('auth_organisations_found(text, uuid, boolean, bigint)', 'system');
