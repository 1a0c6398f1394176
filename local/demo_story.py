"""A customer's story: the stand-in for Capillary sends what happens, and the bus tells what changed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from demo_stack import DemoStack, table, wait_until
from steps import step

# Sandbox seconds a second: an event that is not taken comes again in parts of a second.
TIME_SCALE = 20
OUTAGE_ATTEMPTS = 3


@dataclass
class Happening:
    """Something that happens at Capillary, what should be told of it, and what was."""

    what: str
    event: str
    # The change that it is about: a path, and whether it was told of a first sight.
    path: str = ""
    is_first_sight: bool = False
    fails_first: bool = False
    event_id: str = ""
    answers: list[str] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    copies: int = 0

    def entity(self) -> dict[str, Any]:
        """What the event is about."""
        entities = self.detail.get("data", {}).get("entities", [])
        return entities[0] if entities else {}

    def changes(self) -> list[dict[str, Any]]:
        return self.detail.get("data", {}).get("changes", [])

    def told(self) -> str:
        """What changed, in a few words; a first sight has no before."""
        changes = [f"{change['path']}: {short(change.get('before'))} → {short(change.get('after'))} ({change['origin']})" for change in self.changes()]
        return "; ".join((["first sight"] if self.entity().get("baseline") else []) + changes) or "nothing"

    def problems(self) -> list[str]:
        """What is not as it should be."""
        if not self.detail:
            return ["nothing came out of the bus"]
        problems = []
        if self.copies != 1:
            problems.append(f"{self.copies} copies on the bus, should be 1")
        if self.detail["type"] != f"capillary.{self.event}":
            problems.append(f"is {self.detail['type']}, should be {self.event}")
        if self.entity().get("baseline") != self.is_first_sight:
            problems.append(f"baseline is {self.entity().get('baseline')}, should be {self.is_first_sight}")
        if self.path and [change["path"] for change in self.changes()] != [self.path]:
            problems.append(f"tells {self.told()}, should tell {self.path}")
        if self.answers[-1:] != ["200"] or (len(self.answers) > 1) != self.fails_first:
            problems.append(f"was answered {', '.join(self.answers) or 'nothing'}")
        return problems


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 24 else f"{text[:21]}…"


class Story:
    """One customer and her bill, with numbers of their own, so that the story can be told again."""

    def __init__(self, demo: DemoStack) -> None:
        self.demo = demo
        self.customer = random.randint(500_000_000, 599_999_999)
        self.bill = random.randint(3_000_000_000, 3_999_999_999)
        self.happenings: list[Happening] = []

    def run(self) -> list[Happening]:
        """Everything that happens, one after the other."""
        customer, bill = f"customers/{self.customer}", f"transactions/{self.bill}"
        self.demo.sandbox("PUT", "webhook", {"timeScale": TIME_SCALE})
        with step("a customer registers, is renamed, gets a bill, the bill is updated"):
            profile = self.demo.sandbox("GET", customer)[0]["profiles"][0]
            self.happens(Happening("a customer registers", "customerAdded", is_first_sight=True), customer, {})
            renamed = {**profile, "firstName": "Anna", "autoUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
            self.happens(Happening("she is renamed", "customerUpdated", "/profiles/0/firstName"), customer, {"profiles": [renamed]})
            bought = Happening("she gets a bill", "transactionAdded", is_first_sight=True)
            self.happens(bought, bill, {"customerId": self.customer, "billDetails": {"amount": 400.0}})
            self.happens(Happening("the bill is updated", "transactionUpdated", "/billDetails/amount"), bill, {"billDetails": {"amount": 380.0}})
        with step("the receiver is down, and the bill is updated once more; then it is up again"):
            self.demo.receiver_takes(0)
            late = Happening("the same, in an outage", "transactionUpdated", "/billDetails/note", fails_first=True)
            try:
                self.sent(late, bill, {"billDetails": {"note": "gift"}})
                wait_until(lambda: self.see(late), lambda: len(late.answers) >= OUTAGE_ATTEMPTS)
            finally:
                self.demo.receiver_takes(None)
            self.arrives(late)
        return self.happenings

    def happens(self, happening: Happening, path: str, patch: dict[str, Any]) -> None:
        """Something happens, and its event comes out of the bus."""
        self.sent(happening, path, patch)
        self.arrives(happening)

    def sent(self, happening: Happening, path: str, patch: dict[str, Any]) -> None:
        """Changes something at Capillary, which makes it send an event."""
        _, happening.event_id = self.demo.sandbox("PUT", path, patch)
        self.happenings.append(happening)

    def arrives(self, happening: Happening) -> None:
        wait_until(self.demo.see_bus, lambda: self.demo.is_on_bus(happening.event_id))
        self.see(happening)
        copies = self.demo.on_bus.get(happening.event_id, [])
        happening.copies, happening.detail = len(copies), copies[0] if copies else {}

    def see(self, happening: Happening) -> None:
        """What the sender was answered so far."""
        for delivery in self.demo.sandbox("GET", "deliveries")[0]:
            if delivery["eventId"] == happening.event_id:
                happening.answers = [str(attempt.get("status") or attempt.get("error")) for attempt in delivery["attempts"]]


def story_table(happenings: list[Happening]) -> str:
    """One line for each thing that happened."""
    rows = [("", "at Capillary", "event", "answers", "what changed, says the bus")]
    for happening in happenings:
        rows.append(("ok" if not happening.problems() else "!!", happening.what, happening.event, ", ".join(happening.answers), happening.told()))
    return table(rows)
