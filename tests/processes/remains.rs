//! What the deployed stack keeps: rows of the ledger, snapshots, messages.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;

use crate::support::stack::{Aws, Stack};
use crate::support::world::Row;
use crate::support::world::snapshots::Snapshot;

/// The tables and queues of a stack.
pub(crate) struct Remains<'a> {
    aws: &'a Aws,
    stack: &'a Stack,
}

impl<'a> Remains<'a> {
    pub(crate) fn of(aws: &'a Aws, stack: &'a Stack) -> Self {
        Self { aws, stack }
    }

    /// How long a message stays away whose batch was not answered.
    pub(crate) async fn hand_out_again_after(&self, seconds: u32) {
        let set = self.aws.sqs.set_queue_attributes().queue_url(self.stack.text("/outputs/EventsQueueUrl"));
        let set = set.attributes(QueueAttributeName::VisibilityTimeout, seconds.to_string());
        set.send().await.expect("the queue takes it");
    }

    /// The ledger by key.
    pub(crate) async fn rows(&self) -> BTreeMap<String, Row> {
        let scan = self.aws.dynamodb.scan().table_name(self.stack.text("/outputs/EventsTableName")).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.expect("the ledger is read");
        let key = |row: &Row| row.text("eventId").expect("a key").to_owned();
        items.into_iter().map(Row).map(|row| (key(&row), row)).collect()
    }

    /// How many rows have each status.
    pub(crate) async fn statuses(&self) -> BTreeMap<String, usize> {
        let mut statuses = BTreeMap::new();
        for row in self.rows().await.values() {
            *statuses.entry(row.status().to_owned()).or_default() += 1;
        }
        statuses
    }

    /// The snapshots by key.
    pub(crate) async fn snapshots(&self) -> BTreeMap<String, Snapshot> {
        let scan = self.aws.dynamodb.scan().table_name(self.stack.text("/outputs/SnapshotsTableName")).consistent_read(true);
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.expect("the snapshots are read");
        let key = |snapshot: &Snapshot| snapshot.text("entityKey").to_owned();
        items.into_iter().map(Snapshot).map(|snapshot| (key(&snapshot), snapshot)).collect()
    }

    /// Messages in the events queue, waiting or being worked on.
    pub(crate) async fn messages(&self) -> usize {
        self.messages_in("/outputs/EventsQueueUrl").await
    }

    /// Messages that were given up.
    pub(crate) async fn dead_letters(&self) -> usize {
        self.messages_in("/outputs/DeadLetterQueueUrl").await
    }

    /// Why, for some of them.
    pub(crate) async fn reasons(&self) -> Vec<String> {
        let receive = self.aws.sqs.receive_message().queue_url(self.stack.text("/outputs/DeadLetterQueueUrl"));
        let receive = receive.max_number_of_messages(10).visibility_timeout(0).message_attribute_names("reason");
        let messages = receive.send().await.expect("the queue answers").messages.unwrap_or_default();
        let reason = |attributes: &std::collections::HashMap<String, aws_sdk_sqs::types::MessageAttributeValue>| {
            attributes.get("reason").and_then(|value| value.string_value()).unwrap_or("moved by the queue").to_owned()
        };
        messages.iter().map(|message| message.message_attributes().map_or_else(String::new, reason)).collect()
    }

    async fn messages_in(&self, queue: &str) -> usize {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let ask = self.aws.sqs.get_queue_attributes().queue_url(self.stack.text(queue));
        let answer = ask.set_attribute_names(Some(counts.to_vec())).send().await.expect("the queue answers");
        let attributes = answer.attributes().expect("its attributes");
        counts.iter().map(|count| attributes[count].parse::<usize>().expect("a number")).sum()
    }
}
