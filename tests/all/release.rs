//! `make release`, all but the build: what it makes of executables, and what it refuses.
//!
//! Each story has a repository of its own, with the script, the template and executables of a few bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The machine that an executable runs on, as its ELF header has it.
const X86_64: u8 = 62;
const ARM64: u8 = 183;

/// A repository that could be released.
struct Repository(PathBuf);

impl Repository {
    /// One with everything committed, whose executables are right.
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release").join(name);
        let _ = fs::remove_dir_all(&root);
        let repository = Self(root);
        for file in ["local/release.py", "local/settings.py", "local/steps.py", "template.yaml", "Cargo.toml", "LICENSE"] {
            repository.write(file, &fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of ours"));
        }
        repository.write(".gitignore", b"/dist\n/.local\n/built\n__pycache__/\n");
        repository.write("CHANGELOG.md", format!("# Changelog\n\n## [{VERSION}] - 2026-12-01\n").as_bytes());
        for (architecture, machine) in [("x86_64", X86_64), ("arm64", ARM64)] {
            for function in ["receiver", "enricher"] {
                repository.write(&format!("built/{architecture}/{function}"), &executable(machine, function));
            }
        }
        repository.git(&["init", "--quiet"]);
        repository.commit();
        repository
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
        fs::write(path, bytes).expect("a file is written");
    }

    fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "As it is"]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(&self.0).output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Runs the script.
    fn run(&self, architectures: &[&str]) -> Output {
        let mut command = Command::new("python3");
        command.args(["local/release.py", "--executables", "built"]).args(architectures).current_dir(&self.0);
        command.env("PYTHONDONTWRITEBYTECODE", "1").output().expect("python3 runs")
    }

    #[track_caller]
    fn release(&self, architectures: &[&str]) -> String {
        let output = self.run(architectures);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says that is wrong; nothing is left of the release then.
    #[track_caller]
    fn refusal(&self, architectures: &[&str]) -> String {
        let output = self.run(architectures);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!self.released("").exists(), "there is a release all the same");
        String::from_utf8(output.stderr).expect("text")
    }

    fn released(&self, file: &str) -> PathBuf {
        self.0.join("dist").join(VERSION).join(file)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.released("")).expect("a release");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("a file").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    /// A template as data.
    fn parsed(&self, template: &Path) -> Value {
        let program =
            "import json, sys; from samtranslator.yaml_helper import yaml_parse; print(json.dumps(yaml_parse(sys.stdin.read())))";
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/aws/bin/python3");
        let output = Command::new(python).args(["-c", program]).stdin(fs::File::open(template).expect("a template")).output();
        let output = output.expect("the Python of the local AWS runs; `make tools` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// The version of this package.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// As much of an executable as tells what it runs on, and which one it is.
fn executable(machine: u8, name: &str) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..4].copy_from_slice(b"\x7fELF");
    bytes[18] = machine;
    bytes.extend(name.as_bytes());
    bytes
}

