"""Makes a virtual environment from a pinned requirements file: `make_venv.py FOLDER REQUIREMENTS`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(folder: Path, requirements: Path) -> int:
    if not (folder / "bin" / "pip").exists():
        made = subprocess.run([sys.executable, "-m", "venv", folder])
        if made.returncode != 0:
            print("python3 can't make virtual environments here; on Debian and Ubuntu: apt-get install python3-venv")
            return made.returncode
    return subprocess.run([folder / "bin" / "pip", "install", "--disable-pip-version-check", "--quiet", "-r", requirements]).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
