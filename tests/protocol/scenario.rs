//! What may happen in one search: small enough to try everything, large enough to go wrong.

use crate::world::Tick;

/// What is known of the order of an entity's states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// Each state has an update time of its own.
    Strict,
    /// The first two states bear the same time, as within a second.
    Ties,
    /// No state bears any.
    Absent,
}

/// An event that the sender has to tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    /// Whether an entity stands behind it; if not, what is published follows from the message alone.
    pub(crate) has_entity: bool,
    /// Whether it says that its customer was deleted.
    pub(crate) says_deleted: bool,
    /// How often the sender gives it once more after a final answer.
    pub(crate) given_again: u8,
    /// Where it stands at the beginning.
    pub(crate) begins: Begin,
}

/// Where an event stands at the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At the sender, who has not given it yet.
    AtTheSender,
    /// Answered 200, with its row and its message.
    Received,
    /// As many of its messages in the queue, and no row: redriven after the row's time.
    WithoutRow(u8),
}

/// A scenario: what is there, and which faults there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One or two.
    pub(crate) events: &'static [Event],
    /// Whether two events bear one id.
    pub(crate) same_id: bool,
    /// Invocations of the receiver at a time.
    pub(crate) receivers: usize,
    /// Invocations of the enricher at a time.
    pub(crate) enrichers: usize,
    /// How far the clock runs. A tick is a lease.
    pub(crate) ticks: Tick,
    /// How long the ledger remembers an event, in ticks.
    pub(crate) ttl: Tick,
    /// After how many ticks an invocation is dead for certain.
    pub(crate) longest_invocation: Tick,
    /// How often the entity changes.
    pub(crate) changes: u8,
    /// Whether it may be deleted.
    pub(crate) deletion: bool,
    pub(crate) stamps: Stamps,
    /// How far an answer may be behind, in ticks; what the enricher is configured with.
    pub(crate) lag: Tick,
    /// Whether an invocation may die between any two steps.
    pub(crate) deaths: bool,
    /// Whether the answers of W1 and W2 may be lost.
    pub(crate) lost_answers: bool,
    /// Whether the first answer of each W1 is lost, even on good days.
    pub(crate) first_answers_never_come: bool,
    /// Whether the work on an event may fail by itself (a panic, an entry that the bus refuses) until it is dead-lettered.
    pub(crate) failures: bool,
    /// Whether SQS moves messages to the dead-letter queue, and an operator moves them back.
    pub(crate) redrives: bool,
    /// Whether DynamoDB deletes rows whose time is over.
    pub(crate) rows_vanish: bool,
    /// Whether there is a snapshot at the beginning, whose time may be over, once.
    pub(crate) snapshot_vanishes: bool,
}

impl Event {
    /// A customer's event that the receiver has taken in.
    pub(crate) const RECEIVED: Self = Self { has_entity: true, says_deleted: false, given_again: 0, begins: Begin::Received };
    /// An event that the sender has still to give.
    pub(crate) const AT_THE_SENDER: Self = Self { begins: Begin::AtTheSender, ..Self::RECEIVED };
}

/// Everything goes well, two enrichers work, and time stands still.
const CALM: Scenario = Scenario {
    name: "",
    events: &[Event::RECEIVED],
    same_id: false,
    receivers: 0,
    enrichers: 2,
    ticks: 0,
    ttl: 20,
    longest_invocation: 20,
    changes: 0,
    deletion: false,
    stamps: Stamps::Absent,
    lag: 1,
    deaths: true,
    lost_answers: false,
    first_answers_never_come: false,
    failures: false,
    redrives: false,
    rows_vanish: false,
    snapshot_vanishes: false,
};

/// A delivery is taken in while receivers die, hang past their lease and lose their answers.
pub(crate) const DELIVERY: Scenario = Scenario {
    name: "delivery",
    events: &[Event { has_entity: false, given_again: 1, ..Event::AT_THE_SENDER }],
    receivers: 2,
    enrichers: 1,
    ticks: 2,
    lost_answers: true,
    ..CALM
};

/// The first answer of the ledger is always lost: the SDK sends each claim twice.
pub(crate) const SLOW_LEDGER: Scenario =
    Scenario { name: "a ledger whose first answers never come", first_answers_never_come: true, ..DELIVERY };

/// Nobody is slower than a lease.
pub(crate) const PROMPT_RECEIVERS: Scenario =
    Scenario { name: "prompt receivers", longest_invocation: 0, lost_answers: false, ..DELIVERY };

/// Two different events bear one id.
pub(crate) const ONE_ID: Scenario = Scenario {
    name: "two events bear one id",
    events: &[Event::AT_THE_SENDER, Event { has_entity: false, ..Event::AT_THE_SENDER }],
    same_id: true,
    receivers: 2,
    enrichers: 1,
    ticks: 1,
    ..CALM
};

