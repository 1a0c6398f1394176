//! The enricher's steps: look, fetch, judge, commit (X1, X2), publish (P1), mark (P2), delete; or, where the work fails by itself,
//! dead-letter (D1), mark (D2), delete.

use capillary_events::{
    ledger::{self, Status},
    snapshot::may_move,
};

use crate::{
    invariants::{Broken, Violation, same_change_told, told_alike},
    model::{Model, Way},
    product::{Judged, WITHOUT_ENTITY},
    rules::Slip,
    world::{Content, Draft, Enricher, EnricherAt, GONE, Remembered, Row, Told, World},
};

/// What becomes of an invocation after a step.
enum Then {
    Goes(EnricherAt),
    /// Under the second key.
    LooksUnderTheSecondKey(EnricherAt),
    /// The message comes again.
    Ends,
}

impl Model {
    /// The first step of the work on a message.
    pub(crate) fn take_up(&self, world: &mut World, slot: usize, event: usize, second_key: bool) {
        let at = EnricherAt::Looking { fetched: None };
        let began = self.birth(world);
        world.enrichers[slot] =
            Some(Enricher { event, message_names_second_key: second_key, message_is_there: true, second_key, began, at });
    }

    /// The enricher's next step.
    pub(crate) fn enrich(&self, world: &mut World, slot: usize, way: Way) -> Result<(), Violation> {
        let Some(enricher) = world.enrichers[slot] else { return Ok(()) };
        let event = enricher.event;
        let then = match (enricher.at, way) {
            (_, Way::Dies) => Then::Ends,
            (_, Way::Fails) if self.rules.slip(Slip::MarkFailedBeforeDeadLetter) => {
                Then::Goes(EnricherAt::MarkingFailed { stored: true })
            }
            (_, Way::Fails) => Then::Goes(EnricherAt::DeadLettering),
            (EnricherAt::Looking { fetched: None }, way) if self.fetches_first(event) => {
                let state = self.answer(world, event, way);
                Then::Goes(EnricherAt::Looking { fetched: Some((state, world.now)) })
            }
            (EnricherAt::Looking { fetched }, _) => self.look(world, &enricher, fetched)?,
            (EnricherAt::Fetching { known }, way) => {
                let state = self.answer(world, event, way);
                self.judge(world, event, known, (state, world.now))
            }
            (EnricherAt::Committing { draft, published }, _) => self.commit(world, &enricher, draft, published)?,
            (EnricherAt::Publishing { content, stored, draft }, _) => {
                let content = if stored && self.rules.slip(Slip::OnlyTheChangeStored) {
                    Content { shows: world.snapshot.map_or(content.shows, |known| known.state), ..content }
                } else {
                    content
                };
                self.publish(world, &enricher, content)?;
                Then::Goes(match draft {
                    Some(draft) => EnricherAt::Committing { draft, published: true },
                    None if self.rules.slip(Slip::MarkBeforePublish) => EnricherAt::Deleting { content: None, stored },
                    None if self.rules.slip(Slip::DeleteBeforeMark) => EnricherAt::Deleting { content: Some(content), stored },
                    None => EnricherAt::Marking { content, stored },
                })
            }
            (EnricherAt::Marking { content, stored }, _) => {
                self.mark_published(world, &enricher, stored);
                if self.rules.slip(Slip::MarkBeforePublish) {
                    Then::Goes(EnricherAt::Publishing { content, stored, draft: None })
                } else if self.rules.slip(Slip::DeleteBeforeMark) {
                    Then::Ends
                } else {
                    Then::Goes(EnricherAt::Deleting { content: None, stored })
                }
            }
            (EnricherAt::DeadLettering, _) => {
                world.dead[event][usize::from(enricher.second_key)] = true;
                world.history.buried[event] = true;
                Then::Goes(if self.rules.slip(Slip::MarkFailedBeforeDeadLetter) {
                    EnricherAt::Deleting { content: None, stored: false }
                } else {
                    EnricherAt::MarkingFailed { stored: true }
                })
            }
            (EnricherAt::MarkingFailed { stored }, _) => {
                let is_over = self.mark_failed(world, &enricher, stored) || !stored;
                Then::Goes(match (is_over, self.rules.slip(Slip::MarkFailedBeforeDeadLetter)) {
                    (false, _) => EnricherAt::MarkingFailed { stored: false },
                    (true, true) => EnricherAt::DeadLettering,
                    (true, false) => EnricherAt::Deleting { content: None, stored: false },
                })
            }
            (EnricherAt::Deleting { content, stored }, _) => {
                let messages = &mut world.queue[event][usize::from(enricher.message_names_second_key)];
                *messages = messages.saturating_sub(u8::from(enricher.message_is_there));
                world.forget_receipts(event, enricher.message_names_second_key);
                match content {
                    Some(content) => {
                        settle(world, event, false);
                        Then::Goes(EnricherAt::Marking { content, stored })
                    }
                    None => Then::Ends,
                }
            }
        };
        world.enrichers[slot] = match then {
            Then::Goes(at) => Some(Enricher { at, ..enricher }),
            Then::LooksUnderTheSecondKey(at) => Some(Enricher { second_key: true, at, ..enricher }),
            Then::Ends => None,
        };
        Ok(())
    }

