#!/usr/bin/env python3
"""The figures of docs/benchmarks.md, measured on a real appliance. Run by scripts/bench; standard library and wrk.

    bench.py --binary PATH --models DIR --report FILE [--seconds N] [--documents N] [--first-run SECONDS]
             [--backup-megabytes N] [--passages N,N] [--rows N] [--only backup|objects|telemetry|reads|lists|files|files_s3|files_images|files_peers|mail|uptime|status_page|peers|ingest|search]

What --first-run measured stays in the report when a later run does not measure it again.
"""
import argparse
import datetime
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "clients"))
import backup  # noqa: E402
import files  # noqa: E402
import files_images  # noqa: E402
import files_peers  # noqa: E402
import files_s3  # noqa: E402
import lists  # noqa: E402
import mail  # noqa: E402
import objects  # noqa: E402
import peers  # noqa: E402
import reads  # noqa: E402
import search  # noqa: E402
import status_page  # noqa: E402
import telemetry  # noqa: E402
import uptime  # noqa: E402
from management import Api, first_key, first_sign_in, make_key, wait_until_ready  # noqa: E402
from with_appliance import EMAIL, free_port, one_time_password, stop, wait_ready  # noqa: E402

WORDS = ("valve pressure warranty kettle contract invoice delivery customer engine torque garden policy holiday salary "
         "server backup restore cluster network firewall password account report budget quarter harbour lantern").split()
PAGE_CHARACTERS = 3000  # a printed page of prose
READ_ROWS = 20
FIRST_RUN = "first `scripts/run` on a machine without a build, to a served page"


class Appliance:
    """A release binary on a data directory that outlives its restarts."""

    def __init__(self, binary, models, settings=None):
        self.settings = settings or {}
        self.folder = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        self.folder.chmod(0o755)
        (self.folder / "data").mkdir()
        (self.folder / "data" / "models").symlink_to(Path(models).resolve())
        self.binary, self.api, self.ops = binary, free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api}"
        self.log = self.folder / "log"

    def start(self):
        """Starts it; returns the seconds until /readyz answered 200."""
        environment = {
            **os.environ,
            "HOLDFAST_DATA_DIR": str(self.folder / "data"),
            "HOLDFAST_SERVER__LISTEN": f"127.0.0.1:{self.api}",
            "HOLDFAST_OPS__LISTEN": f"127.0.0.1:{self.ops}",
            "HOLDFAST_ADMIN__EMAIL": EMAIL,
            # The limits would be what is measured: every request comes from one address and one key.
            "HOLDFAST_SERVER__REQUESTS_PER_MINUTE": "10000000",
            "HOLDFAST_SERVER__REQUEST_BURST": "1000000",
            "HOLDFAST_SERVER__PRINCIPAL_REQUESTS_PER_MINUTE": "10000000",
            "HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST": "1000000",
            **self.settings,
        }
        with self.log.open("a") as output:
            started = time.monotonic()
            self.process = subprocess.Popen([self.binary, "serve"], env=environment, stdout=output, stderr=output, start_new_session=True)
        wait_ready(f"http://127.0.0.1:{self.ops}/readyz", self.process, self.log, 60)
        return time.monotonic() - started

    def stop(self):
        assert stop(self.process) == 0, self.log.read_text()[-3000:]

    def resident_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def document(number, pages):
    random.seed(number)
    parts = [f"# Handbook {number}"]
    while sum(map(len, parts)) < pages * PAGE_CHARACTERS:
        parts.append(f"## Section {len(parts)}")
        parts.extend(" ".join(random.choices(WORDS, k=12)).capitalize() + "." for _ in range(6))
    return "\n\n".join(parts)


def measure_starts(appliance, runs=5):
    seconds = []
    for _ in range(runs):
        appliance.stop()
        seconds.append(appliance.start())
    return statistics.median(seconds)


def make_rows(api):
    for number in range(READ_ROWS):
        api.call("POST", "/api/v1/knowledge-bases", {"name": f"Base {number}", "description": "Read by the benchmark of reads."})


