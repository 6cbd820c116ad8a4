"""Write envs/faultline.yaml again from uv.lock, for conda users of Snakemake (`--sdm conda`)."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "envs" / "faultline.yaml"

HEADER = """\
# Written by `make envs` from uv.lock; do not edit. The packages come from the lock file, so that both ways of
# installing give the same versions; conda adds Python and the system libraries that gmsh needs.
# Faultline itself is not in here: the Snakefile puts workflow/ on the import path.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.12
  - pip
  - libgl
  - libglu
  - xorg-libxcursor
  - xorg-libxft
  - xorg-libxinerama
  - pip:
"""


def environment() -> str:
    """Text of the conda environment file."""
    return HEADER + "".join(f"      - {line}\n" for line in locked_requirements())


def locked_requirements() -> list[str]:
    """Pinned requirements (`name==version`, with markers) of the library's run time, from uv.lock."""
    uv = ROOT / ".tools" / "uv"
    command = [
        str(uv) if uv.exists() else shutil.which("uv") or "uv",
        "export",
        "--frozen",
        "--offline",
        "--quiet",
    ]
    command += ["--no-dev", "--no-hashes", "--no-emit-project", "--no-annotate", "--no-header"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return answer.stdout.split("\n")[:-1]


if __name__ == "__main__":
    TARGET.write_text(environment(), encoding="utf-8")
    print(f"wrote {TARGET.relative_to(ROOT)}")
