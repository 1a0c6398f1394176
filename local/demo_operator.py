"""What an operator sees with `capctl`: an event's story, and a dead letter that is found, redriven and published."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from dataclasses import dataclass, field

from demo_stack import DemoStack, wait_until
from stack import operator_environment
from steps import step


@dataclass
class Operator:
    """Commands and what they printed."""

    demo: DemoStack
    text: str = ""
    found_wrong: list[str] = field(default_factory=list)

    def run(self, renaming_id: str) -> "Operator":
        """Follows the renaming, and mends a dead letter."""
        with step("an operator follows an event, and redrives a dead letter"):
            self.capctl("trace", renaming_id, must_say=["On the bus", "/profiles/0/firstName"])
            letter_id = self.bury()
            self.capctl("dlq", "list", exit_code=1, must_say=["not_json"])
            self.capctl("trace", letter_id, exit_code=1, must_say=["In the dead-letter queue"])
            self.capctl("dlq", "redrive", "--event-id", letter_id)
            wait_until(self.demo.see_bus, lambda: self.demo.is_on_bus(letter_id))
            wait_until(lambda: None, lambda: self.demo.ledger_says(letter_id) == "PUBLISHED")
            self.capctl("trace", letter_id, must_say=["On the bus"])
        return self

    def capctl(self, *words: str, exit_code: int = 0, must_say: list[str] | None = None) -> None:
        """Runs a command as it is printed."""
        ran = subprocess.run(["capctl", *words], env={**os.environ, **operator_environment()}, capture_output=True, text=True)
        self.text += f"$ capctl {' '.join(words)}\n{ran.stdout}\n"
        missing = [words for words in must_say or [] if words not in ran.stdout]
        if ran.returncode != exit_code or missing:
            self.found_wrong.append(f"capctl {words[0]}: exit code {ran.returncode}, should be {exit_code}; not said: {missing}; {ran.stderr}")

    def bury(self) -> str:
        """Puts an event where SQS moves what was received a thousand times: into the dead-letter queue, without a reason."""
        event_id = str(uuid.uuid4())
        body = {"eventName": "customerUpdated", "eventId": event_id, "orgId": 100737, "data": {"customerIdentifiers": {"customerId": 4711}}}
        attributes = {"eventId": ("String", event_id), "eventName": ("String", "customerUpdated"), "orgId": ("Number", "100737"), "v": ("Number", "1")}
        self.demo.sqs.send_message(
            QueueUrl=self.demo.outputs["DeadLetterQueueUrl"],
            MessageBody=json.dumps(body),
            MessageAttributes={name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()},
        )
        return event_id
