//! All that comes through the deployed bus, as a user's rule sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use serde_json::{Value, json};

use crate::support::rules::Rule;
use crate::support::stack::{Aws, Stack};
use crate::support::{detail_schema, wait};

/// A rule for every event, and what has come through it.
pub(crate) struct Bus {
    rule: Rule,
    /// The texts of all copies by id.
    copies: BTreeMap<String, Vec<String>>,
}

impl Bus {
    pub(crate) async fn listen(aws: &Aws, stack: &Stack) -> Self {
        let pattern = json!({"source": ["capillary.events"]}).to_string();
        let rule = Rule::create(aws, &stack.text("/outputs/EventBusName"), "turmoil", &pattern).await;
        Self { rule, copies: BTreeMap::new() }
    }

    /// Takes what has come.
    pub(crate) async fn take(&mut self, aws: &Aws) {
        loop {
            let receive = aws.sqs.receive_message().queue_url(&self.rule.queue).max_number_of_messages(10);
            let messages = receive.send().await.expect("the queue answers").messages.unwrap_or_default();
            if messages.is_empty() {
                return;
            }
            let mut delete = aws.sqs.delete_message_batch().queue_url(&self.rule.queue);
            for (number, message) in messages.iter().enumerate() {
                let event: Value = serde_json::from_str(message.body().unwrap_or_default()).expect("JSON");
                let detail = &event["detail"];
                detail_schema::assert_valid(detail);
                let id = detail["id"].as_str().expect("an id").to_owned();
                self.copies.entry(id).or_default().push(detail.to_string());
                let handle = message.receipt_handle().unwrap_or_default();
                let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string()).receipt_handle(handle);
                delete = delete.entries(entry.build().expect("an entry"));
            }
            delete.send().await.expect("the queue forgets");
        }
    }

    /// Takes what comes until there are so many events, or the time is up; whether there are.
    pub(crate) async fn brings(&mut self, events: usize, limit: Duration, aws: &Aws) -> bool {
        let all = async || {
            self.take(aws).await;
            (self.copies.len() >= events).then_some(())
        };
        wait::poll(limit, all).await.is_some()
    }

    /// Which events have come.
    pub(crate) fn ids(&self) -> BTreeSet<&str> {
        self.copies.keys().map(String::as_str).collect()
    }

    /// How many events came more than once.
    pub(crate) fn doubled(&self) -> usize {
        self.copies.values().filter(|copies| copies.len() > 1).count()
    }

    /// Every copy of every event.
    pub(crate) fn details(&self) -> impl Iterator<Item = String> {
        self.copies.values().flatten().cloned()
    }

    pub(crate) async fn leave(self, aws: &Aws) {
        self.rule.delete(aws).await;
    }
}
