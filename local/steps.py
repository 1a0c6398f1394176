"""Steps that say what they do: one line each, the long output in a log, its end shown when something fails."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from settings import LOCAL, ROOT

HEARTBEAT_SECONDS = 30
TAIL_LINES = 40


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
