"""Whether two runs of a study gave the same numbers."""

from pathlib import Path

import numpy as np

from conftest import Project
from faultline.dataset import read_dataset

# Attributes of a file that tell of the run; a hash of a file sees them too.
OF_THE_RUN = {"wall_time_s", "created", "written_as", "input_hashes"}


def numbers_of(project: Project, results: str = "results") -> set[Path]:
    """Files of results that hold numbers only; the list of cases and the reports name the run."""
    found = [
        path
        for suffix in ("nc", "json", "csv", "txt")
        for path in (project / results).rglob(f"[!.]*.{suffix}")
        if path.name != "manifest.json"
    ]
    return {path.relative_to(project.root) for path in found}


def assert_same(found: Path, expected: Path, *apart: str) -> None:
    """Two files have the same numbers, and the same attributes apart from these and those of the run."""
    if found.suffix != ".nc":
        assert found.read_bytes() == expected.read_bytes(), found.name
        return
    one, other = read_dataset(found), read_dataset(expected)
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=f"{found.name}: {name}")
    assert set(one.attrs) == set(other.attrs)
    for key in set(one.attrs) - OF_THE_RUN - set(apart):
        np.testing.assert_equal(one.attrs[key], other.attrs[key], err_msg=f"{found.name}: {key}")
