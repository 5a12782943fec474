"""What schemathesis has to know of this API beyond its description."""

import os
import re
import uuid

import schemathesis
from schemathesis.specs.openapi import checks

# Each operation is tried with a wrong token, all from one address; after ten, the server looks at no more (429). That is a refusal
# like any other.
checks.AUTH_REJECTION_STATUSES = frozenset({*checks.AUTH_REJECTION_STATUSES, 429})

KEY = "Idempotency-Key"
OWN = os.environ["FREEHOLD_TOKEN"].split("_")[1]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps what the rest of the run needs: the very token it shows, the zone that most requests are about, keys of its own."""
    parameters = case.path_parameters or {}
    # A key that was used before gives the answer of that time, also where what it made is gone since: that is what it is for. Here
    # each request is to be done, so each sound key is made a new one; the tests of the API use keys again.
    if re.fullmatch("[!-~]{1,200}", (case.headers or {}).get(KEY, "")):
        case.headers[KEY] += uuid.uuid4().hex
    if case.operation.label == "DELETE /v1/tokens/{id}" and parameters.get("id") == OWN:
        parameters["id"] = "nobody"
    if case.operation.label == "DELETE /v1/zones/{zone}" and parameters.get("zone", "").lower().rstrip(".") == "home.example":
        parameters["zone"] = "new.example"
