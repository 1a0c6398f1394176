//! A hasher for worlds: the standard one takes most of a search's time in a build without optimisation.

use std::hash::Hasher;

/// Not safe from anybody who wants collisions; nobody does.
#[derive(Debug, Default)]
pub(crate) struct Quick(u64);

impl Quick {
    fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_i64(&mut self, value: i64) {
        self.add(value.cast_unsigned());
    }

    fn write_isize(&mut self, value: isize) {
        self.add(u64::try_from(value).unwrap_or_default());
    }

    fn write_usize(&mut self, value: usize) {
        self.add(u64::try_from(value).unwrap_or_default());
    }
}
