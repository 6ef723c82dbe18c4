"""An access key of the appliance that with_appliance.py started, and what its clients need to know."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from management import PASSWORD, Api, first_sign_in  # noqa: E402

URL = os.environ["APPLIANCE_URL"]
ENDPOINT = f"{URL}/s3"
REGION = "us-east-1"
VERBS = ["list", "read", "write", "delete", "admin"]


def admin():
    """The administrator's session; the first that asks chooses the password."""
    try:
        return first_sign_in(URL, os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
    except AssertionError:
        api = Api(URL)
        me = api.call("POST", "/api/v1/auth/login", {"email": os.environ["APPLIANCE_EMAIL"], "password": PASSWORD})
        api.headers["X-CSRF-Token"] = me["user"]["csrf_token"]
        return api


def access_key(api, **changes):
    return api.call("POST", "/api/v1/access-keys", {"name": "clients", "verbs": VERBS, **changes})


def environment(key):
    """For programs that take their account from the environment."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3_ENDPOINT": ENDPOINT,
        "S3_ROOT": os.environ.get("APPLIANCE_S3_URL", ""),
    }
