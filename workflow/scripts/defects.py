"""What synthesis left in the particle of a case."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from faultline.config.stage import StageSettings
from faultline.defects.stage import synthesised
from faultline.microstructure.particle import Particle
from faultline.progress import run_script
from faultline.stage import run_stage


def solve(particle: Particle, inputs: Mapping[str, xr.Dataset], settings: StageSettings) -> xr.Dataset:
    return synthesised(particle, settings, settings.seed)


def main(input: Any, output: Any, params: Any) -> None:
    run_stage(solve, {"microstructure": input.microstructure}, output[0], params)


if __name__ == "__main__":
    run_script(main, globals()["snakemake"])