/// Name, rights, time and content of each file in an archive.
fn contents(archive: &Path) -> Vec<(String, String, Vec<u8>)> {
    let program = "import sys, zipfile\nfor entry in (archive := zipfile.ZipFile(sys.argv[1])).infolist():\n    \
                   print(entry.filename, oct(entry.external_attr >> 16), entry.date_time, archive.read(entry).hex(), sep=';')";
    let output = Command::new("python3").args(["-c", program]).arg(archive).output().expect("python3 runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let bytes = |hex: &str| (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
    let entry = |line: &str| {
        let parts: Vec<&str> = line.split(';').collect();
        (parts[0].to_owned(), format!("{} {}", parts[1], parts[2]), bytes(parts[3]))
    };
    text.lines().map(entry).collect()
}

#[test]
fn a_release_is_an_archive_of_each_function_and_a_template_that_points_at_them() {
    let repository = Repository::new("both");
    repository.write("built/capctl", b"for this machine");
    let printed = repository.release(&["x86_64", "arm64"]);

    let files = repository.files();
    let capctl = files.iter().find(|file| file.starts_with("capctl-")).expect("capctl");
    let mut expected = ["CHANGELOG.md", "LICENSE", "SHA256SUMS", capctl].map(str::to_owned).to_vec();
    for architecture in ["x86_64", "arm64"] {
        expected.extend([format!("receiver-{architecture}.zip"), format!("enricher-{architecture}.zip")]);
        expected.push(format!("template-{architecture}.yaml"));
    }
    expected.sort();
    assert_eq!(files, expected);
    assert!(files.iter().all(|file| printed.contains(file)), "{printed}");
    for (architecture, machine) in [("x86_64", X86_64), ("arm64", ARM64)] {
        for function in ["receiver", "enricher"] {
            let archive = contents(&repository.released(&format!("{function}-{architecture}.zip")));
            let whole = ("bootstrap".to_owned(), "0o100755 (1980, 1, 1, 0, 0, 0)".to_owned(), executable(machine, function));
            assert_eq!(archive, [whole], "Lambda runs the one file of this name");
        }
    }
}

#[test]
fn the_template_of_a_release_is_the_template_but_for_the_code() {
    let repository = Repository::new("template");
    repository.release(&["arm64"]);
    let released = repository.released("template-arm64.yaml");
    let first_line = fs::read_to_string(&released).expect("the template").lines().next().expect("a line").to_owned();
    let commit = repository.git(&["rev-parse", "HEAD"]);
    assert_eq!(first_line, format!("# capillary-events {VERSION} for arm64, of commit {commit}"));

    let mut expected = repository.parsed(&repository.0.join("template.yaml"));
    expected["Globals"]["Function"].as_object_mut().expect("settings").remove("CodeUri").expect("the code's place");
    expected["Parameters"]["Architecture"]["Default"] = json!("arm64");
    expected["Parameters"]["Architecture"]["AllowedValues"] = json!(["arm64"]);
    for (name, code) in [("ReceiverFunction", "receiver-arm64.zip"), ("EnricherFunction", "enricher-arm64.zip")] {
        let function = expected["Resources"][name].as_object_mut().expect("a function");
        function.remove("Metadata").expect("how it is built");
        function["Properties"]["CodeUri"] = json!(code);
        assert!(repository.released(code).exists(), "{code}");
    }
    assert_eq!(repository.parsed(&released), expected);
}

#[test]
fn a_download_is_checked_with_one_command() {
    let repository = Repository::new("checked");
    repository.release(&[]);
    let check = || {
        let command = Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(repository.released("")).output();
        let output = command.expect("sha256sum runs");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    };
    let (is_whole, told) = check();
    assert!(is_whole, "{told}");
    let checked: Vec<&str> = told.lines().filter_map(|line| line.strip_suffix(": OK")).collect();
    let released = repository.files();
    assert_eq!(checked, released.iter().filter(|file| *file != "SHA256SUMS").collect::<Vec<_>>());
    fs::write(repository.released("receiver-x86_64.zip"), "another one").expect("a file is written");
    assert!(!check().0, "a file that was changed is not noticed");
}

#[test]
fn the_same_executables_make_the_same_bytes() {
    let repository = Repository::new("twice");
    repository.release(&["x86_64"]);
    let first = fs::read_to_string(repository.released("SHA256SUMS")).expect("sums");
    for function in ["receiver", "enricher"] {
        let path = format!("built/x86_64/{function}");
        fs::remove_file(repository.0.join(&path)).expect("it is gone");
        repository.write(&path, &executable(X86_64, function));
    }
    repository.release(&["x86_64"]);
    assert_eq!(fs::read_to_string(repository.released("SHA256SUMS")).expect("sums"), first);
}

#[test]
fn what_is_in_no_commit_is_not_released() {
    let repository = Repository::new("changed");
    repository.write("src/new.rs", b"// in no commit");
    assert!(repository.refusal(&[]).contains("src/"), "a new file");
    repository.commit();
    repository.write("LICENSE", b"another one");
    assert!(repository.refusal(&[]).contains("LICENSE"), "a changed file");
    repository.commit();
    repository.release(&[]);
}

#[test]
fn a_version_that_the_changelog_does_not_tell_of_is_not_released() {
    let repository = Repository::new("version");
    for other in ["## [Unreleased]", &format!("## [{VERSION}.1] - 2026-12-01"), &format!("- {VERSION} is to come")] {
        repository.write("CHANGELOG.md", format!("# Changelog\n\n{other}\n").as_bytes());
        repository.commit();
        assert!(repository.refusal(&[]).contains(&format!("no section for {VERSION}")), "{other}");
    }
    repository.write("CHANGELOG.md", format!("# Changelog\n\n## [{VERSION}] - unreleased\n").as_bytes());
    repository.commit();
    assert!(repository.release(&[]).contains("no date yet"), "a release without a date is one, but it is said");
}

#[test]
fn an_executable_for_another_machine_is_not_released() {
    let repository = Repository::new("machine");
    repository.write("built/x86_64/enricher", &executable(ARM64, "enricher"));
    assert!(repository.refusal(&["x86_64"]).contains("does not run on x86_64"));
    assert!(repository.refusal(&["sparc"]).contains("sparc is none of"));
    fs::remove_file(repository.0.join("built/x86_64/enricher")).expect("it is gone");
    assert!(repository.refusal(&["x86_64"]).contains("built/x86_64/enricher"));
}
