//! How long a message stays away before it is tried again.

/// The shortest upper bound, in seconds.
const BASE_S: u32 = 5;
/// The longest wait, in seconds; also for what Capillary asks for.
const CAP_S: u32 = 900;
/// After so many receives it is no short trouble.
const LONG_TROUBLE_FROM: u32 = 100;
/// The longest wait then, in seconds: the queue moves a message to the dead-letter queue after 1000 receives, which at a quarter
/// of an hour each would be over in ten days, at random waits up to that in five.
const LONG_TROUBLE_CAP_S: u32 = 2_700;

/// Full-jitter exponential backoff: at random up to a bound that doubles with each receive, from 5 s to 15 min (45 min once it
/// lasts); not shorter than what Capillary asks for, as far as that is reasonable.
///
/// `receive_count` begins at 1. At least one second, so that a message never comes back at once.
pub fn delay_s(receive_count: u32, retry_after_s: Option<u32>, random: &mut fastrand::Rng) -> u32 {
    let doublings = receive_count.saturating_sub(1).min(31);
    let cap_s = if receive_count < LONG_TROUBLE_FROM { CAP_S } else { LONG_TROUBLE_CAP_S };
    let bound = BASE_S.saturating_mul(2_u32.saturating_pow(doublings)).min(cap_s);
    random.u32(1..=bound).max(retry_after_s.unwrap_or_default().min(CAP_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_quarter_of_an_hour_and_further_only_if_trouble_lasts() {
        let mut random = fastrand::Rng::with_seed(1);
        for (receive_count, bound) in
            [(0, 5), (1, 5), (2, 10), (5, 80), (8, 640), (9, 900), (99, 900), (100, 2_700), (1000, 2_700)]
        {
            let delays: Vec<u32> = (0..2_000).map(|_| delay_s(receive_count, None, &mut random)).collect();
            assert!(delays.iter().all(|delay| (1..=bound).contains(delay)), "receive {receive_count}");
            assert!(delays.iter().any(|delay| *delay > bound * 3 / 4) && delays.iter().any(|delay| *delay <= bound.div_ceil(4)));
        }
    }

    #[test]
    fn a_message_outlasts_twelve_days_of_trouble_before_the_queue_gives_it_up() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let waited_s: u32 = (1..990).map(|receive_count| delay_s(receive_count, None, &mut random)).sum();
            assert!(waited_s > 12 * 24 * 60 * 60, "seed {seed}: {waited_s} s");
        }
    }

    #[test]
    fn what_capillary_asks_for_is_kept_within_reason() {
        let mut random = fastrand::Rng::with_seed(1);
        assert!(delay_s(1, Some(60), &mut random) >= 60);
        assert_eq!(delay_s(1, Some(86_400), &mut random), 900);
    }
}
