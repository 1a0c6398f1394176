//! The last known state of an entity, and what an answer of Capillary's means beside it. Pure: no AWS, no clock of its own.
//!
//! An answer may be old: it may come from a replica that lags, or have waited in a process that was slow. It counts as newer if the
//! entity's own update time says so; where that says nothing, if the call for it began so long after the snapshot's answer came
//! that no replica can lag so far.

use std::{cmp::Ordering, fmt, sync::Arc};

use serde_json::{Value, value::RawValue};

use crate::{
    change::{Change, Volatile, difference},
    entity::{EntityRef, Kind},
    stamp::Stamp,
};

/// Beyond this age of what is remembered, no answer is taken for an older one, whatever its time says, in milliseconds (1 h): no replica lags
/// so far, but a time can go back, where the profile that bore it is unlinked or an org drops the offsets of its times.
const MAX_LATE_MS: i64 = 60 * 60 * 1000;
/// How long it is remembered that somebody was deleted or merged away, in seconds (90 days).
pub const TOMBSTONE_TTL_S: i64 = 90 * 24 * 60 * 60;

/// The key of a snapshot: `<orgId>#<type>#<id in the answer>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of an entity of an org; an event without org counts to org 0.
    pub fn new(org_id: Option<i64>, kind: Kind, id: &str) -> Self {
        Self(format!("{}#{}#{id}", org_id.unwrap_or_default(), kind.as_str()))
    }

    /// The key under which an entity is remembered if the answer bears the id that was asked for. One whose id is not known is not
    /// remembered, and has a key that is no other's.
    pub fn of(org_id: Option<i64>, entity: &EntityRef) -> Self {
        if entity.is_identified() {
            Self::new(org_id, entity.kind, &entity.id)
        } else {
            Self(format!("{}#{}?{}", org_id.unwrap_or_default(), entity.kind.as_str(), entity.id))
        }
    }

    /// Whether states of an entity are kept. Not of one whose id is not known, nor of what has no states; and not for org 0, which events
    /// bear that tell no org (facts 2.8): what changed is told under the org that it belongs to, and nowhere else.
    pub fn is_kept(org_id: Option<i64>, entity: &EntityRef) -> bool {
        entity.kind.has_states() && entity.is_identified() && org_id != Some(0)
    }

    /// As it stands in the table.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Where somebody went who is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Deleted on request.
    Deleted,
    /// Merged into another customer.
    Merged,
}

/// What is remembered of an entity.
#[derive(Clone)]
pub enum State {
    /// Its body.
    Body(Arc<RawValue>),
    /// That it was there; its body was too large to keep.
    TooLarge,
    /// That it is gone: a tombstone, which no found state overwrites.
    Gone(Gone),
}

impl State {
    /// The body, where it is remembered.
    pub fn body(&self) -> Option<&Arc<RawValue>> {
        match self {
            Self::Body(body) => Some(body),
            Self::TooLarge | Self::Gone(_) => None,
        }
    }
}

impl fmt::Debug for State {
    /// Without the body: that is somebody's data.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Body(_) => "Body",
            Self::TooLarge => "TooLarge",
            Self::Gone(Gone::Deleted) => "Deleted",
            Self::Gone(Gone::Merged) => "Merged",
        })
    }
}

/// A state as remembered.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Grows with each state; begins at the time of the first sight in milliseconds, so that a key made anew never uses one twice.
    pub version: i64,
    /// The entity's own update time.
    pub stamp: Option<Stamp>,
    /// When the answer came, in milliseconds since 1970.
    pub observed_at_ms: i64,
    /// The customer with whom it is forgotten, where it is somebody's and not a customer itself.
    pub customer: Option<Key>,
    /// What it is.
    pub state: State,
}

impl Snapshot {
    /// Whether it is so old that no answer to a call that began then (milliseconds since 1970) is older, by whatever clock.
    pub fn is_settled_before(&self, began_at_ms: i64) -> bool {
        began_at_ms >= self.observed_at_ms.saturating_add(MAX_LATE_MS)
    }
}

/// An answer with the entity's body.
#[derive(Clone)]
pub struct Seen {
    /// The body.
    pub body: Arc<RawValue>,
    /// When the call for it began, in milliseconds since 1970.
    pub began_at_ms: i64,
    /// When the answer came, in milliseconds since 1970.
    pub answered_at_ms: i64,
}

/// What the judgement goes by.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How far behind an answer may be, in milliseconds.
    pub replica_lag_ms: i64,
    /// What changes by itself.
    pub volatile: Volatile,
}

/// What an answer means.
pub enum Judgement {
    /// The state is another than the remembered one, or the first.
    Moves(Moved),
    /// The remembered state still holds.
    Stays {
        /// The body as answered, but in the order of the remembered one; none for somebody who is gone.
        body: Option<Arc<RawValue>>,
    },
    /// The answer is older than what is remembered.
    Late,
    /// Which one is older can't be told by a call that began before this time.
    Wait {
        /// In milliseconds since 1970.
        until_ms: i64,
    },
}

