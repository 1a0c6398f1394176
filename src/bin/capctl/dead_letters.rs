//! The dead-letter queue, read through. SQS has no list of a queue's messages: each is received, which hides it for a while, and given
//! back in the end.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    time::Duration,
};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName},
};
use capillary_events::message::{DecodeError, decode};
use serde::Serialize;
use tokio::time::Instant;

use crate::{aws, output::Failure};

/// How long a letter is hidden that nobody gives back, in seconds.
const HIDDEN_S: i32 = 300;
/// A pass that takes longer hides anew what it has seen: in good time, since between two looks a minute and more may pass.
const RENEWED_AFTER: Duration = Duration::from_secs(120);
/// The most that one call brings or takes.
pub(crate) const PER_CALL: usize = 10;
/// The same as SQS writes it.
const MOST_PER_CALL: i32 = 10;
/// Waits for letters, in seconds: with it all of SQS's servers are asked.
const WAIT_S: i32 = 1;
/// Answers without a letter after which there are none left.
const EMPTY_ANSWERS: u32 = 2;

/// The dead-letter queue.
pub(crate) struct DeadLetters {
    pub(crate) client: Client,
    pub(crate) url: String,
    per_call: i32,
}

/// A letter. It does not print: the body is somebody's data.
pub(crate) struct Letter {
    message: Message,
}

/// What a letter says of itself, without its body.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Label {
    pub(crate) message_id: String,
    pub(crate) event_id: Option<String>,
    pub(crate) event_name: Option<String>,
    pub(crate) org_id: Option<i64>,
    /// Why it is here; none if SQS itself moved it.
    pub(crate) reason: Option<String>,
    /// More of why.
    pub(crate) detail: Option<String>,
    /// When the event was received from Capillary, in milliseconds since 1970.
    pub(crate) received_at: Option<i64>,
    /// When the letter came here, in milliseconds since 1970.
    pub(crate) dead_since: Option<i64>,
    pub(crate) bytes: usize,
}

impl Letter {
    /// What it says of itself.
    pub(crate) fn label(&self) -> Label {
        Label {
            message_id: self.message_id().to_owned(),
            event_id: self.attribute("eventId"),
            event_name: self.attribute("eventName"),
            org_id: self.attribute("orgId").and_then(|text| text.parse().ok()),
            reason: self.attribute("reason"),
            detail: self.attribute("detail"),
            received_at: self.attribute("receivedAt").and_then(|text| text.parse().ok()),
            dead_since: self
                .message
                .attributes
                .as_ref()
                .and_then(|known| known.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()),
            bytes: self.message.body.as_ref().map_or(0, String::len),
        }
    }

    /// The bytes that Capillary sent; of one that was too large the first.
    pub(crate) fn body(&self) -> Result<Vec<u8>, DecodeError> {
        decode(self.message.body.as_deref().unwrap_or_default(), self.attribute("contentEncoding").as_deref())
    }

    /// As SQS gave it.
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) fn message_id(&self) -> &str {
        self.message.message_id.as_deref().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.message.message_attributes.as_ref()?.get(name)?.string_value.clone()
    }
}

