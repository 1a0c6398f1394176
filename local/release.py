"""Makes a release: `release.py [--executables FOLDER] [ARCHITECTURE …]`, or `make release ARCH="x86_64 arm64"`.

Builds both functions as they ship, and puts into dist/<version>/: an archive of each, a template that points at these, capctl for
this machine, the licence and the changelog, and SHA256SUMS. The version is the one of Cargo.toml. A tree with uncommitted changes is
refused, and a version that the changelog does not have. The same executables always give the same bytes.

With --executables nothing is built: FOLDER has <architecture>/receiver, <architecture>/enricher and, if there is one, capctl.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from settings import ROOT
from steps import StepFailed, fail, run_logged, step

FUNCTIONS = {"receiver": "ReceiverFunction", "enricher": "EnricherFunction"}
# Rust's name for what cargo-lambda builds, and how the executable itself says what it runs on (the ELF header's e_machine).
TARGETS = {"x86_64": ("x86_64-unknown-linux-gnu", 62), "arm64": ("aarch64-unknown-linux-gnu", 183)}
# The earliest time that an archive can bear.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def output_of(*command: str) -> str:
    """What a command prints."""
    try:
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except OSError as error:
        raise StepFailed(f"{command[0]}: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"{' '.join(command)}: {error.stderr.strip()}") from None


def committed() -> str:
    """The commit that the tree is at, to the letter."""
    changed = output_of("git", "status", "--porcelain").splitlines()
    if changed:
        raise StepFailed("a release is made of a commit, and these are in none:\n" + "\n".join(changed))
    return output_of("git", "rev-parse", "HEAD").strip()


def version() -> str:
    """The version to release, which the changelog tells about."""
    found = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
    heading = re.search(rf"^## \[?{re.escape(found)}\]?(?= |$)(.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if heading is None:
        raise StepFailed(f"CHANGELOG.md has no section for {found}, the version of Cargo.toml")
    if re.search(r"\d{4}-\d\d-\d\d", heading[1]) is None:
        print(f"    CHANGELOG.md gives {found} no date yet", flush=True)
    return found


def build(architecture: str) -> dict[str, Path]:
    """Both functions as they ship."""
    target, _ = TARGETS[architecture]
    sysroot = Path(output_of("rustc", "--print", "sysroot").strip())
    if not (sysroot / "lib" / "rustlib" / target).is_dir():
        # Otherwise the build would install it by itself.
        raise StepFailed(f"Rust has no {target} here; with rustup: rustup target add {target}")
    with step(f"both functions for {architecture} (many minutes; log: .local/release-{architecture}.log)"):
        run_logged(["make", "build", f"ARCHITECTURE={architecture}"], f"release-{architecture}", without_paths())
    return {name: ROOT / ".aws-sam" / "build" / function / "bootstrap" for name, function in FUNCTIONS.items()}


def without_paths() -> dict[str, str]:
    """An environment in which the compiler writes no folder of this machine into what it builds."""
    cargo_home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    folders = {ROOT: "/capillary-events"} | {registry: "/crates" for registry in sorted((cargo_home / "registry" / "src").glob("*"))}
    flags = [f"--remap-path-prefix={folder}={name}" for folder, name in folders.items()]
    if any(" " in flag for flag in flags):
        raise StepFailed("a release can't be built in a folder with a space in its path")
    # Not CARGO_ENCODED_RUSTFLAGS, which would take the place of the flags that cargo-lambda adds.
    return {**os.environ, "RUSTFLAGS": " ".join([*filter(None, [os.environ.get("RUSTFLAGS")]), *flags])}


def given_capctl(folder: Path) -> Path | None:
    """capctl among executables that are there, if it is."""
    capctl = folder / "capctl"
    return capctl if capctl.exists() else None


def build_capctl() -> Path | None:
    """capctl for this machine; none as long as there is none."""
    metadata = json.loads(output_of("cargo", "metadata", "--no-deps", "--locked", "--format-version", "1"))
    targets = [target for package in metadata["packages"] for target in package["targets"] if target["name"] == "capctl"]
    if not targets:
        return None
    features = ",".join(targets[0].get("required-features", []))
    with step("capctl for this machine (some minutes; log: .local/release-capctl.log)"):
        command = ["cargo", "build", "--release", "--locked", "--bin", "capctl", *(["--features", features] if features else [])]
        # Nobody waits for its start, and to optimise across all of its crates takes as long again as the two functions.
        quick = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
        run_logged(command, "release-capctl", {**without_paths(), **quick})
    return Path(metadata["target_directory"]) / "release" / "capctl"


def host() -> str:
    """Rust's name for this machine."""
    return re.search(r"^host: (\S+)$", output_of("rustc", "-vV"), re.MULTILINE)[1]


