"""Where things are: folders, ports, and the environments that the tools run in."""

from __future__ import annotations

import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
SAM_TOOLS = ROOT / ".tools" / "sam"
AWS_TOOLS = ROOT / ".tools" / "aws"

REGION = "us-east-1"
STACK_NAME = "capillary-events"
PROFILE = "capillary-local"
# What is switched off here, since the local AWS knows neither alarms on shares nor saved queries. The same stands in samconfig.toml.
UNKNOWN_TO_LOCAL_AWS = ["ResendAlarmPercent=100", "PartialAlarmPercent=100", "DashboardAndQueries=false"]
STACK_FILE = LOCAL / "stack.json"

AWS_PORT = int(os.environ.get("LOCAL_AWS_PORT", "4566"))
SANDBOX_PORT = int(os.environ.get("SANDBOX_PORT", "4580"))
AWS_URL = f"http://127.0.0.1:{AWS_PORT}"
# Where the functions look for AWS: there itself, or one port further, where a test lets a proxy listen that breaks connections.
FUNCTIONS_AWS_URL = f"http://127.0.0.1:{AWS_PORT + 1}" if os.environ.get("LOCAL_AWS_BEHIND_PROXY") else AWS_URL
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"

WEBHOOK_SECRET_FILE = ROOT / "local" / "secrets" / "webhook.json"
CAPILLARY_SECRET_FILE = ROOT / "local" / "secrets" / "capillary.json"

# A proxy in the user's environment must not get what is meant for this machine.
for _name in ("NO_PROXY", "no_proxy"):
    os.environ[_name] = ",".join(filter(None, [os.environ.get(_name), "127.0.0.1", "localhost"]))


def architecture() -> str:
    """This machine's processor in AWS's words: the local AWS runs the functions as plain processes."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def runtime_emulator() -> Path:
    """Lambda's runtime emulator, which comes with the SAM CLI."""
    found = sorted(SAM_TOOLS.glob(f"lib/python3*/site-packages/samcli/local/rapid/aws-lambda-rie-{architecture()}"))
    return found[0] if found else SAM_TOOLS / "aws-lambda-rie-is-missing"


def sam_environment() -> dict[str, str]:
    """For `sam`: the local AWS as the only one that can be reached, and quick builds.

    Nothing of the user's AWS settings is handed on. SAM's own folder comes first in PATH, since cargo-lambda finds zig
    through the first `python3`. Link-time optimisation costs minutes and gains nothing here.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment.update(
        PATH=f"{SAM_TOOLS / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        AWS_CONFIG_FILE=str(LOCAL / "aws-config"),
        AWS_SHARED_CREDENTIALS_FILE=str(LOCAL / "no-credentials"),
        AWS_EC2_METADATA_DISABLED="true",
        SAM_CLI_TELEMETRY="0",
        CARGO_PROFILE_RELEASE_LTO="off",
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS="16",
    )
    return environment


def local_aws_environment() -> dict[str, str]:
    """For the local AWS: nothing but what it needs, because the functions inherit all of it."""
    home = LOCAL / "aws-home"
    temporary = LOCAL / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{AWS_TOOLS / 'bin'}{os.pathsep}/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "AWS_ENDPOINT_URL": FUNCTIONS_AWS_URL,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(AWS_PORT),
    }


def sandbox_environment() -> dict[str, str]:
    """For the stand-in for Capillary."""
    return {"PATH": os.environ.get("PATH", os.defpath), "SANDBOX_ADDRESS": f"127.0.0.1:{SANDBOX_PORT}"}


def write_aws_config() -> None:
    """Writes the one file that knows the profile `capillary-local`."""
    LOCAL.mkdir(exist_ok=True)
    (LOCAL / "aws-config").write_text(
        f"[profile {PROFILE}]\n"
        f"region = {REGION}\n"
        f"endpoint_url = {AWS_URL}\n"
        "aws_access_key_id = local\n"
        "aws_secret_access_key = local\n",
        encoding="utf-8",
    )
