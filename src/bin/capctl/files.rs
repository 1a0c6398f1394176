//! Files with somebody's data in them, which nobody else on the machine may read.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::output::Failure;

/// Writes a new file, down to the disk: what it keeps may be deleted elsewhere next. One that is there already is left alone, and fine if
/// the same stands in it.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::read(path).is_ok_and(|known| known == bytes) => Ok(()),
        written => written.map_err(|error| failure(path, &error)),
    }
}

/// Makes a directory, unless it is there.
pub(crate) fn directory(path: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| failure(path, &error))
}

/// A file's text.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| failure(path, &error))
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_never_written_over() {
        let directory = std::env::temp_dir().join(format!("capctl-{}", uuid::Uuid::new_v4()));
        super::directory(&directory).unwrap();
        let path = directory.join("letter");
        keep(&path, b"one").unwrap();
        keep(&path, b"one").unwrap();
        assert!(matches!(keep(&path, b"two"), Err(Failure::Usage(_))));
        assert_eq!(text(&path).unwrap(), "one");
        fs::remove_dir_all(&directory).unwrap();
    }
}
