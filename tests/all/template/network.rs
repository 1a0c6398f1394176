//! A host name, a VPC, a permissions boundary: what an account may ask for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{list, only_if, properties, resource, resources_of_type, role_statements_if, template};

#[test]
fn a_domain_leads_to_the_stage_and_the_stage_alone() {
    for name in ["EventsDomain", "EventsDomainPath"] {
        assert_eq!(resource(name)["Condition"], "HasDomain", "{name}");
    }
    let domain = properties("EventsDomain");
    let names = (&domain["DomainName"]["Ref"], &domain["RegionalCertificateArn"]["Ref"]);
    assert_eq!(names, (&json!("DomainName"), &json!("CertificateArn")));
    assert_eq!(domain["EndpointConfiguration"]["Types"], json!(["REGIONAL"]), "as the API is");
    assert_eq!(domain["SecurityPolicy"], "TLS_1_2");
    let path = properties("EventsDomainPath");
    let stages = resources_of_type("AWS::ApiGateway::Stage");
    assert_eq!(path["Stage"]["Ref"], stages[0].0, "the mapping must wait for the stage");
    assert_eq!(path["RestApiId"]["Ref"], "EventsApi");
    assert_eq!(path["DomainName"]["Ref"], "EventsDomain");
    // Capillary is given a URL that ends in /events either way.
    assert!(path["BasePath"].is_null());
}

#[test]
fn the_url_to_register_is_the_domains_if_there_is_one() {
    let url = &template()["Outputs"]["EventsUrl"]["Value"]["Fn::If"];
    assert_eq!((&url[0], &url[1]["Fn::Sub"]), (&json!("HasDomain"), &json!("https://${DomainName}/events")));
    let own = url[2]["Fn::Sub"].as_str().unwrap_or_default();
    assert!(own.starts_with("https://${EventsApi}.execute-api.") && own.ends_with("/v1/events"), "{own}");
    let target = &template()["Outputs"]["EventsDomainTarget"];
    assert_eq!(target["Condition"], "HasDomain");
    assert_eq!(target["Value"]["Fn::GetAtt"], json!(["EventsDomain", "RegionalDomainName"]));
}

#[test]
fn both_functions_run_in_the_vpc_if_there_is_one() {
    for function in ["ReceiverFunction", "EnricherFunction"] {
        let vpc = only_if(&properties(function)["VpcConfig"], "IsInVpc").unwrap_or_else(|| panic!("{function} is in no VPC"));
        for ids in ["SubnetIds", "SecurityGroupIds"] {
            assert_eq!(vpc[ids], json!({ "Fn::Split": [",", { "Ref": ids }] }), "{function}");
        }
    }
    let given = |parameter: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
    assert_eq!(template()["Conditions"]["IsInVpc"], json!({ "Fn::And": [given("SubnetIds"), given("SecurityGroupIds")] }));
}

#[test]
fn lambda_may_make_network_interfaces_and_the_functions_code_may_not() {
    let statements = role_statements_if("IsInVpc");
    assert_eq!(statements.len(), 2);
    for (role, statement) in statements {
        let actions: BTreeSet<&str> = list(&statement["Action"]).into_iter().filter_map(Value::as_str).collect();
        let expected = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ];
        assert_eq!(actions, expected.into(), "{role}");
        // Calls of a function's code bear its ARN, those of Lambda do not.
        assert_eq!(statement["Condition"], json!({ "Null": { "lambda:SourceFunctionArn": "true" } }), "{role}");
    }
}

#[test]
fn every_role_is_bounded_if_there_is_a_boundary() {
    for (name, role) in resources_of_type("AWS::IAM::Role") {
        let boundary = only_if(&role["PermissionsBoundary"], "HasPermissionsBoundary");
        assert_eq!(boundary, Some(&json!({ "Ref": "PermissionsBoundaryArn" })), "{name}");
    }
}
