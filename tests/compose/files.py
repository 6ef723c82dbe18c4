"""tests/compose/files.py COMPOSE: the files of the services that cannot be started in this test (Grafana, Loki) against what they accept.

Strict: a key twice, or one that is not in the list of the service's own reference, is an error; so is a path or address that
docker-compose.yml does not have. A misspelt key stops Loki, and Grafana silently does without.
"""

import re
import sys
from pathlib import Path

import yaml

# https://grafana.com/docs/loki/latest/configure/, the part that is used. None: a value.
LOKI = {
    "auth_enabled": None,
    "server": dict.fromkeys(["http_listen_port", "log_level", "grpc_server_max_recv_msg_size", "grpc_server_max_send_msg_size"]),
    "common": {
        "path_prefix": None,
        "replication_factor": None,
        "ring": {"instance_addr": None, "kvstore": {"store": None}},
        "storage": {"filesystem": {"chunks_directory": None, "rules_directory": None}},
    },
    "schema_config": {"configs": [{"from": None, "store": None, "object_store": None, "schema": None, "index": {"prefix": None, "period": None}}]},
    "ingester": {"wal": {"dir": None}},
    "compactor": dict.fromkeys(["working_directory", "retention_enabled", "delete_request_store"]),
    "limits_config": dict.fromkeys([
        "retention_period", "reject_old_samples_max_age", "ingestion_rate_mb", "ingestion_burst_size_mb", "per_stream_rate_limit",
        "per_stream_rate_limit_burst", "max_line_size", "max_line_size_truncate", "max_global_streams_per_user", "volume_enabled",
    ]),
    "analytics": {"reporting_enabled": None},
}
PROVIDERS = {
    "apiVersion": None,
    "providers": [{
        **dict.fromkeys(["name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates", "editable"]),
        "options": {"path": None, "foldersFromFilesStructure": None},
    }],
}  # fmt: skip
DATASOURCES = {
    "apiVersion": None,
    "prune": None,
    "deleteDatasources": [{"name": None, "orgId": None}],
    "datasources": [{
        **dict.fromkeys(["name", "uid", "type", "access", "orgId", "url", "isDefault", "editable", "version"]),
        "jsonData": ...,
    }],
}  # fmt: skip

problems = []


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in {key for key in keys if keys.count(key) > 1}:
            problems.append(f"{node.start_mark.name}: {key} stands there twice")
        return super().construct_mapping(node, deep)


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Strict)  # noqa: S506, it is a SafeLoader


def compare(where, value, allowed):
    if allowed is ... or (allowed is None and not isinstance(value, (dict, list))):
        return
    if isinstance(allowed, list) and isinstance(value, list):
        for item in value:
            compare(where, item, allowed[0])
    elif isinstance(allowed, dict) and isinstance(value, dict):
        for key, inner in value.items():
            if key in allowed:
                compare(f"{where}.{key}", inner, allowed[key])
            else:
                problems.append(f"{where}: no such setting: {key}")
    else:
        problems.append(f"{where}: not the right kind of value: {value!r}")


def expect(what, true):
    if not true:
        problems.append(what)


def main():
    compose = Path(sys.argv[1])
    stack = yaml.safe_load((compose / "docker-compose.yml").read_text(encoding="utf-8"))["services"]

    loki = load(compose / "loki/loki.yml")
    compare("loki", loki, LOKI)
    expect("loki: retention needs the compactor", loki["compactor"].get("retention_enabled") is True and loki["compactor"].get("delete_request_store") == "filesystem")
    expect("loki: no retention_period", loki["limits_config"].get("retention_period"))
    schema = loki["schema_config"]["configs"][-1]
    expect("loki: retention needs tsdb, v13 and an index of 24h", (schema["store"], schema["schema"], schema["index"]["period"]) == ("tsdb", "v13", "24h"))
    volumes = [volume.split(":")[1] for volume in stack["loki"]["volumes"]]
    for path in [loki["common"]["path_prefix"], *loki["common"]["storage"]["filesystem"].values(), loki["ingester"]["wal"]["dir"], loki["compactor"]["working_directory"]]:
        expect(f"loki: {path} is on no volume", any(path == volume or path.startswith(volume + "/") for volume in volumes))

    mounts = [volume.split(":")[1] for volume in stack["grafana"]["volumes"]]
    provisioning = compose / "grafana/provisioning"
    for path in sorted(provisioning.glob("dashboards/*.y*ml")):
        content = load(path)
        compare(path.name, content, PROVIDERS)
        for provider in content["providers"]:
            folder = provider["options"]["path"]
            expect(f"{path.name}: {folder} is not mounted", any(folder == mount or folder.startswith(mount + "/") for mount in mounts))
    for path in sorted(provisioning.glob("datasources/*.y*ml")):
        content = load(path)
        compare(path.name, content, DATASOURCES)
        for source in content["datasources"]:
            host = source["url"].split("//")[1].split(":")[0]
            expect(f"{path.name}: {source['url']} names no service", host in stack)

    once = ("secrets", "backup-key", "alertmanager-config")
    for name, service in stack.items():
        # Each can be named, and so pinned, in compose/.env.
        image = re.fullmatch(r"\$\{([A-Z_]+_IMAGE):-([^}]+)\}", service["image"])
        expect(f"{name}: {service['image']} cannot be changed in compose/.env", image)
        expect(f"{name}: {service['image']} is not pinned to a version", image and (image[1] == "HOLDFAST_IMAGE" or re.search(r":v?\d+\.\d+", image[2])))
        expect(f"{name}: no cpus", name in once or "cpus" in service)
        for setting in ("mem_limit", "restart", "logging", "read_only", "cap_drop", "security_opt"):
            expect(f"{name}: no {setting}", setting in service)
        expect(f"{name}: no health check", name in (*once, "holdfast") or "healthcheck" in service)
        expect(f"{name}: published to everybody", name == "caddy" or all("127.0.0.1:" in port for port in service.get("ports", [])))
        expect(f"{name}: ports are published", name in ("holdfast", "grafana", "caddy") or "ports" not in service)
    if problems:
        sys.exit("\n".join(problems))
    print("the files are right")


main()
