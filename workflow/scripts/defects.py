"""What synthesis left in the particle of a case."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.defects import defects_dataset, generate_defects, map_on_cells, read_map
from faultline.microstructure.particle import Particle
from faultline.progress import run_script
from faultline.provenance import ROOT
from faultline.stage import run_stage


def solve(particle: Particle, inputs: Mapping[str, xr.Dataset], settings: StageSettings) -> xr.Dataset:
    given, measured = settings.defects.microstrain.map, None
    if given is not None:
        measured = map_on_cells(particle, read_map(given.file, ROOT), given)
    return defects_dataset(particle, generate_defects(particle, settings.defects, settings.seed, measured))


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(solve, {"microstructure": input.microstructure}, output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
