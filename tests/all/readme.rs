//! The README shows consumers what the tests have tried, to the letter.

use serde_json::Value;

use crate::support::examples;

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<String> {
    let readme = examples::text("README.md");
    let opened = readme.split("\n```").skip(1).step_by(2);
    opened.filter_map(|block| Some(block.strip_prefix(language)?.strip_prefix('\n')?.to_owned() + "\n")).collect()
}

#[test]
fn the_consumer_and_the_detail_are_the_files() {
    assert_eq!(blocks("python"), [examples::text("examples/consumer.py")]);
    let detail = examples::text("examples/details/customer-updated.json");
    assert!(blocks("json").contains(&detail), "the README shows another detail than examples/details/customer-updated.json");
}

#[test]
fn the_patterns_are_the_files() {
    let readme = examples::text("README.md");
    let rows = readme.lines().filter(|line| line.contains(r#""source": ["capillary.events"]"#));
    let mut shown: Vec<String> =
        rows.map(|row| row.split('`').nth(1).unwrap_or_else(|| panic!("a pattern that is no code: {row}")).to_owned()).collect();
    let mut files: Vec<String> = examples::patterns().into_values().collect();
    shown.sort();
    files.sort();
    assert_eq!(shown, files);
}

#[test]
fn every_word_that_the_schema_allows_is_explained() {
    let schema: Value = serde_json::from_str(&examples::text("schema/detail.schema.json")).expect("JSON");
    let readme = examples::text("README.md");
    for pointer in ["/entity/properties/status", "/change/properties/origin", "/enrichment/properties/status"] {
        let words = schema["$defs"].pointer(pointer).and_then(|member| member["enum"].as_array()).expect("an enum");
        for word in words.iter().filter_map(Value::as_str).filter(|word| *word != "found") {
            assert!(readme.contains(&format!("`{word}`")), "{word} of {pointer} is not in the README");
        }
    }
    for member in schema["$defs"]["enrichment"]["properties"].as_object().expect("members").keys() {
        assert!(readme.contains(&format!("`{member}`")), "{member} is not in the README");
    }
}
