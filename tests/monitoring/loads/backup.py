"""Two backups, to compare, and a trial restore."""
from management import wait_for


def run(load):
    for path in ("/api/v1/backups", "/api/v1/backups", "/api/v1/backup-drills"):
        run_job(load.session, path)


def run_job(session, path):
    job = session.call("POST", path)["job_id"]

    def ended():
        now = session.call("GET", f"/api/v1/jobs/{job}")
        return now if now["state"] in ("succeeded", "dead", "cancelled") else None

    now = wait_for(f"{path} ends", ended, 180)
    assert now["state"] == "succeeded", now
