"""How long a question takes in bases of several sizes: right after they were filled, and when maintenance has been. Used by bench.py.

The passages are sentences of our own pages, put together anew, and go into the database as reading would have put them there. Their
vectors are those of some hundred passages that the model embedded, mixed with each other, and lie in the cache of embeddings: the
rest, from the job that embeds a document on, is what serves. Every question is new, so that its vector is in no cache.
"""
import hashlib
import http.client
import json
import random
import re
import statistics
import struct
import subprocess
import time
import urllib.request
import uuid
from pathlib import Path

from backup import Server
from management import Api, wait_for

DOCS = Path(__file__).resolve().parent.parent / "docs"
EMBEDDED = 256
PASSAGE_CHARACTERS = 900
PASSAGES_OF_A_DOCUMENT = 250


def sentences():
    """Sentences of our own documentation."""
    texts = [path.read_text() for path in sorted(DOCS.rglob("*.md")) if path.name != "metrics.md"]
    found = re.findall(r"[A-Z][^.!?|`#*\n]{40,200}[.!?]", " ".join(text.replace("\n", " ") for text in texts))
    assert len(found) > 300, len(found)
    return sorted(set(found))


def passage(chance, choices, number):
    parts = [f"Entry {number}."]
    while sum(map(len, parts)) < PASSAGE_CHARACTERS:
        parts.append(chance.choice(choices))
    return " ".join(parts)


def embed(api, texts):
    vectors = []
    for at in range(0, len(texts), 32):
        made = api.call("POST", "/v1/embeddings", {"model": "embed", "input": texts[at:at + 32]})
        vectors += [entry["embedding"] for entry in made["data"]]
    return made["model"], vectors


def mixed(chance, vectors):
    first, second = chance.sample(vectors, 2)
    share = chance.uniform(0.3, 0.7)
    vector = [share * a + (1 - share) * b + chance.uniform(-0.02, 0.02) for a, b in zip(first, second)]
    length = sum(x * x for x in vector) ** 0.5
    return struct.pack(f"<{len(vector)}f", *(x / length for x in vector))


class Fill:
    """Writes documents that are read and not embedded yet, straight into the database."""

    def __init__(self, server, api):
        self.server, self.chance, self.choices = server, random.Random(7), sentences()
        texts = [passage(self.chance, self.choices, number) for number in range(EMBEDDED)]
        self.model, self.vectors = embed(api, texts)
        self.org = server.sql("SELECT id FROM organisations")
        self.number = 0

    def copy(self, table, columns, lines):
        command = [self.server.bin / "psql", "-h", self.server.data, "-U", "postgres", "-d", "holdfast", "-qAtX", "-v", "ON_ERROR_STOP=1",
                   "-c", f"COPY {table} ({columns}) FROM STDIN"]
        subprocess.run(command, check=True, input="\n".join(lines) + "\n", text=True)

    def add(self, base, passages):
        for begin in range(0, passages, PASSAGES_OF_A_DOCUMENT):
            self.document(base, min(PASSAGES_OF_A_DOCUMENT, passages - begin))

    def document(self, base, passages):
        document, chunks, cached = uuid.UUID(int=self.chance.getrandbits(128), version=4), [], []
        for ordinal in range(passages):
            self.number += 1
            text = passage(self.chance, self.choices, self.number + EMBEDDED)
            key = hashlib.sha256(text.encode()).hexdigest()
            chunk = uuid.UUID(int=self.chance.getrandbits(128), version=4)
            chunks.append(f"{chunk}\t{self.org}\t{document}\t{ordinal}\t{text}\t0\t{len(text)}\t{{}}\t{len(text) // 4}\t\\\\x{key}")
            cached.append(f"{self.org}\t{self.model}\t\\\\x{key}\t\\\\x{mixed(self.chance, self.vectors).hex()}\tnow\tnow")
        self.server.sql(
            "INSERT INTO knowledge_documents (id, org_id, knowledge_base_id, filename, kind, size, sha256, status, chunks, created_by, created_at, updated_at) "
            f"VALUES ('{document}', '{self.org}', '{base}', 'filled-{document}.md', 'markdown', 1, sha256('{document}'), 'embedding', {passages}, 'bench', now(), now())"
        )
        self.copy("knowledge_chunks", "id, org_id, document_id, ordinal, text, start_char, end_char, heading, tokens, text_sha256", chunks)
        self.copy("embedding_cache", "org_id, model_id, text_hash, vector, created_at, last_used_at", cached)


