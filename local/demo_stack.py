"""The deployed stack as the demo sees it: the API, the bus, the ledger, and the stand-in for Capillary."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import boto3

WAIT_SECONDS = 90


class DemoStack:
    """The deployed stack, and a queue that sees what comes out of its bus."""

    def __init__(self, stack: dict[str, Any], session: boto3.Session) -> None:
        self.stack = stack
        self.outputs = stack["outputs"]
        self.sqs = session.client("sqs")
        self.functions = session.client("lambda")
        self.events = session.client("events")
        self.ledger = session.resource("dynamodb").Table(self.outputs["EventsTableName"])
        self.bus_queue = self.watch_the_bus()
        self.on_bus: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def watch_the_bus(self) -> str:
        """A rule for every event, with a queue as its target, as a user of the product would make one."""
        name = f"demo-{uuid.uuid4().hex[:8]}"
        queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus = self.outputs["EventBusName"]
        self.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["capillary.events"]}))
        self.events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "demo", "Arn": arn}])
        return queue

    def see_bus(self) -> None:
        """Takes what has arrived, by its id."""
        answer = self.sqs.receive_message(QueueUrl=self.bus_queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            self.on_bus[detail["id"]].append(detail)
            self.sqs.delete_message(QueueUrl=self.bus_queue, ReceiptHandle=message["ReceiptHandle"])

    def is_on_bus(self, event_id: str) -> bool:
        return bool(self.on_bus.get(event_id))

    def ledger_says(self, event_id: str) -> str:
        """The status in the ledger; empty if it has no such event."""
        row = self.ledger.get_item(Key={"eventId": event_id}, ConsistentRead=True).get("Item", {}) if event_id else {}
        return str(row.get("status", ""))

    def dead_letter_reasons(self) -> list[str]:
        """Why events are in the dead-letter queue; they are left there."""
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=5, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return [message["MessageAttributes"]["reason"]["StringValue"] for message in answer.get("Messages", [])]

    def sandbox(self, method: str, path: str, body: Any = None) -> tuple[Any, str]:
        """Asks or tells the stand-in for Capillary something: its answer, and the id of the event that it sends because of it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.stack['sandboxUrl']}/sandbox/{path}", data=data, headers={"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text, event_id = answer.read(), answer.headers.get("x-sandbox-event-id", "")
        return (json.loads(text) if text else None), event_id

    def receiver_takes(self, deliveries_at_once: int | None) -> None:
        """Lets the receiver run so often at once: 0 is an outage, none lifts the limit."""
        name = self.outputs["ReceiverFunctionName"]
        if deliveries_at_once is None:
            self.functions.delete_function_concurrency(FunctionName=name)
        else:
            self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=deliveries_at_once)


def wait_until(look: Callable[[], None], is_done: Callable[[], bool]) -> None:
    """Looks again and again until it is done or the time is up; what is missing then shows in the table."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done() and time.monotonic() < deadline:
        look()
        if not is_done():
            time.sleep(0.1)


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows in columns, the first row as their names."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
