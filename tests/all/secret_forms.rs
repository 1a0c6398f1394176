//! What `make secrets` takes and refuses is what the functions take and refuse: their own tests read the same examples.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

fn is_taken(kind: &str, secret: &Value) -> bool {
    let mut check = Command::new("python3")
        .args(["local/secret_forms.py", kind])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    check.stdin.take().expect("an input").write_all(secret.to_string().as_bytes()).expect("the secret is written");
    let output = check.wait_with_output().expect("an end");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), !told.starts_with("error: "), "{told}");
    output.status.success()
}

#[test]
fn make_secrets_takes_what_the_functions_take_and_nothing_else() {
    let examples: Value = serde_json::from_str(include_str!("../../local/secrets/examples.json")).expect("JSON");
    // The key of pseudonyms stands in the secret with the API credentials.
    for (examples, kind) in
        [(&examples["webhook"], "webhook"), (&examples["capillary"], "capillary"), (&examples["hashKey"], "capillary")]
    {
        for (word, expected) in [("good", true), ("bad", false)] {
            for secret in examples[word].as_array().expect("examples") {
                assert_eq!(is_taken(kind, secret), expected, "{kind}: {secret}");
            }
        }
    }
}
