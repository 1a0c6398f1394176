"""Sends deliveries from events/ through the deployed API and follows each of them to the bus.

Prints one line a delivery; ends with status 0 only if every line is as it should be. `make demo` starts everything that
this needs. With KEEP=1 in the environment it says how to go on by hand.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3

from settings import LOCAL, ROOT
from stack import local_session, read_stack_file
from steps import StepFailed, fail, step

WAIT_SECONDS = 90
# What the HTTP client and the gateway set by themselves.
NOT_SENT = {"host", "content-length", "connection", "accept-encoding", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"}


@dataclass
class Delivery:
    """One delivery, what should come of it, and what did."""

    file: str
    what: str
    status: int
    answer: str = ""
    ledger: str = ""
    entities: tuple[str, ...] = ()
    seen_status: int = 0
    seen_answer: dict[str, Any] = field(default_factory=dict)
    seen_ledger: str = ""
    seen_on_bus: list[dict[str, Any]] = field(default_factory=list)

    @property
    def event_id(self) -> str:
        return str(self.seen_answer.get("eventId", ""))

    @property
    def is_published(self) -> bool:
        """Whether an event on the bus must come of it."""
        return self.ledger == "PUBLISHED"

    def found(self) -> list[str]:
        """The entities of its event as `type/id`, with the status of those that were not found."""
        entities = self.seen_on_bus[0]["data"]["entities"] if self.seen_on_bus else []
        return [f"{e['type']}/{e['id']}" + ("" if e["status"] == "found" else f" ({e['status']})") for e in entities]

    def problems(self) -> list[str]:
        """What is not as it should be."""
        problems = []
        if self.seen_status != self.status:
            problems.append(f"answered {self.seen_status}, should be {self.status}")
        if self.answer and self.seen_answer.get("status") != self.answer:
            problems.append(f"answer says {self.seen_answer.get('status')!r}, should be {self.answer!r}")
        if self.seen_ledger != self.ledger:
            problems.append(f"ledger says {self.seen_ledger or 'nothing'}, should be {self.ledger or 'nothing'}")
        if self.is_published and len({json.dumps(event, sort_keys=True) for event in self.seen_on_bus}) != 1:
            problems.append(f"{len(self.seen_on_bus)} events on the bus, should be 1")
        if self.is_published and self.seen_on_bus:
            entities = self.seen_on_bus[0]["data"]["entities"]
            missing = set(self.entities) - {e["type"] for e in entities if e["status"] == "found"}
            problems += [f"no {kind} found" for kind in sorted(missing)]
            problems += [f"{e['type']} is {e['status']}" for e in entities if e["status"] != "found"]
        return problems


def first_round() -> list[Delivery]:
    """Deliveries that can be sent at once."""
    return [
        Delivery("customerAdded.flat", "a customer was added", 200, "accepted", "PUBLISHED", ("customer",)),
        Delivery("customerUpdated.envelope", "updated, in the other shape", 200, "accepted", "PUBLISHED", ("customer",)),
        Delivery("transactionAdded.flat", "a purchase", 200, "accepted", "PUBLISHED", ("transaction",)),
        Delivery("transactionUpdated.flat", "a purchase changed", 200, "accepted", "PUBLISHED", ("transaction",)),
        Delivery("pointsIssued.flat", "points, so the customer", 200, "accepted", "PUBLISHED", ("customer",)),
        Delivery("unknown-name", "a name nobody knows", 200, "accepted", "PUBLISHED"),
        Delivery("wrong-header", "a stranger", 401),
        Delivery("not-json", "kept as a dead letter", 400, "", "dead letter: not_json"),
    ]


class Demo:
    """The deployed stack, and a queue that sees what comes out of its bus."""

    def __init__(self, stack: dict[str, Any], session: boto3.Session) -> None:
        self.stack = stack
        self.outputs = stack["outputs"]
        self.sqs = session.client("sqs")
        self.events = session.client("events")
        self.ledger = session.resource("dynamodb").Table(self.outputs["EventsTableName"])
        self.bus_queue = self.watch_the_bus()

    def watch_the_bus(self) -> str:
        """A rule for every event, with a queue as its target, as a user of the product would make one."""
        name = f"demo-{uuid.uuid4().hex[:8]}"
        queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        bus = self.outputs["EventBusName"]
        self.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["capillary.events"]}))
        self.events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "demo", "Arn": arn}])
        return queue

    def deliver(self, delivery: Delivery) -> None:
        """POSTs the delivery, as the sender would."""
        event = json.loads((ROOT / "events" / "receiver" / f"{delivery.file}.json").read_text(encoding="utf-8"))
        body = event.get("body") or ""
        payload = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() not in NOT_SENT}
        request = urllib.request.Request(self.stack["eventsUrl"], data=payload, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:
                delivery.seen_status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            delivery.seen_status, text = error.code, error.read()
        try:
            delivery.seen_answer = json.loads(text)
        except ValueError:
            delivery.seen_answer = {}

    def follow(self, deliveries: list[Delivery]) -> None:
        """Waits until the events of the deliveries are on the bus and marked so in the ledger."""
        # What was not accepted now will not come; the table says so.
        waiting = [delivery for delivery in deliveries if delivery.is_published and delivery.seen_answer.get("status") == "accepted"]
        wait_until(lambda: self.see_bus(waiting), lambda: all(delivery.seen_on_bus for delivery in waiting))
        wait_until(lambda: self.see_ledger(waiting), lambda: all(delivery.seen_ledger == "PUBLISHED" for delivery in waiting))

    def see_bus(self, deliveries: list[Delivery]) -> None:
        """Takes what has arrived and gives it to the delivery that bears its id."""
        answer = self.sqs.receive_message(QueueUrl=self.bus_queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            for delivery in deliveries:
                if delivery.event_id == detail["id"]:
                    delivery.seen_on_bus.append(detail)
            self.sqs.delete_message(QueueUrl=self.bus_queue, ReceiptHandle=message["ReceiptHandle"])

    def see_ledger(self, deliveries: list[Delivery]) -> None:
        """Reads the rows of those that have an id."""
        for delivery in filter(lambda delivery: delivery.event_id, deliveries):
            row = self.ledger.get_item(Key={"eventId": delivery.event_id}, ConsistentRead=True).get("Item", {})
            delivery.seen_ledger = str(row.get("status", ""))

    def see_dead_letters(self, deliveries: list[Delivery]) -> None:
        """Reads why events are in the dead-letter queue, and leaves them there."""
        expected = [delivery for delivery in deliveries if delivery.ledger.startswith("dead letter")]
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=5, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        for delivery, message in zip(expected, answer.get("Messages", [])):
            delivery.seen_ledger = f"dead letter: {message['MessageAttributes']['reason']['StringValue']}"

    def sandbox(self, method: str, path: str, body: Any = None) -> Any:
        """Asks or tells the stand-in for Capillary something."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.stack['sandboxUrl']}/sandbox/{path}", data=data, headers={"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def refusals(self) -> int:
        """How often Capillary's stand-in has answered 429."""
        return sum(1 for call in self.sandbox("GET", "calls") if call["status"] == 429)


def wait_until(look: Callable[[], None], is_done: Callable[[], bool]) -> None:
    """Looks again and again until it is done or the time is up; what is missing then shows in the table."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_done() and time.monotonic() < deadline:
        look()
        if not is_done():
            time.sleep(0.1)


def run(demo: Demo) -> list[Delivery]:
    """All deliveries, in the order of the table."""
    deliveries = first_round()
    with step("deliveries, one after the other, and their way to the bus"):
        for delivery in deliveries:
            demo.deliver(delivery)
        demo.follow(deliveries)
        demo.see_dead_letters(deliveries)
    with step("the first one once more"):
        again = Delivery(deliveries[0].file, "the same once more", 200, "duplicate", "PUBLISHED", deliveries[0].entities)
        demo.deliver(again)
        again.seen_on_bus = deliveries[0].seen_on_bus
        demo.see_ledger([again])
    with step("one while Capillary answers 429"):
        refused = Delivery("redeemedPointsReversed.body-wrapped", "Capillary answers 429", 200, "accepted", "PUBLISHED", ("customer",))
        demo.sandbox("DELETE", "calls")
        demo.sandbox("PUT", "faults", [{"path": "/v2/customers", "kind": "status", "status": 429, "retryAfter": "2", "times": 1}])
        demo.deliver(refused)
        demo.follow([refused])
        if demo.refusals() == 0:
            refused.seen_ledger = "Capillary was not asked"
        demo.sandbox("DELETE", "faults")
        # The copy that a doubled event would have sent has had its time by now.
        demo.see_bus([*deliveries, refused])
    return [deliveries[0], again, *deliveries[1:], refused]


def table(deliveries: list[Delivery]) -> str:
    """One line a delivery."""
    rows = [("", "delivery", "", "HTTP answer", "ledger", "entities found")]
    for delivery in deliveries:
        answer = f"{delivery.seen_status} {delivery.seen_answer.get('status', '') if delivery.seen_status == 200 else ''}".strip()
        rows.append(("ok" if not delivery.problems() else "!!", delivery.file, delivery.what, answer, delivery.seen_ledger or "-", ", ".join(delivery.found()) or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def example(delivery: Delivery) -> str:
    """One event as it is on the bus, without the bodies of its entities."""
    if not delivery.seen_on_bus:
        return "  (nothing came)"
    detail = json.loads(json.dumps(delivery.seen_on_bus[0]))
    for entity in detail["data"]["entities"]:
        entity["body"] = {"…": f"{len(entity.get('body', {}))} members"}
    detail["data"]["event"] = {"…": "as received"}
    return "  " + json.dumps(detail, indent=1, ensure_ascii=False).replace("\n", "\n  ")


def legend(stack: dict[str, Any], is_kept: bool) -> str:
    """What to try next."""
    headers = " ".join(f"-H '{name}: {value}'" for name, value in stack["webhookHeaders"].items())
    sandbox = stack["sandboxUrl"]
    return f"""
{'Everything is still running (`make down` ends it).' if is_kept else 'With `make demo KEEP=1` everything stays up. Then try:'}

  a delivery of your own
    curl -i {headers} \\
      -d '{{"eventName":"customerUpdated","eventId":"my-'$RANDOM'","orgId":1,"data":{{"customerIdentifiers":{{"customerId":42}}}}}}' \\
      {stack['eventsUrl']}
  a customer that is gone; send the delivery above once more, and its event says "deleted"
    curl -X PUT -H 'content-type: application/json' -d '{{"state":"deleted"}}' {sandbox}/sandbox/customers/42/state
  Capillary down, then up again: events wait, none is lost
    curl -X PUT -H 'content-type: application/json' -d '[{{"path":"/v2","kind":"status","status":503}}]' {sandbox}/sandbox/faults
    curl -X DELETE {sandbox}/sandbox/faults
  what was asked of Capillary
    curl {sandbox}/sandbox/calls
  what the functions logged
    make logs
  all addresses and names are in {(LOCAL / 'stack.json').relative_to(ROOT)}
"""


def main() -> int:
    try:
        stack = read_stack_file()
        deliveries = run(Demo(stack, local_session()))
    except StepFailed as failed:
        return fail(str(failed))
    print(f"\n{table(deliveries)}")
    print(f"\nThe first one as a rule sees it (the customer's own members left out):\n{example(deliveries[0])}")
    print(legend(stack, bool(os.environ.get("KEEP"))))
    wrong = [f"{delivery.file}: {problem}" for delivery in deliveries for problem in delivery.problems()]
    log = (LOCAL / "local-aws.log").relative_to(ROOT)
    return fail("not as it should be:\n  " + "\n  ".join(wrong) + f"\nThe functions' logs are in {log}.") if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
