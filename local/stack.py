"""The whole product on this machine: `up`, `down`, `status`, `logs`, `watch`, `env`.

`up` starts the local AWS and the stand-in for Capillary, builds with `sam build`, deploys with `sam deploy`, fills the
secrets, and writes .local/stack.json, which the demo and the tests read. Every `up` begins with empty tables and queues.
Ports: LOCAL_AWS_PORT (4566) and SANDBOX_PORT (4580), both on 127.0.0.1 only. With LOCAL_AWS_BEHIND_PROXY the functions look for AWS
one port further, where a test lets a proxy listen.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3

import settings
from services import Service
from settings import AWS_TOOLS, ROOT, SAM_TOOLS
from steps import StepFailed, fail, run_logged, step

LOCAL_AWS = Service("local-aws", settings.AWS_PORT, "/health", "LOCAL_AWS_PORT")
SANDBOX = Service("sandbox", settings.SANDBOX_PORT, "/sandbox/health", "SANDBOX_PORT")


def up() -> None:
    """Everything, from whatever is there."""
    if sys.platform != "linux":
        raise StepFailed("the local AWS runs the functions as plain Linux programs, so this needs Linux (a virtual machine or WSL will do)")
    settings.write_aws_config()
    settings.STACK_FILE.unlink(missing_ok=True)
    sam = SAM_TOOLS / "bin" / "sam"
    overrides = [f"CapillaryBaseUrl={settings.SANDBOX_URL}", f"Architecture={settings.architecture()}", *settings.UNKNOWN_TO_LOCAL_AWS]

    with step(f"local AWS on {settings.AWS_URL}"):
        start_local_aws()
    with step("build capctl and the stand-in for Capillary (log: .local/cargo-build.log)"):
        run_logged(["cargo", "build", "--features", "sandbox", "--bin", "sandbox", "--bin", "capctl"], "cargo-build", os.environ)
    with step(f"stand-in for Capillary on {settings.SANDBOX_URL}"):
        SANDBOX.stop()
        SANDBOX.start([target_directory() / "debug" / "sandbox"], settings.sandbox_environment())
    with step("sam build (minutes the first time; log: .local/sam-build.log)"):
        run_logged([sam, "build", "--parameter-overrides", *overrides], "sam-build", settings.sam_environment())
    with step("sam deploy --config-env local (log: .local/sam-deploy.log)"):
        run_logged([sam, "deploy", "--config-env", "local", "--parameter-overrides", *overrides], "sam-deploy", settings.sam_environment())
    with step("what the local AWS leaves out of the template: TTL and backups of the tables"):
        finish_tables()
    with step("fill the secrets"):
        fill_secrets()
    write_stack_file()
    with step("the stand-in for Capillary sends its events there"):
        subscribe()
    print(f"    deliveries: POST {read_stack_file()['eventsUrl']}")


def start_local_aws() -> None:
    """Empties the one that runs, or starts one."""
    environment = settings.local_aws_environment()
    if LOCAL_AWS.runs_in(environment):
        request = urllib.request.Request(f"{settings.AWS_URL}/_ministack/reset", method="POST")
        with urllib.request.urlopen(request, timeout=30):
            return
    LOCAL_AWS.stop()
    LOCAL_AWS.start([AWS_TOOLS / "bin" / "ministack"], environment)


def finish_tables() -> None:
    """Switches on what the template asks of its tables, and the local AWS does not do by itself."""
    outputs = stack_outputs()
    client = local_session().client("dynamodb")
    for name in (outputs["EventsTableName"], outputs["SnapshotsTableName"]):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiresAt"})
        client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})


def target_directory() -> Path:
    """Where cargo puts what it builds."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Path(json.loads(found.stdout)["target_directory"])


def fill_secrets() -> None:
    """As an operator does it."""
    capctl = [target_directory() / "debug" / "capctl", "--stack", settings.STACK_NAME, "--profile", settings.PROFILE]
    for kind, file in (("webhook", settings.WEBHOOK_SECRET_FILE), ("capillary", settings.CAPILLARY_SECRET_FILE)):
        run_logged([*capctl, "secrets", "set", kind, "--file", file], f"secrets-{kind}", settings.sam_environment())


