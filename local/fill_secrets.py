"""Fills the two secrets of a deployed stack: the headers that a delivery must bear, and the credentials for Capillary
with the key of pseudonyms, where there are to be some.

    make secrets WEBHOOK=webhook.json CAPILLARY=capillary.json [STACK=capillary-events] [PROFILE=…] [REGION=…]

The files' forms are those of local/secrets/. Either may be left out, then that secret stays as it is. Functions take a
new value up by themselves within minutes; no deploy is needed. Nothing of the files is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from secret_forms import BadSecret, check_capillary, check_unpublished, check_webhook
from settings import PROFILE


def read(path: Path) -> Any:
    """The file's JSON; errors name the file and the place, never what stands there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSecret(f"{path}: {error.strerror}") from None
    except ValueError:
        raise BadSecret(f"{path} is not JSON") from None


def fill(session: boto3.Session, stack_name: str, webhook: Path | None, capillary: Path | None) -> list[str]:
    """Checks and writes the secrets; returns what was filled."""
    filled: list[str] = []
    outputs = stack_outputs(session, stack_name)
    secrets = session.client("secretsmanager")
    for path, check, output in ((webhook, check_webhook, "WebhookSecretArn"), (capillary, check_capillary, "CapillarySecretArn")):
        if path is None:
            continue
        value = read(path)
        check(value)
        if session.profile_name != PROFILE:
            check_unpublished(value)
        if output not in outputs:
            raise BadSecret(f"the stack {stack_name} has no output {output}, so it is none of capillary-events")
        secrets.put_secret_value(SecretId=outputs[output], SecretString=json.dumps(value))
        filled.append(outputs[output])
    return filled


def stack_outputs(session: boto3.Session, stack_name: str) -> dict[str, str]:
    """The outputs of a deployed stack by name."""
    [stack] = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack-name", default="capillary-events")
    parser.add_argument("--webhook", type=Path, help="file with the headers that a delivery must bear")
    parser.add_argument("--capillary", type=Path, help="file with the credentials for Capillary's APIs")
    parser.add_argument("--profile")
    parser.add_argument("--region")
    options = parser.parse_args(arguments)
    if options.webhook is None and options.capillary is None:
        parser.error("nothing to fill: give --webhook, --capillary, or both")
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        for secret in fill(session, options.stack_name, options.webhook, options.capillary):
            print(f"filled {secret}")
    except (BadSecret, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