impl DeadLetters {
    pub(crate) fn new(aws: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(aws), url: url.to_owned(), per_call: MOST_PER_CALL }
    }

    /// About how many there are, those that somebody is reading included.
    pub(crate) async fn count(&self) -> Result<u64, Failure> {
        count(&self.client, &self.url).await
    }

    /// The same with fewer in a call: no more than are soon done with.
    #[must_use]
    pub(crate) fn at_once(self, letters: i32) -> Self {
        Self { per_call: letters, ..self }
    }

    /// About how many nobody else can see now, since somebody is reading them.
    pub(crate) async fn hidden(&self) -> Result<u64, Failure> {
        Ok(sizes(&self.client, &self.url).await?.hidden)
    }

    /// Shows each letter once, some at a time, until `look` has seen enough; then all that it did not keep are given back. It keeps those
    /// that it has deleted: their ids are what it answers. Meanwhile all that it has seen stay hidden, however long it takes.
    pub(crate) async fn pass(
        &self,
        mut look: impl AsyncFnMut(&[Letter]) -> Result<(HashSet<String>, ControlFlow<()>), Failure>,
    ) -> Result<(), Failure> {
        let (mut seen, mut hidden, mut empty_answers) = (HashSet::new(), Hidden::default(), 0);
        let outcome = loop {
            let letters = match self.receive().await {
                Ok(letters) => letters,
                Err(failure) => break Err(failure),
            };
            if letters.is_empty() {
                empty_answers += 1;
                if empty_answers >= EMPTY_ANSWERS {
                    break Ok(());
                }
                continue;
            }
            empty_answers = 0;
            hidden.add(&letters);
            // SQS can give one twice, and one comes again that could not be kept hidden.
            let fresh: Vec<Letter> = letters.into_iter().filter(|letter| seen.insert(letter.message_id().to_owned())).collect();
            match look(&fresh).await {
                Ok((kept, flow)) => {
                    hidden.forget(&kept);
                    if flow.is_break() {
                        break Ok(());
                    }
                }
                Err(failure) => break Err(failure),
            }
            self.hide(&hidden.renewed(), HIDDEN_S).await;
        };
        self.hide(&hidden.handles(), 0).await;
        outcome
    }

    async fn receive(&self) -> Result<Vec<Letter>, Failure> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(self.per_call)
            .visibility_timeout(HIDDEN_S)
            .wait_time_seconds(WAIT_S)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = request.send().await.map_err(|error| aws::failure("SQS.ReceiveMessage", &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(|message| Letter { message }).collect())
    }

    /// Hides letters from now on for so many seconds; none gives them back. Where that fails they come back by themselves.
    async fn hide(&self, handles: &[String], seconds: i32) {
        for handles in handles.chunks(PER_CALL) {
            let entries = handles.iter().enumerate().filter_map(|(position, handle)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(position.to_string()).receipt_handle(handle);
                entry.visibility_timeout(seconds).build().ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
            let _ = request.send().await;
        }
    }
}

/// What a pass has received and not deleted, by message id: the handle, and when it was last hidden.
#[derive(Default)]
struct Hidden(HashMap<String, (String, Instant)>);

impl Hidden {
    fn add(&mut self, letters: &[Letter]) {
        let now = Instant::now();
        let handles = letters
            .iter()
            .filter_map(|letter| Some((letter.message_id().to_owned(), (letter.message.receipt_handle.clone()?, now))));
        self.0.extend(handles);
    }

    fn forget(&mut self, ids: &HashSet<String>) {
        self.0.retain(|id, _| !ids.contains(id));
    }

    /// Those that would come back before long, counted as hidden anew.
    fn renewed(&mut self) -> Vec<String> {
        let due = self.0.values_mut().filter(|(_, since)| since.elapsed() >= RENEWED_AFTER);
        due.map(|(handle, since)| {
            *since = Instant::now();
            handle.clone()
        })
        .collect()
    }

    fn handles(&self) -> Vec<String> {
        self.0.values().map(|(handle, _)| handle.clone()).collect()
    }
}

/// About how many messages a queue has, those included that somebody works on or that wait for their time.
pub(crate) async fn count(client: &Client, url: &str) -> Result<u64, Failure> {
    let sizes = sizes(client, url).await?;
    Ok(sizes.visible.saturating_add(sizes.hidden).saturating_add(sizes.delayed))
}

/// About how many messages a queue has.
struct Sizes {
    visible: u64,
    hidden: u64,
    delayed: u64,
}

async fn sizes(client: &Client, url: &str) -> Result<Sizes, Failure> {
    use QueueAttributeName::{
        ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesDelayed as Delayed,
        ApproximateNumberOfMessagesNotVisible as NotVisible,
    };
    let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(vec![Visible, NotVisible, Delayed]));
    let answer = request.send().await.map_err(|error| aws::failure("SQS.GetQueueAttributes", &error))?;
    let known = answer.attributes.unwrap_or_default();
    let number = |name| known.get(&name).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(Sizes { visible: number(Visible), hidden: number(NotVisible), delayed: number(Delayed) })
}

#[cfg(test)]
mod tests {
    use super::*;

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