/// An event without entities, around the time when its row is forgotten.
pub(crate) const UNSTORED: Scenario = Scenario {
    name: "an event without entities, and its row's end",
    events: &[Event { has_entity: false, given_again: 1, ..Event::RECEIVED }],
    receivers: 1,
    enrichers: 1,
    ticks: 3,
    ttl: 2,
    longest_invocation: 1,
    failures: true,
    rows_vanish: true,
    ..CALM
};

/// An event with an entity, around the time when its row is forgotten.
pub(crate) const STORED: Scenario = Scenario {
    name: "an event with an entity, and its row's end",
    events: &[Event { given_again: 1, ..Event::RECEIVED }],
    receivers: 1,
    enrichers: 1,
    ticks: 3,
    ttl: 2,
    longest_invocation: 1,
    changes: 1,
    lag: 0,
    rows_vanish: true,
    ..CALM
};

/// Two enrichers work at one event, which fails by itself at times, is moved aside and comes back.
pub(crate) const FAILURES: Scenario = Scenario { name: "failures and redrives", changes: 1, lag: 0, failures: true, ..CALM };

/// The same while the row's time passes.
pub(crate) const FAILURES_AND_TIME: Scenario =
    Scenario { name: "failures, and the row's end", ticks: 1, ttl: 1, longest_invocation: 0, changes: 0, ..FAILURES };

/// What failed after it was stored comes back after the time at which the ledger forgets what is published.
pub(crate) const FAILED_AND_OLD: Scenario = Scenario {
    name: "failures of what is stored, long ago",
    enrichers: 1,
    ticks: 2,
    ttl: 1,
    longest_invocation: 0,
    changes: 1,
    rows_vanish: true,
    ..FAILURES
};

/// The same for a customer who was seen before, so that an enricher may find nothing new.
pub(crate) const KNOWN_CUSTOMER: Scenario =
    Scenario { name: "failures, and a known customer", snapshot_vanishes: true, ..FAILURES };

/// An event without row and without entities.
pub(crate) const WITHOUT_ROW_AND_ENTITY: Scenario = Scenario {
    name: "no row, no entity",
    events: &[Event { begins: Begin::WithoutRow(2), has_entity: false, ..Event::RECEIVED }],
    ..CALM
};

/// Two messages of an event without a row: redriven after its time.
pub(crate) const WITHOUT_ROW: Scenario =
    Scenario { name: "no row", events: &[Event { begins: Begin::WithoutRow(2), ..Event::RECEIVED }], changes: 1, lag: 0, ..CALM };

/// Two events bear one id; one of them is redriven after its row's time.
pub(crate) const ONE_ID_REDRIVEN: Scenario = Scenario {
    name: "two events bear one id, one redriven without row",
    events: &[
        Event { has_entity: false, begins: Begin::WithoutRow(1), ..Event::RECEIVED },
        Event { has_entity: false, ..Event::AT_THE_SENDER },
    ],
    receivers: 1,
    enrichers: 2,
    ticks: 0,
    deaths: false,
    ..ONE_ID
};

/// The same, and the work fails by itself.
pub(crate) const ONE_ID_FAILING: Scenario =
    Scenario { name: "two events bear one id, one redriven without row, failing", failures: true, ..ONE_ID_REDRIVEN };

/// Two events that bear one id, with two enrichers.
pub(crate) const ONE_ID_TWINS: Scenario =
    Scenario { name: "two events bear one id, two enrichers", enrichers: 2, deaths: false, ..ONE_ID };

/// Two events, one customer, whose states bear times that order them; replicas lag.
pub(crate) const CHANGES_STRICT: Scenario = Scenario {
    name: "changes with strict stamps",
    events: &[Event::RECEIVED, Event::RECEIVED],
    ticks: 1,
    changes: 1,
    stamps: Stamps::Strict,
    ..CALM
};

/// The same, with a tie.
pub(crate) const CHANGES_TIES: Scenario = Scenario { name: "changes with ties", stamps: Stamps::Ties, ..CHANGES_STRICT };

/// The same without any stamp.
pub(crate) const CHANGES_ABSENT: Scenario = Scenario { name: "changes without stamps", stamps: Stamps::Absent, ..CHANGES_STRICT };

/// The same without lag, at a speed at which clocks tell nothing.
pub(crate) const CHANGES_AT_ONCE: Scenario =
    Scenario { name: "changes at once, no replicas", ticks: 0, lag: 0, changes: 2, stamps: Stamps::Absent, ..CHANGES_STRICT };

/// A customer is deleted, which one event says, while another one works.
pub(crate) const DELETION: Scenario = Scenario {
    name: "deletion",
    events: &[Event::RECEIVED, Event { says_deleted: true, ..Event::RECEIVED }],
    ticks: 1,
    deletion: true,
    stamps: Stamps::Strict,
    ..CALM
};

/// A snapshot's time is over while somebody works with it.
pub(crate) const FORGOTTEN_SNAPSHOT: Scenario = Scenario {
    name: "a snapshot is forgotten",
    events: &[Event::RECEIVED, Event::RECEIVED],
    ticks: 1,
    changes: 2,
    lag: 0,
    deaths: false,
    snapshot_vanishes: true,
    ..CALM
};
