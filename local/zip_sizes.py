"""How large executables are in the archives that Lambda gets: `zip_sizes.py [--most BYTES] FILE …`.

Prints bytes and name of each; ends with status 1 if one is larger than allowed. The limit on what ships stands in the
Makefile: `make build` has link-time optimisation, which makes it half the size of what the demo and the tests build.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path

from steps import fail


def zipped_bytes(file: Path) -> int:
    """The size of an archive with nothing else in it, compressed as `sam deploy` does it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.write(file, file.name)
    return len(archive.getvalue())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int)
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    sizes = {file: zipped_bytes(file) for file in options.files}
    for file, size in sizes.items():
        print(f"{size} {file.parent.name}/{file.name}")
    too_large = [f"{file} is {size} bytes zipped" for file, size in sizes.items() if options.most is not None and size > options.most]
    return fail(f"{', '.join(too_large)}; {options.most} are allowed") if too_large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
