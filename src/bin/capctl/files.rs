//! Files with somebody's data in them, which nobody else on the machine may read.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::output::Failure;

/// Writes a new file, down to the disk: what it keeps may be deleted elsewhere next. One that is there already is left alone, and fine if
/// the same stands in it. The file has its name only once it is whole, so whoever is killed while writing can do it again.
pub(crate) fn keep(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    keep_what(path, bytes, write)
}

fn keep_what(path: &Path, bytes: &[u8], write: impl FnOnce(&Path, &[u8]) -> io::Result<()>) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = directory.join(format!(".{}.partial", uuid::Uuid::new_v4()));
    // A link, since a rename would write over what is there.
    let kept = write(&partial, bytes).and_then(|()| fs::hard_link(&partial, path));
    let removed = fs::remove_file(&partial);
    let kept = kept.and(removed).and_then(|()| sync(directory));
    match kept {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::read(path).is_ok_and(|known| known == bytes) => Ok(()),
        kept => kept.map_err(|error| failure(path, &error)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A directory's names, down to the disk.
fn sync(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
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
        let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["letter"], "nothing is left beside it");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_was_written_in_part_is_in_nobodys_way() {
        let directory = std::env::temp_dir().join(format!("capctl-{}", uuid::Uuid::new_v4()));
        super::directory(&directory).unwrap();
        let path = directory.join("letter");
        let half = |path: &Path, bytes: &[u8]| {
            write(path, &bytes[..1])?;
            Err(io::Error::other("no space left"))
        };
        assert!(keep_what(&path, b"one", half).is_err());
        assert!(!path.exists());
        keep(&path, b"one").unwrap();
        assert_eq!(text(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
