"""Two notes, one of which is deleted."""


def run(load):
    for title in ("Descale the kettles", "Order filters"):
        note = load.session.call("POST", "/api/v1/notes", {"title": title})["id"]
    load.session.call("DELETE", f"/api/v1/notes/{note}")
