"""Does what a command line of the AWS CLI says, and prints the answer as JSON. The CLI itself need not be installed: its commands and
parameters are those of the services' models, which botocore has, too.

    aws_command.py "aws dynamodb get-item --table-name t --key '{…}'"
"""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape


def operation_of(session: botocore.session.Session, service: str, command: str) -> OperationModel:
    """The operation behind a command; its name is the same in another case."""
    model = session.get_service_model(service)
    [name] = [name for name in model.operation_names if xform_name(name, "-") == command]
    return model.operation_model(name)


def value_of(shape: Shape, text: str) -> Any:
    """A parameter's value: JSON, or for an object the short form `name=value,…`."""
    if shape.type_name == "structure" and not text.startswith("{"):
        pairs = (pair.split("=", 1) for pair in text.split(","))
        return {name: value_of(shape.members[name], value) for name, value in pairs}
    if shape.type_name in ("structure", "map"):
        return json.loads(text)
    if shape.type_name == "list":
        return text.split()
    return json.loads(text) if shape.type_name in ("integer", "long", "boolean") else text


def parameters_of(operation: OperationModel, words: list[str]) -> dict[str, Any]:
    """The parameters of a command by the names of the model."""
    members = operation.input_shape.members
    names = {f"--{xform_name(name, '-')}": name for name in members}
    parameters = {}
    for option, text in zip(words[::2], words[1::2], strict=True):
        parameters[names[option]] = value_of(members[names[option]], text)
    return parameters


def main(line: str) -> int:
    aws, service, command, *words = shlex.split(line)
    assert aws == "aws", line
    session = botocore.session.get_session()
    operation = operation_of(session, service, command)
    answer = session.create_client(service)._make_api_call(operation.name, parameters_of(operation, words))
    answer.pop("ResponseMetadata")
    json.dump(answer, sys.stdout, default=lambda value: value.decode("latin-1") if isinstance(value, bytes) else str(value))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
