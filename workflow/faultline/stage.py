"""One stage of one case, from files to file: what all stages after the microstructure have in common."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings, from_slice
from faultline.dataset import ugrid, write_dataset
from faultline.inputs import read_stages
from faultline.microstructure.particle import Particle
from faultline.microstructure.storage import particle_from_dataset
from faultline.provenance import OK, attributes, stage_result

Solve = Callable[[Particle, Mapping[str, xr.Dataset], StageSettings], xr.Dataset]


def run_stage(
    solve: Solve, inputs: Mapping[str, str], output: str, params: Any, others: Sequence[str] = ()
) -> None:
    """Read the files of earlier stages, solve, and write this stage's file, also if no solution was found.

    Args:
        solve: computes the dataset from the particle, the datasets of earlier stages and the settings.
        inputs: path by stage, empty where the case has no use for it; `microstructure` is always among them.
        output: path to write.
        params: `config` (the stage's slice), `code` (hash) and `seed`.
        others: files besides stage files that `solve` takes something from.
    """
    given = {stage: path for stage, path in inputs.items() if path}
    datasets = read_stages(given)
    has_particle = datasets["microstructure"].attrs["status"] == OK
    particle = particle_from_dataset(datasets["microstructure"]) if has_particle else None
    settings = from_slice(params.config)
    result = stage_result(
        lambda: solve(particle, datasets, settings),  # type: ignore[arg-type]  # not called without a particle
        datasets,
        ugrid(particle) if particle else None,
    )
    made_from = [*given.values(), *others]
    write_dataset(result, Path(output), attributes(params.config, made_from, params.code, params.seed))
