//! The files of `examples/`, which the README shows to consumers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of this repository as text.
pub(crate) fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Details as consumers get them, by name.
pub(crate) fn details() -> BTreeMap<String, Value> {
    let parsed = |(name, text): (String, String)| (name, serde_json::from_str(&text).expect("a detail is JSON"));
    files("details").into_iter().map(parsed).collect()
}

/// One of them.
pub(crate) fn detail(name: &str) -> Value {
    details().remove(name).unwrap_or_else(|| panic!("no detail is named {name}"))
}

/// Patterns for rules as text, by name.
pub(crate) fn patterns() -> BTreeMap<String, String> {
    files("patterns").into_iter().map(|(name, text)| (name, text.trim_end().to_owned())).collect()
}

/// Texts of the JSON files in a folder, by name without ending.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files: BTreeMap<String, String> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).expect("a text"))
        })
        .collect();
    assert!(!files.is_empty(), "{} has files", folder.display());
    files
}