def measure_requests(appliance, key, seconds, *more, connections=32):
    """wrk on the list of knowledge bases, or with a script of wrk's in `more` what that does there. Returns (requests/s, p50 ms, p99 ms)."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {key}", *more, f"{appliance.url}/api/v1/knowledge-bases"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        sys.exit(f"wrk saw errors:\n{output}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    return rate, latency(output, "50%"), latency(output, "99%")


def latency(output, percentile):
    number, unit = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)", output).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure_ingest(api, documents, pages):
    """Uploads, and waits until all are ready. Returns (base id, pages/s)."""
    base = api.call("POST", "/api/v1/knowledge-bases", {"name": "Benchmark"})["id"]
    texts = [document(n, pages) for n in range(documents)]
    started = time.monotonic()
    ids = [api.upload(base, f"handbook-{n}.md", text)["id"] for n, text in enumerate(texts)]
    wait_until_ready(api, base, ids, 1800)
    return base, documents * pages / (time.monotonic() - started)


def measure_search(appliance, key, base, pages):
    """The rows of questions to a base that was just ingested, and has settled."""
    for mode in ("text", "vector", "hybrid"):
        p50, p95 = search.Questions(appliance.url, key, seed=pages, texts=[" ".join(WORDS)]).measure(base, mode)
        yield f"search over {pages} pages, {mode}, right after the ingest", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms", ""


def measure_overtaking(appliance, api, key, base, pages, documents=20):
    """The row of questions while as many other documents get their vectors."""
    other = api.call("POST", "/api/v1/knowledge-bases", {"name": "Uploaded meanwhile"})["id"]
    ids = [api.upload(other, f"later-{n}.md", document(10_000 + n, 10))["id"] for n in range(documents)]
    time.sleep(2)
    questions, times = search.Questions(appliance.url, key, seed=11, texts=[" ".join(WORDS)]), []
    while any(api.call("GET", f"/api/v1/knowledge-bases/{other}/documents/{one}")["status"] != "ready" for one in ids[-1:]):
        times += [questions.ask(base) for _ in range(10)]
    cuts = statistics.quantiles(times, n=20)
    yield f"hybrid search over {pages} pages while {documents} documents are embedded", f"p50 {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms ({len(times)} questions)", ""


def measure_ingest_and_search(args, appliance, key):
    api = Api(appliance.url, key)
    base, rate = measure_ingest(api, args.documents, 10)
    yield f"ingest of Markdown, {args.documents} documents of 10 pages, upload to ready", f"{rate:.1f} pages/s", "12 pages/s"
    yield from measure_search(appliance, key, base, args.documents * 10)
    yield from measure_overtaking(appliance, api, key, base, args.documents * 10)


def machine():
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) / 1024 / 1024
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def first_run(args):
    """The row of the first run: measured now (see scripts/bench --first-run), or carried over from the report that is there."""
    if args.first_run:
        return (FIRST_RUN, f"{args.first_run / 60:.1f} min ({datetime.date.today()})", "about 15 min")
    for line in args.report.read_text().splitlines() if args.report.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == FIRST_RUN:
            return tuple(cells)
    return None


def kept_sections(report):
    """The sections that are measured otherwise, of the report that is there."""
    found = re.findall(r"^## (?:Building|Outages)\b.*?(?=^## |\Z)", report.read_text() if report.exists() else "", re.M | re.S)
    return "".join(f"\n{section.rstrip()}\n" for section in found)


def run(args, appliance):
    rows = [row] if (row := first_run(args)) else []

    def row(what, value, goal=""):
        rows.append((what, value, goal))
        print(f"{what}: {value}", flush=True)

    row("first start, cluster made and migrated, to ready", f"{appliance.start():.2f} s")
    key = first_key(appliance.url, EMAIL, one_time_password(appliance.folder / "data"))
    row("`serve` to ready on existing data, private PostgreSQL included (median of 5)", f"{measure_starts(appliance):.2f} s", "2 s")
    time.sleep(20)
    row("idle resident memory", f"{appliance.resident_mb():.0f} MB", "150 MB")
    api = Api(appliance.url, key)
    api.call("POST", "/v1/embeddings", {"model": "embed", "input": "warm"})
    time.sleep(5)
    row("idle resident memory, MiniLM loaded", f"{appliance.resident_mb():.0f} MB", "350 MB")
    for measured in measure_ingest_and_search(args, appliance, key):
        row(*measured)
    row("resident memory after all that", f"{appliance.resident_mb():.0f} MB")
    return rows


def run_apart(args, measure):
    """The rows that `measure(start, folder)` yields, on appliances of its own; `start(settings)` gives (appliance, API, key)."""
    folder, started = Path(tempfile.mkdtemp(prefix="holdfast-bench-")), []
    folder.chmod(0o755)

    def start(settings):
        appliance = Appliance(args.binary, args.models, settings)
        started.append(appliance)
        appliance.start()
        api = first_sign_in(appliance.url, EMAIL, one_time_password(appliance.folder / "data"))
        return appliance, api, make_key(api)

    try:
        for row in measure(start, folder):
            print(f"{row[0]}: {row[1]}", flush=True)
            yield row
    finally:
        for appliance in started:
            appliance.remove()
        shutil.rmtree(folder, ignore_errors=True)


def run_backup(args):
    return run_apart(args, lambda start, folder: backup.measure(start, folder, args.backup_megabytes))


def run_objects(args):
    return run_apart(args, objects.measure)


def with_rows(start):
    """Starts an appliance that has a list to read."""
    def start_with_rows(settings):
        appliance, _, key = start(settings)
        make_rows(Api(appliance.url, key))
        return appliance, key

    return start_with_rows


def run_search(args):
    return run_apart(args, lambda start, folder: search.measure(start, folder, args.passages))


def run_reads(args):
    return run_apart(args, lambda start, folder: reads.measure(with_rows(start), folder, measure_requests, READ_ROWS, args.seconds))


def run_lists(args):
    return run_apart(args, lambda start, folder: lists.measure(start, folder, args.rows))


def run_files(args):
    return run_apart(args, lambda start, folder: files.measure(start, folder, 10 * args.rows))


def run_files_s3(args):
    return run_apart(args, lambda start, folder: files_s3.measure(start, folder, os.environ.get("BENCH_PYTHON", sys.executable)))


def run_files_images(args):
    return run_apart(args, lambda start, folder: files_images.measure(start))


def run_files_peers(args):
    return run_apart(args, lambda start, folder: files_peers.measure(start))


def run_mail(args):
    return run_apart(args, lambda start, folder: mail.measure(start, folder, waiting=args.rows))


def run_uptime(args):
    yield from run_apart(args, uptime.measure)
    yield from run_apart(args, uptime.history)


def run_status_page(args):
    return run_apart(args, status_page.measure)


def run_peers(_):
    target = uptime.Target()
    try:
        for row in peers.measure(f"http://127.0.0.1:{target.port}/"):
            print(f"{row[0]}: {row[1]}", flush=True)
            yield row
    finally:
        target.stop()


def run_ingest(args):
    def measure(start, _):
        appliance, _, key = start({})
        return measure_ingest_and_search(args, appliance, key)

    return run_apart(args, measure)


def run_telemetry(args):
    def measure(start, _):
        start_with_rows = with_rows(start)
        return telemetry.measure(start_with_rows, lambda appliance, key: measure_requests(appliance, key, max(args.seconds // 3, 3)), free_port())

    return run_apart(args, measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--models", required=True)
    parser.add_argument("--report", required=True, type=Path)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--first-run", type=float, metavar="SECONDS", help="what a first scripts/run took")
    parser.add_argument("--backup-megabytes", type=int, default=1300, help="size of the database that is backed up; 0 leaves backups out")
    parser.add_argument("--passages", type=lambda text: [int(size) for size in text.split(",") if size], default=[10_000, 100_000],
                        help="sizes of the bases that are searched, with a comma between them; none leaves them out")
    parser.add_argument("--rows", type=int, default=100_000, help="of each kind, in the organisation whose lists are read")
    parser.add_argument("--only", choices=("backup", "objects", "telemetry", "reads", "lists", "files", "files_s3", "files_images", "files_peers", "mail", "uptime", "status_page", "peers", "ingest", "search"), help="print the figures of this part, and write no report")
    args = parser.parse_args()
    if args.only:
        parts = {"backup": run_backup, "objects": run_objects, "telemetry": run_telemetry, "reads": run_reads, "lists": run_lists, "files": run_files, "files_s3": run_files_s3, "files_images": run_files_images, "files_peers": run_files_peers, "mail": run_mail, "uptime": run_uptime, "status_page": run_status_page, "peers": run_peers, "ingest": run_ingest, "search": run_search}
        list(parts[args.only](args))
        return
    appliance = Appliance(args.binary, args.models)
    try:
        rows = run(args, appliance)
        appliance.stop()
    finally:
        appliance.remove()
    rows += run_reads(args)
    rows += run_lists(args)
    rows += run_files(args)
    rows += run_files_s3(args)
    rows += run_files_images(args)
    rows += run_files_peers(args)
    rows += run_mail(args)
    rows += run_uptime(args)
    rows += run_status_page(args)
    rows += run_peers(args)
    if args.passages:
        rows += run_search(args)
    rows += run_telemetry(args)
    if args.backup_megabytes:
        rows += run_backup(args)
        rows += run_objects(args)
    version = subprocess.run([args.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    lines = ["# Benchmarks", "", f"Written by `scripts/bench` on {datetime.date.today()}: {version}, release build, {machine()}.",
             "The load generator runs on the same machine.", "", "| what | measured | at least |", "|---|---|---|"]
    lines += [f"| {what} | {value} | {goal} |" for what, value, goal in rows]
    args.report.write_text("\n".join(lines) + "\n" + kept_sections(args.report))


if __name__ == "__main__":
    main()
