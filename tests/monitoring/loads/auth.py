"""A wrong password."""
from load import expect, status


def run(load):
    expect(401, status(f"{load.url}/api/v1/auth/login", "POST", {"email": load.email, "password": "not the password"}))