    fn fetches_first(&self, event: usize) -> bool {
        self.rules.slip(Slip::FetchBeforeLook) && self.scenario.events[event].has_entity
    }

    /// What Capillary answers: the present state, or one before.
    fn answer(&self, world: &World, event: usize, way: Way) -> u8 {
        let older = |back: u8| world.entity.before.iter().flatten().nth(usize::from(back)).map(|(state, _)| *state);
        let state = match way {
            Way::OldAnswer(back) => older(back).unwrap_or(world.entity.state),
            _ => world.entity.state,
        };
        if self.scenario.events[event].says_deleted { GONE } else { state }
    }

    fn look(&self, world: &World, enricher: &Enricher, fetched: Option<(u8, u8)>) -> Result<Then, Violation> {
        let event = enricher.event;
        let row = world.row(self.key(event, enricher.second_key));
        match self.product.next_step(row, event, world.now, &self.rules) {
            ledger::Step::Done => Ok(Then::Goes(EnricherAt::Deleting { content: None, stored: false })),
            ledger::Step::Publish(_) => {
                let content = row.and_then(|row| row.detail).unwrap();
                Ok(Then::Goes(self.ready(content, true)))
            }
            // A third event under one id would be put back for ever, loudly.
            ledger::Step::AnotherEvent if enricher.second_key => Ok(Then::Ends),
            ledger::Step::AnotherEvent => Ok(Then::LooksUnderTheSecondKey(EnricherAt::Looking { fetched })),
            ledger::Step::WorkOut { is_claimed } => {
                self.must_not_be_settled(world, event, "it is worked out once more")?;
                if self.scenario.events[event].has_entity {
                    return Ok(match fetched {
                        Some(answer) => self.judge(world, event, world.snapshot, answer),
                        None => Then::Goes(EnricherAt::Fetching { known: world.snapshot }),
                    });
                }
                let draft = Draft { content: WITHOUT_ENTITY, move_to: None, read: None, judged: world.now };
                Ok(Then::Goes(if is_claimed { self.ready(WITHOUT_ENTITY, false) } else { self.worked_out(draft) }))
            }
        }
    }

    fn ready(&self, content: Content, stored: bool) -> EnricherAt {
        if self.rules.slip(Slip::MarkBeforePublish) {
            EnricherAt::Marking { content, stored }
        } else {
            EnricherAt::Publishing { content, stored, draft: None }
        }
    }

    fn worked_out(&self, draft: Draft) -> EnricherAt {
        if self.rules.slip(Slip::PublishBeforeStore) {
            EnricherAt::Publishing { content: draft.content, stored: true, draft: Some(draft) }
        } else {
            EnricherAt::Committing { draft, published: false }
        }
    }

    fn judge(&self, world: &World, event: usize, known: Option<Remembered>, (state, began): (u8, u8)) -> Then {
        match self.product.judge(known, state, began, world.now, &self.rules) {
            Judged::Wait => Then::Ends,
            Judged::Tell(mut content, move_to) => {
                // The first event says that it made the second state of the first one.
                if self.rules.slip(Slip::EventBelieved) && event == 0 && content.shows >= 1 {
                    content.change = Some((0, 1));
                }
                let read = known.map(|known| known.version);
                Then::Goes(self.worked_out(Draft { content, move_to, read, judged: world.now }))
            }
        }
    }

