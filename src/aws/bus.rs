//! The bus in EventBridge.

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};

use super::{boxed, port_error};
use crate::{
    cloud_event::SOURCE,
    ports::{Bus, Entry, PortError},
};

const CALL: &str = "EventBridge.PutEvents";
/// The most bytes of entries in one call: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>.
const MAX_CALL_BYTES: usize = 256 * 1024;
/// Codes of an entry by which the bus calls the entry itself wrong.
const INVALID_ENTRY: [&str; 4] = ["MalformedDetail", "InvalidArgument", "InvalidDetail", "ValidationException"];

/// An event bus.
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// The bus with this name or ARN.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    async fn call(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        let built = entries.iter().map(|entry| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(&entry.detail_type)
                .detail(&entry.detail)
                .set_trace_header(entry.trace.as_ref().map(|trace| trace.as_str().to_owned()))
                .build()
        });
        match boxed(self.client.put_events().set_entries(Some(built.collect())).send()).await {
            Ok(answer) => {
                let mut results = answer.entries.unwrap_or_default().into_iter();
                // An answer with too few entries says nothing of the rest.
                entries.iter().map(|_| judge(results.next().map(|result| result.error_code))).collect()
            }
            Err(error) => {
                let error = port_error(CALL, &error);
                // One bad entry makes the whole call invalid: alone, each is judged by itself.
                if matches!(error, PortError::Invalid { .. }) && entries.len() > 1 {
                    let mut each = Vec::new();
                    for entry in entries {
                        each.extend(Box::pin(self.call(std::slice::from_ref(entry))).await);
                    }
                    return each;
                }
                entries.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }
}

impl Bus for EventBus {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        let mut results = Vec::with_capacity(entries.len());
        let mut rest = entries;
        while !rest.is_empty() {
            let (group, further) = rest.split_at(group_len(rest));
            results.extend(self.call(group).await);
            rest = further;
        }
        results
    }
}

/// How many of the first entries fit into one call; at least one.
fn group_len(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let fitting = entries.iter().take(EventBus::MAX_ENTRIES).take_while(|entry| {
        bytes += entry.detail.len() + entry.detail_type.len() + SOURCE.len() + 14;
        bytes <= MAX_CALL_BYTES
    });
    fitting.count().max(1)
}

/// A result's error code: none if the entry was taken. No result at all is no success.
fn judge(result: Option<Option<String>>) -> Result<(), PortError> {
    match result {
        Some(None) => Ok(()),
        Some(Some(cause)) if INVALID_ENTRY.contains(&cause.as_str()) => Err(PortError::Invalid { call: CALL, cause }),
        Some(Some(cause)) => Err(PortError::Unavailable { call: CALL, cause }),
        None => Err(PortError::Unavailable { call: CALL, cause: "NoResult".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize) -> Entry {
        Entry { detail_type: "x".to_owned(), detail: "x".repeat(bytes), trace: None }
    }

    #[test]
    fn a_call_takes_ten_entries_within_its_size() {
        assert_eq!(group_len(&vec![entry(10); 12]), 10);
        assert_eq!(group_len(&vec![entry(100 * 1024); 5]), 2);
        assert_eq!(group_len(&[entry(300 * 1024), entry(1)]), 1);
    }

    #[test]
    fn only_a_result_without_error_is_success() {
        assert!(judge(Some(None)).is_ok());
        assert!(matches!(judge(Some(Some("MalformedDetail".into()))), Err(PortError::Invalid { .. })));
        assert!(matches!(judge(Some(Some("InternalFailure".into()))), Err(PortError::Unavailable { .. })));
        assert!(matches!(judge(None), Err(PortError::Unavailable { .. })));
    }
}
