-- Searching the lists of members, people, organisations and API keys; how, says 20261129210000_platform_search.sql.

SELECT holdfast_search_index('users_search_idx', $$users USING gin ((email || ' ' || name) gin_trgm_ops)$$);
SELECT holdfast_search_index('organisations_search_idx', $$organisations USING gin ((name || ' ' || slug) gin_trgm_ops)$$);
SELECT holdfast_search_index('api_keys_search_idx', $$api_keys USING gin (org_id, (name || ' hf_' || prefix) gin_trgm_ops)$$);
CREATE INDEX sessions_user_id_id_idx ON sessions (user_id, id);

-- Asked for each person that is read: `IN (SELECT ...)` and `EXISTS` are answered by listing all members of the organisation first, for a page
-- as for all. A sub-select that gives a value is not; memberships' primary key makes it one row at most.
ALTER POLICY tenant ON users USING ((SELECT true FROM memberships m
  WHERE m.user_id = users.id AND m.org_id = (SELECT nullif(current_setting('holdfast.org_id', true), '')::uuid)));

-- A person has a bound of its own: that `m.user_id` is bounded says nothing of `u.id` to the planner.
CREATE FUNCTION auth_members_found(pattern text, beyond uuid, oldest boolean, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('memberships m JOIN users u ON u.id = m.user_id WHERE m.org_id = %L AND u.id %s %L',
      holdfast_current_org(), CASE WHEN oldest THEN '>' ELSE '<' END, beyond),
    'm.user_id', $q$(u.email || ' ' || u.name)$q$, pattern, beyond, oldest, most)
$$;
SELECT holdfast_found_by('auth_members_found(text, uuid, boolean, bigint)', 'app');

CREATE FUNCTION auth_keys_found(pattern text, below uuid, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found(format('api_keys k WHERE k.org_id = %L', holdfast_current_org()),
    'k.id', $q$(k.name || ' hf_' || k.prefix)$q$, pattern, below, false, most)
$$;
SELECT holdfast_found_by('auth_keys_found(text, uuid, bigint)', 'app');

-- Of the whole installation, for its operators. As the owner too: under row-level security, even where it lets everything through, the planner
-- may not use what it knows of the values.
CREATE FUNCTION auth_organisations_found(pattern text, beyond uuid, oldest boolean, most bigint) RETURNS SETOF uuid LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT holdfast_found('organisations o WHERE true', 'o.id', $q$(o.name || ' ' || o.slug)$q$, pattern, beyond, oldest, most)
$$;
SELECT holdfast_found_by('auth_organisations_found(text, uuid, boolean, bigint)', 'system');
