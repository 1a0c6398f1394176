//! `capctl webhook list`.

use super::{
    ListArguments,
    check::{findings, overall},
    look,
    report::{List, Shown},
};
use crate::{
    context::Context,
    output::{Failure, Outcome},
};

pub(super) async fn run(arguments: &ListArguments, context: &Context) -> Result<Outcome, Failure> {
    let (webhooks, wanted) = look(context, &arguments.org).await?;
    let all = webhooks.all().await?;
    let mut list = List::new(wanted.place.url());
    let mut are_counted = true;
    for entry in &all {
        // The deployment's own is told of even when it is switched off: that is what somebody may be looking for.
        let is_shown = arguments.all || wanted.place.is_sent_to_by(entry) || (entry.is_http() && entry.is_active());
        if !is_shown {
            list.left_out += 1;
            continue;
        }
        let found = if wanted.place.is_sent_to_by(entry) { findings(entry, &wanted) } else { Vec::new() };
        let mut shown = Shown::new(entry, wanted.place.is_sent_to_by(entry), found);
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
    list.findings = overall(&all, &wanted);
    context.show(&list)
}
