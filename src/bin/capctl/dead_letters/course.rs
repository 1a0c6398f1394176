//! When a pass has seen enough. That no letter is left may never be answered: letters arrive meanwhile, and those that could not be kept
//! hidden come again.

use std::collections::HashSet;

use super::Letter;

/// Answers without a letter after which there are none left.
const EMPTY_ANSWERS: u32 = 2;
/// Answers in a row without a letter that was there at the beginning, after which the pass ends.
const VAIN_ANSWERS: u32 = 10;

/// What a pass has seen so far.
pub(super) struct Course {
    begun_ms: i64,
    /// About how many could be seen at the beginning.
    expected: u64,
    seen: HashSet<String>,
    empty_answers: u32,
    /// Answers in a row without a letter that was there at the beginning.
    vain_answers: u32,
    /// Answers in a row with nothing but letters seen before.
    stale_answers: u32,
}

/// Whether a pass goes on, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    GoesOn,
    /// All that were there at the beginning were seen.
    IsDone,
    /// Letters come again and again, and some may not have been seen.
    IsStuck,
}

impl Course {
    pub(super) fn new(begun_ms: i64, expected: u64) -> Self {
        Self { begun_ms, expected, seen: HashSet::new(), empty_answers: 0, vain_answers: 0, stale_answers: 0 }
    }

    /// Those of an answer that were not seen before. SQS can give one twice, and one comes again that could not be kept hidden.
    pub(super) fn fresh(&mut self, letters: Vec<Letter>) -> Vec<Letter> {
        if letters.is_empty() {
            self.empty_answers += 1;
            return letters;
        }
        self.empty_answers = 0;
        let fresh: Vec<Letter> = letters.into_iter().filter(|letter| self.seen.insert(letter.message_id().to_owned())).collect();
        let was_there = |letter: &Letter| letter.dead_since().is_none_or(|since| since <= self.begun_ms);
        self.vain_answers = if fresh.iter().any(was_there) { 0 } else { self.vain_answers + 1 };
        self.stale_answers = if fresh.is_empty() { self.stale_answers + 1 } else { 0 };
        fresh
    }

    /// Whether there may be more. The clocks of SQS and of this machine differ, so that letters are young does not tell alone.
    pub(super) fn verdict(&self) -> Verdict {
        let is_all = u64::try_from(self.seen.len()).is_ok_and(|seen| seen >= self.expected);
        if self.empty_answers >= EMPTY_ANSWERS || (self.vain_answers >= VAIN_ANSWERS && is_all) {
            Verdict::IsDone
        } else if self.stale_answers >= VAIN_ANSWERS {
            Verdict::IsStuck
        } else {
            Verdict::GoesOn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

    const BEGUN_MS: i64 = 1_800_000_000_000;

    fn letter(id: &str, since_ms: i64) -> Letter {
        let message = Message::builder().message_id(id);
        Letter { message: message.attributes(MessageSystemAttributeName::SentTimestamp, since_ms.to_string()).build() }
    }

    /// How many answers it takes until the pass ends, and how.
    fn end(course: &mut Course, mut answer: impl FnMut(u32) -> Vec<Letter>) -> (u32, Verdict) {
        for count in 1..1000 {
            course.fresh(answer(count));
            if course.verdict() != Verdict::GoesOn {
                return (count, course.verdict());
            }
        }
        (1000, course.verdict())
    }

    #[test]
    fn it_ends_where_nothing_is_left() {
        let answer = |count| if count == 2 { vec![letter("late", BEGUN_MS)] } else { Vec::new() };
        assert_eq!(end(&mut Course::new(BEGUN_MS, 1), answer), (4, Verdict::IsDone));
    }

    #[test]
    fn it_ends_although_letters_keep_arriving() {
        let answer = |count: u32| vec![letter(&count.to_string(), if count <= 5 { BEGUN_MS } else { BEGUN_MS + 1 })];
        assert_eq!(end(&mut Course::new(BEGUN_MS, 5), answer), (15, Verdict::IsDone));
        let (answers, ends) = end(&mut Course::new(BEGUN_MS, 30), answer);
        assert_eq!((answers, ends), (30, Verdict::IsDone), "as many as there were may all seem to be young");
    }

    #[test]
    fn it_ends_although_letters_come_again_for_ever() {
        let again = |count: u32| vec![letter(&(count % 3).to_string(), BEGUN_MS)];
        assert_eq!(end(&mut Course::new(BEGUN_MS, 3), again), (13, Verdict::IsDone));
        assert_eq!(end(&mut Course::new(BEGUN_MS, 4), again), (13, Verdict::IsStuck), "one was not seen");
    }
}
