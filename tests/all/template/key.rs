//! A key of one's own: what it encrypts, and who may use it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{list, only_if, properties, resources_of_type, role_statements_if, template};

/// Where each kind of resource takes a key.
const PLACES: [(&str, &str); 5] = [
    ("AWS::DynamoDB::Table", "/SSESpecification/KMSMasterKeyId"),
    ("AWS::SQS::Queue", "/KmsMasterKeyId"),
    ("AWS::SecretsManager::Secret", "/KmsKeyId"),
    ("AWS::Logs::LogGroup", "/KmsKeyId"),
    ("AWS::SNS::Topic", "/KmsMasterKeyId"),
];

#[test]
fn everything_that_the_readme_names_is_under_the_key_if_there_is_one() {
    for (kind, place) in PLACES {
        let resources = resources_of_type(kind);
        assert!(!resources.is_empty(), "{kind}");
        for (name, resource) in resources {
            let key = only_if(resource.pointer(place).unwrap_or(&Value::Null), "HasKmsKey");
            assert_eq!(key, Some(&json!({ "Ref": "KmsKeyArn" })), "{name}");
        }
    }
    for table in ["EventsTable", "SnapshotsTable"] {
        let kind = only_if(&properties(table)["SSESpecification"]["SSEType"], "HasKmsKey");
        assert_eq!(kind, Some(&json!("KMS")), "{table}: DynamoDB takes a key for this kind only");
    }
}

#[test]
fn the_key_is_used_nowhere_else() {
    let places: BTreeSet<&str> = PLACES.iter().map(|(kind, _)| *kind).collect();
    for (name, resource) in template()["Resources"].as_object().expect("resources") {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let has_key = resource.to_string().contains("KmsKeyArn");
        // The bus and its archive would need rights for whoever takes events from it.
        assert!(!has_key || places.contains(kind) || kind == "AWS::IAM::Role", "{name} is a {kind} under the key");
    }
}

#[test]
fn the_functions_may_use_the_key_through_their_stores_and_not_by_themselves() {
    let statements = role_statements_if("HasKmsKey");
    assert_eq!(statements.len(), 2);
    for (role, statement) in statements {
        let actions: BTreeSet<&str> = list(&statement["Action"]).into_iter().filter_map(Value::as_str).collect();
        for needed in ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey"] {
            assert!(actions.contains(needed), "{role} lacks {needed}");
        }
        for action in actions {
            let uses = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncrypt"].map(|word| format!("kms:{word}"));
            assert!(uses.iter().any(|word| action.starts_with(word)) && !action.contains('*'), "{role} may {action}");
        }
        assert_eq!(statement["Resource"], json!({ "Ref": "KmsKeyArn" }), "{role}");
        let services = ["dynamodb", "sqs", "secretsmanager"];
        let services = services.map(|service| json!({ "Fn::Sub": format!("{service}.${{AWS::Region}}.${{AWS::URLSuffix}}") }));
        assert_eq!(statement["Condition"], json!({ "StringEquals": { "kms:ViaService": services } }), "{role}");
    }
}
