//! `capctl webhook list`.

use super::{
    ListArguments,
    capillary::Webhooks,
    check::{findings, overall},
    headers_if_sent_here, place,
    report::{List, Shown},
};
use crate::{
    context::Context,
    output::{Failure, Outcome},
};

pub(super) async fn run(arguments: &ListArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, place) = (Webhooks::of(context, arguments.org.org)?, place(context)?);
    let all = webhooks.all().await?;
    let ours = headers_if_sent_here(context, &all, &place).await?;
    let mut list = List::new(place.url());
    let mut are_counted = true;
    for entry in &all {
        // The deployment's own is told of even when it is switched off: that is what somebody may be looking for.
        let is_ours = place.is_sent_to_by(entry);
        let is_shown = arguments.all || is_ours || (entry.is_http() && entry.is_active());
        if !is_shown {
            list.left_out += 1;
            continue;
        }
        let found = ours.as_ref().filter(|_| is_ours).map(|ours| findings(entry, ours)).unwrap_or_default();
        let mut shown = Shown::new(entry, is_ours, found);
        if are_counted && entry.is_http() && !entry.consumer_group_id().is_empty() {
            match webhooks.counts(entry, context.now_ms()).await {
                Ok(counts) => shown.counts = Some(counts),
                Err(failure) => {
                    are_counted = false;
                    list.notes.push(format!("how many events were delivered can't be asked: {failure}"));
                }
            }
        }
        list.webhooks.push(shown);
    }
    list.findings = overall(&all, &place);
    context.show(&list)
}