def checked(executable: Path, architecture: str) -> Path:
    """An executable that runs on what it is for."""
    try:
        head = executable.read_bytes()[:20]
    except OSError as error:
        raise StepFailed(f"{executable}: {error.strerror}") from None
    if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != TARGETS[architecture][1]:
        raise StepFailed(f"{executable} does not run on {architecture}")
    return executable


def archive(executable: Path, into: Path) -> None:
    """An archive as Lambda wants it, the same for the same executable."""
    entry = zipfile.ZipInfo("bootstrap", NO_TIME)
    entry.create_system = 3  # Unix, whose rights stand in the upper half:
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(into, "w") as opened:
        opened.writestr(entry, executable.read_bytes(), compresslevel=9)


def packaged(template: str, architecture: str, title: str) -> str:
    """The template with archives that are there, instead of code to build; for the one architecture that they run on."""

    def replaced(pattern: str, by: str, text: str, times: int) -> str:
        text, found = re.subn(pattern, by, text, flags=re.MULTILINE)
        if found != times:
            raise StepFailed(f"template.yaml has changed: {pattern!r} is there {found} times instead of {times}")
        return text

    template = replaced(r"^    CodeUri: \.\n", "", template, 1)
    function = r"^(    Type: AWS::Serverless::Function\n)    Metadata:\n      BuildMethod: .*\n      BuildProperties: { Binary: (\w+) }\n    Properties:\n"
    template = replaced(function, rf"\1    Properties:\n      CodeUri: \2-{architecture}.zip\n", template, len(FUNCTIONS))
    parameter = r"^(  Architecture:\n    Type: String\n)    Default: .*\n    AllowedValues: .*\n"
    template = replaced(parameter, rf"\1    Default: {architecture}\n    AllowedValues: [{architecture}]\n", template, 1)
    return f"# {title}\n{template}"


def sums(folder: Path) -> str:
    """The lines of SHA256SUMS, as `sha256sum --check` reads them."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)


def release(architectures: Sequence[str], executables: Path | None) -> Path:
    """Makes the folder, which is there only once it is whole."""
    commit = committed()
    name = version()
    made = ROOT / "dist" / f".{name}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    for architecture in architectures:
        built = {function: executables / architecture / function for function in FUNCTIONS} if executables else build(architecture)
        for function, executable in built.items():
            archive(checked(executable, architecture), made / f"{function}-{architecture}.zip")
        title = f"capillary-events {name} for {architecture}, of commit {commit}"
        (made / f"template-{architecture}.yaml").write_text(packaged(template, architecture, title), encoding="utf-8")
    capctl = given_capctl(executables) if executables else build_capctl()
    if capctl:
        shutil.copy(capctl, made / f"capctl-{host()}")
    for document in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / document, made)
    (made / "SHA256SUMS").write_text(sums(made), encoding="utf-8")
    # A build takes its time, and changes a lock file that does not fit.
    if committed() != commit:
        raise StepFailed("the tree moved on to another commit meanwhile")
    whole = made.with_name(name)
    shutil.rmtree(whole, ignore_errors=True)
    return made.rename(whole)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executables", type=Path)
    parser.add_argument("architectures", nargs="*", metavar="ARCHITECTURE", help=" or ".join(TARGETS))
    options = parser.parse_args(arguments)
    architectures = options.architectures or ["x86_64"]
    unknown = [architecture for architecture in architectures if architecture not in TARGETS]
    if unknown:
        return fail(f"{unknown[0]} is none of {', '.join(TARGETS)}")
    try:
        made = release(list(dict.fromkeys(architectures)), options.executables)
    except StepFailed as failed:
        return fail(str(failed))
    print(f"{made.relative_to(ROOT)}:")
    for file in sorted(made.iterdir()):
        print(f"{file.stat().st_size:>10} {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
