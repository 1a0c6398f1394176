"""Shows the deployed product at work: a customer's story, sent by the stand-in for Capillary, and deliveries of all shapes.

Prints one line for each; ends with status 0 only if every line is as it should be. `make demo` starts everything that
this needs. With KEEP=1 in the environment it says how to go on by hand.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from demo_deliveries import Deliveries, delivery_table
from demo_operator import Operator
from demo_stack import DemoStack
from demo_story import Story, story_table
from settings import LOCAL, ROOT
from stack import local_session, read_stack_file
from steps import StepFailed, fail


def example(detail: dict[str, Any]) -> str:
    """One event as it is on the bus, without the bodies of its entities."""
    if not detail:
        return "  (nothing came)"
    detail = json.loads(json.dumps(detail))
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
  change a customer: Capillary's stand-in sends the event, the bus tells the change
    curl -X PUT -H 'content-type: application/json' -d '{{"extendedFields":{{"city":"Porto"}}}}' {sandbox}/sandbox/customers/42
  what it has sent, and how it was answered
    curl {sandbox}/sandbox/deliveries
  Capillary down, then up again: events wait, none is lost
    curl -X PUT -H 'content-type: application/json' -d '[{{"path":"/v2","kind":"status","status":503}}]' {sandbox}/sandbox/faults
    curl -X DELETE {sandbox}/sandbox/faults
  the operator's program: where is my event, what lies in the dead-letter queue, is all as it should be
    eval "$(make env)"
    capctl --help
  what was asked of Capillary
    curl {sandbox}/sandbox/calls
  what the functions logged
    make logs
  all addresses and names are in {(LOCAL / 'stack.json').relative_to(ROOT)}
"""


def main() -> int:
    try:
        stack = read_stack_file()
        demo = DemoStack(stack, local_session())
        happenings = Story(demo).run()
        deliveries = Deliveries(demo).run()
        operator = Operator(demo).run(happenings[1].event_id)
    except StepFailed as failed:
        return fail(str(failed))
    print(f"\n{story_table(happenings)}")
    print(f"\n{delivery_table(deliveries)}")
    print(f"\nThe renaming as a rule sees it (the customer's own members left out):\n{example(happenings[1].detail)}")
    print(f"\nAn operator follows the renaming, and redrives what somebody put into the dead-letter queue:\n\n{operator.text}")
    print(legend(stack, bool(os.environ.get("KEEP"))))
    wrong = [f"{happening.what}: {problem}" for happening in happenings for problem in happening.problems()]
    wrong += [f"{delivery.file}: {problem}" for delivery in deliveries for problem in delivery.problems()]
    wrong += operator.found_wrong
    log = (LOCAL / "local-aws.log").relative_to(ROOT)
    return fail("not as it should be:\n  " + "\n  ".join(wrong) + f"\nThe functions' logs are in {log}.") if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
