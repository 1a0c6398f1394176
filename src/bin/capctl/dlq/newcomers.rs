//! Letters that came while something is done to those that were there.

use std::collections::HashSet;

use crate::dead_letters::Label;

/// Leaves what came after the beginning: nobody has seen it yet, and what was redriven can fail again at once.
pub(super) struct Newcomers {
    /// When it began, in milliseconds since 1970.
    since_ms: i64,
    /// Events that were redriven, and would go round and round.
    redriven: HashSet<String>,
    pub(super) letters: usize,
}

impl Newcomers {
    pub(super) fn since(since_ms: i64) -> Self {
        Self { since_ms, redriven: HashSet::new(), letters: 0 }
    }

    /// Whether a letter is left; then it is counted.
    pub(super) fn leave(&mut self, label: &Label) -> bool {
        // The clocks of SQS and of this machine differ, so a redriven event is also known by its id.
        let is_new = label.dead_since.is_some_and(|since| since > self.since_ms)
            || label.event_id.as_ref().is_some_and(|id| self.redriven.contains(id));
        self.letters += usize::from(is_new);
        is_new
    }

    /// From now on letters of this letter's event are left.
    pub(super) fn leave_next(&mut self, label: &Label) {
        self.redriven.extend(label.event_id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(event_id: Option<&str>, dead_since: Option<i64>) -> Label {
        Label {
            message_id: "m".to_owned(),
            event_id: event_id.map(str::to_owned),
            event_name: None,
            org_id: None,
            reason: None,
            detail: None,
            received_at: None,
            dead_since,
            bytes: 2,
        }
    }

    #[test]
    fn what_came_after_the_beginning_is_left() {
        let mut newcomers = Newcomers::since(1000);
        let left = [Some(999), Some(1000), Some(1001), None].map(|since| newcomers.leave(&label(None, since)));
        assert_eq!((left, newcomers.letters), ([false, false, true, false], 1));
    }

    #[test]
    fn what_was_redriven_is_left_whatever_the_clocks_say() {
        let mut newcomers = Newcomers::since(1000);
        newcomers.leave_next(&label(Some("one"), Some(1)));
        newcomers.leave_next(&label(None, Some(1)));
        let left = [Some("one"), Some("other"), None].map(|id| newcomers.leave(&label(id, Some(2))));
        assert_eq!((left, newcomers.letters), ([true, false, false], 1));
    }
}
