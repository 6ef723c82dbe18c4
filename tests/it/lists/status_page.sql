INSERT INTO status_pages (id, org_id, code, slug, name, visibility, zone, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), '$org', lpad('p' || n, 12, '0'), 'page-' || n, pg_temp.word(n), 'private', 'UTC', 'x', now(), now() FROM n;
INSERT INTO status_page_groups (id, org_id, page_id, code, name, position, created_at, updated_at)
  VALUES (pg_temp.id(1), '$org', pg_temp.id($rows), 'g00000000001', 'x', 1, now(), now());
INSERT INTO status_page_components (page_id, component_id, org_id, group_id, position)
  VALUES (pg_temp.id($rows), pg_temp.id(1), '$org', pg_temp.id(1), 1);
-- Looked at just now: not again while a test runs.
INSERT INTO status_page_domains (page_id, domain, org_id, proof, checked_at) VALUES (pg_temp.id($rows), 'status.example.com', '$org', 'x', now());
INSERT INTO status_page_subscribers (id, org_id, page_id, address, address_key, language, asked_at, confirmed_at)
  SELECT pg_temp.id(n), '$org', pg_temp.id($rows), 'person' || n || '@example.com', 'person' || n || '@example.com', 'en', now(), now() FROM n;
INSERT INTO status_page_renders (page_id, path, org_id, content_type, etag, body, version)
  VALUES (pg_temp.id($rows), 'summary.json', '$org', 'application/json', '"x"', '{}', 1);
INSERT INTO status_page_versions (page_id, org_id, version, term, rendered_at, as_of) VALUES (pg_temp.id($rows), '$org', 1, 1, now(), now());
