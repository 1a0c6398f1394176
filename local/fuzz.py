"""Gives the judges of tests/input what libFuzzer finds: `make fuzz TIME=60` runs each target for so many seconds.

The first inputs are what is real: the files of events/, samples of answers, examples of secrets. What libFuzzer finds to lead further is
kept in fuzz/corpus, and what makes a judge panic in fuzz/artifacts; git has neither.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from settings import ROOT
from steps import fail

FUZZ = ROOT / "fuzz"
TOOLS = ROOT / ".tools" / "cargo" / "bin"
# The sanitizers need a nightly compiler, and find what unsafe code does; there is none here.
SANITIZER = ["-s", "none"]


def seeds() -> dict[str, Iterator[bytes]]:
    """Real inputs of each target."""
    deliveries = [json.loads(path.read_bytes()) for path in sorted((ROOT / "events" / "receiver").glob("*.json"))]
    examples = json.loads((ROOT / "local" / "secrets" / "examples.json").read_bytes())
    return {
        "body": map(body, deliveries),
        "delivery": files("events/receiver"),
        "batch": files("events/enricher"),
        "answer": (answer for folder in ("src/bin/sandbox/answers", "tests/all/sandbox/samples") for answer in files(folder)),
        "secret": (json.dumps(secret).encode() for kind in examples.values() for secrets in kind.values() for secret in secrets),
    }


def files(folder: str) -> Iterator[bytes]:
    """What is in the JSON files of a folder."""
    return (path.read_bytes() for path in sorted((ROOT / folder).glob("*.json")))


def body(delivery: dict) -> bytes:
    """What the sender sent."""
    text = delivery["body"] or ""
    return base64.b64decode(text) if delivery["isBase64Encoded"] else text.encode()


def plant(target: str, inputs: Iterator[bytes]) -> Path:
    """Puts the first inputs where libFuzzer looks."""
    corpus = FUZZ / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    for each in inputs:
        (corpus / hashlib.sha1(each).hexdigest()).write_bytes(each)
    return corpus


def main(arguments: list[str]) -> int:
    """Runs all targets, or those that are named."""
    known = seeds()
    seconds, targets = arguments[0], arguments[1:] or list(known)
    if not seconds.isdigit() or not set(targets) <= set(known):
        return fail(f"usage: fuzz.py SECONDS [{'|'.join(known)}]…")
    environment = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    broken = []
    for target in targets:
        print(f"==> {target}: {seconds} s", flush=True)
        corpus = plant(target, known[target])
        limits = [f"-max_total_time={seconds}", "-max_len=65536", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]
        command = ["cargo", "fuzz", "run", *SANITIZER, target, str(corpus), "--", *limits]
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode:
            broken.append(target)
    return fail(f"something does not hold: {', '.join(broken)}; the inputs are in fuzz/artifacts") if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