class Questions:
    """Asks, one at a time, over one connection; never the same twice."""

    def __init__(self, url, key, seed=1, texts=None):
        """`texts`: what the base is about; sentences of our own documentation without it."""
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.chance, self.choices = random.Random(seed), texts or sentences()

    def ask(self, base, mode="hybrid"):
        """Returns milliseconds."""
        words = self.chance.choice(self.choices).split()
        query = " ".join(self.chance.sample(words, min(6, len(words)))) + f" {self.chance.randrange(10**6)}"
        body = json.dumps({"query": query, "limit": 8, "mode": mode})
        started = time.monotonic()
        self.connection.request("POST", f"/api/v1/knowledge-bases/{base}/search", body, self.headers)
        response = self.connection.getresponse()
        content = response.read()
        took = (time.monotonic() - started) * 1000
        assert response.status == 200 and json.loads(content)["results"], (response.status, content)
        return took

    def measure(self, base, mode="hybrid", runs=200):
        """Returns (p50, p95) in milliseconds."""
        cuts = statistics.quantiles([self.ask(base, mode) for _ in range(runs)], n=20)
        return cuts[9], cuts[18]


def sums(ops):
    """Name, label and value of the sums and counts that tell where searches and updates spend their time."""
    with urllib.request.urlopen(f"http://127.0.0.1:{ops}/metrics") as response:
        text = response.read().decode()
    found = re.findall(r'^(holdfast_knowledge_(?:search_part|index_update)_duration_seconds_(?:sum|count))\{\w+="(\w+)"\} (\S+)', text, re.M)
    return {(name.rsplit("_", 1)[1], label): float(value) for name, label, value in found}


def parts(before, after):
    """Mean milliseconds of each part of the searches in between."""
    told = []
    for label in ("bases", "embed", "text", "vector", "rows"):
        count = after["count", label] - before["count", label]
        if count:
            told.append(f"{label} {(after['sum', label] - before['sum', label]) / count * 1000:.1f}")
    return ", ".join(told)


def settle(server):
    """Lets maintenance run now."""
    before = server.sql("UPDATE job_schedules SET next_at = now() WHERE name = 'knowledge.maintain' RETURNING now()").splitlines()[0]
    done = f"SELECT count(*) FROM job_schedules WHERE name = 'knowledge.maintain' AND last_success_at > '{before}'"
    wait_for("maintenance", lambda: server.sql(done) == "1", 1800)


def fill(appliance, server, api, filling, base, passages):
    """Fills a base as the loss of its jobs would be repaired: they are queued when the appliance starts. Returns seconds."""
    appliance.stop()
    filling.add(base, passages)
    server.sql("ANALYZE")
    started = time.monotonic()
    appliance.start()

    def done():
        found = api.call("GET", f"/api/v1/knowledge-bases/{base}")
        assert not found["documents_failed"], found
        return found["documents_ready"] == found["documents"]

    wait_for("filled", done, 3600)
    return time.monotonic() - started


def measure(start, folder, sizes=(10_000, 100_000)):
    """`start(settings)` starts an appliance and returns it with a session's API and a key. Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        appliance, _, key = start({"HOLDFAST_DATABASE__URL": server.url})
        api = Api(appliance.url, key)
        filling = Fill(server, api)
        goals = {(10_000, "fresh"): 25, (10_000, "settled"): 25, (100_000, "settled"): 35}
        for size in sizes:
            base = api.call("POST", "/api/v1/knowledge-bases", {"name": f"{size} passages"})["id"]
            seconds = fill(appliance, server, api, filling, base, size)
            yield f"{size} passages into the index, vectors at hand", f"{size / seconds:.0f} passages/s", ""
            for state in ("fresh", "settled"):
                if state == "settled":
                    settle(server)
                questions = Questions(appliance.url, key, seed=size + len(state))
                # The appliance was started a moment ago: its first questions pay for memory that the process never touched before.
                questions.measure(base)
                before = sums(appliance.ops)
                p50, p95 = questions.measure(base)
                goal = goals.get((size, state))
                yield (
                    f"hybrid search over {size} passages, {state}",
                    f"p50 {p50:.1f} ms, p95 {p95:.1f} ms (mean of {parts(before, sums(appliance.ops))})",
                    f"p95 {goal} ms" if goal else "",
                )
            yield f"resident memory with {size} passages", f"{appliance.resident_mb():.0f} MB", ""
    finally:
        server.stop()
