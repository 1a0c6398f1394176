//! Real input, cut, spliced, flipped and doubled at random. A seed of chance that finds something is kept by proptest in a file.

use proptest::{prelude::*, sample::Index, test_runner::Config};

use crate::{judges, odd, seeds};

/// One step away from what is real.
#[derive(Debug, Clone)]
enum Mutation {
    /// One bit is another.
    Flip(Index, u8),
    /// One byte is another.
    Put(Index, u8),
    /// It ends here.
    Cut(Index),
    /// A piece is not there.
    Drop(Index, Index),
    /// A piece is there twice.
    Double(Index, Index),
    /// It goes on as another one does.
    Splice(Index, Index, Index),
    /// A value is another, and odd.
    Odd(Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    use any as at;
    prop_oneof![
        1 => (at::<Index>(), 0_u8..8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        1 => (at::<Index>(), any::<u8>()).prop_map(|(place, byte)| Mutation::Put(place, byte)),
        1 => at::<Index>().prop_map(Mutation::Cut),
        1 => (at::<Index>(), at::<Index>()).prop_map(|(begin, end)| Mutation::Drop(begin, end)),
        1 => (at::<Index>(), at::<Index>()).prop_map(|(begin, end)| Mutation::Double(begin, end)),
        1 => (at::<Index>(), at::<Index>(), at::<Index>()).prop_map(|(here, other, there)| Mutation::Splice(here, other, there)),
        3 => (at::<Index>(), at::<Index>()).prop_map(|(place, oddity)| Mutation::Odd(place, oddity)),
    ]
}

fn mutated(seeds: &[Vec<u8>], seed: &Index, mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = seeds[seed.index(seeds.len())].clone();
    for mutation in mutations {
        let at = |index: &Index, bytes: &[u8]| index.index(bytes.len() + 1);
        match mutation {
            Mutation::Flip(_, _) | Mutation::Put(_, _) if bytes.is_empty() => {}
            Mutation::Flip(place, bit) => {
                let place = place.index(bytes.len());
                bytes[place] ^= 1 << bit;
            }
            Mutation::Put(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            Mutation::Cut(place) => bytes.truncate(at(place, &bytes)),
            Mutation::Drop(begin, end) | Mutation::Double(begin, end) => {
                let (one, other) = (at(begin, &bytes), at(end, &bytes));
                let piece = one.min(other)..one.max(other);
                if matches!(mutation, Mutation::Drop(..)) {
                    bytes.drain(piece);
                } else {
                    let doubled = bytes[piece.clone()].to_vec();
                    bytes.splice(piece.end..piece.end, doubled);
                }
            }
            Mutation::Splice(here, other, there) => {
                let other = &seeds[other.index(seeds.len())];
                bytes.truncate(at(here, &bytes));
                bytes.extend_from_slice(&other[at(there, other)..]);
            }
            Mutation::Odd(place, oddity) => {
                let Ok(text) = String::from_utf8(bytes.clone()) else { continue };
                let (places, values) = (odd::places_of_values(&text), odd::values());
                if !places.is_empty() {
                    let (begin, end) = places[place.index(places.len())];
                    bytes = [&text[..begin], &values[oddity.index(values.len())].1, &text[end..]].concat().into_bytes();
                }
            }
        }
    }
    bytes
}

/// So many inputs for each judge.
const CASES: u32 = 200;

proptest! {
    #![proptest_config(Config { cases: CASES, max_shrink_iters: 500, ..Config::default() })]

    #[test]
    fn no_mutated_input_is_lost_or_does_harm(
        place in 0_usize..5, seed in any::<Index>(), mutations in proptest::collection::vec(mutation(), 1..5)
    ) {
        thread_local! {
            static PLACES: [seeds::Place; 5] = seeds::places();
        }
        PLACES.with(|places| (places[place].judge)(&mutated(&places[place].seeds, &seed, &mutations)));
    }

    #[test]
    fn no_bytes_at_all_are_lost_or_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        judges::body(&bytes);
        judges::delivery(&bytes);
        judges::batch(&bytes);
        judges::answer(&bytes);
        judges::secret(&bytes);
    }
}
