import json
import os

import boto3
from boto3.dynamodb.conditions import Attr

table = boto3.resource("dynamodb").Table(os.environ["STATES_TABLE"])  # its key: `entity`, a string
FOR_EVER = 2**53  # above every version: no state comes after the end


def handler(batch, _context):
    failed = []
    for message in batch["Records"]:
        try:
            take(json.loads(message["body"])["detail"])
        except Exception as error:  # this message comes again, the others do not
            print(json.dumps({"messageId": message["messageId"], "error": type(error).__name__}))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def take(event):
    for entity in event["data"]["entities"]:
        version = FOR_EVER if entity["status"] in ("deleted", "merged") else entity.get("version")
        if version is None:  # not found, forbidden, skipped: nothing is known of its state
            continue
        state = {"entity": f"{event['source']}/{entity['type']}/{entity['id']}", "version": version, "status": entity["status"]}
        if "body" in entity:  # left out of an event that is too large: fetch it, or wait for the next one
            state["body"] = json.dumps(entity["body"])
        try:
            table.put_item(Item=state, ConditionExpression=Attr("version").not_exists() | Attr("version").lt(version))
        except table.meta.client.exceptions.ConditionalCheckFailedException:
            pass  # seen before, or older than what is known
