//! `capctl webhook update` and `pause`.

use super::{PauseArguments, UpdateArguments, check::findings, edit, edit::Edit, look, report::Done, report::What};
use crate::{
    context::Context,
    output::{Failure, Outcome},
};

pub(super) async fn run(arguments: &UpdateArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, wanted) = look(context, &arguments.org).await?;
    let before = webhooks.meant(arguments.id.as_deref(), &wanted.place).await?;
    let edit = Edit {
        events: arguments.events.as_ref(),
        add: arguments.add.as_ref(),
        remove: arguments.remove.as_ref(),
        headers: arguments.headers,
        url: arguments.url.as_deref(),
        connections: arguments.connections,
        resume: arguments.resume,
    };
    let after = edit.of(&before, &wanted)?;
    let changes = edit::changes(&before, &after);
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
    if wanted.place.is_sent_to_by(judged) {
        found.extend(findings(judged, &wanted));
    }
    context.show(&Done::new(what, &now, &wanted.place, changes, found))
}

pub(super) async fn pause(arguments: &PauseArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, wanted) = look(context, &arguments.org).await?;
    let before = webhooks.meant(arguments.id.as_deref(), &wanted.place).await?;
    if !before.is_active() {
        return context.show(&Done::new(What::PausedBefore, &before, &wanted.place, Vec::new(), Vec::new()));
    }
    webhooks.switch_off(before.id()).await?;
    let now = webhooks.read(before.id()).await?;
    if now.is_active() {
        return Err(Failure::of("DELETE /v3/webHooks/…", "Capillary has taken it, and the webhook is still active"));
    }
    context.show(&Done::new(What::Paused, &now, &wanted.place, edit::changes(&before, &now), Vec::new()))
}
