"""Lists of an organisation that has 100 000 rows of each kind: first, middle and last page, and searches. Used by bench.py.

The rows go into the database as SQL; what is measured is a request of the console's operator, one at a time, as a client sees it.
"""
import statistics
import time
from urllib.parse import quote

from backup import Server

GOAL = 30
PAGE = 50

# `word(n)`: what a search finds in every row, and in one of a thousand.
FILL = """
CREATE FUNCTION pg_temp.id(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid $$;
CREATE FUNCTION pg_temp.word(n int) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN n % 1000 = 7 THEN 'common heron ' ELSE 'common ' END || md5(n::text) $$;
CREATE TABLE pg_temp.n AS SELECT n FROM generate_series(1, {rows}) AS n;
INSERT INTO knowledge_bases (id, org_id, name, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), o.id, pg_temp.word(n), 'x', now(), now() FROM n, organisations o WHERE n <= {bases};
INSERT INTO knowledge_documents (id, org_id, knowledge_base_id, filename, title, kind, size, sha256, status, chunks, created_by, created_at, updated_at)
  SELECT pg_temp.id(n), o.id, pg_temp.id({bases}), pg_temp.word(n) || '.pdf', 'Handbook ' || n, 'pdf', 1, sha256(n::text::bytea), 'ready', 9, 'x', now(), now()
  FROM n, organisations o;
INSERT INTO agents (id, org_id, slug, name, current_version, created_at, updated_at) SELECT pg_temp.id(1), id, 'bench', 'Bench', 1, now(), now() FROM organisations;
INSERT INTO agent_versions (org_id, agent_id, version, settings, created_by, created_at) SELECT id, pg_temp.id(1), 1, '{{}}', 'x', now() FROM organisations;
INSERT INTO conversations (id, org_id, agent_id, title, subject, created_at, updated_at)
  SELECT pg_temp.id(n), o.id, pg_temp.id(1), 'About ' || md5(n::text), 'user:' || u.id, now(), now() FROM n, organisations o, users u;
INSERT INTO messages (id, org_id, conversation_id, role, status, content, created_at)
  SELECT pg_temp.id(2 * n + k), o.id, pg_temp.id(n), CASE k WHEN 0 THEN 'user' ELSE 'assistant' END, 'complete',
    pg_temp.word(n) || repeat(' pressure of the valve and the warranty of the kettle', 1 + 10 * k), now()
  FROM n, organisations o, generate_series(0, 1) AS k;
INSERT INTO job_history (id, org_id, queue, kind, state, priority, attempts, max_attempts, created_at, run_at, finished_at, last_error)
  SELECT pg_temp.id(n), o.id, 'knowledge', CASE n % 2 WHEN 0 THEN 'knowledge.common' ELSE 'knowledge.other' END, 'succeeded', 0, 1, 1, now(), now(),
    now() - n * interval '15 seconds', CASE n % 1000 WHEN 7 THEN 'a heron' END FROM n, organisations o;
INSERT INTO alerts SELECT pg_temp.id(n), md5(n::text), now(), now(), pg_temp.word(n), 'warning', jsonb_build_object('instance', 'host-' || n), '{{}}', '', now(), now() FROM n;
INSERT INTO users (id, email, name, password_hash, created_at) SELECT pg_temp.id(n), 'person' || n || '@example.com', pg_temp.word(n), 'x', now() FROM n;
INSERT INTO memberships (org_id, user_id, role, created_at) SELECT o.id, pg_temp.id(n), 'member', now() FROM n, organisations o;
"""


def lists(server):
    """Name -> path. The base with the documents is the newest, the agent the only one."""
    base, agent = server.sql("SELECT id FROM knowledge_bases ORDER BY id DESC LIMIT 1"), server.sql("SELECT id FROM agents")
    return {
        "knowledge bases": "/api/v1/knowledge-bases",
        "documents": f"/api/v1/knowledge-bases/{base}/documents",
        "conversations": f"/api/v1/agents/{agent}/conversations",
        "jobs": "/api/v1/jobs",
        "alerts": "/api/v1/alerts",
        "members": "/api/v1/members",
    }


def cursors(api, path):
    """Of the middle and of the last page; and how many rows there are."""
    found, rows, cursor = [], 0, ""
    while cursor is not None:
        found.append(cursor)
        page = api.call("GET", f"{path}?limit=200&cursor={cursor}")
        rows, cursor = rows + len(page["data"]), page["next_cursor"]
    return found[len(found) // 2], found[-1], rows


def p95(api, path, query, times):
    seen = []
    for _ in range(times):
        started = time.monotonic()
        api.call("GET", f"{path}?limit={PAGE}&{query}")
        seen.append((time.monotonic() - started) * 1000)
    return statistics.quantiles(seen, n=20)[18]


def measure(start, folder, rows=100_000, times=60):
    """`start(settings)` starts an appliance and returns it with its operator's API. Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        _, api, _ = start({"HOLDFAST_DATABASE__URL": server.url})
        server.sql(FILL.format(rows=rows, bases=max(rows // 6, 1)))
        server.sql("VACUUM ANALYZE")
        for name, path in lists(server).items():
            middle, last, count = cursors(api, path)
            queries = {"first page": "", "middle page": f"cursor={middle}", "last page": f"cursor={last}"}
            queries |= {f"search {what}": f"q={quote(word)}" for what, word in
                        (("that all match", "common"), ("that one of 1000 matches", "heron"), ("that none matches", "absentee"))}
            measured = {what: p95(api, path, query, times) for what, query in queries.items()}
            worst = max(measured.values())
            yield (f"list of {count} {name}, p95 of the slowest of: {', '.join(measured)}",
                   f"{worst:.1f} ms ({', '.join(f'{value:.1f}' for value in measured.values())})", f"{GOAL} ms")
    finally:
        server.stop()
