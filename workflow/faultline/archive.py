"""A finished study as one file to keep: its crate, the versions it was made by, and a checksum of each file.

The file is a zip file that unpacks into a project. `sha256sum -c SHA256SUMS` there tells whether it is
whole, `faultline provenance-check` whether its results are what its configuration and code give.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path

from faultline.crate import crate_of, made_by, ready, written
from faultline.errors import UserError

ARCHIVE = "study/archive.zip"  # where the workflow puts it, below the results folder
VERSIONS, CHECKSUMS = "versions.json", "SHA256SUMS"
TOLD = ("library_version", "git_state", "solver", "lock_hash", "schema_version", "seed")


def write_archive(study_file: str, root: Path, target: Path) -> Path:
    """Pack a finished study into a zip file, whole or not at all; the same results give the same bytes.

    Args:
        study_file: relative to `root`.
        root: project folder.
        target: new.

    Raises:
        UserError: the study is unfinished, out of date or damaged; `target` is no zip file, or there already;
            or as `write_crate`.
    """
    if target.suffix != ".zip":
        raise UserError(f"{target}: an archive is a zip file; let its name end in .zip")
    study, contents = ready(study_file, root, target)
    stages = [study.root / file for file in contents.files if file.endswith(".nc")]
    texts = {
        VERSIONS: (
            "versions that the results were made by, as they say, and locked packages",
            versions(stages, study.root / "uv.lock"),
        ),
        CHECKSUMS: ("checksum of every other file", ""),  # known when these are written
    }
    return written(crate_of(study, contents, texts), target, write_checksums)


def versions(stages: Iterable[Path], lock: Path) -> str:
    """As JSON: program, packages and seeds that stage files say they were made by, and locked packages."""
    told = [made_by(file) for file in stages]
    found = {key: sorted({one[key] for one in told if key in one}) for key in TOLD}
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
    locked = sorted({f"{one['name']} {one['version']}" for one in packages if "version" in one})
    return json.dumps(found | {"locked": locked}, indent=1) + "\n"


def write_checksums(folder: Path) -> None:
    """Write the checksums of all files in a folder, as `sha256sum` reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    lines = [f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
