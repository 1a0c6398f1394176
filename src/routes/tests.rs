use std::collections::HashSet;

use serde_json::json;

use super::*;

fn behind_body(body: &str) -> Behind {
    behind(&Event::parse(body.as_bytes()).unwrap())
}

fn subjects(body: &str) -> Vec<String> {
    behind_body(body).entities.iter().map(EntityRef::subject).collect()
}

#[test]
fn the_table_has_each_name_once_and_in_lower_case() {
    let mut seen = HashSet::new();
    for name in table::names() {
        assert_eq!(name, name.to_lowercase());
        assert!(seen.insert(name), "{name}");
    }
}

#[test]
fn a_transaction_event_brings_the_transaction_and_then_its_customer() {
    for name in ["transactionAdded", "TransactionUpdated", "retroBillAdded", "notInterestedBillAdded"] {
        let body = format!(r#"{{"eventName":"{name}","data":{{"transactionId":7,"customerIdentifiers":{{"customerId":9}}}}}}"#);
        assert_eq!(subjects(&body), ["transaction/7", "customer/9"]);
    }
    assert_eq!(
        subjects(r#"{"eventName":"transactionAdded","data":{"transactionId":7,"customerIdentifiers":{}}}"#),
        ["transaction/7"]
    );
}

#[test]
fn a_merge_brings_both_customers_and_a_request_the_one_that_it_is_about() {
    let merge = r#"{"eventName":"loyaltyCustomerMerge","data":{"survivorCustomerIdentifiers":{"customerId":1},"victimCustomerIdentifiers":{"customerId":2}}}"#;
    assert_eq!(subjects(merge), ["customer/1", "customer/2"]);
    assert_eq!(subjects(r#"{"eventName":"requestUpdated","customerId":7,"data":{"requestId":"x"}}"#), ["customer/7"]);
    let workflow = |attributes: &str| {
        subjects(&format!(r#"{{"eventName":"requestWorkflowEvent","orgId":0,"data":{{"requestAttributes":{attributes}}}}}"#))
    };
    assert_eq!(workflow(r#"{"body":{"customerId":5}}"#), ["customer/5"]);
    assert_eq!(workflow(r#"{"body":{"customers":[5,"6",5,7.0]}}"#), ["customer/5", "customer/6", "customer/7"]);
    assert_eq!(workflow(r#"{"queryParams":{"identifierName":"id","identifierValue":"8"}}"#), ["customer/8"]);
    assert!(workflow(r#"{"queryParams":{"identifierName":"mobile","identifierValue":"919"}}"#).is_empty());
}

#[test]
fn names_are_compared_without_case_and_ids_come_in_any_form() {
    for name in ["couponissue", "COUPONISSUE", "CouponIssue"] {
        let body = format!(
            r#"{{"eventName":"{name}","data":{{"coupons":[{{"id":1,"code":"A","customerIdentifiers":{{"customerId":"9"}}}},{{"id":2.0,"customerIdentifiers":{{"customerId":9.0}}}}]}}}}"#
        );
        assert_eq!(subjects(&body), ["customer/9", "coupon/1", "coupon/2"]);
        let codes: Vec<By> = behind_body(&body).entities.into_iter().skip(1).map(|coupon| coupon.by).collect();
        let coupon = |code: Option<&str>| By::Code { code: code.map(str::to_owned), customer_id: Some("9".to_owned()) };
        assert!(codes == [coupon(Some("A")), coupon(None)]);
    }
    assert_eq!(
        subjects(r#"{"eventName":"issuedalternateCurrenciesReversed","customerIdentifiers":{"customerId":9}}"#),
        ["customer/9"]
    );
}

#[test]
fn points_bring_the_ledger_where_it_is_named() {
    let points = |more: &str| {
        subjects(&format!(
            r#"{{"eventName":"pointsIssued",{more},"data":{{"eventLogId":"4","customerIdentifiers":{{"customerId":9}}}}}}"#
        ))
    };
    assert_eq!(points(r#""eventLogId":3"#), ["customer/9", "pointsLedger/3"]);
    assert_eq!(points(r#""eventLogId":-1"#), ["customer/9", "pointsLedger/4"]);
    let transfer = r#"{"eventName":"pointsTransferredInitiated","eventLogId":3,"data":{"customerIdentifiers":{"customerId":9},
        "transferReceivingCustomerIdentifiers":{"customerId":8},"transferReceivingEntityInformation":{"entityType":"USER","entityId":77}}}"#;
    assert_eq!(subjects(transfer), ["customer/9", "customer/8", "pointsLedger/3"]);
    let owner = |body: &str| behind_body(body).entities.pop().unwrap().by;
    assert!(owner(transfer) == By::Owner(Kind::Customer, "9".to_owned()));
    let of_group =
        r#"{"eventName":"pointsExpired","eventLogId":3,"data":{"entityInformation":{"entityType":"USERGROUP2","entityId":5}}}"#;
    assert!(owner(of_group) == By::Owner(Kind::Group, "5".to_owned()));
}

#[test]
fn a_group_stands_where_there_is_no_customer() {
    let about = |kind: &str| {
        subjects(&format!(
            r#"{{"eventName":"pointsExpired","data":{{"entityInformation":{{"entityType":"{kind}","entityId":5}}}}}}"#
        ))
    };
    assert_eq!(about("USERGROUP2"), ["group/5"]);
    assert_eq!(about("USER"), ["customer/5"]);
    assert!(about("TILL").is_empty());
    let member = r#"{"eventName":"groupMemberRemoved","data":{"groupId":5,"primaryMember":{"customerIdentifiers":{"customerId":1}},"memberRemoved":{"customerIdentifiers":{"customerId":2}}}}"#;
    assert_eq!(subjects(member), ["group/5", "customer/1", "customer/2"]);
}

#[test]
fn a_card_is_known_by_its_number_and_leads_to_its_customer() {
    let behind = behind_body(r#"{"eventName":"cardUpdated","data":{"cardNumber":" 0012 "}}"#);
    assert_eq!(behind.card, Some(EntityRef { kind: Kind::Card, id: "0012".to_owned(), by: By::NumberOnly("0012".to_owned()) }));
    assert!(behind.entities.is_empty());
    assert_eq!(format!("{behind:?}"), "Behind { entities: [], card: Some(card/? Number) }", "a number prints nowhere");
    let body = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    assert_eq!(leads_to(Kind::Card, &body(r#"{"id":1,"customerId":9}"#)).unwrap().subject(), "customer/9");
    assert_eq!(leads_to(Kind::Card, &body(r#"{"id":1,"customerId":-1}"#)), None);
    assert_eq!(leads_to(Kind::Transaction, &body(r#"{"id":1,"customerId":9}"#)), None);
}

#[test]
fn tens_of_thousands_of_coupons_are_no_reason_to_stand_still() {
    let coupons: Vec<String> =
        (1..=20_000).map(|id| format!(r#"{{"id":{id},"customerIdentifiers":{{"customerId":{id}}}}}"#)).collect();
    let started = std::time::Instant::now();
    let count = subjects(&format!(r#"{{"eventName":"CouponIssue","data":{{"coupons":[{}]}}}}"#, coupons.join(","))).len();
    assert_eq!(count, 40_000);
    assert!(started.elapsed().as_secs() < 5, "it takes time for each, and not for each pair");
}

#[test]
fn rewards_bring_every_customer_and_transaction_that_they_name() {
    let update = r#"{"eventName":"updateRewardTransaction","data":{"transactionUpdates":[{"transactionId":1,"customerId":9},{"transactionId":2,"customerId":9}]}}"#;
    assert_eq!(subjects(update), ["customer/9", "transaction/1", "transaction/2"]);
    let failure = r#"{"eventName":"issueRewardFailure","data":{"customerIdentifiers":{"customerId":9},"erroredSteps":[{"rewards":[{"transactionId":"3"},{"transactionId":""}]},{}]}}"#;
    assert_eq!(subjects(failure), ["customer/9", "transaction/3"]);
}

#[test]
fn what_nobody_stands_behind_goes_as_it_came() {
    for body in [
        r#"{"eventName":"neverHeardOf","data":{"customerIdentifiers":{"customerId":9}}}"#,
        r#"{"eventName":"promotionCreated","data":{"promotionId":1,"customerIdentifiers":{"customerId":9}}}"#,
        r#"{"eventName":"customerAdded"}"#,
        "{}",
    ] {
        assert_eq!(behind_body(body), Behind::default(), "{body}");
    }
}

#[test]
fn the_bill_type_tells_where_to_look() {
    use TransactionType::{NotInterested, NotInterestedReturn, Regular, Return};
    let types = |name: &str, bill_type: &str| {
        let body = format!(r#"{{"eventName":"{name}","data":{{"transactionId":7,"billType":"{bill_type}"}}}}"#);
        match behind_body(&body).entities.remove(0).by {
            By::Types(types) => types,
            _ => Vec::new(),
        }
    };
    assert_eq!(types("transactionAdded", "REGULAR"), [Regular]);
    assert_eq!(types("transactionAdded", "return"), [Return]);
    assert_eq!(types("transactionAdded", "MIXED"), [Regular, Return]);
    assert_eq!(types("transactionAdded", ""), [Regular, Return]);
    assert_eq!(types("notInterestedBillAdded", "REGULAR"), [NotInterested]);
    assert_eq!(types("notInterestedBillAdded", "RETURN"), [NotInterestedReturn]);
    assert_eq!(types("retroBillAdded", "REGULAR"), [Regular, NotInterested]);
    assert_eq!(types("rewardIssued", "whatever"), [Regular, Return]);
}

#[test]
fn whose_it_is_stands_in_its_body() {
    let whose = |kind, body: serde_json::Value| belongs_to(kind, &serde_json::value::to_raw_value(&body).unwrap());
    for (kind, body) in [
        (Kind::Card, json!({"id": 1, "customerId": 9})),
        (Kind::Transaction, json!({"id": 1, "customerId": "9", "lineItems": [{"customerId": 0}]})),
        (Kind::Group, json!({"groupId": 1, "primaryMemberId": 9.0})),
        (
            Kind::Group,
            json!({"id": 1, "fleetGroupUsers": [{"userId": 8, "primaryMember": false}, {"userId": 9, "primaryMember": true}]}),
        ),
        (Kind::Coupon, json!({"id": 1, "issuedTo": 9})),
        (Kind::Coupon, json!({"id": "1", "customer": {"id": "9", "name": "Ana"}})),
    ] {
        assert_eq!(whose(kind, body), Some("9".to_owned()), "{kind:?}");
    }
    for (kind, body) in [
        (Kind::Customer, json!({"id": 9, "customerId": 9})),
        (Kind::PointsLedger, json!({"eventLogId": 1, "customerId": 9})),
        (Kind::Transaction, json!({"id": 1, "customerId": 0})),
        (Kind::Group, json!({"id": 1, "fleetGroupUsers": [{"userId": 8, "primaryMember": false}]})),
        (Kind::Coupon, json!({"id": 1, "code": "SPRING"})),
    ] {
        assert_eq!(whose(kind, body), None, "{kind:?}");
    }
}

#[test]
fn a_coupon_is_whose_the_event_says() {
    let whose = |body: &str| match behind_body(body).entities.pop().unwrap().by {
        By::Code { customer_id, .. } => customer_id,
        _ => None,
    };
    assert_eq!(whose(r#"{"eventName":"CouponIssue","data":{"coupons":[{"id":1}]}}"#), None);
    assert_eq!(
        whose(r#"{"eventName":"CouponRedeem","data":{"coupon":{"id":1},"customerIdentifiers":{"customerId":9}}}"#),
        Some("9".to_owned())
    );
}
