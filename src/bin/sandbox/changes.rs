//! Changes of entities, each one together with its audit rows and its event, under one lock: nobody sees the one without
//! the other.

mod telling;

use serde_json::{Value, json};

use crate::audit_rows::Row;
use crate::difference::{self, Difference, Kind};
use crate::entities::{EntityState, Standing, StandingName};
use crate::event_data;
use crate::events::{Event, Occasion};
use crate::keys::Key;
use crate::patches::patched;
use crate::state::{Sandbox, World};
use telling::Step;

/// What a change led to.
pub(crate) struct Change {
    /// The entity as it is now.
    pub(crate) entity: Value,
    pub(crate) request_id: String,
    /// None where no event was made.
    pub(crate) event_id: Option<String>,
}

/// The event that is to tell of a change, where it shall be another than usual.
#[derive(Clone, Copy)]
pub(crate) enum Telling<'a> {
    AsUsual,
    Nothing,
    By(&'a str),
}

impl<'a> Telling<'a> {
    pub(crate) fn chosen(name: Option<&'a str>) -> Self {
        match name {
            None => Self::AsUsual,
            Some("none") => Self::Nothing,
            Some(name) => Self::By(name),
        }
    }

    /// `usual` is none where nothing is told of such a change.
    fn name(self, usual: Option<&'a str>) -> Option<&'a str> {
        match self {
            Self::AsUsual => usual,
            Self::Nothing => None,
            Self::By(name) => Some(name),
        }
    }
}

/// A merge patch (RFC 7396).
pub(crate) fn patch(sandbox: &Sandbox, key: &Key, patch: &Value, choice: Telling) -> Change {
    sandbox.change(|world| {
        let EntityState { body: before, standing } = world.now(sandbox, key);
        let after = patched(&before, patch);
        let is_known = world.entities.hear_of(key);
        world.entities.become_so(key, EntityState { body: after.clone(), standing });
        let occasion = Occasion::api_call();
        let step = Step { before: &before, after: &after, is_known, occasion: &occasion, choice };
        let event_id = telling::tell_patch(sandbox, world, key, &step);
        Change { entity: after, request_id: occasion.request_id, event_id }
    })
}

/// The victim is merged away; the survivor gets those of her identifiers of which he has none. Answers the survivor.
pub(crate) fn merge_customers(sandbox: &Sandbox, victim: u64, survivor: u64, standing: Standing) -> Change {
    sandbox.change(|world| {
        let [lost_key, kept_key] = [victim, survivor].map(Key::Customer);
        let (lost, kept) = (world.now(sandbox, &lost_key), world.now(sandbox, &kept_key));
        let body = with_identifiers_of(&kept.body, &lost.body);
        let taken = taken_identifiers(&kept.body, &body);
        for key in [&lost_key, &kept_key] {
            world.entities.hear_of(key);
        }
        world.entities.become_so(&lost_key, EntityState { body: lost.body.clone(), standing });
        world.entities.become_so(&kept_key, EntityState { body: body.clone(), standing: kept.standing });

        let occasion = Occasion::api_call();
        world.audits.push(Row::of_merge(world.conduct.org_id, survivor, &occasion, [&lost.body, &kept.body], &taken));
        let data = event_data::customers_merged(&lost.body, &body);
        let event_id = tell(world, "loyaltyCustomerMerge", &occasion.request_id, &occasion, &data);
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

/// As after a request for deletion of personal data: a job does it, so that there is no request id.
pub(crate) fn delete_customer(sandbox: &Sandbox, id: u64) -> Change {
    sandbox.change(|world| {
        let key = Key::Customer(id);
        let EntityState { body, .. } = world.now(sandbox, &key);
        world.entities.hear_of(&key);
        world.entities.become_so(&key, EntityState { body: body.clone(), standing: Standing::of(StandingName::Deleted) });
        let occasion = Occasion::without_call();
        world.audits.push(Row::of_deletion(world.conduct.org_id, id, &occasion));
        let data = event_data::customer_deleted(&body, occasion.at);
        let event_id = tell(world, "customerUpdated", &id.to_string(), &occasion, &data);
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

/// Queues the event and returns its id. Without a webhook that takes it nobody is told, neither now nor later.
fn tell(world: &mut World, name: &str, subject: &str, occasion: &Occasion, data: &Value) -> Option<String> {
    let event = Event::new(&world.conduct, name, subject, occasion, data);
    event.id.clone().filter(|_| world.send(&event))
}

fn with_identifiers_of(survivor: &Value, victim: &Value) -> Value {
    const PLACE: &str = "/profiles/0/identifiersAll";
    let mut body = survivor.clone();
    let theirs = victim.pointer(PLACE).and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(own) = body.pointer_mut(PLACE).and_then(Value::as_array_mut) {
        let is_new = |identifier: &Value, own: &[Value]| !own.iter().any(|known| known.get("type") == identifier.get("type"));
        for identifier in theirs {
            if is_new(&identifier, own) {
                own.push(identifier);
            }
        }
    }
    patched(&body, &json!({}))
}

fn taken_identifiers(before: &Value, after: &Value) -> Vec<Difference> {
    difference::between(before, after).into_iter().filter(|difference| difference.kind == Kind::Identifier).collect()
}
