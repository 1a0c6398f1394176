"""Steps that say what they do: one line each, the long output in a log, its end shown when something fails.

For the Makefile: `steps.py [--show REGEX] LOG_NAME "what it does" -- command …`; lines of the log that match are shown.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from settings import LOCAL, ROOT

HEARTBEAT_SECONDS = 30
TAIL_LINES = 60


class StepFailed(Exception):
    """A step failed; the message is for the user."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announces a step and tells how long it took."""
    started = time.monotonic()
    print(f"==> {what}", flush=True)
    yield
    print(f"    done in {time.monotonic() - started:.1f} s", flush=True)


def run_logged(command: Sequence[str | Path], log_name: str, environment: Mapping[str, str]) -> None:
    """Runs a command with its output in `.local/<log_name>.log`."""
    log = LOCAL / f"{log_name}.log"
    log.parent.mkdir(exist_ok=True)
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command], cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            status = wait_with_heartbeat(process, log, started)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if status != 0:
        raise StepFailed(f"{command[0]} ended with status {status}. The end of {log.relative_to(ROOT)}:\n{tail(log, TAIL_LINES)}")


def wait_with_heartbeat(process: subprocess.Popen[bytes], log: Path, started: float) -> int:
    """Waits for the process to end; shows now and then that it lives."""
    while True:
        try:
            return process.wait(timeout=HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"    {time.monotonic() - started:.0f} s: {tail(log, 1)[:100].strip()}", flush=True)


def tail(log: Path, count: int) -> str:
    """The last lines of a log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


def fail(message: str) -> int:
    """Tells the user what went wrong."""
    print(f"\nerror: {message}", file=sys.stderr, flush=True)
    return 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", type=re.compile)
    parser.add_argument("log_name")
    parser.add_argument("what")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    try:
        with step(f"{options.what} (log: .local/{options.log_name}.log)"):
            run_logged(command, options.log_name, os.environ)
    except StepFailed as failed:
        return fail(str(failed))
    except OSError as error:
        return fail(f"{command[0]}: {error.strerror}")
    finally:
        show_matching(options.show, LOCAL / f"{options.log_name}.log")
    return 0


def show_matching(wanted: re.Pattern[str] | None, log: Path) -> None:
    """Repeats the lines of a log that are worth it, such as the counts of tests."""
    if wanted is None or not log.exists():
        return
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if wanted.search(line):
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
