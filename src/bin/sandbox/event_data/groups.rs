//! A group is told by its name and its first member, and nothing is told of what changed.

use serde_json::{Value, json};

use super::{at_place, customer_identifiers, entered_by};

const FIRST_MEMBERS_ROLE: &str = "PRIMARY";

/// `member` is null where the group has no first one.
pub(crate) fn group(body: &Value, member: &Value, at: u64) -> Value {
    json!({
        "groupId": at_place(body, "/groupId"),
        "groupName": at_place(body, "/groupName"),
        "primaryMember": {
            "firstName": at_place(member, "/profiles/0/firstName"),
            "lastName": at_place(member, "/profiles/0/lastName"),
            "role": FIRST_MEMBERS_ROLE,
            "customerIdentifiers": customer_identifiers(member),
        },
        "enteredAt": at,
        "enteredBy": entered_by(),
    })
}
