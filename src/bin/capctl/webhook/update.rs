//! `capctl webhook update` and `pause`.

use super::{
    PauseArguments, UpdateArguments,
    capillary::Webhooks,
    check::findings,
    edit,
    edit::{Change, Edit},
    our_headers, place,
    report::{Done, What},
};
use crate::{
    context::Context,
    output::{Failure, Outcome},
};

const LEFT_OUT: &str = "Another place must not learn this deployment's headers: those of the webhook secret are left out.";

pub(super) async fn run(arguments: &UpdateArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, place) = (Webhooks::of(context, arguments.org.org)?, place(context)?);
    let before = webhooks.meant(arguments.id.as_deref(), &place).await?;
    let edit = Edit {
        events: arguments.events.as_ref(),
        add: arguments.add.as_ref(),
        remove: arguments.remove.as_ref(),
        headers: arguments.headers,
        url: arguments.url.as_deref(),
        connections: arguments.connections,
        resume: arguments.resume,
    };
    let ours = match edit.is_about_headers(&before, &place) {
        true => Some(our_headers(context).await?),
        false => None,
    };
    let after = edit.of(&before, &place, ours.as_ref())?;
    let changes = edit::changes(&before, &after);
    let is_left_out =
        !place.is_sent_to_by(&after) && changes.iter().any(|change| matches!(change, Change::WebHookHeaders { .. }));
    let (what, now, mut found) = match changes.is_empty() {
        true => (What::Unchanged, before, Vec::new()),
        false if arguments.dry_run => (What::WouldUpdate, before, Vec::new()),
        false => {
            webhooks.change(&after).await?;
            let now = webhooks.read(after.id()).await?;
            let not_taken = edit::not_taken(&after, &now);
            (What::Updated, now, not_taken)
        }
    };
    // One that sends to another place has other headers than this deployment's. What a dry run would mend is not mended.
    let judged = if what == What::WouldUpdate { &after } else { &now };
    if let Some(ours) = ours.filter(|_| place.is_sent_to_by(judged)) {
        found.extend(findings(judged, &ours));
    }
    let mut done = Done::new(what, &now, &place, changes, found);
    done.notes.extend(is_left_out.then_some(LEFT_OUT));
    context.show(&done)
}

/// Does without the webhook secret: it is what somebody runs when nothing else works.
pub(super) async fn pause(arguments: &PauseArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, place) = (Webhooks::of(context, arguments.org.org)?, place(context)?);
    let before = webhooks.meant(arguments.id.as_deref(), &place).await?;
    if !before.is_active() {
        return context.show(&Done::new(What::PausedBefore, &before, &place, Vec::new(), Vec::new()));
    }
    webhooks.switch_off(before.id()).await?;
    let now = webhooks.read(before.id()).await?;
    if now.is_active() {
        return Err(Failure::of("DELETE /v3/webHooks/…", "Capillary has taken it, and the webhook is still active"));
    }
    context.show(&Done::new(What::Paused, &now, &place, edit::changes(&before, &now), Vec::new()))
}
