//! What a panic leaves in the log.

use std::{panic::catch_unwind, process::Command};

/// Somebody's.
const MARK: &str = "Zebrafinch";
/// Set for the process that panics.
const PANICS: &str = "CAPILLARY_EVENTS_TEST_PANICS";

/// The hook is the whole process's, so the panics are another one's.
#[test]
fn a_panic_leaves_its_place_and_nothing_of_its_message() {
    if std::env::var_os(PANICS).is_some() {
        capillary_events::logging::start();
        let bodies = [format!("{{\"firstName\":\"{MARK}\"}}")];
        assert!(catch_unwind(|| panic!("{bodies:?}")).is_err());
        assert!(catch_unwind(|| std::panic::panic_any(bodies.clone())).is_err());
        assert!(catch_unwind(|| serde_json::from_str::<u8>(&format!("\"{MARK}\"")).unwrap()).is_err());
        assert!(std::thread::Builder::new().name(MARK.to_owned()).spawn(|| panic!("{MARK}")).unwrap().join().is_err());
        return;
    }
    let this = "panics::a_panic_leaves_its_place_and_nothing_of_its_message";
    let mut panicking = Command::new(std::env::current_exe().unwrap());
    panicking.args(["--exact", this, "--nocapture"]).env(PANICS, "1").env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    let output = panicking.output().unwrap();
    assert!(output.status.success());
    let written = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines = written.lines().filter(|line| line.contains("\"panic\"") && line.contains("panics.rs"));
    assert_eq!(lines.count(), 4, "{written}");
    assert!(!written.contains(MARK), "{written}");
}
