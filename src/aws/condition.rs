//! The conditions of the table of writes as DynamoDB reads them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::ledger::{
    Status,
    writes::{Attempt, Clause, Condition},
};

/// A condition as text, with the names and values in it. DynamoDB refuses values that no expression uses.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

impl Rendered {
    /// `condition` for this attempt.
    pub(super) fn of(condition: Condition<'_>, attempt: Attempt<'_>) -> Self {
        let mut rendered = Self::default();
        let alternatives: Vec<String> = condition
            .0
            .iter()
            .map(|clauses| {
                let clauses: Vec<String> = clauses.iter().map(|clause| rendered.clause(*clause, attempt)).collect();
                format!("({})", clauses.join(" AND "))
            })
            .collect();
        rendered.text = alternatives.join(" OR ");
        rendered
    }

    fn clause(&mut self, clause: Clause, attempt: Attempt<'_>) -> String {
        match clause {
            Clause::NoRow => "attribute_not_exists(eventId)".to_owned(),
            Clause::Expired => format!("expiresAt <= {}", self.number(":now_s", attempt.now_ms / 1000)),
            Clause::StatusIn(statuses) => {
                self.names.insert("#status".to_owned(), "status".to_owned());
                let statuses: Vec<String> = statuses.iter().map(|status| self.status(*status)).collect();
                format!("#status IN ({})", statuses.join(", "))
            }
            Clause::LeaseOver => format!("leaseUntil <= {}", self.number(":now_ms", attempt.now_ms)),
            Clause::SameEvent => format!("fingerprint = {}", self.fingerprint(attempt)),
            Clause::NotAnothers => {
                format!("(attribute_not_exists(fingerprint) OR fingerprint = {})", self.fingerprint(attempt))
            }
            Clause::Stored => "attribute_exists(detail)".to_owned(),
            Clause::NothingStored => "attribute_not_exists(detail)".to_owned(),
        }
    }

    fn fingerprint(&mut self, attempt: Attempt<'_>) -> String {
        self.value(":fingerprint", AttributeValue::S(attempt.fingerprint.to_owned()))
    }

    fn status(&mut self, status: Status) -> String {
        let name = format!(":{}", status.as_str().to_lowercase());
        self.value(&name, AttributeValue::S(status.as_str().to_owned()))
    }

    fn number(&mut self, name: &str, value: i64) -> String {
        self.value(name, AttributeValue::N(value.to_string()))
    }

    fn value(&mut self, name: &str, value: AttributeValue) -> String {
        self.values.insert(name.to_owned(), value);
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::writes;

    #[test]
    fn conditions_read_as_in_the_table_of_writes() {
        let attempt = Attempt { now_ms: 7_000, fingerprint: "fp" };
        let text = |condition| Rendered::of(condition, attempt).text;
        let new_or_expired = "(attribute_not_exists(eventId)) OR (expiresAt <= :now_s)";
        assert_eq!(
            text(writes::CLAIM),
            format!("{new_or_expired} OR (#status IN (:received) AND leaseUntil <= :now_ms AND fingerprint = :fingerprint)")
        );
        assert_eq!(
            text(writes::STORE),
            format!(
                "{new_or_expired} OR (#status IN (:received, :failed) AND attribute_not_exists(detail) AND \
                 (attribute_not_exists(fingerprint) OR fingerprint = :fingerprint))"
            )
        );
        assert_eq!(text(writes::MARK_PUBLISHED), "(attribute_exists(detail))");
        let claim = Rendered::of(writes::CLAIM, attempt);
        assert_eq!(claim.names, HashMap::from([("#status".to_owned(), "status".to_owned())]));
        assert_eq!(claim.values.len(), 4);
        assert_eq!(claim.values[":now_s"], AttributeValue::N("7".to_owned()));
        let mark = Rendered::of(writes::MARK_PUBLISHED, attempt);
        assert!(mark.names.is_empty() && mark.values.is_empty());
    }
}
