"""What the stack costs, in dollars at list prices, item by item.

Nothing is counted here: calls and units are those of `local/cost/budget.json`, which the tests compare with a real run
(`make cost` does so just before). Prices are in `local/cost/prices.json`, with their date; what no local run can count is
in `local/cost/assumptions.json`; memory, alarms and the like are the template's.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from settings import REGION, ROOT
from transform import transformed

MILLION = 1_000_000
GIGABYTE = 1_000_000_000
DAYS_A_MONTH = 365 / 12

NEW = "receiver: a new event"
DUPLICATE = "receiver: a duplicate"
SINGLE = "enricher: a customer who changed"
TEN = "enricher: ten customers in a batch, who changed"
NOTHING_BEHIND = "enricher: an event without entities"


def read(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "local" / "cost" / f"{name}.json").read_text(encoding="utf-8"))


STORIES = read("budget")["stories"]
STORED_BYTES = read("budget")["storedBytes"]
PRICES = read("prices")
ASSUMED = {name: entry["value"] for name, entry in read("assumptions").items() if name != "about"}
os.environ["AWS_DEFAULT_REGION"] = REGION
# The translator warns of features that need an account.
logging.getLogger("samtranslator").setLevel(logging.ERROR)
TEMPLATE = transformed({})
RESOURCES = TEMPLATE["Resources"]


def price(kind: str, name: str) -> float:
    return PRICES[kind][name]["price"]


def of_type(kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in RESOURCES.values() if resource["Type"] == kind]


def default(value: Any) -> Any:
    """The default of the parameter that stands there."""
    return TEMPLATE["Parameters"][value["Ref"]]["Default"]


def units(story: dict[str, Any]) -> Counter[str]:
    """Billed units of one playing of a story."""
    total: Counter[str] = Counter()
    for line in story["aws"]:
        total.update(line.get("units", {}))
    return total


@dataclass
class Way:
    """How a million events go: how often each is delivered, and how the enricher gets them."""

    name: str
    deliveries: int
    enriching: str

    def invocations(self) -> float:
        """The enricher's, for an event."""
        return 1 / STORIES[self.enriching]["events"]

    def played(self) -> list[tuple[dict[str, Any], float, str]]:
        """Each story, how often it is played for an event, and by which function."""
        enriching = STORIES[self.enriching]
        return [
            (STORIES[NEW], 1, "Receiver"),
            (STORIES[DUPLICATE], self.deliveries - 1, "Receiver"),
            (enriching, self.invocations(), "Enricher"),
        ]

    def unit(self, name: str) -> float:
        """Units for an event."""
        return sum(units(story)[name] * times for story, times, _ in self.played())

    def gigabyte_seconds(self, function: str) -> float:
        """For an event. Calls of a kind are made at once, those of another kind after them; then there is what the processor does."""
        megabytes = RESOURCES[f"{function}Function"]["Properties"]["MemorySize"]
        total = 0.0
        for story, times, by in self.played():
            if by == function:
                waiting_ms = len(story["aws"]) * ASSUMED["awsCallMs"] + len(story["capillary"]) * ASSUMED["capillaryCallMs"]
                busy_ms = ASSUMED[f"{function.lower()}CpuMs"] * story["events"] * ASSUMED["megabytesOfAProcessor"] / megabytes
                total += times * (waiting_ms + busy_ms) / 1000 * megabytes / 1024
        return total

    def log_bytes(self) -> float:
        """For an event: the functions' own lines, and Lambda's."""
        total = 0.0
        for story, times, by in self.played():
            invocations = story["events"] if by == "Receiver" else 1
            lines = story["logLines"] + invocations * ASSUMED["platformLogLines"]
            total += times * (story["logBytes"] + invocations * ASSUMED["platformLogBytes"] + lines * ASSUMED["logLineBytes"])
        return total

    def traces(self) -> float:
        """For an event: of deliveries that are sampled, and of batches with the message of one."""
        rate = ASSUMED["deliveriesPerSecond"] * self.deliveries
        sampled = (1 + (rate - 1) * 0.05) / rate
        return self.deliveries * sampled + self.invocations() * (1 - (1 - sampled) ** (1 / self.invocations()))

    def dollars(self) -> dict[str, float]:
        """Dollars for a million events, by item."""
        architecture = default(RESOURCES["ReceiverFunction"]["Properties"]["Architectures"][0])
        second = price("perGigabyteSecond", architecture) * MILLION

        def per_million(name: str) -> float:
            return price("perMillion", name)

        return {
            "API Gateway, REST": self.deliveries * per_million("restApiRequests"),
            "Lambda, requests": (self.deliveries + self.invocations()) * per_million("lambdaRequests"),
            "Lambda, time of the receiver": self.gigabyte_seconds("Receiver") * second,
            "Lambda, time of the enricher": self.gigabyte_seconds("Enricher") * second,
            "DynamoDB, write units": (self.unit("write") + self.unit("indexWrite")) * per_million("dynamodbWriteUnits"),
            "DynamoDB, read units": self.unit("read") * per_million("dynamodbReadUnits"),
            "SQS, requests": (self.unit("request") + self.invocations() * ASSUMED["sqsCallsOfLambdaPerBatch"]) * per_million("sqsRequests"),
            "EventBridge, entries": self.unit("entry") * per_million("eventbridgeEntries"),
            "CloudWatch, logs": self.log_bytes() * MILLION / GIGABYTE * price("perGigabyte", "logs"),
            "X-Ray, traces": self.traces() * per_million("xrayTraces"),
        }


