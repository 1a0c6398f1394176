//! Lambda's SQS event, of which all may be odd.

use std::collections::HashSet;

use aws_lambda_events::sqs::SqsEvent;
use capillary_events::batch;

use super::enricher::is_done;

/// So many messages does SQS hand over at once.
const MAX_MESSAGES: usize = 10;

/// Judges what becomes of the JSON text of an SQS event. What the runtime itself can't read comes again as a whole.
pub fn batch(event: &[u8]) {
    let Ok(event) = serde_json::from_slice::<SqsEvent>(event) else { return };
    let mut messages = batch::messages(event);
    // No two messages in a queue have the same id.
    let mut ids = HashSet::new();
    messages.retain(|message| ids.insert(message.message_id.clone()));
    messages.truncate(MAX_MESSAGES);
    is_done(messages);
}
