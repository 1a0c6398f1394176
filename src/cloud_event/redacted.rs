//! What an event is published with, as far as it may be on the bus.

use std::borrow::Cow;

use super::Enriched;
use crate::redact::Redactor;

impl Enriched {
    /// Without what the redactor drops, and with pseudonyms for what it hashes. The paths of changes stay.
    pub(super) fn redacted(&self, redactor: &Redactor<'_>) -> Cow<'_, Self> {
        if redactor.is_idle() {
            return Cow::Borrowed(self);
        }
        let mut redacted = self.clone();
        for (place, entity) in redacted.entities.iter_mut().enumerate() {
            entity.body = entity.body.take().and_then(|body| redactor.body(place, &body));
            if entity.by_number {
                entity.id = redactor.card_number(&entity.id);
            }
        }
        for change in redacted.changes.iter_mut().map(|change| &mut change.change) {
            for value in [&mut change.before, &mut change.after] {
                *value = value.take().and_then(|value| redactor.changed(&change.path, value));
            }
        }
        Cow::Owned(redacted)
    }
}
