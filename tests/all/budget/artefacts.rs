//! How large what is uploaded to Lambda is, zipped.
//!
//! Two limits hold: the tests' build has no link-time optimisation, which would cost minutes each time; its limit is near its
//! size, so that a new dependency of some weight shows in every test run. What ships is built with it by `make build`, which
//! ends with an error where an artefact is over 3 MB (`local/zip_sizes.py`).

use std::process::Command;

use super::listed::Budget;
use crate::support::stack::Stack;

/// Other compilers and processors make other code.
const ROOM_PERCENT: u64 = 8;

#[test]
fn no_artefact_grew_by_much() {
    let stack = Stack::load();
    let budget = Budget::read().zipped_without_lto_bytes;
    for (name, executable) in [("receiver", stack.receiver()), ("enricher", stack.enricher())] {
        let output = Command::new("python3")
            .arg("local/zip_sizes.py")
            .arg(&executable)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3 runs");
        let printed = String::from_utf8(output.stdout).expect("text");
        let bytes = printed.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        let bytes = bytes.unwrap_or_else(|| panic!("no size: {printed}{}", String::from_utf8_lossy(&output.stderr)));
        let most = budget[name] * (100 + ROOM_PERCENT) / 100;
        assert!(bytes <= most, "the {name} is {bytes} bytes zipped; with {} in the budget, {most} are the most", budget[name]);
    }
}
