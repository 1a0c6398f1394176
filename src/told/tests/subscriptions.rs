//! A customer's subscriptions: `customerSubscription` and the audit log.

use super::*;

/// As `embed=subscriptions` brings them.
fn subscribed(email_bulk: &str, email_trans: &str, sms_bulk: &str) -> Value {
    let subscription =
        |channel: &str, priority: &str, status: &str| json!({"channel": channel, "priority": priority, "type": status});
    json!({"subscriptionInfo": {"subscriptions": [
        subscription("EMAIL", "TRANS", email_trans), subscription("EMAIL", "BULK", email_bulk), subscription("SMS", "BULK", sms_bulk)]}})
}

fn told_of(subscriptions: &Value) -> Vec<Told> {
    told_by("customerSubscription", &json!({ "subscriptions": subscriptions }))
}

fn email_bulk_optout() -> Value {
    json!({"sourceAccountId": "", "previousStatus": "OPTIN", "currentStatus": "OPTOUT", "channel": "EMAIL", "sourceName": "INSTORE",
           "priority": "BULK", "ouId": -1, "ouCode": ""})
}

const EMAIL_TRANS: &str = "/subscriptionInfo/subscriptions/0/type";
const EMAIL_BULK: &str = "/subscriptionInfo/subscriptions/1/type";

#[test]
fn a_subscription_is_known_by_its_channel_and_its_priority() {
    let told = told_of(&json!([email_bulk_optout()]));
    let (before, after) = (subscribed("OPTIN", "OPTIN", "OPTIN"), subscribed("OPTOUT", "OPTOUT", "OPTOUT"));
    assert_eq!(by_events(&told, Kind::Customer, &before, &after), [EMAIL_BULK]);
    assert!(by_events(&told, Kind::Customer, &after, &before).is_empty(), "she opted in again since");
    let mut by_channel = email_bulk_optout();
    by_channel.as_object_mut().unwrap().remove("priority");
    assert_eq!(by_events(&told_of(&json!([by_channel])), Kind::Customer, &before, &after), [EMAIL_TRANS, EMAIL_BULK]);
}

#[test]
fn a_subscription_of_another_source_is_another_one() {
    let told = told_of(&json!([email_bulk_optout()]));
    let of_source = |source: &str, status: &str| json!({"subscriptionInfo": {"subscriptions": [{"channel": "EMAIL", "priority": "bulk", "sourceName": source, "type": status}]}});
    for (source, is_it) in [("INSTORE", true), ("instore", true), ("WECHAT", false)] {
        let told = by_events(&told, Kind::Customer, &of_source(source, "OPTIN"), &of_source(source, "OPTOUT"));
        assert_eq!(!told.is_empty(), is_it, "{source}");
    }
}

#[test]
fn a_subscription_comes_and_goes_as_a_whole() {
    let told = told_of(&json!([{"previousStatus": "OPTIN", "currentStatus": "OPTOUT", "channel": "SMS", "priority": "TRANS"}]));
    let none = subscribed("OPTIN", "OPTIN", "OPTIN");
    let with_sms = |status: &str| {
        let mut body = none.clone();
        let element = json!({"channel": "SMS", "priority": "TRANS", "type": status});
        body["subscriptionInfo"]["subscriptions"].as_array_mut().unwrap().push(element);
        body
    };
    for (status, comes, goes) in [("OPTOUT", true, false), ("OPTIN", false, true)] {
        assert_eq!(!by_events(&told, Kind::Customer, &none, &with_sms(status)).is_empty(), comes, "{status}");
        assert_eq!(!by_events(&told, Kind::Customer, &with_sms(status), &none).is_empty(), goes, "{status}");
    }
}

#[test]
fn at_first_sight_a_subscription_is_told_where_no_other_one_can_be_meant() {
    let told = told_of(&json!([email_bulk_optout()]));
    let expected = [json!([EMAIL_BULK, "OPTIN", "OPTOUT"])];
    assert_eq!(at_first_sight(&told, Kind::Customer, &subscribed("OPTOUT", "OPTOUT", "OPTOUT")), expected);
    assert!(at_first_sight(&told, Kind::Customer, &subscribed("OPTIN", "OPTOUT", "OPTOUT")).is_empty());
    let by_channel = told_of(&json!([{"channel": "EMAIL", "previousStatus": "OPTIN", "currentStatus": "OPTOUT"}]));
    assert!(at_first_sight(&by_channel, Kind::Customer, &subscribed("OPTOUT", "OPTOUT", "OPTOUT")).is_empty());
}

#[test]
fn words_that_an_entity_does_not_use_are_not_compared() {
    let told = Told {
        origin: Origin::Audit,
        ..Told::by_event(Kind::Customer, FieldKind::Subscription, "SMS", None, Some(json!("SUBSCRIBED")))
    };
    let told = std::slice::from_ref(&told);
    let (before, after) = (subscribed("OPTIN", "OPTIN", "OPTOUT"), subscribed("OPTOUT", "OPTIN", "OPTIN"));
    let expected =
        [(EMAIL_BULK.to_owned(), Origin::Snapshot), ("/subscriptionInfo/subscriptions/2/type".to_owned(), Origin::Audit)];
    assert_eq!(origins(told, Kind::Customer, &before, &after), expected);
    assert!(at_first_sight(told, Kind::Customer, &after).is_empty());
}

#[test]
fn what_stays_as_it_was_is_not_told() {
    let mut same = email_bulk_optout();
    same["previousStatus"] = json!("OPTOUT");
    assert!(told_of(&json!([same, {"currentStatus": "OPTIN"}, 7])).is_empty());
}
