"""What a PromQL expression names, against what a scrape has: metrics, labels, label values. Not a parser; promtool is."""
import re

# Made by Prometheus for each target.
SYNTHETIC = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added", "ALERTS"}
# Of ALERTS and ALERTS_FOR_STATE.
ALERT_LABELS = {"alertname", "alertstate", "severity", "service"}
# Put on by Prometheus, on everything that it scrapes.
TARGET = {"job", "instance"}
WORDS = set(
    "and or unless by without on ignoring group_left group_right offset bool inf nan start end atan2".split()
)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


class Selector:
    def __init__(self, name, matchers):
        self.name, self.matchers = name, matchers

    def labels(self):
        return {label: value for label, op, value in self.matchers if op == "="}


def selectors(expr):
    """The metrics of an expression with their matchers."""
    out = []
    # Grouping lists hold labels, not metrics; ranges and numbers hold units.
    expr = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expr)
    expr = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", expr)
    for match in re.finditer(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{(?:[^}\"]|\"(?:[^\"\\]|\\.)*\")*\})?\s*(\(?)", blank_strings(expr)):
        name, braces, call = match.groups()
        if call or name.lower() in WORDS or match.start() and expr[match.start() - 1].isdigit():
            continue
        text = expr[match.start(2) : match.end(2)] if braces else ""
        out.append(Selector(name, MATCHER.findall(text)))
    return out


def blank_strings(expr):
    """The same length, with nothing in the strings: a matcher's value may hold braces."""
    blank = STRING.sub(lambda m: '"' + "_" * (len(m.group()) - 2) + '"', expr)
    # A selector without a name names no metric.
    return re.sub(r"(?<![\w:\s])\s*\{[^}]*\}", lambda m: " " * len(m.group()), blank)


def grouped(expr):
    """Labels in by (...), on (...) and the like."""
    lists = re.findall(r"\b(?:by|on|ignoring|group_left|group_right|without)\s*\(([^)]*)\)", expr)
    return {label.strip() for text in lists for label in text.split(",") if label.strip()}


class Live:
    """Series of real scrapes, OpenMetrics or Prometheus text."""

    def __init__(self, files):
        # {name: [labels]}, of all scrapes; and of those of single roles, which live.py calls holdfast-api.txt and holdfast-worker.txt.
        self.series, self.roles, self.known = {}, {}, set(SYNTHETIC)
        for file in files:
            role = self.roles.setdefault(file.stem.removeprefix("holdfast-"), {}) if file.stem.startswith("holdfast-") else {}
            for line in file.read_text().splitlines():
                match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\})? ", line)
                if match and not line.startswith("#"):
                    labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""))
                    self.series.setdefault(match.group(1), []).append(labels)
                    role.setdefault(match.group(1), []).append(labels)

    def problems(self, expr):
        used, labels = selectors(expr), TARGET | {"slo", "__name__"}
        for selector in used:
            if selector.name in self.known:
                labels |= ALERT_LABELS if selector.name.startswith("ALERTS") else set()
                continue
            series = self.series.get(selector.name)
            if series is None:
                yield f"no scrape has {selector.name}"
                # What it would be labelled with is not known either.
                labels |= grouped(expr)
                continue
            names = set().union(*series)
            labels |= names
            yield from self.matcher_problems(selector, series, names)
        for label in sorted(grouped(expr) - labels):
            yield f"groups by {label}, which none of its metrics has"

    @staticmethod
    def matcher_problems(selector, series, names):
        for label, op, value in selector.matchers:
            if label in TARGET:
                continue
            if label not in names:
                yield f"{selector.name} has no label {label}"
                continue
            # What is excluded need not exist.
            if op in ("!=", "!~"):
                continue
            for part in value.split("|") if op == "=~" else [value]:
                if not any(re.fullmatch(part, s.get(label, "")) if op == "=~" else s.get(label, "") == part for s in series):
                    yield f'{selector.name} has no series with {label}="{part}"'

    def shape_problem(self, text):
        """A rule test's series must be one that a scrape has shown. What differs from host to host (disks of other exporters) need only have its labels;
        where scrapes of single roles are there, those that the tests name by instance (api:9464, worker:9464) are asked.
        """
        name, _, braces = text.partition("{")
        if name in self.known:
            return None
        given = dict(re.findall(r'(\w+)="([^"]*)"', braces))
        role = given.get("instance", "").partition(":")[0]
        labels = {label: value for label, value in given.items() if label not in TARGET}
        scraped = self.roles.get(role, self.series).get(name)
        if scraped is None:
            return f"no scrape{f' of a process of the role {role}' if role in self.roles else ''} has {name}"
        shapes = {frozenset(series) for series in scraped}
        if frozenset(labels) not in shapes:
            return f"{name} is scraped with {sorted(map(sorted, shapes))}, not {sorted(labels)}"
        if name.startswith("holdfast_") and labels not in scraped:
            return f"{name} is scraped, but never as {labels}"
        return None
