//! Answers whose form the documentation leaves open, and how they are given here.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::templates::filled;

const ONLY_IN_PAGES: [&str; 8] =
    ["groupId", "groupExternalId", "primaryMemberId", "totalMembers", "firstName", "lastName", "email", "mobile"];

/// It is what `PUT /sandbox/forms` takes; what is absent is as in the beginning.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Forms {
    /// Whether coupons bear their ids. In the sample they do not.
    coupon_ids: bool,
    groups: GroupForm,
    /// What the event log answers to a `refId`.
    ref_id_log: LogForm,
    /// Whether a webhook's events can be changed once it is registered.
    event_names: Names,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum GroupForm {
    /// A page of one, as in the reference of the search.
    Page,
    /// The group itself, with other names for its members, as in the reference of its members.
    Object,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Names {
    /// As in the reference.
    Changeable,
    /// As an older page says. How such a change is refused is not documented: here it is not made, without a word.
    Fixed,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogForm {
    /// One row, as in the reference of 2025.
    Object,
    /// All rows, as in that of 2022.
    Array,
}

impl Default for Forms {
    fn default() -> Self {
        Self { coupon_ids: true, groups: GroupForm::Page, ref_id_log: LogForm::Object, event_names: Names::Changeable }
    }
}

impl Forms {
    pub(crate) fn keeps_event_names(self) -> bool {
        self.event_names == Names::Fixed
    }

    pub(crate) fn ref_id_log(self) -> LogForm {
        self.ref_id_log
    }

    pub(crate) fn coupon(self, mut coupon: Value) -> Value {
        if let Some(members) = coupon.as_object_mut().filter(|_| !self.coupon_ids) {
            members.remove("id");
        }
        coupon
    }

    /// `object` is the sample of that form.
    pub(crate) fn group(self, group: Value, object: &Value) -> Value {
        match self.groups {
            GroupForm::Page => page(&[group], &[]),
            GroupForm::Object => as_object(&group, object),
        }
    }

    pub(crate) fn no_group(self, error: Value) -> Value {
        match self.groups {
            GroupForm::Page => page(&[], &[error]),
            GroupForm::Object => json!({"warnings": [], "errors": [error]}),
        }
    }
}

fn page(groups: &[Value], errors: &[Value]) -> Value {
    let pagination = json!({"limit": 10, "offset": 0, "total": groups.len()});
    json!({"pagination": pagination, "data": groups, "warnings": [], "errors": errors})
}

/// Members of both forms are those of the group, and so are those that only a test knows of.
fn as_object(group: &Value, object: &Value) -> Value {
    let of_group = |name: &str| group.get(name).cloned().unwrap_or_default();
    let mut body = filled(
        object,
        [
            ("/id", of_group("groupId")),
            ("/externalId", of_group("groupExternalId")),
            ("/fleetGroupUsers/0/groupId", of_group("groupId")),
            ("/fleetGroupUsers/0/userId", of_group("primaryMemberId")),
            ("/totalActiveMembers", of_group("totalMembers")),
        ],
    );
    if let (Some(members), Value::Object(of_group)) = (body.as_object_mut(), group.clone()) {
        members.extend(of_group.into_iter().filter(|(name, _)| !ONLY_IN_PAGES.contains(&name.as_str())));
    }
    body
}
