"""What memory a backup of many small objects takes. Used by bench.py."""
import os
import time
import uuid

from backup import Memory, backup_by_job, backup_time, destination


def measure(start, folder, counts=(20_000, 200_000)):
    """`start(settings)` starts an appliance and returns it with a session's API and a key. Yields rows (what, value, goal)."""
    appliance, api, _ = start(destination(folder))
    objects = appliance.folder / "data" / "objects" / "org" / str(uuid.uuid4()) / "many"
    time.sleep(5)
    there, before = 0, appliance.resident_mb()
    for count in counts:
        for n in range(there, count):
            path = objects / f"{n // 1000}" / str(n)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(200))
        there, figures = count, []
        for _ in range(2):
            memory = Memory(appliance.process.pid)
            made = backup_by_job(api)
            figures.append((memory.stop() - before, backup_time(made)))
            assert made["objects"] >= count, made
        (new, new_took), (old, old_took) = figures
        yield (
            f"resident memory during a backup of {count} objects, more than before the first",
            f"{new:.0f} MB ({new_took:.0f} s), again with nothing new {old:.0f} MB ({old_took:.0f} s)",
            "at most 200 MB",
        )