/// Without bodies: they are somebody's data.
impl fmt::Debug for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moves(moved) => write!(formatter, "Moves({:?}, {:?})", moved.next, moved.changes),
            Self::Stays { .. } => formatter.write_str("Stays"),
            Self::Late => formatter.write_str("Late"),
            Self::Wait { until_ms } => write!(formatter, "Wait({until_ms})"),
        }
    }
}

/// A state that takes the place of the remembered one.
pub struct Moved {
    /// What to remember.
    pub next: Snapshot,
    /// What changed; nothing at first sight.
    pub changes: Vec<Change>,
    /// Whether there was nothing to compare with.
    pub baseline: bool,
    /// Both states as they were compared, where they could be read.
    pub compared: Compared,
}

/// Two states of an entity as values: they are large, and read once.
#[derive(Default)]
pub struct Compared {
    /// What is remembered; null where that is nothing, or can't be read.
    pub before: Value,
    /// What was answered; null where it can't be read.
    pub after: Value,
}

/// Judges an answer with a body by what is remembered.
pub fn judge_seen(kind: Kind, known: Option<&Snapshot>, seen: &Seen, rules: &Rules, now_ms: i64) -> Judgement {
    // What can't be compared (nested deeper than the parser goes) is seen for the first time each time.
    let after = parsed(&seen.body);
    let stamp = after.as_ref().and_then(|after| Stamp::of(kind, after));
    let moved = |known: Option<&Snapshot>, body: Arc<RawValue>, changes, baseline, compared| {
        let version = known.map_or(now_ms, |known| known.version.saturating_add(1));
        let customer = known.and_then(|known| known.customer.clone());
        let next = Snapshot { version, stamp, observed_at_ms: seen.answered_at_ms, customer, state: State::Body(body) };
        Judgement::Moves(Moved { next, changes, baseline, compared })
    };
    let Some(known) = known else {
        let compared = Compared { after: after.unwrap_or_default(), ..Compared::default() };
        return moved(None, Arc::clone(&seen.body), Vec::new(), true, compared);
    };
    let age = match (stamp, known.stamp) {
        (Some(seen), Some(known)) => seen.compare(&known).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    };
    let age = if age == Ordering::Less && known.is_settled_before(seen.began_at_ms) { Ordering::Equal } else { age };
    let stays = |body: Arc<RawValue>| Judgement::Stays { body: Some(body) };
    let before: Option<Value> = match &known.state {
        State::Gone(_) => return Judgement::Late,
        _ if age == Ordering::Less => return Judgement::Late,
        State::TooLarge if stamp.is_some() && age == Ordering::Equal => return stays(Arc::clone(&seen.body)),
        State::TooLarge => None,
        State::Body(body) if body.get() == seen.body.get() => return stays(Arc::clone(&seen.body)),
        State::Body(body) => parsed(body),
    };
    let difference = before.as_ref().zip(after.as_ref()).map(|(before, after)| difference(before, after, &rules.volatile));
    let body = || {
        let rearranged = difference.as_ref().and_then(|difference| difference.rearranged.as_ref());
        let rearranged = rearranged.and_then(|body| serde_json::value::to_raw_value(body).ok());
        rearranged.map_or_else(|| Arc::clone(&seen.body), Arc::from)
    };
    if age == Ordering::Equal {
        if difference.as_ref().is_some_and(|difference| difference.changes.is_empty()) {
            return stays(body());
        }
        let until_ms = known.observed_at_ms.saturating_add(rules.replica_lag_ms);
        if seen.began_at_ms < until_ms {
            return Judgement::Wait { until_ms };
        }
    }
    let body = body();
    let compared = Compared { before: before.unwrap_or_default(), after: after.unwrap_or_default() };
    match difference {
        Some(difference) => moved(Some(known), body, difference.changes, false, compared),
        None => moved(Some(known), body, Vec::new(), true, compared),
    }
}

/// A body as values.
pub(crate) fn parsed(body: &RawValue) -> Option<Value> {
    let text = body.get();
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&without_lone_surrogates(text)).ok())
}

/// Half of a character, as cut texts have it at their end, stands for no character; the parser refuses the whole text for it.
fn without_lone_surrogates(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        clean.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let (kept, length) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (None, 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            (Some(_), _) => (None, 6),
            // Another escape, of two characters.
            (None, _) => (None, 2),
        };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        clean.push_str(kept.unwrap_or(escape));
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// Judges an answer that somebody is gone. That is final, so it is never older than what is remembered.
pub fn judge_gone(known: Option<&Snapshot>, gone: Gone, answered_at_ms: i64, now_ms: i64) -> Judgement {
    if let Some(Snapshot { state: State::Gone(_), .. }) = known {
        return Judgement::Stays { body: None };
    }
    let version = known.map_or(now_ms, |known| known.version.saturating_add(1));
    let next = Snapshot { version, stamp: None, observed_at_ms: answered_at_ms, customer: None, state: State::Gone(gone) };
    Judgement::Moves(Moved { next, changes: Vec::new(), baseline: false, compared: Compared::default() })
}

/// Whether a snapshot may move (X2): it must still be as it was read, or still not be.
pub fn may_move(current_version: Option<i64>, read_version: Option<i64>) -> bool {
    current_version == read_version
}

#[cfg(test)]
mod tests;
