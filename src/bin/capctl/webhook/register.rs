//! `capctl webhook register`.

use super::{
    RegisterArguments,
    capillary::Webhooks,
    check::{Finding, findings},
    edit,
    entry::Entry,
    names::Selection,
    our_headers, place,
    report::{Done, What},
};
use crate::{
    context::Context,
    output::{Failure, Outcome},
};

const USUAL_NAME: &str = "capillary-events";

pub(super) async fn run(arguments: &RegisterArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, place) = (Webhooks::of(context, arguments.org.org)?, place(context)?);
    let ours = our_headers(context).await?;
    let all = webhooks.all().await?;
    if let Some(present) = all.iter().find(|entry| place.is_sent_to_by(entry)) {
        let mut found = findings(present, &ours);
        found.extend(arguments.events.as_ref().and_then(|asked| without(asked, present)));
        return context.show(&Done::new(What::ThereBefore, present, &place, Vec::new(), found));
    }
    if let Some(nearly) = all.iter().find(|entry| entry.is_active() && place.is_missed_by_a_slash(entry)) {
        let id = nearly.id();
        let what = format!(
            "the webhook {id} has this deployment's URL but for a slash in the end, where the gateway answers 404: `capctl webhook update --id {id} --url` takes the slash away"
        );
        return Err(Failure::Usage(what));
    }
    let stack = context.deployment.stack.as_deref();
    let name = arguments.name.as_deref().or(stack).unwrap_or(USUAL_NAME);
    if let Some(taken) = all.iter().find(|entry| entry.name() == name) {
        let id = taken.id();
        let what = format!(
            "the webhook {id} has the name {name} already, and sends elsewhere: give --name, or let it send here with `capctl webhook update --id {id} --url --headers`"
        );
        return Err(Failure::Usage(what));
    }
    let every = Selection::all();
    let events = arguments.events.as_ref().unwrap_or(&every);
    let registration = edit::registration(name, events, arguments.connections, &place, &ours);
    let id = webhooks.add(&registration).await?;
    let made = webhooks.read(&id).await?;
    let mut found = findings(&made, &ours);
    found.extend(Entry::read(registration).map(|told| edit::not_taken(&told, &made)).into_iter().flatten());
    context.show(&Done::new(What::Registered, &made, &place, Vec::new(), found))
}

/// Whether events that are asked for are missing in what is there.
fn without(asked: &Selection, present: &Entry) -> Option<Finding> {
    let names = present.event_names();
    let missing: Vec<&str> = asked.0.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
    let what = || format!("it does not send {}", missing.join(", "));
    (!missing.is_empty()).then(|| Finding::new(what(), "`capctl webhook update --add …`"))
}
