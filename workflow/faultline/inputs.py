"""Stage files read together: they must be of one particle, made from each other, and of one case."""

import json
import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr

from faultline.dataset import LOCATIONS, TOPOLOGY, read_dataset
from faultline.errors import AGAIN, UserError
from faultline.provenance import OK

MAY_LACK = frozenset(["wet_time", "layers_wet_time"])  # where NaN says something: a face that stayed dry


def read_stages(paths: Mapping[str, str | Path]) -> dict[str, xr.Dataset]:
    """Read files of one case by stage, `microstructure` among them, and see that they belong together.

    Files may have been touched, moved together, or made again with the same content: only what contradicts
    itself is an error.

    Raises:
        UserError: a file cannot be read, holds NaN in the place of a number, lies on another particle, was
            made from other content than its input now has, or is a copy of another case's.
    """
    files = {stage: Path(path) for stage, path in paths.items()}
    datasets = {stage: read_dataset(path) for stage, path in files.items()}
    _hold_numbers(files, datasets)
    _on_one_particle(files, datasets)
    _made_from_each_other(files, datasets)
    _written_together(files, datasets)
    return datasets


def _hold_numbers(files: Mapping[str, Path], datasets: Mapping[str, xr.Dataset]) -> None:
    """See that fields on the mesh hold numbers; series may lack some, such as those of absent interfaces."""
    for stage, ds in datasets.items():
        if ds.attrs["status"] != OK:
            continue  # it says so itself
        for name, variable in ds.variables.items():
            is_field = variable.dtype.kind == "f" and not LOCATIONS.keys().isdisjoint(variable.dims)
            lacking = np.count_nonzero(np.isnan(variable.values)) if is_field else 0
            if lacking and name not in MAY_LACK:
                raise UserError(
                    f"{files[stage]}: {name}: holds no number (NaN) in {lacking} of {variable.size} places; "
                    f"{AGAIN}. If it comes back, the stage that writes the file is at fault"
                )


def _on_one_particle(files: Mapping[str, Path], datasets: Mapping[str, xr.Dataset]) -> None:
    particle = datasets["microstructure"]
    for stage, ds in datasets.items():
        shared = [name for name in TOPOLOGY if name in ds and name in particle]
        if not all(np.array_equal(ds[name], particle[name]) for name in shared):
            raise UserError(
                f"{files[stage]}: lies on another particle than that of {files['microstructure']}; {AGAIN}"
            )


def _made_from_each_other(files: Mapping[str, Path], datasets: Mapping[str, xr.Dataset]) -> None:
    stages = {path.resolve(): stage for stage, path in files.items()}
    for late, ds in datasets.items():
        folder = Path(ds.attrs["written_as"]).parent
        for path, content in json.loads(ds.attrs.get("input_hashes", "{}")).items():
            now_at = files[late].parent / os.path.relpath(path, folder)
            early = stages.get(now_at.resolve())
            if early and datasets[early].attrs["content_hash"] != content:
                raise UserError(
                    f"{files[late]}: made from other content than {files[early]} now has; delete whichever "
                    "does not belong to this case (the first, if in doubt) and run the same command again"
                )


def _written_together(files: Mapping[str, Path], datasets: Mapping[str, xr.Dataset]) -> None:
    """Of files that lie in one folder or below each other, see that they were written so.

    The folder may have been moved since, under its name.
    """
    for pair in combinations(files, 2):
        upper, lower = sorted(pair, key=lambda stage: len(files[stage].parts))
        folder = files[upper].parent
        if not files[lower].is_relative_to(folder):
            continue
        written = {stage: Path(datasets[stage].attrs["written_as"]) for stage in (upper, lower)}
        names = {_folder_name(written[stage], files[stage].relative_to(folder)) for stage in (upper, lower)}
        if None in names or len(names) > 1:
            raise UserError(
                f"{files[lower]} and {files[upper]}: not of one case, they were written as {written[lower]} "
                f"and {written[upper]}; delete whichever is a copy and run the same command again"
            )


def _folder_name(path: Path, tail: Path) -> str | None:
    """Name of the folder in which `tail` is `path`; None where no folder is."""
    depth = len(tail.parts)
    return path.parents[depth - 1].name if path.parts[-depth:] == tail.parts else None
