//! What a pass holds, so that it is not given it a second time.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use super::Letter;

/// A pass that takes longer hides anew what it has seen: in good time, since between two looks a minute and more may pass.
const RENEWED_AFTER: Duration = Duration::from_secs(120);

/// What a pass has received and not deleted, by message id: the handle, and when it was last hidden.
#[derive(Default)]
pub(super) struct Hidden(HashMap<String, (String, Instant)>);

impl Hidden {
    pub(super) fn add(&mut self, letters: &[Letter]) {
        let now = Instant::now();
        let handles = letters
            .iter()
            .filter_map(|letter| Some((letter.message_id().to_owned(), (letter.message.receipt_handle.clone()?, now))));
        self.0.extend(handles);
    }

    pub(super) fn forget(&mut self, ids: &HashSet<String>) {
        self.0.retain(|id, _| !ids.contains(id));
    }

    /// Those that would come back before long, counted as hidden anew.
    pub(super) fn renewed(&mut self) -> Vec<String> {
        let due = self.0.values_mut().filter(|(_, since)| since.elapsed() >= RENEWED_AFTER);
        due.map(|(handle, since)| {
            *since = Instant::now();
            handle.clone()
        })
        .collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn handles(&self) -> Vec<String> {
        self.0.values().map(|(handle, _)| handle.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::Message;

    #[tokio::test(start_paused = true)]
    async fn what_a_long_pass_has_seen_is_hidden_anew_in_good_time() {
        let letter =
            |id: &str| Letter { message: Message::builder().message_id(id).receipt_handle(format!("handle of {id}")).build() };
        let mut hidden = Hidden::default();
        hidden.add(&[letter("old"), letter("deleted")]);
        hidden.forget(&HashSet::from(["deleted".to_owned()]));
        tokio::time::advance(RENEWED_AFTER / 2).await;
        hidden.add(&[letter("new")]);
        assert!(hidden.renewed().is_empty());
        tokio::time::advance(RENEWED_AFTER / 2).await;
        assert_eq!(hidden.renewed(), ["handle of old"]);
        assert!(hidden.renewed().is_empty(), "it is hidden for as long again");
        tokio::time::advance(RENEWED_AFTER / 2).await;
        assert_eq!(hidden.renewed(), ["handle of new"]);
        assert_eq!(hidden.handles().len(), 2, "both are given back in the end");
    }
}