def local_session() -> boto3.Session:
    """A session that knows the local AWS only, whatever the user's own settings are."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = str(settings.LOCAL / "aws-config")
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(settings.LOCAL / "no-credentials")
    return boto3.Session(profile_name=settings.PROFILE)


def stack_outputs() -> dict[str, str]:
    """What the deployed stack tells of itself."""
    [deployed] = local_session().client("cloudformation").describe_stacks(StackName=settings.STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in deployed["Outputs"]}


def write_stack_file() -> None:
    """Writes down for the demo and the tests where everything is."""
    outputs = stack_outputs()
    # https://<api>.execute-api.…/v1/events in an account; the local AWS serves the same under a path of its own.
    api_id = outputs["EventsUrl"].split("//")[1].split(".")[0]
    webhook = json.loads(settings.WEBHOOK_SECRET_FILE.read_text(encoding="utf-8"))
    build = ROOT / ".aws-sam" / "build"
    stack = {
        "endpoint": settings.AWS_URL,
        "functionsEndpoint": settings.FUNCTIONS_AWS_URL,
        "localAwsProcess": str(LOCAL_AWS.process_id()),
        "region": settings.REGION,
        "sandboxUrl": settings.SANDBOX_URL,
        "executables": {
            "receiver": str(build / "ReceiverFunction" / "bootstrap"),
            "enricher": str(build / "EnricherFunction" / "bootstrap"),
        },
        "tools": {
            "samPython": str(SAM_TOOLS / "bin" / "python3"),
            "awsPython": str(AWS_TOOLS / "bin" / "python3"),
            "cargoLambda": str(SAM_TOOLS / "bin" / "cargo-lambda"),
            "runtimeEmulator": str(settings.runtime_emulator()),
        },
        "eventsUrl": f"{settings.AWS_URL}/restapis/{api_id}/v1/_user_request_/events",
        "webhookHeaders": {name: values[0] for name, values in webhook["headers"].items()},
        "outputs": outputs,
    }
    settings.STACK_FILE.write_text(json.dumps(stack, indent=2) + "\n", encoding="utf-8")


def subscribe() -> None:
    """Registers the deployed API as the webhook of the stand-in for Capillary."""
    stack = read_stack_file()
    webhook = json.dumps({"url": stack["eventsUrl"], "headers": stack["webhookHeaders"]}).encode()
    url = f"{settings.SANDBOX_URL}/sandbox/webhook"
    request = urllib.request.Request(url, data=webhook, headers={"content-type": "application/json"}, method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        pass


def read_stack_file() -> dict:
    """What `up` wrote down."""
    try:
        return json.loads(settings.STACK_FILE.read_text(encoding="utf-8"))
    except OSError:
        raise StepFailed("nothing is deployed here; run `make up` first") from None


def down() -> None:
    """Ends what `up` started; the functions' processes end with the local AWS."""
    for service in (SANDBOX, LOCAL_AWS):
        print(f"==> {service.name}: {'stopped' if service.stop() else 'was not running'}", flush=True)
    settings.STACK_FILE.unlink(missing_ok=True)


def status() -> None:
    """Says what runs."""
    for service in (LOCAL_AWS, SANDBOX):
        state = "running" if service.is_ours_and_healthy() else "not running"
        print(f"{service.name:10} {state}  {service.url}  (log: {service.log.relative_to(ROOT)})")
    if settings.STACK_FILE.exists():
        print(f"deliveries POST {read_stack_file()['eventsUrl']}")


def logs() -> None:
    """Prints what both functions have logged, in the order of time."""
    read_stack_file()
    client = local_session().client("logs")
    lines: list[tuple[int, str, str]] = []
    for function in ("receiver", "enricher"):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{settings.STACK_NAME}-{function}")
        lines += [(event["timestamp"], function, event["message"].rstrip()) for page in pages for event in page["events"]]
    # Sorting is stable, so lines of the same millisecond stay in their function's order.
    for _, function, message in sorted(lines, key=lambda line: line[0]):
        print(f"{function}  {message}")


def watch() -> None:
    """Serves both functions from source with `cargo lambda watch`, with the settings of the deployed ones."""
    read_stack_file()
    client = local_session().client("lambda")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    for function in ("ReceiverFunction", "EnricherFunction"):
        name = read_stack_file()["outputs"][f"{function}Name"]
        environment.update(client.get_function_configuration(FunctionName=name)["Environment"]["Variables"])
    environment.update(
        AWS_ENDPOINT_URL=settings.AWS_URL, AWS_REGION=settings.REGION, AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local"
    )
    # With the sandbox's feature, so that it builds on what is compiled already.
    command = [str(SAM_TOOLS / "bin" / "cargo-lambda"), "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--features", "sandbox"]
    os.chdir(ROOT)
    os.execve(command[0], command, environment)


def operator_environment() -> dict[str, str]:
    """What leads `capctl` to the local stack, and nowhere else."""
    return {
        "AWS_CONFIG_FILE": str(settings.LOCAL / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(settings.LOCAL / "no-credentials"),
        "AWS_PROFILE": settings.PROFILE,
        "CAPCTL_STACK": settings.STACK_NAME,
        # The stack's own output is the address that AWS would give it.
        "EVENTS_URL": read_stack_file()["eventsUrl"],
        "PATH": f"{target_directory() / 'debug'}{os.pathsep}{os.environ['PATH']}",
    }


def env() -> None:
    """Prints what a shell needs for `capctl` (and the AWS CLI) to find this stack: eval "$(make env)"."""
    for name, value in operator_environment().items():
        print(f"export {name}={shlex.quote(value)}")


COMMANDS = {"up": up, "down": down, "status": status, "logs": logs, "watch": watch, "env": env}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        return fail(f"usage: stack.py {'|'.join(COMMANDS)}")
    # Ended from outside, it ends the build it runs, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        COMMANDS[arguments[0]]()
    except StepFailed as failed:
        return fail(str(failed))
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return fail("interrupted; `make down` ends what is running")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
