"""Deliveries of events/, sent through the deployed API one after the other: every shape, a stranger, rubbish, copies."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from demo_stack import DemoStack, table, wait_until
from settings import ROOT
from steps import step

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
        Delivery("pointsIssued.flat", "points", 200, "accepted", "PUBLISHED", ("customer", "pointsLedger")),
        Delivery("cardUpdated.flat", "a card, and whose it is", 200, "accepted", "PUBLISHED", ("card", "customer")),
        Delivery("CouponIssue.flat", "coupons of several customers", 200, "accepted", "PUBLISHED", ("customer", "coupon")),
        Delivery("groupMemberAdded.flat", "a family grows", 200, "accepted", "PUBLISHED", ("group", "customer")),
        Delivery("unknown-name", "a name nobody knows", 200, "accepted", "PUBLISHED"),
        Delivery("wrong-header", "a stranger", 401),
        Delivery("not-json", "kept as a dead letter", 400, "", "dead letter: not_json"),
    ]


class Deliveries:
    """What is sent, and what becomes of it."""

    def __init__(self, demo: DemoStack) -> None:
        self.demo = demo

    def run(self) -> list[Delivery]:
        """All deliveries, in the order of the table."""
        deliveries = first_round()
        with step("deliveries of all shapes, one after the other, and their way to the bus"):
            for delivery in deliveries:
                self.deliver(delivery)
            self.follow(deliveries)
            expected = [delivery for delivery in deliveries if delivery.ledger.startswith("dead letter")]
            for delivery, reason in zip(expected, self.demo.dead_letter_reasons()):
                delivery.seen_ledger = f"dead letter: {reason}"
        with step("the first one once more"):
            again = Delivery(deliveries[0].file, "the same once more", 200, "duplicate", "PUBLISHED", deliveries[0].entities)
            self.deliver(again)
            again.seen_ledger = self.demo.ledger_says(again.event_id)
        with step("one while Capillary answers 429"):
            refused = Delivery("redeemedPointsReversed.body-wrapped", "Capillary answers 429", 200, "accepted", "PUBLISHED", ("customer",))
            self.demo.sandbox("DELETE", "calls")
            self.demo.sandbox("PUT", "faults", [{"path": "/v2/customers", "kind": "status", "status": 429, "retryAfter": "2", "times": 1}])
            self.deliver(refused)
            self.follow([refused])
            if not any(call["status"] == 429 for call in self.demo.sandbox("GET", "calls")[0]):
                refused.seen_ledger = "Capillary was not asked"
            self.demo.sandbox("DELETE", "faults")
            # The copy that a doubled event would have sent has had its time by now.
            self.demo.see_bus()
        deliveries = [deliveries[0], again, *deliveries[1:], refused]
        for delivery in deliveries:
            delivery.seen_on_bus = self.demo.on_bus.get(delivery.event_id, [])
        return deliveries

    def deliver(self, delivery: Delivery) -> None:
        """POSTs the delivery, as the sender would."""
        event = json.loads((ROOT / "events" / "receiver" / f"{delivery.file}.json").read_text(encoding="utf-8"))
        body = event.get("body") or ""
        payload = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        headers = {name: value for name, value in (event.get("headers") or {}).items() if name.lower() not in NOT_SENT}
        request = urllib.request.Request(self.demo.stack["eventsUrl"], data=payload, headers=headers, method="POST")
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
        wait_until(self.demo.see_bus, lambda: all(self.demo.is_on_bus(delivery.event_id) for delivery in waiting))
        wait_until(lambda: self.see_ledger(waiting), lambda: all(delivery.seen_ledger == "PUBLISHED" for delivery in waiting))

    def see_ledger(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            delivery.seen_ledger = self.demo.ledger_says(delivery.event_id)


def delivery_table(deliveries: list[Delivery]) -> str:
    """One line a delivery."""
    rows = [("", "delivery", "", "HTTP answer", "ledger", "entities found")]
    for delivery in deliveries:
        answer = f"{delivery.seen_status} {delivery.seen_answer.get('status', '') if delivery.seen_status == 200 else ''}".strip()
        rows.append(("ok" if not delivery.problems() else "!!", delivery.file, delivery.what, answer, delivery.seen_ledger or "-", ", ".join(delivery.found()) or "-"))
    return table(rows)
