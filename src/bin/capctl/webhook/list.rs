//! `capctl webhook list`.

use super::{
    ListArguments,
    check::{Finding, findings},
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
    let is_ours = |entry: &super::entry::Entry| entry.is_http() && entry.is_at(&wanted.url);
    let mut list = List::new(&wanted.url);
    let mut are_counted = true;
    for entry in &all {
        // The deployment's own is told of even when it is switched off: that is what somebody may be looking for.
        let is_shown = arguments.all || is_ours(entry) || (entry.is_http() && entry.is_active());
        if !is_shown {
            list.left_out += 1;
            continue;
        }
        let found = if is_ours(entry) { findings(entry, &wanted) } else { Vec::new() };
        let mut shown = Shown::new(entry, is_ours(entry), found);
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
    if all.iter().filter(|entry| is_ours(entry) && entry.is_active()).count() > 1 {
        let remedy = "switch all but one off: `capctl webhook pause --id …`";
        list.findings.push(Finding::new("several webhooks send here: each event comes more than once, and counts once", remedy));
    }
    if !all.iter().any(is_ours) {
        list.findings.push(Finding::new("no webhook sends to this deployment", "`capctl webhook register`"));
    }
    context.show(&list)
}
