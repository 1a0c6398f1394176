//! A walk through the dead-letter queue, past the letters that are meant.

use std::{collections::HashSet, ops::ControlFlow};

use indicatif::{ProgressBar, ProgressStyle};

use super::{ended::Ended, filter::Filter};
use crate::{
    context::Context,
    dead_letters::{DeadLetters, Label, Letter},
    interrupt::Interrupt,
    output::Failure,
};

/// What a bar looks like.
const BAR: &str = "{bar:30} {pos}/{len} letters read, {msg} chosen";

/// A walk that can begin.
pub(super) struct Walk<'a> {
    pub(super) letters: DeadLetters,
    filter: &'a Filter,
    pub(super) interrupt: Interrupt,
    progress: ProgressBar,
    /// About how many can't be seen at the beginning.
    hidden: u64,
    pub(super) now_ms: i64,
}

/// A letter that is meant, and what it says of itself.
pub(super) type Meant<'a> = (&'a Letter, Label);

impl<'a> Walk<'a> {
    pub(super) async fn new(context: &Context, filter: &'a Filter) -> Result<Self, Failure> {
        let letters = DeadLetters::new(&context.aws, context.deployment.name("DEAD_LETTER_QUEUE_URL")?);
        let sizes = letters.sizes().await?;
        // On a terminal only: elsewhere a bar draws nothing.
        let progress = if context.is_for_people() { ProgressBar::new(sizes.all()) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(BAR) {
            progress.set_style(style);
            progress.set_message("0");
        }
        Ok(Self { letters, filter, interrupt: Interrupt::listen(), progress, hidden: sizes.hidden, now_ms: context.now_ms() })
    }

    /// The same, taking no more letters at once than this.
    #[must_use]
    pub(super) fn at_once(self, letters: u8) -> Self {
        Self { letters: self.letters.at_once(letters), ..self }
    }

    /// Hands over the letters that the filter and `is_meant` want, some at a time, until there are no more, or the limit is reached, or
    /// Ctrl-C is pressed. Those whose ids `work` answers are deleted; all others are given back in the end. Answers how it ended, however it
    /// did, and what failed.
    pub(super) async fn go(
        &self,
        mut is_meant: impl FnMut(&Label) -> bool,
        mut work: impl AsyncFnMut(Vec<Meant<'_>>) -> Result<HashSet<String>, Failure>,
    ) -> (Ended, Result<(), Failure>) {
        let mut left = self.filter.limit.unwrap_or(usize::MAX);
        let mut chosen = 0;
        let passed = self
            .letters
            .pass(async |batch| {
                let labels = batch.iter().map(|letter| (letter, letter.label()));
                let wanted = labels.filter(|(_, label)| self.filter.wants(label, self.now_ms));
                let meant: Vec<Meant<'_>> = wanted.filter(|(_, label)| is_meant(label)).take(left).collect();
                left -= meant.len();
                chosen += meant.len();
                let deleted = if meant.is_empty() { HashSet::new() } else { work(meant).await? };
                self.progress.inc(batch.len().try_into().unwrap_or_default());
                self.progress.set_message(chosen.to_string());
                let is_over = left == 0 || self.interrupt.is_raised();
                Ok((deleted, if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
            })
            .await;
        self.progress.finish_and_clear();
        match passed {
            Ok(passed) => (Ended::of(passed, &self.interrupt), Ok(())),
            Err(failure) => {
                let (hidden, interrupted) = (self.hidden, self.interrupt.is_raised());
                (Ended { hidden, interrupted, is_stuck: false, trouble: None }, Err(failure))
            }
        }
    }
}
