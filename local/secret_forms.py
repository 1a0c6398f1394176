"""The forms of the two secrets, as the functions read them (src/auth.rs, src/capillary/credentials.rs,
src/redact/key.rs).

    python3 local/secret_forms.py webhook|capillary < file

ends with status 0 if the functions would take it. local/secrets/examples.json holds what both sides must agree on.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from typing import Any

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Those of the local stack stand in this repository, so they keep nobody out.
PUBLISHED = {"local-key", "Basic Y2FwaWxsYXJ5OmxvY2Fs", "sandbox-secret", "sandbox-hash-key"}
MIN_HASH_KEY_CHARS = 16


class BadSecret(Exception):
    """A file that must not become a secret, since the functions would refuse it."""


def check_webhook(secret: Any) -> None:
    """`{"headers": {"name": ["value", …]}, "holdUntil": "…"}`, with at least one header."""
    if not isinstance(secret, dict) or not isinstance(secret.get("headers"), dict) or not secret["headers"]:
        raise BadSecret('the webhook secret needs "headers" with at least one header')
    if unknown := secret.keys() - {"headers", "holdUntil"}:
        raise BadSecret(f"the webhook secret has members that mean nothing: {', '.join(sorted(unknown))}")
    names = [name.strip().lower() for name in secret["headers"]]
    if len(names) != len(set(names)):
        raise BadSecret("the webhook secret names a header twice")
    if not all(HEADER_NAME.fullmatch(name) for name in names):
        raise BadSecret("the webhook secret has a header whose name can be none")
    for name, values in secret["headers"].items():
        if not isinstance(values, list) or not values or not all(isinstance(value, str) and value for value in values):
            raise BadSecret(f'the webhook secret\'s header "{name}" needs a list of values that are not empty')
    hold_until = secret.get("holdUntil")
    if hold_until is not None and not is_time(hold_until):
        raise BadSecret('the webhook secret\'s "holdUntil" must be a time such as 2026-12-01T00:00:00Z')


def is_time(text: Any) -> bool:
    """Whether it is an RFC 3339 time with its zone."""
    try:
        return isinstance(text, str) and "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def check_capillary(secret: Any) -> None:
    """`{"key","secret"}`, `{"username","password"}`, or `{"orgs":{"<id>":{…}},"default":{…}}`; each also with a `hashKey`."""
    if not isinstance(secret, dict):
        raise BadSecret("the Capillary secret must be a JSON object")
    hash_key = secret.get("hashKey")
    if hash_key is not None and not (isinstance(hash_key, str) and len(hash_key) >= MIN_HASH_KEY_CHARS):
        raise BadSecret(f'the Capillary secret\'s "hashKey" must be a text of at least {MIN_HASH_KEY_CHARS} characters')
    if not secret.keys() & {"orgs", "default"}:
        return check_credentials(secret)
    if unknown := secret.keys() - {"orgs", "default", "hashKey"}:
        raise BadSecret(f"the Capillary secret has members that mean nothing: {', '.join(sorted(unknown))}")
    orgs = secret.get("orgs", {})
    if not isinstance(orgs, dict) or not all(re.fullmatch(r"[0-9]+", org) for org in orgs):
        raise BadSecret('the Capillary secret\'s "orgs" must have the orgs\' ids as names')
    credentials = [*orgs.values(), *([secret["default"]] if secret.get("default") is not None else [])]
    if not credentials:
        raise BadSecret("the Capillary secret names no credentials")
    for one in credentials:
        check_credentials(one)
    return None


def check_credentials(credentials: Any) -> None:
    """One pair of texts that are not empty."""
    for pair in ({"key", "secret"}, {"username", "password"}):
        if isinstance(credentials, dict) and pair <= credentials.keys():
            if all(isinstance(credentials[name], str) and credentials[name] for name in pair):
                return
    raise BadSecret('the Capillary secret needs "key" and "secret", or "username" and "password"')


def check_unpublished(secret: Any) -> None:
    """Refuses the values of the local stack for any other."""
    if any(f'"{value}"' in json.dumps(secret) for value in PUBLISHED):
        raise BadSecret("these are the values of the local stack, which everybody knows: make up your own")


if __name__ == "__main__":
    try:
        {"webhook": check_webhook, "capillary": check_capillary}[sys.argv[1]](json.load(sys.stdin))
    except BadSecret as bad:
        sys.exit(f"error: {bad}")
