"""Prints template.yaml as CloudFormation will see it, after the SAM transform, as JSON.

Nothing is deployed and no account is asked: the translator is the library that `sam validate` uses too. Parameters have
their defaults, or what is given as NAME=VALUE. Globals are merged, events have become permissions and mappings.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent


class NoManagedPolicies:
    """The template names no managed policy, so none has to be looked up."""

    def load(self) -> dict[str, str]:
        return {}


def with_local_code(template: dict[str, Any]) -> dict[str, Any]:
    """The translator wants code that was uploaded; only `sam package` can say where to."""
    for function in (r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"):
        function["Properties"]["CodeUri"] = {"Bucket": "not-uploaded", "Key": "not-uploaded"}
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    return template


def transformed(values: dict[str, str]) -> dict[str, Any]:
    """The template with these parameters."""
    template = with_local_code(yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8")))
    return transform(template, values, NoManagedPolicies())


def main(arguments: list[str]) -> int:
    json.dump(transformed(dict(argument.split("=", 1) for argument in arguments)), sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
