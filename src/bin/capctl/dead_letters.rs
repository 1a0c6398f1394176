//! The dead-letter queue, read through. SQS has no list of a queue's messages: each is received, which hides it for a while, and given
//! back in the end.

mod course;
mod hidden;
mod letter;
mod sizes;

use std::{collections::HashSet, ops::ControlFlow};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName},
};
use capillary_events::{clock::SystemClock, ports::Clock};
use futures_util::{StreamExt, stream};

use self::{
    course::{Course, Verdict},
    hidden::Hidden,
    sizes::sizes,
};
pub(crate) use self::{
    letter::{Label, Letter},
    sizes::{Sizes, count},
};
use crate::{aws, output::Failure};

/// How long a letter is hidden that nobody gives back, in seconds.
const HIDDEN_S: i32 = 300;
/// The most that one call brings or takes.
pub(crate) const PER_CALL: u8 = 10;
/// Calls at once that hide letters anew: enough for all that SQS lets anybody hold (120,000) where each takes a tenth of a second.
const CALLS_AT_ONCE: usize = 16;
/// Waits for letters, in seconds: with it all of SQS's servers are asked.
const WAIT_S: i32 = 1;

/// The dead-letter queue.
pub(crate) struct DeadLetters {
    client: Client,
    url: String,
    per_call: u8,
}

/// What became of a pass that no call ended.
pub(crate) struct Passed {
    /// About how many could not be seen in the end, since somebody else was reading them.
    pub(crate) hidden: u64,
    /// Whether letters came again and again until it was given up: some may not have been seen.
    pub(crate) is_stuck: bool,
    /// Why letters could not be hidden anew or given back. They come back by themselves.
    pub(crate) trouble: Option<String>,
}

impl DeadLetters {
    pub(crate) fn new(aws: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(aws), url: url.to_owned(), per_call: PER_CALL }
    }

    /// The same with fewer in a call: no more than are soon done with.
    #[must_use]
    pub(crate) fn at_once(self, letters: u8) -> Self {
        Self { per_call: letters, ..self }
    }

    /// About how many there are.
    pub(crate) async fn sizes(&self) -> Result<Sizes, Failure> {
        sizes(&self.client, &self.url).await
    }

    /// Shows each letter once, some at a time, until `look` has seen enough; then all that it did not keep are given back. It keeps those
    /// that it has deleted: their ids are what it answers. Meanwhile all that it has seen stay hidden, however long it takes.
    pub(crate) async fn pass(
        &self,
        mut look: impl AsyncFnMut(&[Letter]) -> Result<(HashSet<String>, ControlFlow<()>), Failure>,
    ) -> Result<Passed, Failure> {
        let before = self.sizes().await?;
        let mut course = Course::new(SystemClock.now_ms(), before.visible);
        let (mut held, mut trouble, mut has_deleted) = (Hidden::default(), None, false);
        let outcome = loop {
            let letters = match self.receive().await {
                Ok(letters) => letters,
                Err(failure) => break Err(failure),
            };
            held.add(&letters);
            let fresh = course.fresh(letters);
            if !fresh.is_empty() {
                match look(&fresh).await {
                    Ok((gone, flow)) => {
                        has_deleted |= !gone.is_empty();
                        held.forget(&gone);
                        if flow.is_break() {
                            break Ok(Verdict::IsDone);
                        }
                    }
                    Err(failure) => break Err(failure),
                }
            }
            match course.verdict() {
                Verdict::GoesOn => trouble = self.hide(&held.renewed(), HIDDEN_S).await.or(trouble),
                end => break Ok(end),
            }
        };
        // Before they are given back: SQS tells of that only after a while.
        let after = self.sizes().await;
        trouble = self.hide(&held.handles(), 0).await.or(trouble);
        let is_stuck = outcome? == Verdict::IsStuck;
        let others = after?.hidden.saturating_sub(held.len().try_into().unwrap_or(u64::MAX));
        // What was deleted counts as hidden for a while, too, so then no more are told than there were at the beginning.
        let hidden = if has_deleted { others.min(before.hidden) } else { others };
        Ok(Passed { hidden, is_stuck, trouble })
    }

    /// Deletes letters, as many as one call takes; answers the ids of those that are gone.
    pub(crate) async fn delete(&self, letters: &[&Letter]) -> Result<HashSet<String>, Failure> {
        let entries = letters.iter().enumerate().filter_map(|(position, letter)| {
            let handle = letter.message().receipt_handle()?;
            DeleteMessageBatchRequestEntry::builder().id(position.to_string()).receipt_handle(handle).build().ok()
        });
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(|error| aws::failure("SQS.DeleteMessageBatch", &error))?;
        let gone = answer.successful().iter().filter_map(|entry| letters.get(entry.id().parse::<usize>().ok()?));
        Ok(gone.map(|letter| letter.message_id().to_owned()).collect())
    }

    async fn receive(&self) -> Result<Vec<Letter>, Failure> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(self.per_call.into())
            .visibility_timeout(HIDDEN_S)
            .wait_time_seconds(WAIT_S)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await.map_err(|error| aws::failure("SQS.ReceiveMessage", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(|message| Letter { message }).collect())
    }

    /// Hides letters from now on for so many seconds; none gives them back. Answers why a call failed: then they come back by themselves.
    /// A single letter that SQS does not hide is one that somebody has deleted or received meanwhile.
    async fn hide(&self, handles: &[String], seconds: i32) -> Option<String> {
        let calls = handles.chunks(PER_CALL.into()).map(|handles| {
            let entries = handles.iter().enumerate().filter_map(|(position, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(position.to_string()).receipt_handle(handle);
                entry.visibility_timeout(seconds).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
            async move {
                let error = request.send().await.err()?;
                Some(aws::failure("SQS.ChangeMessageVisibilityBatch", &error).to_string())
            }
        });
        stream::iter(calls).buffer_unordered(CALLS_AT_ONCE).fold(None, async |first: Option<String>, cause| first.or(cause)).await
    }
}
