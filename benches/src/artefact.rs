//! How large a program is as it is uploaded.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::DeflateEncoder};

use crate::failure::Failure;

/// A zip archive has these around one file named `bootstrap`: two headers with the name, and an end.
const AROUND: u64 = 30 + 46 + 22 + 2 * 9;

/// The size of the zip archive with nothing but this file, in bytes.
pub(crate) fn zipped(executable: &Path) -> Result<u64, Failure> {
    let mut encoder = DeflateEncoder::new(Counted(0), Compression::default());
    io::copy(&mut File::open(executable)?, &mut encoder)?;
    Ok(encoder.finish()?.0 + AROUND)
}

/// Counts what is written and forgets it.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
