//! What `capctl secrets set` takes and refuses is what the functions take and refuse: their own tests read the same examples.

use serde_json::Value;

use crate::support::examples;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capctl_takes_what_the_functions_take_and_nothing_else() {
    let world = World::new().await;
    let examples: Value = serde_json::from_str(&examples::text("local/secrets/examples.json")).expect("JSON");
    // The key of pseudonyms stands in the secret with the API credentials.
    for (examples, kind) in
        [(&examples["webhook"], "webhook"), (&examples["capillary"], "capillary"), (&examples["hashKey"], "capillary")]
    {
        for (word, expected) in [("good", 0), ("bad", 2)] {
            for secret in examples[word].as_array().expect("examples") {
                // Each may take away the key of the one before, or what it lets in.
                let anyway = if kind == "capillary" { "--yes" } else { "--no-hold" };
                let words = ["secrets", "set", kind, "--file", "-", anyway];
                let ran = world.capctl_reads(&words, &secret.to_string()).await;
                assert_eq!(ran.code, expected, "{kind}: {secret}: {}", ran.all());
            }
        }
    }
}
