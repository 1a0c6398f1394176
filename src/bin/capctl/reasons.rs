//! What the reasons of dead letters mean, and what helps.

use capillary_events::message::Reason;

/// The reasons of this version.
pub(crate) const KNOWN: [Reason; 7] = [
    Reason::NotJson,
    Reason::Unstorable,
    Reason::TooLarge,
    Reason::TooLargeForBus,
    Reason::Panic,
    Reason::InvalidEntry,
    Reason::TooOld,
];

/// What a reason means to whoever finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// What happened.
    pub(crate) what: &'static str,
    /// What to do about it.
    pub(crate) remedy: &'static str,
    /// Whether a redrive can help, once the cause is mended.
    pub(crate) can_be_redriven: bool,
}

/// The meaning of a letter's reason; none: SQS itself moved the message.
pub(crate) fn meaning(reason: Option<&str>) -> Meaning {
    let Some(reason) = reason else {
        return Meaning {
            what: "it was received a thousand times and never finished: it kills the process that works on it",
            remedy: "look in the enricher's log for panics and out of memory; give it more memory or a mended version, then redrive",
            can_be_redriven: true,
        };
    };
    match KNOWN.into_iter().find(|known| known.as_str() == reason) {
        Some(Reason::NotJson) => Meaning {
            what: "the body is no JSON object",
            remedy: "read it with `capctl dlq show --body`; ask Capillary for the event, then drop the letter",
            can_be_redriven: false,
        },
        Some(Reason::Unstorable) => Meaning {
            what: "DynamoDB or SQS call it invalid",
            remedy: "read it with `capctl dlq show --body`; redrive it once a mended version is deployed",
            can_be_redriven: true,
        },
        Some(Reason::TooLarge) => Meaning {
            what: "over 1 MiB, even compressed: its first 64 KiB and its SHA-256 were kept",
            remedy: "ask Capillary for the event by its ids in what was kept, then drop the letter",
            can_be_redriven: false,
        },
        Some(Reason::TooLargeForBus) => Meaning {
            what: "the event alone is larger than the bus takes",
            remedy: "fetch it with `capctl dlq show --body`; or raise MaxEntryKib if it is below 256, or let DropPaths make it smaller, then redrive",
            can_be_redriven: true,
        },
        Some(Reason::Panic) => Meaning {
            what: "working on it failed by a fault of this program, each time",
            remedy: "look in the enricher's log for `panic`; redrive it once a mended version is deployed",
            can_be_redriven: true,
        },
        Some(Reason::InvalidEntry) => Meaning {
            what: "the bus calls it invalid, each time",
            remedy: "see the detail for the bus's error; redrive once its cause is mended",
            can_be_redriven: true,
        },
        Some(Reason::TooOld) => Meaning {
            what: "it failed for 12 days for something that did not come back",
            remedy: "see the detail for the last failure; redrive once its cause is mended",
            can_be_redriven: true,
        },
        None => Meaning {
            what: "a reason that this version does not know",
            remedy: "take the capctl of the deployed version",
            can_be_redriven: true,
        },
    }
}
