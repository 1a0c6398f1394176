//! The receiver's steps: W1, W2, the answer.

use capillary_events::ledger::{Refusal, Status};

use crate::{
    invariants::{Broken, Violation},
    model::{Model, Way},
    world::{Receiver, ReceiverAt, Row, World},
};

impl Model {
    /// The sender gives an event.
    pub(crate) fn deliver(&self, world: &mut World, slot: usize, event: usize) {
        let sender = &mut world.sender[event];
        if sender.is_answered {
            *sender = crate::world::Sender { is_answered: false, again: sender.again - 1 };
        }
        world.receivers[slot] = Some(Receiver { event, second_key: false, began: world.now, at: ReceiverAt::Claiming });
    }

    /// The receiver's next step.
    pub(crate) fn receive(&self, world: &mut World, slot: usize, way: Way) -> Result<(), Violation> {
        let Some(receiver) = world.receivers[slot] else { return Ok(()) };
        match (receiver.at, way) {
            (_, Way::Dies) => end(world, slot),
            (ReceiverAt::Sending, _) => {
                // A receiver slower than its lease may well send another one.
                if self.scenario.longest_invocation == 0 {
                    let before = world.history.enqueued[receiver.event].replace(world.now);
                    if before == Some(world.now) {
                        return Err(
                            Broken::TwoMessagesInALease.with("a second delivery is enqueued while the first one's lease runs")
                        );
                    }
                }
                self.enqueue(world, receiver.event, receiver.second_key);
                if way == Way::On {
                    acknowledge(world, receiver.event);
                }
                end(world, slot);
            }
            (_, _) => self.claim(world, slot, receiver, way)?,
        }
        Ok(())
    }

    fn claim(&self, world: &mut World, slot: usize, receiver: Receiver, way: Way) -> Result<(), Violation> {
        let event = receiver.event;
        let key = self.key(event, receiver.second_key);
        let row = world.row(key).copied();
        let goes_on = |at| Some(Receiver { at, ..receiver });
        if self.product.allows(self.rules.claim, row.as_ref(), event, receiver.began) {
            *world.row_mut(key) = Some(Row {
                status: Status::Received,
                event,
                claim: Some(u8::try_from(slot).unwrap()),
                lease_until: Some(receiver.began + 1),
                expires: Some(receiver.began + self.scenario.ttl),
                detail: None,
            });
            let at = if way == Way::AnswerLost { ReceiverAt::ClaimingAgain } else { ReceiverAt::Sending };
            world.receivers[slot] = goes_on(at);
            return Ok(());
        }
        let Some(row) = row else {
            return Err(Broken::RefusedForEver.with("a new event is refused, and there is no row to tell why"));
        };
        let refusal = self.product.judge_refusal(&receiver, slot, &row, &self.rules);
        if matches!(refusal, Refusal::Duplicate | Refusal::AnotherEvent) && row.expires.is_some_and(|end| end <= receiver.began) {
            return Err(Broken::RememberedTooLong.with("a row whose time is over still counts"));
        }
        match refusal {
            Refusal::OwnClaim => world.receivers[slot] = goes_on(ReceiverAt::Sending),
            Refusal::AnotherEvent if receiver.second_key => end(world, slot),
            Refusal::AnotherEvent => {
                world.receivers[slot] = Some(Receiver { second_key: true, at: ReceiverAt::Claiming, ..receiver });
            }
            Refusal::Duplicate => {
                acknowledge(world, event);
                end(world, slot);
            }
            Refusal::Leased { .. } => end(world, slot),
        }
        Ok(())
    }
}

fn acknowledge(world: &mut World, event: usize) {
    world.sender[event].is_answered = true;
    world.history.acknowledged[event] = true;
}

/// An invocation is no more: nobody has its claim id again.
pub(crate) fn end(world: &mut World, slot: usize) {
    world.receivers[slot] = None;
    for row in world.rows.iter_mut().flatten() {
        row.claim = row.claim.filter(|claim| usize::from(*claim) != slot);
    }
}
