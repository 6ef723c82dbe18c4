"""Grafana's provisioning files: the keys that Grafana knows, the addresses and uids that the rest of the repository counts on."""
import re

import yaml

# Keys that Grafana's provisioning reads (pkg/services/provisioning/{datasources,dashboards}/types.go): an unknown one is silently ignored.
SOURCE_KEYS = {
    "name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData", "secureJsonData", "orgId", "user", "database", "basicAuth",
    "basicAuthUser", "withCredentials", "version", "correlations",
}
JSON_KEYS = {
    "prometheus": {"prometheusType", "prometheusVersion", "httpMethod", "timeInterval", "queryTimeout", "exemplarTraceIdDestinations", "manageAlerts", "cacheLevel", "incrementalQuerying", "disableMetricsLookup"},
    "loki": {"maxLines", "derivedFields", "manageAlerts", "timeout", "predefinedOperations"},
    "alertmanager": {"implementation", "handleGrafanaManagedAlerts"},
}
EXEMPLAR_KEYS = {"name", "url", "urlDisplayLabel", "datasourceUid"}
DERIVED_KEYS = {"name", "matcherRegex", "matcherType", "url", "urlDisplayLabel", "datasourceUid", "targetBlank"}
PROVIDER_KEYS = {"name", "orgId", "type", "folder", "folderUid", "disableDeletion", "allowUiUpdates", "updateIntervalSeconds", "editable", "options"}
ADDRESSES = {"prometheus": "http://prometheus:9090", "loki": "http://loki:3100", "alertmanager": "http://alertmanager:9093"}


def check_provisioning(folder, pages):
    """What is wrong with the files of a provisioning folder: [message]."""
    sources = [entry for file in sorted((folder / "datasources").glob("*.yml")) for entry in read(file, "datasources")]
    providers = [entry for file in sorted((folder / "dashboards").glob("*.yml")) for entry in read(file, "providers")]
    found = []
    for kind in ADDRESSES.keys() - {source.get("uid") for source in sources}:
        found.append(f"provisioning: no data source has the uid {kind}")
    for source in sources:
        found += [f"data source {source.get('name')}: {problem}" for problem in source_problems(source, pages)]
    if [source.get("isDefault", False) for source in sources].count(True) != 1:
        found.append("provisioning: exactly one data source is the default")
    if not providers:
        found.append("provisioning: no provider of dashboards")
    for provider in providers:
        found += [f"provider {provider.get('name')}: {problem}" for problem in provider_problems(provider)]
    return found


def read(file, key):
    document = yaml.safe_load(file.read_text())
    if document.get("apiVersion") != 1:
        raise SystemExit(f"{file}: apiVersion is not 1")
    return document.get(key) or []


def source_problems(source, pages):
    kind, data = source.get("type"), source.get("jsonData") or {}
    if kind not in ADDRESSES:
        yield f"the type {kind} is none of {sorted(ADDRESSES)}"
        return
    for key in source.keys() - SOURCE_KEYS | {f"jsonData.{key}" for key in data.keys() - JSON_KEYS[kind]}:
        yield f"Grafana does not know {key}"
    for key, value in {"uid": kind, "url": ADDRESSES[kind], "access": "proxy", "editable": False}.items():
        if source.get(key) != value:
            yield f"{key} is {source.get(key)!r}, not {value!r}"
    for link, keys in [(link, EXEMPLAR_KEYS) for link in data.get("exemplarTraceIdDestinations", [])] + [(link, DERIVED_KEYS) for link in data.get("derivedFields", [])]:
        yield from link_problems(link, keys, pages)
    if kind == "prometheus" and [link.get("name") for link in data.get("exemplarTraceIdDestinations", [])] != ["trace_id"]:
        yield "exemplars have the label trace_id, which leads nowhere"
    for derived in data.get("derivedFields", []):
        pattern = re.compile(derived["matcherRegex"])
        if pattern.groups != 1 or not pattern.search('{"level":"info","trace_id":"0123456789abcdef0123456789abcdef"}'):
            yield f"{derived['matcherRegex']} does not find the trace id in a line of Holdfast"


def link_problems(link, keys, pages):
    for key in link.keys() - keys:
        yield f"Grafana does not know {key} of a link"
    found = re.fullmatch(r"/d/([\w-]+)\?var-(\w+)=\$\$\{__value\.raw\}", link.get("url", ""))
    page = next((page for page in pages if found and page.data["uid"] == found[1]), None)
    if page is None or page.variable(found[2]) is None:
        yield f"{link.get('url')} is no dashboard with that variable, or its $ is not doubled"


def provider_problems(provider):
    for key in provider.keys() - PROVIDER_KEYS:
        yield f"Grafana does not know {key}"
    wanted = {"type": "file", "allowUiUpdates": False, "disableDeletion": True}
    for key, value in wanted.items():
        if provider.get(key) != value:
            yield f"{key} is {provider.get(key)!r}, not {value!r}"
    if not str(provider.get("options", {}).get("path", "")).startswith("/"):
        yield "options.path is no folder"
    if provider.get("updateIntervalSeconds", 0) < 10:
        yield "reads the files more often than every 10 s"
