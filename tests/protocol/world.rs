//! A state of the world, as small as it can be, and how the product sees parts of it.

use capillary_events::ledger;

/// Time in leases.
pub(crate) type Tick = u8;
/// How long a tick is for the product.
pub(crate) const TICK_MS: i64 = ledger::LEASE_MS;

/// A tick as the product's clock tells it.
pub(crate) fn ms(tick: Tick) -> i64 {
    (1_000 + i64::from(tick)) * TICK_MS
}

/// The entity's state once it is deleted.
pub(crate) const GONE: u8 = 7;
/// Shown by events without entities.
pub(crate) const NO_ENTITY: u8 = 8;

/// A ledger key: that of the id, or the second one of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub u8);

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) now: Tick,
    pub(crate) sender: [Sender; 2],
    pub(crate) receivers: [Option<Receiver>; 2],
    /// Messages in the events queue, by event and by whether they name its second key. A message stays there until it is deleted.
    pub(crate) queue: [[u8; 2]; 2],
    /// The same of the dead-letter queue.
    pub(crate) dead: [[bool; 2]; 2],
    /// The ledger, by key.
    pub(crate) rows: [Option<Row>; 4],
    pub(crate) enrichers: [Option<Enricher>; 2],
    pub(crate) entity: Entity,
    pub(crate) snapshot: Option<Remembered>,
    /// What is on the bus.
    pub(crate) told: Vec<Told>,
    pub(crate) history: History,
}

/// What the sender knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Sender {
    /// It got a final answer, so it does not repeat it.
    pub(crate) is_answered: bool,
    /// How often it will still give it once more.
    pub(crate) again: u8,
}

/// A delivery at the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Receiver {
    pub(crate) event: usize,
    pub(crate) second_key: bool,
    pub(crate) began: Tick,
    pub(crate) at: ReceiverAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ReceiverAt {
    /// Before W1.
    Claiming,
    /// Before W1 once more: the SDK got no answer.
    ClaimingAgain,
    /// Before W2.
    Sending,
}

/// A ledger row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) status: ledger::Status,
    /// Whose fingerprint it bears.
    pub(crate) event: usize,
    /// Which receiver claimed it; one that is no more is nobody.
    pub(crate) claim: Option<u8>,
    pub(crate) lease_until: Option<Tick>,
    pub(crate) expires: Option<Tick>,
    pub(crate) detail: Option<Content>,
}

/// What is published of an event, as far as two copies of it could differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Content {
    /// The entity's state.
    pub(crate) shows: u8,
    /// What changed: from which state to which.
    pub(crate) change: Option<(u8, u8)>,
    pub(crate) baseline: bool,
    pub(crate) late: bool,
    pub(crate) fetched: Tick,
}

/// An enricher's work on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Enricher {
    pub(crate) event: usize,
    /// The key in the message.
    pub(crate) message_names_second_key: bool,
    /// Whether it can still delete it.
    pub(crate) message_is_there: bool,
    /// The key it works under.
    pub(crate) second_key: bool,
    pub(crate) began: Tick,
    pub(crate) at: EnricherAt,
}

/// Before which step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EnricherAt {
    /// Reading the row and the snapshot; what was fetched before, if the order is the wrong one.
    Looking {
        fetched: Option<(u8, Tick)>,
    },
    Fetching {
        known: Option<Remembered>,
    },
    /// X1 and X2.
    Committing {
        draft: Draft,
        published: bool,
    },
    /// P1.
    Publishing {
        content: Content,
        stored: bool,
        draft: Option<Draft>,
    },
    /// P2.
    Marking {
        content: Content,
        stored: bool,
    },
    /// D1.
    DeadLettering,
    /// D2, first if something is stored, then if nothing is.
    MarkingFailed {
        stored: bool,
    },
    /// The message.
    Deleting {
        content: Option<Content>,
        stored: bool,
    },
}

/// What would be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Draft {
    pub(crate) content: Content,
    pub(crate) move_to: Option<Remembered>,
    /// The snapshot's version as read.
    pub(crate) read: Option<i64>,
    pub(crate) judged: Tick,
}

/// A customer at Capillary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Entity {
    pub(crate) state: u8,
    /// The states before, and until when they were.
    pub(crate) before: [Option<(u8, Tick)>; 3],
}

/// A snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Remembered {
    pub(crate) version: i64,
    pub(crate) state: u8,
    pub(crate) observed: Tick,
}

/// An event on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    pub(crate) event: usize,
    pub(crate) key: Key,
    pub(crate) content: Content,
    /// When this was told first.
    pub(crate) at: Tick,
}

/// What nobody in the world knows, but the invariants ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct History {
    /// The events that got a 200.
    pub(crate) acknowledged: [bool; 2],
    /// Since when an event counts as done: published and marked.
    pub(crate) settled: [Option<Tick>; 2],
    /// Which were in the dead-letter queue.
    pub(crate) buried: [bool; 2],
    /// When a delivery put it into the queue the last time.
    pub(crate) enqueued: [Option<Tick>; 2],
    /// The last state that the snapshot had a body of.
    pub(crate) last_remembered: Option<u8>,
    pub(crate) snapshot_vanished: bool,
}
