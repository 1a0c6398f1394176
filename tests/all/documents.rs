//! The documents lead where they say: links to files and headings, and files that are named.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::examples;

const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "events/README.md"];

/// The lines that are no code.
fn prose(document: &str) -> Vec<String> {
    let mut is_code = false;
    let text = examples::text(document);
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(str::to_owned).collect()
}

/// The headings as GitHub links to them.
fn anchors(document: &str) -> Vec<String> {
    let lines = prose(document);
    let headings = lines.iter().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    headings.map(|heading| heading.chars().filter(kept).collect::<String>().to_lowercase().replace(' ', "-")).collect()
}

/// Where its links lead that are no addresses.
fn links(document: &str) -> Vec<String> {
    let text = prose(document).join("\n");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned());
    targets.filter(|target| !target.starts_with("http")).collect()
}

fn exists(path: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_of_it() {
    for document in DOCUMENTS {
        let folder = document.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        for link in links(document) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let file = if file.is_empty() { document.to_owned() } else { format!("{folder}{file}") };
            assert!(exists(&file), "{document} leads to {link}, which is not there");
            assert!(anchor.is_empty() || anchors(&file).iter().any(|known| known == anchor), "{document}: no heading for {link}");
        }
    }
}

#[test]
fn no_document_has_a_heading_twice() {
    for document in DOCUMENTS {
        let anchors = anchors(document);
        let distinct: BTreeSet<&String> = anchors.iter().collect();
        // A link leads to the first of two.
        assert_eq!(anchors.len(), distinct.len(), "{document}: {anchors:?}");
    }
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let text = prose("ARCHITECTURE.md").join("\n");
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let endings = [".rs", ".py", ".json", ".pem", ".toml", ".yaml", "/"];
    let files: Vec<&&str> = named.iter().filter(|name| endings.iter().any(|ending| name.ends_with(ending))).collect();
    assert!(files.len() > 30, "{files:?}");
    // Names of tests say so; the others are the library's.
    for file in files {
        assert!(["", "src/", "tests/protocol/"].iter().any(|folder| exists(&format!("{folder}{file}"))), "{file} is not there");
    }
}
