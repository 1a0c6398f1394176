//! A card is told by its number, as it was and as it is; whose it is, is not told.

use serde_json::{Value, json};

use super::at_place;
use crate::difference::{members, text};

/// All fields are told, also those that are as they were.
pub(crate) fn updated(before: &Value, after: &Value) -> Value {
    json!({
        "cardNumber": at_place(after, "/cardNumber"),
        "cardType": at_place(after, "/type"),
        "previousStatusLabel": at_place(before, "/statusInfo/label"),
        "currentStatusLabel": at_place(after, "/statusInfo/label"),
        "previousStatusChangeReason": at_place(before, "/statusInfo/reason"),
        "currentStatusChangeReason": at_place(after, "/statusInfo/reason"),
        "previousExtendedFields": fields(before, "extendedFields"),
        "currentExtendedFields": fields(after, "extendedFields"),
        "previousCustomFields": fields(before, "customFields"),
        "currentCustomFields": fields(after, "customFields"),
    })
}

fn fields(card: &Value, kind: &str) -> Value {
    members(card, kind).map(|(name, value)| json!({"name": name, "value": text(value).unwrap_or_default()})).collect()
}
