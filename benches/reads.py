"""Reads and creations through row-level security, the reads beside the same query by pgbench, on the same PostgreSQL, as the same role. Used by bench.py.

What is left of the database's own rate is what the rest costs: HTTP, authentication, limits, logs, metrics, JSON.
"""
import re
import statistics
import subprocess
from pathlib import Path

from backup import Server

STORE = Path(__file__).resolve().parent.parent / "src" / "knowledge" / "store" / "bases.rs"
CONNECTIONS = 32
CREATE = """wrk.method, wrk.headers["Content-Type"] = "POST", "application/json"
wrk.body = '{"name": "Made by the benchmark", "description": "One of many."}'
"""


def query():
    """The statement of the list, as the program sends it, with this benchmark's parameters."""
    text = STORE.read_text()
    # The statement stands in the macro in two parts, with the page's bases between them, which the list names first.
    head, tail = re.findall(r'r#"(.*?)"#', text[text.index("macro_rules! select"):text.index("pub async fn list(")], re.S)
    page = re.search(r'"(\(SELECT.*?)"', text[text.index("pub async fn list("):]).group(1)
    statement = head + page + tail
    for parameter, value in {"$1": "'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid", "$2": "51"}.items():
        statement = statement.replace(parameter, value)
    # What follows AS in quotes names a column for the program alone.
    return re.sub(r'"(\w+)[!:][^"]*"', r'"\1"', " ".join(statement.split()))


def pgbench(server, folder, seconds):
    """Transactions a second at as many connections as the program's clients have."""
    role = server.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_app' AND NOT rolsuper")
    org = server.sql("SELECT id FROM organisations")
    script = folder / "list.sql"
    script.write_text(f"BEGIN;\nSELECT set_config('holdfast.org_id', '{org}', true);\n{query()};\nROLLBACK;\n")
    command = [server.bin / "pgbench", "-h", server.data, "-U", role, "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2",
                            "-T", str(seconds), "-f", script, "holdfast"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    return float(re.search(r"tps = ([\d.]+)", output).group(1))


def measure(start, folder, measure_requests, rows, seconds, rounds=3):
    """`start(settings)` starts an appliance with rows to read and returns it with a key. Yields rows (what, value, goal)."""
    server = Server(folder)
    try:
        appliance, key = start({"HOLDFAST_DATABASE__URL": server.url})
        server.sql("VACUUM ANALYZE")
        ours, bare = [], []
        # In turns: the machine's speed varies from minute to minute.
        for _ in range(rounds):
            bare.append(pgbench(server, folder, seconds))
            ours.append(measure_requests(appliance, key, seconds))
        ratios = sorted(rate / other for (rate, _, _), other in zip(ours, bare))
        rate, p50, p99 = sorted(ours)[rounds // 2]
        yield (
            f"authenticated read of a list of {rows} rows through RLS, {CONNECTIONS} connections (median of {rounds})",
            f"{rate:.0f} requests/s (p50 {p50:.1f} ms, p99 {p99:.1f} ms)", "",
        )
        yield (
            "the same transaction by pgbench, as the same role, on the same server; the read above as a share of it",
            f"{statistics.median(bare):.0f} transactions/s; {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})", "",
        )
        (folder / "create.lua").write_text(CREATE)
        rate, p50, p99 = sorted(measure_requests(appliance, key, seconds, "-s", folder / "create.lua") for _ in range(rounds))[rounds // 2]
        yield (
            f"authenticated creation of a knowledge base through RLS, {CONNECTIONS} connections, committed to the disk (median of {rounds})",
            f"{rate:.0f} requests/s (p50 {p50:.1f} ms, p99 {p99:.1f} ms)", "3 600 requests/s",
        )
    finally:
        server.stop()
