//! Tables, secrets and the archive: what is kept, and how.

use serde_json::{Value, json};

use super::{integer, properties, resource, resources_of_type, template};

const STORES: [&str; 6] = ["EventsTable", "SnapshotsTable", "EventsQueue", "DeadLetterQueue", "WebhookSecret", "CapillarySecret"];
const TABLES: [(&str, &str); 2] = [("EventsTable", "eventId"), ("SnapshotsTable", "entityKey")];

#[test]
fn tables_are_keyed_as_designed_on_demand_recoverable_encrypted_and_forget() {
    for (table, key) in TABLES {
        let table_properties = properties(table);
        assert_eq!(table_properties["KeySchema"], json!([{ "AttributeName": key, "KeyType": "HASH" }]), "{table}");
        assert_eq!(table_properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(
            table_properties["TimeToLiveSpecification"],
            json!({ "AttributeName": "expiresAt", "Enabled": true }),
            "{table}"
        );
        assert_eq!(
            table_properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{table} can't be recovered"
        );
        assert_eq!(table_properties["SSESpecification"]["SSEEnabled"], true, "{table} is not encrypted");
    }
}

#[test]
fn snapshots_are_found_by_the_customer_whose_they_are_and_by_nothing_of_hers() {
    let index = json!([{
        "IndexName": "byCustomer",
        "KeySchema": [{ "AttributeName": "customerKey", "KeyType": "HASH" }],
        // A copy of bodies would be one more place to forget.
        "Projection": { "ProjectionType": "KEYS_ONLY" },
    }]);
    assert_eq!(properties("SnapshotsTable")["GlobalSecondaryIndexes"], index);
    let keys = ["entityKey", "customerKey"].map(|name| json!({ "AttributeName": name, "AttributeType": "S" }));
    assert_eq!(properties("SnapshotsTable")["AttributeDefinitions"], json!(keys));
    assert!(properties("EventsTable")["GlobalSecondaryIndexes"].is_null());
}

#[test]
fn what_holds_events_or_credentials_outlives_the_stack() {
    for store in STORES {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource(store)[policy], "Retain", "{store} {policy}");
        }
    }
}

#[test]
fn no_deploy_can_overwrite_a_filled_secret() {
    for secret in ["WebhookSecret", "CapillarySecret"] {
        for value in ["SecretString", "GenerateSecretString"] {
            assert!(
                properties(secret)[value].is_null(),
                "{secret} has a {value}, which a deploy could write over the filled one"
            );
        }
    }
}

#[test]
fn nothing_is_archived_unless_days_are_given_and_then_for_those_days_only() {
    let parameter = &template()["Parameters"]["ArchiveDays"];
    assert_eq!((integer(&parameter["Default"]), integer(&parameter["MinValue"])), (0, 0));
    let archives = resources_of_type("AWS::Events::Archive");
    assert_eq!(archives.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["EventArchive"]);
    let condition = resource("EventArchive")["Condition"].as_str().expect("the archive has a condition");
    let given = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "ArchiveDays" }, 0] }] });
    assert_eq!(template()["Conditions"][condition], given, "0 days would mean for ever to EventBridge");
    let archive = archives[0].1;
    assert_eq!(archive["RetentionDays"]["Ref"], "ArchiveDays");
    assert_eq!(archive["SourceArn"]["Fn::GetAtt"], json!(["EventBus", "Arn"]));
    assert_eq!(archive["EventPattern"], json!({ "source": ["capillary.events"] }), "the source of the bus's entries");
    assert_eq!(resource("EventArchive")["DeletionPolicy"], Value::Null, "one that is switched off must not go on archiving");
}
