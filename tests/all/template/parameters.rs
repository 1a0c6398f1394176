//! What a deployment may be told, and what it tells.

use serde_json::json;

use super::{integer, template};
use crate::support::examples;

/// CloudFormation refuses longer ones.
const MAX_DESCRIPTION_CHARS: usize = 4000;

#[test]
fn an_event_id_is_never_forgotten_within_fourteen_days() {
    let parameter = &template()["Parameters"]["EventTtlDays"];
    assert_eq!(parameter["Type"], "Number", "a minimum works on numbers only");
    assert_eq!(integer(&parameter["MinValue"]), 15, "less than the queues' 14 days and a day must be refused");
    assert_eq!(integer(&parameter["Default"]), 21);
}

#[test]
fn limits_and_the_life_of_logs_can_be_set_but_not_be_done_without() {
    for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        let parameter = &template()["Parameters"][limit];
        assert!(integer(&parameter["MinValue"]) >= 1 && integer(&parameter["Default"]) >= 1, "{limit}: {parameter}");
    }
    let days = &template()["Parameters"]["LogRetentionDays"];
    assert!(integer(&days["Default"]) <= 30, "{days}");
    assert!(days["AllowedValues"].as_array().is_some_and(|values| values.iter().all(|value| integer(value) >= 1)), "{days}");
}

#[test]
fn the_defaults_are_the_designs() {
    for (parameter, value) in
        [("SnapshotTtlDays", 400), ("MaxAttempts", 8), ("MaxEntryKib", 256), ("CapillaryReplicaLagSeconds", 5)]
    {
        assert_eq!(integer(&template()["Parameters"][parameter]["Default"]), value, "{parameter}");
    }
}

#[test]
fn everything_is_enriched_and_nothing_redacted_unless_somebody_says_so() {
    for parameter in ["EventRules", "DropPaths", "HashPaths"] {
        let parameter_properties = &template()["Parameters"][parameter];
        assert_eq!(
            (&parameter_properties["Type"], &parameter_properties["Default"]),
            (&"String".into(), &"".into()),
            "{parameter}"
        );
        let description = parameter_properties["Description"].as_str().unwrap_or_default();
        assert!(!description.is_empty() && description.chars().count() <= MAX_DESCRIPTION_CHARS, "{parameter}: {description}");
    }
    let groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].to_string();
    for parameter in template()["Parameters"].as_object().expect("parameters").keys() {
        assert!(groups.contains(&format!("\"{parameter}\"")), "{parameter} is in no group of the console");
    }
}

#[test]
fn the_readme_tells_of_every_parameter() {
    let readme = examples::text("README.md");
    for parameter in template()["Parameters"].as_object().expect("parameters").keys() {
        assert!(readme.contains(&format!("`{parameter}`")), "{parameter} is not in the README");
    }
}

#[test]
fn what_belongs_to_somebodys_own_account_can_be_left_out() {
    for (parameter, condition) in
        [("DomainName", "HasDomain"), ("KmsKeyArn", "HasKmsKey"), ("PermissionsBoundaryArn", "HasPermissionsBoundary")]
    {
        assert_eq!(template()["Parameters"][parameter]["Default"], "", "{parameter}");
        let given = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
        assert_eq!(template()["Conditions"][condition], given, "{condition}");
    }
}

#[test]
fn half_a_domain_or_half_a_vpc_is_refused() {
    let given = |parameter: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
    for (one, other) in [("DomainName", "CertificateArn"), ("SubnetIds", "SecurityGroupIds")] {
        assert_eq!(template()["Parameters"][other]["Default"], "", "{other}");
        let rules = template()["Rules"].as_object().expect("rules").values();
        let asks = rules.filter(|rule| rule["RuleCondition"] == given(one) && rule["Assertions"][0]["Assert"] == given(other));
        assert_eq!(asks.count(), 1, "{one} without {other} would be taken");
    }
}

#[test]
fn the_outputs_that_tools_read_are_there() {
    let outputs = template()["Outputs"].as_object().expect("outputs");
    for name in [
        "EventsUrl",
        "EventsTableName",
        "SnapshotsTableName",
        "EventsQueueUrl",
        "EventsQueueArn",
        "DeadLetterQueueUrl",
        "DeadLetterQueueArn",
        "EventBusName",
        "EventBusArn",
        "WebhookSecretArn",
        "CapillarySecretArn",
        "ReceiverFunctionName",
        "EnricherFunctionName",
        "ReceiverLogGroupName",
        "EnricherLogGroupName",
        "CapillaryBaseUrl",
    ] {
        assert!(outputs.contains_key(name), "no output {name}");
    }
}
