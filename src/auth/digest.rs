//! The digest of a header's value: what is compared instead of the value.
//!
//! It has no `==`. A comparison that ends at the first byte that differs, or at the first value that fits, would tell a stranger by its
//! time how near he is; so the only one there is takes the same time whatever it finds.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Digests are compared, not values: all have one length, so the comparison tells nothing of the value's.
pub(super) struct ValueDigest([u8; 32]);

impl ValueDigest {
    pub(super) fn of(value: &[u8]) -> Self {
        Self(Sha256::digest(value).into())
    }
}

impl ConstantTimeEq for ValueDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        #[cfg(test)]
        tests::count();
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        static COMPARISONS: Cell<u32> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        COMPARISONS.set(COMPARISONS.get() + 1);
    }

    /// How many values are compared meanwhile, and what came of it.
    pub(in super::super) fn comparisons<T>(meanwhile: impl FnOnce() -> T) -> (u32, T) {
        COMPARISONS.set(0);
        let outcome = meanwhile();
        (COMPARISONS.get(), outcome)
    }

    /// No behaviour tells how the bytes of two digests are compared, so this reads the text.
    #[test]
    fn bytes_of_digests_are_compared_by_the_library_for_it_and_by_nothing_else() {
        let code = include_str!("digest.rs").split("#[cfg(test)]\npub(super) mod tests").next().unwrap();
        let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        assert_eq!(code.matches("self.0.ct_eq(&other.0)").count(), 1);
        for other in ["==", "!=", ".eq(", ".cmp(", "PartialEq", "matches!"] {
            assert!(!code.contains(other), "{other}");
        }
    }
}
