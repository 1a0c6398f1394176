//! The events queue, and letters as messages for it.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    types::{
        MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
        SendMessageBatchRequestEntry,
    },
};
use capillary_events::message::MAX_MESSAGE_BYTES;

use crate::{
    aws,
    dead_letters::{Letter, PER_CALL},
    dlq::walk::Meant,
    output::Failure,
};

/// What makes a message a dead letter; without these it is as it was.
const OF_DEAD_LETTERS: [&str; 2] = ["reason", "detail"];

/// The events queue.
pub(super) struct EventsQueue {
    client: Client,
    url: String,
}

/// What became of a batch.
pub(super) struct Answer {
    /// Ids of the letters that are in the events queue now.
    pub(super) sent: HashSet<String>,
    /// Why others are not: a code each.
    pub(super) refused: Vec<(String, Refusal)>,
}

/// Whether it helps to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    ForNow,
    /// SQS calls the message itself invalid.
    ForGood,
}

/// Of an entry's failure. That the sender is at fault is said of throttling, too.
fn refusal(code: &str, is_senders_fault: bool) -> Refusal {
    if is_senders_fault && !code.contains("Throttl") { Refusal::ForGood } else { Refusal::ForNow }
}

impl EventsQueue {
    pub(super) fn new(aws: &SdkConfig, url: &str) -> Self {
        Self { client: Client::new(aws), url: url.to_owned() }
    }

    /// Sends one of [`batches`].
    pub(super) async fn send(&self, letters: &[&Letter]) -> Result<Answer, Failure> {
        let entries = letters.iter().enumerate().filter_map(|(position, letter)| entry(position, letter));
        let request = self.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
        let answer = request.send().await.map_err(|error| aws::coded_failure("SQS.SendMessageBatch", &error))?;
        let sent = answer.successful().iter().filter_map(|entry| letters.get(entry.id().parse::<usize>().ok()?));
        let sent: HashSet<String> = sent.map(|letter| letter.message_id().to_owned()).collect();
        let failed = answer.failed().iter().map(|entry| (entry.code().to_owned(), refusal(entry.code(), entry.sender_fault())));
        let mut refused: Vec<(String, Refusal)> = failed.collect();
        // Whatever was not said to be sent was not.
        refused.resize(letters.len() - sent.len(), ("NoAnswer".to_owned(), Refusal::ForNow));
        Ok(Answer { sent, refused })
    }
}

/// A letter as the message that it was: body, attributes and trace as they are, but for what made it a dead letter.
fn entry(position: usize, letter: &Letter) -> Option<SendMessageBatchRequestEntry> {
    let message = letter.message();
    let mut entry = SendMessageBatchRequestEntry::builder().id(position.to_string()).message_body(message.body()?);
    for (name, value) in attributes(letter) {
        entry = entry.message_attributes(name, value.clone());
    }
    let trace = message.attributes().and_then(|known| known.get(&MessageSystemAttributeName::AwsTraceHeader));
    let trace =
        trace.and_then(|trace| MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build().ok());
    if let Some(trace) = trace {
        entry = entry.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
    }
    entry.build().ok()
}

fn attributes(letter: &Letter) -> impl Iterator<Item = (&String, &MessageAttributeValue)> {
    let all = letter.message().message_attributes().into_iter().flatten();
    all.filter(|(name, _)| !OF_DEAD_LETTERS.contains(&name.as_str()))
}

/// Bytes as SQS counts them: the body, and names, types and values of the attributes.
fn size(letter: &Letter) -> usize {
    let of_value = |value: &MessageAttributeValue| {
        value.string_value().map_or(0, str::len) + value.binary_value().map_or(0, |bytes| bytes.as_ref().len())
    };
    let attributes = attributes(letter).map(|(name, value)| name.len() + value.data_type().len() + of_value(value));
    letter.message().body().map_or(0, str::len) + attributes.sum::<usize>()
}

/// Letters in as few batches as SQS takes: ten, and together no larger than one message may be.
pub(super) fn batches(letters: Vec<Meant<'_>>) -> Vec<Vec<Meant<'_>>> {
    let sized = letters.into_iter().map(|letter| (size(letter.0), letter));
    split(sized.collect(), PER_CALL.into(), MAX_MESSAGE_BYTES)
}

fn split<T>(sized: Vec<(usize, T)>, most: usize, bytes: usize) -> Vec<Vec<T>> {
    let (mut batches, mut filled) = (Vec::<Vec<T>>::new(), 0);
    for (size, item) in sized {
        match batches.last_mut() {
            Some(batch) if batch.len() < most && filled + size <= bytes => {
                batch.push(item);
                filled += size;
            }
            _ => {
                batches.push(vec![item]);
                filled = size;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_neither_too_many_nor_too_large() {
        let split_of = |sizes: &[usize]| -> Vec<usize> {
            split(sizes.iter().map(|size| (*size, ())).collect(), 3, 100).iter().map(Vec::len).collect()
        };
        assert_eq!(split_of(&[]), Vec::<usize>::new());
        assert_eq!(split_of(&[1; 7]), [3, 3, 1]);
        assert_eq!(split_of(&[60, 40, 1, 99, 2]), [2, 2, 1]);
        assert_eq!(split_of(&[101, 1]), [1, 1], "what is too large for SQS is left to SQS to refuse");
    }
}
