//! The bus.

use std::sync::{Arc, Mutex};

use capillary_events::ports::{self, Entry, PortError};

/// A bus with one consumer that writes down everything; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Bus(Arc<Mutex<Vec<Entry>>>);

impl Bus {
    pub(crate) fn publish_now(&self, entry: &Entry) -> Result<(), PortError> {
        // The bus takes nothing but an object for a detail.
        if !matches!(serde_json::from_str(&entry.detail), Ok(serde_json::Value::Object(_))) {
            return Err(PortError::Invalid { call: "EventBridge.PutEvents", cause: "MalformedDetail".to_owned() });
        }
        self.0.lock().expect("nobody panics while holding the bus").push(entry.clone());
        Ok(())
    }

    /// All that was ever published.
    pub(crate) fn published(&self) -> Vec<Entry> {
        self.0.lock().expect("nobody panics while holding the bus").clone()
    }
}

impl ports::Bus for Bus {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        entries.iter().map(|entry| self.publish_now(entry)).collect()
    }
}
