//! How many letters go in a second.

use std::{str::FromStr, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::dead_letters::PER_CALL;

/// Letters a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate(f64);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = text.parse().map_err(|_| "no number")?;
        // Slower, a letter could come into sight again while it waits for its turn.
        if (0.1..=1000.0).contains(&rate) { Ok(Self(rate)) } else { Err("not from 0.1 to 1000") }
    }
}

impl Rate {
    /// How many to receive in one call: what is sent in the next second.
    pub(super) fn letters_at_once(self) -> u8 {
        (1..PER_CALL).find(|letters| f64::from(*letters) >= self.0).unwrap_or(PER_CALL)
    }

    fn spacing(self) -> Duration {
        Duration::from_secs_f64(self.0.recip())
    }
}

/// Whose turn it is.
pub(super) struct Pace {
    spacing: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn of(rate: Rate) -> Self {
        Self { spacing: rate.spacing(), next: Instant::now() }
    }

    /// Waits until it is the turn of so many letters. What was slow for other reasons is not made up for.
    pub(super) async fn turn(&mut self, letters: usize) {
        sleep_until(self.next).await;
        self.next = Instant::now() + self.spacing * u32::try_from(letters).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_received_than_is_sent_soon() {
        for (text, expected) in [("0.1", 1), ("1", 1), ("2.5", 3), ("10", 10), ("1000", 10)] {
            assert_eq!(text.parse::<Rate>().unwrap().letters_at_once(), expected, "{text}");
        }
        for bad in ["", "0", "0.09", "-1", "1001", "NaN", "inf", "ten"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_letters_take_as_long_as_the_rate_says() {
        let (begun, mut pace) = (Instant::now(), Pace::of("20".parse().unwrap()));
        for _ in 0..100 {
            pace.turn(10).await;
        }
        let took = begun.elapsed();
        assert!((Duration::from_millis(49_500)..Duration::from_millis(49_800)).contains(&took), "{took:?}");
    }
}