WAYS = [
    Way("customers,\none by one", 1, SINGLE),
    Way("customers,\nin tens", 1, TEN),
    Way("in tens,\nten copies", 10, TEN),
    Way("no entities,\none by one", 1, NOTHING_BEHIND),
]


def a_month() -> dict[str, float]:
    """What is billed by the month, however few events come."""
    metrics = {name for story in (NEW, DUPLICATE, SINGLE, NOTHING_BEHIND) for name in STORIES[story]["metrics"]}
    # A filter without a default has no metric as long as nothing happens.
    filters = sum("DefaultValue" in counted for properties in of_type("AWS::Logs::MetricFilter") for counted in properties["MetricTransformations"])
    has_method_metrics = any(setting.get("MetricsEnabled") for stage in of_type("AWS::ApiGateway::Stage") for setting in stage.get("MethodSettings", []))
    method_metrics = ASSUMED["apiMetrics"] if has_method_metrics else 0
    secrets, alarms = of_type("AWS::SecretsManager::Secret"), of_type("AWS::CloudWatch::Alarm")
    watched = sum("MetricStat" in part or "MetricName" in part for alarm in alarms for part in alarm.get("Metrics", [alarm]))
    hours = ASSUMED["monthHours"]
    polls = ASSUMED["pollers"] * hours * 3600 / ASSUMED["pollSeconds"]
    metric, per_million = price("perMonth", "metric"), PRICES["perMillion"]
    return {
        f"{len(metrics) + filters} metrics of the functions": (len(metrics) + filters) * metric,
        f"{method_metrics} metrics of the API's method": method_metrics * metric,
        f"{len(alarms)} alarms on {watched} metrics": watched * price("perMonth", "alarm"),
        f"{len(secrets)} secrets, read each five minutes": len(secrets) * price("perMonth", "secret")
        + ASSUMED["processes"] * hours * 12 * per_million["secretCalls"]["price"] / MILLION,
        "Lambda's polling of an empty queue": polls * per_million["sqsRequests"]["price"] / MILLION,
        "KMS, the tables' key": ASSUMED["keyUses"] * hours * 12 * per_million["kmsRequests"]["price"] / MILLION,
    }


def kept() -> dict[str, float]:
    """Dollars a month for a million things in the tables, with point-in-time recovery."""
    gigabyte = price("perGigabyteMonth", "dynamodbStorage") + price("perGigabyteMonth", "dynamodbRecovery")

    def stored(name: str) -> float:
        return (STORED_BYTES[name] + ASSUMED["itemOverheadBytes"]) * MILLION / GIGABYTE * gigabyte

    days = int(default(RESOURCES["EnricherFunction"]["Properties"]["Environment"]["Variables"]["EVENT_TTL_DAYS"]))
    return {
        f"ledger, a million events a month, {days} days": stored("ledger row, published") * days / DAYS_A_MONTH,
        "snapshots, a million customers": stored("snapshot of a customer"),
    }


def heads() -> list[tuple[str, list[str]]]:
    """The ways' names, in two lines."""
    above, below = zip(*(way.name.split("\n") for way in WAYS))
    return [("dollars for a million events", list(above)), ("", list(below))]


def row(name: str, values: list[float]) -> str:
    return f"{name:42}" + "".join(f"{value:14.2f}" for value in values)


def calls() -> list[str]:
    """What one event about a customer who changed takes, call by call."""
    lines = []
    for function, story in (("receiver", NEW), ("enricher", SINGLE)):
        for line in STORIES[story]["aws"] + STORIES[story]["capillary"]:
            billed = ", ".join(f"{count} {unit}" for unit, count in line.get("units", {}).items())
            lines.append(f"{function}  {line['times']} {line['call']:46}{billed or '-'}")
    return lines


def report() -> str:
    """All of it, as text."""
    all_dollars = [way.dollars() for way in WAYS]
    lines = [f"{'an event about a customer who changed':58}billed units", *calls(), ""]
    lines += [f"{title:42}" + "".join(f"{name:>14}" for name in names) for title, names in heads()]
    lines += [row(item, [dollars[item] for dollars in all_dollars]) for item in all_dollars[0]]
    sums = [sum(dollars.values()) for dollars in all_dollars]
    saved = price("perMillion", "restApiRequests") - price("perMillion", "httpApiRequests")
    lines.append(row("sum", sums))
    lines.append(row("sum, were it an HTTP API", [total - way.deliveries * saved for total, way in zip(sums, WAYS)]))
    lines += ["", "dollars a month, however few events come"]
    fixed = a_month()
    lines += [row(item, [dollars]) for item, dollars in fixed.items()]
    lines.append(row("sum", [sum(fixed.values())]))
    lines += ["", "dollars a month for what is kept"]
    lines += [row(item, [dollars]) for item, dollars in kept().items()]
    lines += ["", f"list prices of {PRICES['region']}, {PRICES['asOf']}, before what is free"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
