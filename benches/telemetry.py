"""What telemetry costs: reads with metrics scraped, traces and logs on and sent to a Loki, against the same binary with all of it off.
Used by bench.py.

Loki is a server that reads what it is sent and says 204. Metrics cannot be switched off: counting goes on, nobody asks.
"""
import http.server
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

OFF = {"HOLDFAST_TELEMETRY__LOG": "off", "HOLDFAST_TELEMETRY__RECENT_LINES": "0"}
# More often than compose/ asks.
SCRAPE_SECONDS = 2


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Loki:
    """A process of its own, so that it does not wait for the benchmark's interpreter."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, __file__, str(port)])

    def stop(self):
        self.process.kill()
        self.process.wait()


class Scraper:
    """A Prometheus, as far as the appliance sees. Keeps how long each answer took, ms."""

    def __init__(self, port, pause=SCRAPE_SECONDS):
        self.url, self.times, self.stopping, self.pause = f"http://127.0.0.1:{port}/metrics", [], threading.Event(), pause
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        while not self.stopping.wait(self.pause):
            started = time.monotonic()
            with urllib.request.urlopen(urllib.request.Request(self.url, headers=accept), timeout=10) as answer:
                answer.read()
            self.times.append((time.monotonic() - started) * 1000)

    def stop(self):
        self.stopping.set()
        self.thread.join()


def measure(start, reads, loki_port, rounds=15):
    """`start(settings)` starts an appliance and returns it with a key, `reads(appliance, key)` gives (requests/s, p50, p99).
    Yields rows (what, value, goal)."""
    loki = Loki(loki_port)
    try:
        on, on_key = start({"HOLDFAST_TELEMETRY__LOKI_URL": loki.url})
        off, off_key = start(OFF)
        rates, ratios, scrapes = [], [], []
        for at in range(rounds):
            # Each goes first in turn: a machine that is slower for a while slows both.
            without = reads(off, off_key)[0] if at % 2 else None
            scraper = Scraper(on.ops)
            rate, _, _ = reads(on, on_key)
            scraper.stop()
            scrapes += scraper.times
            rates.append(rate)
            ratios.append(rate / (without or reads(off, off_key)[0]))
        ratios.sort()
        yield (
            "reads with metrics, traces and Loki on, against all of it off",
            f"{statistics.median(ratios) * 100:.0f} % ({ratios[rounds // 4] * 100:.0f} to {ratios[-1 - rounds // 4] * 100:.0f} in half of {rounds} rounds; {statistics.median(rates):.0f} requests/s)",
            "90 %",
        )
        yield "`/metrics` meanwhile, median", f"{statistics.median(scrapes):.1f} ms", ""
        time.sleep(5)  # What the load left to do: vacuuming, the last lines to Loki.
        idle = Scraper(on.ops, 0.5)
        time.sleep(10)
        idle.stop()
        yield "`/metrics` when nothing else is asked, median", f"{statistics.median(idle.times):.1f} ms", "5 ms"
    finally:
        loki.stop()


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
