//! `capctl dlq list`: what lies there, and why.

use std::{collections::HashSet, io};

use clap::Args;
use serde::Serialize;

use super::{
    ended::Ended,
    filter::Filter,
    groups::{Groups, Remedies, count},
    walk::Walk,
};
use crate::{
    context::Context,
    dead_letters::Label,
    output::{Failure, Outcome, Report},
    page::{Cell, Page, Tone, cell, plain},
    spans::moment,
};

/// What lies in the dead-letter queue, by reason and event name, with what helps
///
/// Ends with exit code 0 if nothing is there, with 1 if something is, with 4 if there may be more than could be seen.
#[derive(Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    filter: Filter,
    /// List each letter, too
    #[arg(long)]
    each: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List {
    letters: usize,
    reasons: Groups,
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<Vec<Label>>,
    #[serde(flatten)]
    ended: Ended,
    #[serde(skip)]
    now_ms: i64,
}

pub(super) async fn run(arguments: &ListArguments, context: &Context) -> Result<Outcome, Failure> {
    let walk = Walk::new(context, &arguments.filter).await?;
    let (mut reasons, mut each) = (Groups::default(), arguments.each.then(Vec::new));
    let (ended, outcome) = walk
        .go(
            |_| true,
            async |letters| {
                for (_, label) in letters {
                    reasons.add(&label);
                    each.iter_mut().for_each(|each| each.push(label.clone()));
                }
                Ok(HashSet::new())
            },
        )
        .await;
    outcome?;
    let letters = reasons.letters();
    context.show(&List { letters, reasons, each, ended, now_ms: context.now_ms() })
}

impl Report for List {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        match self.letters {
            0 if self.ended.may_have_missed_some() => page.line("no letter was seen")?,
            0 => page.styled(&[("no dead letters", Tone::Good)])?,
            letters => page.heading(&count(letters))?,
        }
        self.reasons.write(page, Remedies::Told, self.now_ms)?;
        if let Some(each) = &self.each {
            let rows: Vec<Vec<Cell>> = each.iter().map(|label| row(label, self.now_ms)).collect();
            page.gap()?;
            page.table(&["message", "event", "name", "org", "reason", "since", "detail"], &rows)?;
        }
        self.ended.write(page, "there may be more")
    }

    fn outcome(&self) -> Outcome {
        match self.letters {
            _ if self.ended.may_have_missed_some() => Outcome::Partly,
            0 => Outcome::Well,
            _ => Outcome::Finding,
        }
    }
}

fn row(label: &Label, now_ms: i64) -> Vec<Cell> {
    let text = |text: &Option<String>| plain(text.clone().unwrap_or_else(|| "-".to_owned()));
    vec![
        cell(label.message_id.clone(), Tone::Strong),
        text(&label.event_id),
        text(&label.event_name),
        plain(label.org_id.map_or_else(|| "-".to_owned(), |org| org.to_string())),
        text(&label.reason),
        plain(label.dead_since.map(|since| moment(since, now_ms)).unwrap_or_default()),
        text(&label.detail),
    ]
}
