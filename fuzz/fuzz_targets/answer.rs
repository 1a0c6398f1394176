//! See `tests/input/judges/answer.rs`.
#![no_main]

#[path = "../../tests/input/judges/mod.rs"]
mod judges;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judges::answer(bytes));
