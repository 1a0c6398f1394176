//! What stands in a type's `Debug` for what may not be told: bodies, details, whatever is somebody's data. Types that hold secrets do
//! not print at all.

use std::fmt;

/// So many bytes, and nothing of them.
pub(crate) struct Untold(usize);

impl Untold {
    /// In the place of a text.
    pub(crate) fn text(text: &str) -> Self {
        Self(text.len())
    }
}

impl fmt::Debug for Untold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "({} bytes)", self.0)
    }
}

#[cfg(test)]
mod tests;