    fn commit(&self, world: &mut World, enricher: &Enricher, draft: Draft, published: bool) -> Result<Then, Violation> {
        let event = enricher.event;
        let key = self.key(event, enricher.second_key);
        let row = world.row(key).copied();
        let current = world.snapshot.map(|known| known.version);
        let unchecked = if draft.read.is_some() { Slip::FoundSnapshotUnchecked } else { Slip::MissingSnapshotUnchecked };
        let moves = draft.move_to.is_none() || self.rules.slip(unchecked) || may_move(current, draft.read);
        if !moves || !self.product.allows(self.rules.store, row.as_ref(), event, draft.judged) {
            return Ok(Then::Goes(EnricherAt::Looking { fetched: None }));
        }
        self.must_not_be_settled(world, event, "it is stored once more")?;
        if let Some(next) = draft.move_to {
            if let Some(known) = world.snapshot
                && (known.state == GONE || next.state < known.state)
            {
                return Err(Broken::OlderOverNewer.with("an older state takes the place of a newer one"));
            }
            world.snapshot = Some(next);
            world.history.last_remembered = Some(next.state).filter(|state| *state != GONE).or(world.history.last_remembered);
        }
        let lease_until = row.and_then(|row| row.lease_until).filter(|_| self.rules.slip(Slip::LeaseKept));
        let expires = row.and_then(|row| row.expires).filter(|_| self.rules.slip(Slip::StoredRowsExpire));
        let detail = Some(draft.content);
        *world.row_mut(key) = Some(Row { status: Status::Enriched, event, claim: None, lease_until, expires, detail });
        Ok(Then::Goes(if published {
            EnricherAt::Marking { content: draft.content, stored: true }
        } else {
            self.ready(draft.content, true)
        }))
    }

    fn publish(&self, world: &mut World, enricher: &Enricher, content: Content) -> Result<(), Violation> {
        let told = Told { event: enricher.event, key: self.key(enricher.event, enricher.second_key), content, at: world.now };
        told_alike(world, &told, self.scenario.ttl)?;
        same_change_told(world, &told)?;
        if !world.told.iter().any(|known| (known.event, known.key, known.content) == (told.event, told.key, told.content)) {
            world.told.push(told);
            world.told.sort_by_key(|told| (told.key.0, told.at, told.content));
        }
        Ok(())
    }

    fn mark_published(&self, world: &mut World, enricher: &Enricher, stored: bool) {
        let event = enricher.event;
        let key = self.key(event, enricher.second_key);
        let row = world.row(key).copied();
        let condition = if stored { self.rules.mark_published } else { self.rules.mark_published_unstored };
        // What is stored does not expire, so the condition of P2 does not ask for the time.
        let holds = self.product.allows(condition, row.as_ref(), event, if stored { 0 } else { world.now });
        settle(world, event, holds);
        if holds {
            // An update of a row that is not there makes one. That of a stored event leaves the row's identity alone.
            let bears = row.filter(|_| stored).map_or(event, |row| row.event);
            let kept = row.and_then(|row| row.expires).filter(|_| self.rules.slip(Slip::ExpiryNeverMoved));
            let expires = kept.or(Some(world.now + self.scenario.ttl));
            let row = Row { status: Status::Published, event: bears, claim: None, lease_until: None, expires, detail: None };
            *world.row_mut(key) = Some(row);
        }
    }

    /// Whether the row was marked.
    fn mark_failed(&self, world: &mut World, enricher: &Enricher, stored: bool) -> bool {
        let event = enricher.event;
        let key = self.key(event, enricher.second_key);
        let row = world.row(key).copied();
        let condition = if stored { self.rules.mark_failed_stored } else { self.rules.mark_failed_unstored };
        let holds = self.product.allows(condition, row.as_ref(), event, 0);
        if holds {
            // What is stored is kept longer than its message can be in the queues, which here is to the end.
            let is_kept = stored && !self.rules.slip(Slip::FailedRowsExpireEarly);
            let expires = Some(if is_kept { self.scenario.ticks + 1 } else { world.now + self.scenario.ttl });
            let detail = row.and_then(|row| row.detail).filter(|_| !self.rules.slip(Slip::FailedForgetsDetail));
            *world.row_mut(key) = Some(Row { status: Status::Failed, event, claim: None, lease_until: None, expires, detail });
        }
        holds
    }

    fn must_not_be_settled(&self, world: &World, event: usize, what: &'static str) -> Result<(), Violation> {
        let is_remembered = |since: u8| world.now < since + self.scenario.ttl;
        if world.history.settled[event].is_some_and(is_remembered) { Err(Broken::ProcessedTwice.with(what)) } else { Ok(()) }
    }
}

/// From now on the event counts as done.
fn settle(world: &mut World, event: usize, anew: bool) {
    let settled = &mut world.history.settled[event];
    if anew || settled.is_none() {
        *settled = Some(world.now);
    }
}
